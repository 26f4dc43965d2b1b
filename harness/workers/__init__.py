"""Processes that draw and check cases. One that dies or hangs costs no other case."""
