"""Hide pads from a pass, so that it folds the others alone: a hidden pad is a call of a packed function.

    lv = nn.pad(x)   ->   lv = call_pure_packed("foldproof.hidden_pad.3", x)   -> pass ->   lv = nn.pad(x')

Invariant: without a pass between, hiding and revealing gives an equal module.
"""

from collections.abc import Callable, Collection
from typing import Any

import tvm
from tvm import ir, relax

from foldproof.fold.facts import PadFacts
from foldproof.fold.pad_kernels import PadKernels
from foldproof.fold.reader import CALL_TIR, PAD, data_of_pad, op_name

_PREFIX = "foldproof.hidden_pad."


def fold_only(module: tvm.IRModule, fold: Callable[[tvm.IRModule], tvm.IRModule], shown: Collection[int]) -> Any:
    """Return what a pass makes of a module when it sees these pads only.

    ``shown`` are their numbers, in the order of the bindings.
    """
    hider = _Hider(module, shown)
    hidden = _map_functions(module, hider)
    return _map_functions(_keep_kernels(fold(hidden), module), _Revealer(hider.calls))


def _keep_kernels(folded: tvm.IRModule, module: tvm.IRModule) -> tvm.IRModule:
    """Add the PrimFuncs again that a pass removed since it saw no call of them."""
    names = {each.name_hint for each in folded.get_global_vars()}
    missing = [(key, value) for key, value in module.functions_items() if key.name_hint not in names]
    if not missing:
        return folded
    out = folded.clone()
    for key, value in missing:
        out[key] = value
    return out


def _map_functions(module: tvm.IRModule, mutator: Any) -> tvm.IRModule:
    out = module.clone()
    for key, function in module.functions_items():
        if isinstance(function, relax.Function):
            out.update_func(key, mutator.visit_expr(function))
    return out


@relax.expr_functor.mutator
class _Hider(relax.expr_functor.PyExprMutator):  # type: ignore[misc]
    def __init__(self, module: tvm.IRModule, shown: Collection[int]) -> None:
        super().__init__(module)
        self._kernels, self._shown = PadKernels(module), shown
        self._count = 0
        self.calls: dict[str, Any] = {}

    def visit_call_(self, call: Any) -> Any:
        call = super().visit_call_(call)
        name = op_name(call)
        if name != PAD and not (name == CALL_TIR and isinstance(self._kernels(call), PadFacts)):
            return call
        number = self._count
        self._count += 1
        if number in self._shown:
            return call
        hidden = f"{_PREFIX}{number}"
        self.calls[hidden] = call
        return relax.op.call_pure_packed(hidden, data_of_pad(call), ty_args=[call.ty])


@relax.expr_functor.mutator
class _Revealer(relax.expr_functor.PyExprMutator):  # type: ignore[misc]
    def __init__(self, calls: dict[str, Any]) -> None:
        super().__init__()
        self._calls = calls

    def visit_call_(self, call: Any) -> Any:
        call = super().visit_call_(call)
        if op_name(call) != "relax.call_pure_packed" or str(call.args[0].global_symbol) not in self._calls:
            return call
        pad, data = self._calls[str(call.args[0].global_symbol)], call.args[1]
        args = [data] if op_name(pad) == PAD else [pad.args[0], relax.Tuple([data, *pad.args[1].fields[1:]])]
        return ir.Call(pad.op, args, pad.attrs, pad.ty_args, pad.span, pad.ty)
