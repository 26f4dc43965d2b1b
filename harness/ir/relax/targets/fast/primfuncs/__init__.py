"""PrimFuncs built without TE, node for node equal to those of LegalizeOps."""
