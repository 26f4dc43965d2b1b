"""Standalone scripts that reproduce a failure."""
