"""The commands of ``foldproof``, a module for those that belong together. They import late: --help needs no TVM."""
