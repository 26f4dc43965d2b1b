"""Build PrimFuncs without TE, equal node for node to those of LegalizeOps."""
