"""Defaults that the command line and the pytest plugin share."""

from pathlib import Path

DEFAULT_CORPUS = Path("foldproof-corpus")
"""Where failing cases are saved, and looked for."""
