"""Relax, the graph IR of Apache TVM: everything that is true of TVM and of no other compiler."""
