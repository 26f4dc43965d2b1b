"""Helpers for tests of ``checking``: a case that folds, the failure of a case, and a pass that changes every pad."""

import pytest
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from foldproof import Axis, Case, Failure, check
from foldproof.fold.reader import PAD, op_name

FOLDABLE = Case(op="conv1d", axes=(Axis(size=4, pad=(1, 2), kernel=2),), fills=("integers", "negative"))


def catch_failure(case, **options):
    """Return the failure that ``check`` raises."""
    with pytest.raises(Failure) as caught:
        check(case, **options)
    return caught.value


@tvm.transform.module_pass(opt_level=0, name="ChangePadValue")
def change_pad_value(mod, _ctx):
    """Set the value of every pad to 77."""

    @mutator
    class Change(PyExprMutator):
        def visit_call_(self, call):
            call = super().visit_call_(call)
            if op_name(call) != PAD or call.attrs.pad_value == 77:
                return call
            return relax.op.nn.pad(call.args[0], call.attrs.pad_width, call.attrs.pad_mode, 77)

    out = mod.clone()
    for name, function in mod.functions_items():
        if isinstance(function, relax.Function):
            out.update_func(name, Change(mod).visit_expr(function))
    return out
