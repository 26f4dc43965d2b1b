"""Make private functions of local ones, since TVM's default pipeline takes no local functions.

    @R.function                                     @R.function(private=True)
    def local(p): return R.add(p, w)       ->       def main_local(p, w): return R.add(p, w)
    y = local(x)                                    y = cls.main_local(x, w)

``relax.transform.LambdaLift`` does this too. But what it makes of a function that captures a variable has a result
without a type, and an operator that reads it does not compile (apache/tvm #17406). So it gets only what is left here: a
local function that is a value, or calls itself.

Invariant: the module computes the same, and calls the same kernels in the same order.
"""

from typing import Any

import tvm
from tvm import ir, relax

from foldproof.ir.relax.module import bindings
from foldproof.ir.relax.targets.memory_plan import read_variables


def lift_local_functions(module: tvm.IRModule) -> tvm.IRModule:
    """Return the module without local functions; the module itself if it has none."""
    if not any(map(_has_local, module.functions.values())):
        return module
    lifter = _Lifter(module)
    for var, function in module.functions_items():
        if _has_local(function):
            lifter.lift(var, function)
    lifted = relax.transform.Normalize()(lifter.builder.get())
    return relax.transform.LambdaLift()(lifted) if any(map(_has_local, lifted.functions.values())) else lifted


def _has_local(function: Any) -> bool:
    return isinstance(function, relax.Function) and any(
        isinstance(binding.value, relax.Function) for binding in bindings(function.body)
    )


class _Lifter:
    """Rebuilds functions in the module of ``builder``."""

    def __init__(self, module: tvm.IRModule) -> None:
        self.builder = relax.BlockBuilder(module.clone())
        self._lifted: dict[Any, tuple[ir.GlobalVar, list[Any]]] = {}
        self._renamed: dict[Any, Any] = {}
        self._values: set[Any] = set()
        self._outer = ""

    def lift(self, var: ir.GlobalVar, function: relax.Function) -> None:
        self._outer, self._values = str(var.name_hint), _function_values(function)
        self.builder.update_func(var, self._function(function, function.params))

    def _function(self, function: relax.Function, params: Any) -> relax.Function:
        body = self._sequence(function.body)
        return relax.Function(list(params), body, function.ret_ty, function.is_pure, function.attrs)

    def _sequence(self, sequence: relax.SeqExpr) -> relax.SeqExpr:
        blocks = []
        for block in sequence.blocks:
            kept = [new for binding in block.bindings for new in self._binding(binding)]
            blocks.append(
                relax.DataflowBlock(kept) if isinstance(block, relax.DataflowBlock) else relax.BindingBlock(kept)
            )
        return relax.SeqExpr(blocks, self._value(sequence.body))

    def _binding(self, binding: Any) -> list[Any]:
        value = binding.value
        if isinstance(binding, relax.MatchCast):
            return [relax.MatchCast(binding.var, self._value(value), binding.ty)]
        if isinstance(value, relax.Function) and binding.var not in self._values:
            self._lift_local(binding.var, value)
            return []
        return [relax.VarBinding(binding.var, self._value(value))]

    def _value(self, value: Any) -> Any:
        """Return a value with the calls of what was lifted, and with the parameters of what is being lifted."""
        if isinstance(value, relax.If):
            branches = self._sequence(value.true_branch), self._sequence(value.false_branch)
            return relax.If(self._value(value.cond), *branches)
        if isinstance(value, relax.Function):
            return self._function(value, value.params)
        if isinstance(value, relax.Tuple):
            return relax.Tuple([self._value(part) for part in value.fields])
        if isinstance(value, relax.TupleGetItem):
            return relax.TupleGetItem(self._value(value.tuple_value), value.index)
        if isinstance(value, ir.Call) and not ir.is_prim_expr(value):
            called, more = self._lifted.get(value.op, (value.op, []))
            return relax.Call(called, [self._value(part) for part in (*value.args, *more)], value.attrs, value.ty_args)
        return self._renamed.get(value, value) if isinstance(value, relax.Var) else value

    def _lift_local(self, var: Any, local: relax.Function) -> None:
        """Add a private function with a parameter for each captured variable, and one for captured lengths."""
        local = self._function(local, local.params)
        captured = [each for each in relax.analysis.free_vars(local) if not ir.is_prim_expr(each)]
        params = [relax.Var(each.name, each.ty) for each in captured]
        self._renamed = dict(zip(captured, params, strict=True))
        function = self._function(local, [*local.params, *params])
        self._renamed = {}
        lengths = list(relax.analysis.free_symbolic_vars(function))
        if lengths:
            shape = relax.Var("lengths", relax.ShapeType(lengths))
            function = relax.Function([*function.params, shape], function.body, function.ret_ty, function.is_pure)
            function = function.with_attrs(local.attrs) if local.attrs else function
            captured.append(relax.ShapeExpr(lengths))
        function = relax.utils.copy_with_new_vars(function.without_attr("global_symbol"))
        self._lifted[var] = self.builder.add_func(function, f"{self._outer}_{var.name}"), captured


def _function_values(function: relax.Function) -> set[Any]:
    """Return the variables that are used otherwise than to call them, and local functions that call themselves."""
    values = set(read_variables(function.body.body))
    for binding in bindings(function.body):
        value = binding.value
        if isinstance(value, relax.If):
            values.update(
                *(read_variables(part) for part in (value.cond, value.true_branch.body, value.false_branch.body))
            )
        elif isinstance(value, relax.Function):
            values.update(read_variables(value.body.body))
            if binding.var in relax.analysis.free_vars(value):
                values.add(binding.var)
        else:
            values.update(read_variables(value))
    return values
