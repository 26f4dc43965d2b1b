"""The cost of a case, per pipeline and per stage."""
