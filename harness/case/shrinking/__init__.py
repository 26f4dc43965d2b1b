"""Shrinking candidates: the next simpler cases, steps and values of a case."""
