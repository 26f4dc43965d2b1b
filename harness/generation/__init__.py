"""Which cases a campaign draws: shards, their seeds, and the draw itself."""
