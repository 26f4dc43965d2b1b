"""The next simpler cases, steps and values: what a shrinker tries."""
