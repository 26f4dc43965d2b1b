"""check(case): build, fold, compile, run, compare, and judge the pads that are left."""
