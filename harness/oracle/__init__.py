"""The oracles: input fills, the NumPy reference with its error bounds, and whether a fold is legal."""
