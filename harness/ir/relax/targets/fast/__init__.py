"""The fast pipeline: only the lowering that a tiny case needs."""
