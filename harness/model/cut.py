"""Cut a site out of a model: the pad, the ops after it and its consumer, as a module of its own.

x --> pad --> relu --> conv2d(weight) --> result        x, and what is not a constant, become parameters
"""

from collections.abc import Iterator
from typing import Any

import tvm
from tvm import ir, relax

from foldproof.fold.varmap import VarMap
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
    cutter = _Cutter(place)
    cutter.bind(user)
    bindings = cutter.bindings
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
    """Binds what depends on the pad; everything else becomes a parameter."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._names: VarMap[relax.Var] = VarMap()
        self._dependent = _find_dependent(place)
        self.params: list[relax.Var] = []
        self.kernels: list[Any] = []
        self.bindings: list[relax.VarBinding] = []

    def bind(self, var: relax.Var) -> None:
        """Bind a variable, after its operands."""
        call = self._place.bindings.values[var]
        args = [self._visit(arg) for arg in call.args]
        kind = relax.Var if var.same_as(self._place.user) else relax.DataflowVar
        self._names[var] = kind(str(var.name), var.ty)
        value = ir.Call(call.op, args, call.attrs, call.ty_args, call.span, call.ty)
        self.bindings.append(relax.VarBinding(self._names[var], value))

    def _visit(self, arg: Any) -> Any:
        if isinstance(arg, relax.Tuple):
            return relax.Tuple([self._visit(field) for field in arg.fields])
        if isinstance(arg, ir.GlobalVar):
            if arg not in self.kernels:
                self.kernels.append(arg)
            return arg
        arg = self._place.bindings.alias(arg) if isinstance(arg, relax.Var) else arg
        if not isinstance(arg, relax.Var):
            return arg
        if arg not in self._names and arg in self._dependent:
            self.bind(arg)
        if arg not in self._names:
            self._names[arg] = relax.Var(str(arg.name), arg.ty)
            self.params.append(self._names[arg])
        return self._names[arg]


def _find_dependent(place: Place) -> VarMap[bool]:
    """Return the variables that are computed of the pad by calls, the pad itself included."""
    found: VarMap[bool] = VarMap()
    found[place.path.pad] = True
    for block in place.bindings.function.body.blocks:
        for binding in block.bindings:
            value = binding.value
            if isinstance(value, ir.Call) and any(operand in found for operand in _list_variables(value.args, place)):
                found[binding.var] = True
    return found


def _list_variables(values: Any, place: Place) -> Iterator[relax.Var]:
    for value in values:
        if isinstance(value, relax.Tuple):
            yield from _list_variables(value.fields, place)
        elif isinstance(value, relax.Var) and isinstance(alias := place.bindings.alias(value), relax.Var):
            yield alias


def _is_symbolic(ty: Any) -> bool:
    return any(not isinstance(length, int | tvm.tirx.IntImm) for length in _lengths(ty))


def _lengths(ty: Any) -> Iterator[Any]:
    shape = getattr(ty, "shape", None)
    yield from shape.values if isinstance(shape, relax.ShapeExpr) else (None,)
