"""The commands of ``foldproof``, one module each. They import TVM and Hypothesis late: ``--help`` needs neither."""
