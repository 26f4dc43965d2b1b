"""check(case): build, fold, compile, run, compare."""
