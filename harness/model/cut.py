"""Cut a site out of a model: the pad, the ops after it and its consumer, as a module of its own.

x --> pad --> relu --> conv2d(weight) --> result        x, and what is not a constant, become parameters
"""

from collections.abc import Iterator
from typing import Any

import tvm
from tvm import ir, relax

from foldproof.model.pads import Place


class NotCut(ValueError):  # noqa: N818, nothing is wrong with the model
    """A site that cannot stand alone; the message is the reason."""


def cut_site(module: tvm.IRModule, place: Place) -> tvm.IRModule:
    """Return a module whose ``main`` computes the site alone.

    Raises:
        NotCut: If no op reads the pad, or a length is symbolic.
    """
    user = place.user
    call = None if user is None else place.bindings.values.get(user)
    if not isinstance(call, ir.Call):
        raise NotCut("no op reads it: it is returned, or stands in a tuple")
    assert user is not None
    chain = [place.path.pad, *(var for var, _, _ in place.path.steps), user]
    cutter = _Cutter(place)
    bindings = [cutter.bind(var) for var in chain]
    result = bindings[-1].var
    if any(_is_symbolic(var.ty) for var in (*cutter.params, *(each.var for each in bindings))):
        raise NotCut("it has symbolic lengths")
    output = relax.DataflowBlock([*bindings[:-1], relax.VarBinding(result, bindings[-1].value)])
    function = relax.Function(cutter.params, relax.SeqExpr([output], result), result.ty)
    out = tvm.IRModule({"main": function.with_attr("global_symbol", "main")})
    for kernel in cutter.kernels:
        out[kernel] = module[kernel]
    return relax.transform.Normalize()(out)  # infers the types of the new tuples


class _Cutter:
    def __init__(self, place: Place) -> None:
        self._place = place
        self._names: dict[Any, Any] = {}
        self.params: list[relax.Var] = []
        self.kernels: list[Any] = []
        self._last = place.user

    def bind(self, var: relax.Var) -> relax.VarBinding:
        """Return the binding of a variable, whose operands are bound or become parameters."""
        call = self._place.bindings.values[var]
        args = [self._visit(arg) for arg in call.args]
        kind = relax.Var if var is self._last else relax.DataflowVar
        self._names[var] = kind(str(var.name), var.ty)
        return relax.VarBinding(self._names[var], ir.Call(call.op, args, call.attrs, call.ty_args, call.span, call.ty))

    def _visit(self, arg: Any) -> Any:
        if isinstance(arg, relax.Tuple):
            return relax.Tuple([self._visit(field) for field in arg.fields])
        if isinstance(arg, ir.GlobalVar):
            self.kernels.append(arg)
            return arg
        if not isinstance(arg, relax.Var):
            return arg
        arg = self._place.bindings.alias(arg)
        if not isinstance(arg, relax.Var):
            return arg
        if arg not in self._names:
            self._names[arg] = relax.Var(str(arg.name), arg.ty)
            self.params.append(self._names[arg])
        return self._names[arg]


def _is_symbolic(ty: Any) -> bool:
    return any(not isinstance(length, int | tvm.tirx.IntImm) for length in _lengths(ty))


def _lengths(ty: Any) -> Iterator[Any]:
    shape = getattr(ty, "shape", None)
    yield from shape.values if isinstance(shape, relax.ShapeExpr) else (None,)
