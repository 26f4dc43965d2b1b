"""Generation of cases: shards, their seeds, and the draw."""
