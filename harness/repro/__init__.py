"""Reproducers: standalone scripts that show a failure without foldproof and without the pass."""
