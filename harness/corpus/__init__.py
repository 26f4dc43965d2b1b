"""Saved cases: one JSON file each, their maintenance and their coverage."""
