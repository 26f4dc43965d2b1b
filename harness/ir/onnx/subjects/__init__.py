"""How the optimizers, rewriters and runtimes of other projects are applied to a model (``foldproof.ir.subjects``)."""
