"""Relax, the graph IR of Apache TVM: everything that is true of TVM and of no other compiler."""

from foldproof.fold.tvm_version import require_supported_tvm

require_supported_tvm()
