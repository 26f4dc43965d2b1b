"""Graph -> IRModule: sites, functions and scopes, each site by the calls of ``build``.

A function is a sequence of segments, alternately dataflow blocks and plain ones:

    segment 0   dataflow   pad0, result0, pad1                  a site in one block; the pad of the next one
    segment 1   plain      call_packed(...), If, local function
    segment 2   dataflow   result1                              its consumer, past the call

Invariant: the entry function has the parameters of ``foldproof.oracle.graphs.parameters``, then the condition if there
is one, and returns what ``foldproof.oracle.graphs.outputs`` returns, in that order.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import tvm
import tvm_ffi
from tvm import relax, tirx

from foldproof.case import Case
from foldproof.case.adoption import PADDED
from foldproof.case.graph import MAIN, Graph, Join, Site
from foldproof.case.parameters import constants
from foldproof.ir.relax.build import MAIN as ENTRY
from foldproof.ir.relax.build import (
    call_consumer,
    call_step,
    constant_weight,
    emit_pad,
    parameter_types,
    read_strided,
    variable_name,
)
from foldproof.ir.relax.graph_carriers import CARRIERS, CASTS, doubling_kernel
from foldproof.ir.relax.graph_plan import Key, data_key, is_impure, items_of, needed, output_keys, segments_of
from foldproof.ir.relax.module import same
from foldproof.oracle.graphs import CONDITION, parameter_name

Env = dict[Key, Any]


def build_graph(graph: Graph) -> tvm.IRModule:
    """Build a well-formed Relax module whose function ``main`` is the graph, unfolded."""
    builder = relax.BlockBuilder()
    types = [parameter_types(site.case) for site in graph.sites]
    params = {}
    for key in needed(graph, MAIN):
        name = str(key[0]) if len(key) == 1 else parameter_name(*key)
        ty = relax.TensorType((), "bool") if key == (CONDITION,) else types[key[1]][key[0]]
        params[key] = relax.Var(EQUAL_NAME if graph.equal_names else name, ty)
    keys = [key for site in range(len(graph.sites)) for key in output_keys(graph, site)]
    _FunctionBuilder(graph, builder, MAIN, params).build(keys)
    return builder.get()


EQUAL_NAME = "lv"
"""The name of all variables of a graph with equal names."""


class _FunctionBuilder:
    """Builds one function. ``env`` has the values that are in scope, by key."""

    def __init__(self, graph: Graph, builder: relax.BlockBuilder, function: int, params: Env) -> None:
        self.graph, self.builder, self.function = graph, builder, function
        self.params = params
        self._env: Env = dict(params)
        self._segments = segments_of(graph, function)
        self._segment = -1
        self._blocks = ExitStack()

    def build(self, outputs: list[Key]) -> relax.GlobalVar:
        """Build the function, which returns the values of these keys, and its joins."""
        graph, function = self.graph, self.function
        name, private, attributes = ENTRY, False, {}
        if function != MAIN:
            declared = graph.functions[function - 1]
            name, private = f"part{function}", declared.private
            attributes = {"Composite": "foldproof.part"} if declared.composite else {}
        pure = not is_impure(graph, function)
        with self.builder.function(name, list(self.params.values()), attrs=attributes, private=private, pure=pure):
            with self._blocks:
                self._go_to(0)
                for kind, index in items_of(graph, function):
                    if kind == "site":
                        self._emit_site(index)
                    else:
                        self._emit_call(index)
                values = [self._env[key] for key in outputs]
                joins = [self._emit_join(join) for join in graph.joins if function == MAIN]
            result = self.bind(self._tuple(values, joins), "outputs")
            return self.builder.emit_func_output(result)

    # --- blocks and bindings --------------------------------------------------------------------------

    def _go_to(self, segment: int) -> None:
        """Continue in another segment: close the block that is open, and open a dataflow block if it is one."""
        if segment == self._segment:
            return
        self._blocks.close()
        if segment - self._segment > 1 and self._segment >= 0:  # two dataflow blocks would become one
            first = next(iter(self.params.values()))
            self.bind(first, "between")
        self._segment = segment
        if segment % 2 == 0:
            self._blocks.enter_context(self.builder.dataflow())

    def bind(self, value: Any, name: str, *, escapes: bool = True) -> relax.Var:
        """Bind a value. A variable that escapes may be read outside its dataflow block."""
        value = self.builder.normalize(value)
        var = self._variable(name, value.ty, escapes=escapes)
        self.builder.emit_normalized(relax.VarBinding(var, value))
        return var

    def cast(self, value: Any, ty: Any, *, escapes: bool) -> relax.Var:
        """Bind a ``match_cast``."""
        var = self._variable("cast", ty, escapes=escapes)
        self.builder.emit_normalized(relax.MatchCast(var, value, ty))
        return var

    def _variable(self, name: str, ty: Any, *, escapes: bool) -> relax.Var:
        hidden = not escapes and self.builder.current_block_is_dataflow()
        make = relax.DataflowVar if hidden else relax.Var
        return make(self._name(name), ty)

    def _name(self, name: str) -> str:
        return EQUAL_NAME if self.graph.equal_names else name

    def _tuple(self, values: list[Any], joins: list[Any]) -> Any:
        graph = self.graph
        if self.function == MAIN and graph.nested_outputs:
            parts, rest = [], list(values)
            for index in range(len(graph.sites)):
                count = len(output_keys(graph, index))
                parts.append(relax.Tuple(rest[:count]))
                rest = rest[count:]
            return relax.Tuple([*parts, relax.Tuple(joins)] if joins else parts)
        every = [*values, *joins]
        return every[0] if len(every) == 1 else relax.Tuple(every)

    # --- sites ----------------------------------------------------------------------------------------

    def _emit_site(self, index: int) -> None:
        site, segments = self.graph.sites[index], self._segments[index]
        self._go_to(segments.pad)
        params = self._params_of(index)
        if site.data == PADDED:
            padded = self._env["padded", self.graph.pad_owner(index)]
            self._finish(index, padded, params)
            return
        data = self._emit_data(index, params)
        if site.place in ("inside", "local"):
            self._go_to(segments.consumer)
            make = self._emit_branch if site.place == "inside" else self._emit_local
            self._env["result", index] = make(index, data, params)
            return
        if site.place == "padded branch":
            self._go_to(segments.pad + 1)
            padded = self._emit_padded_branch(index, data)
            self._go_to(segments.consumer)
            self._finish(index, padded, params)
            return
        if site.case.pads_weight:
            params["w"] = self._emit_pad(index, params["w"], site.case.weight_layout, escapes=self._shows_pad(index))
            self._env["padded", index] = params["w"]
            self._finish(index, data, params)
            return
        padded = self._emit_pad(index, data, site.case.input_layout, escapes=self._shows_pad(index))
        self._env["padded", index] = padded
        if site.unread:
            self._emit_pad(index, data, site.case.input_layout, escapes=False)
        if site.written:
            self._env["written", index] = self._overwrite(index, data)
        self._finish(index, padded, params)

    def _finish(self, index: int, data: Any, params: dict[str, Any]) -> None:
        """Emit everything after the pad."""
        site, segments = self.graph.sites[index], self._segments[index]
        case = site.case
        padded = params["w"] if case.pads_weight else data
        crosses = segments.consumer != self._segment
        for number, step in enumerate(zip(case.step_places, case.step_layouts[1:], strict=True)):
            shown = number == 0 and "step" in case.extra_outputs
            escapes = shown or (crosses and number == len(case.steps) - 1 and not site.carrier)
            data = self.bind(call_step(*step, data, params), variable_name(step[0]), escapes=escapes)
            if number == 0:
                self._env["step", index] = data
        if site.carrier in CASTS:
            data = self.cast(data, CASTS[site.carrier](data.ty, case.operand_layout), escapes=crosses)
        elif site.carrier:
            data = self.bind(CARRIERS[site.carrier](self, index, data), "carried", escapes=crosses)
        for name in case.extra_outputs:
            if name == "returned":
                self._env["returned", index] = padded
            elif name == "read":
                self._env["read", index] = self.bind(relax.op.add(padded, padded), "read")
        if site.place == "past call":
            self._go_to(segments.consumer - 1)
            first = next(iter(self.params.values()))
            self.bind(tvm.ir.Call(relax.ExternFunc("vm.builtin.copy"), [first], ty_args=[first.ty]), "copied")
        self._go_to(segments.consumer)
        if site.place in ("branch", "branches"):
            result = self._emit_if(
                lambda: call_consumer(case, data, params.get("w")),
                lambda: self._other_result(site, call_consumer(case, data, params.get("w"))),
            )
        else:
            result = self.bind(call_consumer(case, data, params.get("w")), "result")
        self._env["result", index] = result

    def _emit_data(self, index: int, params: dict[str, Any]) -> Any:
        """Emit what stands before the pad."""
        case = self.graph.sites[index].case
        data = self._env[data_key(self.graph, index)]
        site = self.graph.sites[index]
        escapes = self._segments[index].consumer != self._segment and not site.local_data
        if case.input_stride > 1:
            data = self.bind(read_strided(case, data), "strided", escapes=escapes)
        for place in case.producer_places:
            data = self.bind(call_step(place, "", data, params), variable_name(place), escapes=escapes)
        return data

    def _shows_pad(self, index: int) -> bool:
        """Whether the padded tensor is read outside of its block."""
        graph, mine = self.graph, self._segments[index]
        case = graph.sites[index].case
        if "returned" in case.extra_outputs or (
            mine.consumer != mine.pad and not (case.steps or graph.sites[index].carrier)
        ):
            return True
        if case.pads_weight:
            return mine.consumer != mine.pad
        for other, site in enumerate(graph.sites):
            if site.data == PADDED and other != index and graph.pad_owner(other) == index:
                here = self._segments.get(other)
                if here is None or here.pad != mine.pad or here.consumer != mine.pad:
                    return True
        return False

    def _emit_pad(self, index: int, operand: Any, layout: str, *, escapes: bool) -> Any:
        return emit_pad(_Emitter(self, escapes=escapes), self.graph.sites[index].case, operand, layout)

    def _params_of(self, index: int) -> dict[str, Any]:
        """Return the parameters of the steps and the weight of a site, by their names in its case."""
        graph, case = self.graph, self.graph.sites[index].case
        params = {key[0]: value for key, value in self._env.items() if len(key) == 2 and key[1] == index}
        places = [*case.producer_places, *case.step_places]
        if graph.bound_constants:
            for place in places:
                if place.step.constant:
                    for name, array in constants(place).items():
                        params[place.parameter(name)] = self.bind(relax.const(array, array.dtype.name), name)
        if case.spec.weighted:
            if not case.constant_weight:
                params["w"] = self._env["w", graph.weight_owner(index)]
            else:
                weight = constant_weight(graph.sites[graph.weight_owner(index)].case)
                params["w"] = self.bind(weight, "weight") if graph.bound_constants else weight
        return params

    # --- scopes ---------------------------------------------------------------------------------------

    def _emit_if(self, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
        branches = [self._branch(make) for make in (then, otherwise)]
        return self.bind(relax.If(self._env[CONDITION,], *branches), "chosen")

    def _branch(self, make: Callable[[], Any]) -> relax.SeqExpr:
        """Return a dataflow block that binds a value."""
        builder = self.builder
        builder._begin_dataflow_block()
        result = self.bind(make(), "taken")
        return relax.SeqExpr([builder._end_block()], result)

    def _other_result(self, site: Site, result: Any) -> Any:
        """Return what the false branch makes: zeros, or twice the result."""
        if site.place == "branches":
            var = self.bind(result, "result", escapes=False)
            return relax.op.add(var, var)
        return self._zeros(result)

    def _zeros(self, result: Any) -> Any:
        ty = self.builder.normalize(result).ty
        return relax.op.zeros(ty.shape, str(ty.dtype))

    def _emit_branch(self, index: int, data: Any, params: dict[str, Any]) -> Any:
        def whole() -> Any:
            return self._site_call(index, data, params)

        def zeros() -> Any:
            case = self.graph.sites[index].case
            layout, lengths = case.operand_layout, case.result_dims
            return relax.op.zeros(relax.ShapeExpr([lengths[letter] for letter in layout]), case.result_dtype)

        return self._emit_if(whole, zeros)

    def _site_call(self, index: int, data: Any, params: dict[str, Any]) -> Any:
        """Emit pad and steps in the block that is open, and return the call of the consumer."""
        case = self.graph.sites[index].case
        value = self._emit_pad(index, data, case.input_layout, escapes=False)
        for place, after in zip(case.step_places, case.step_layouts[1:], strict=True):
            value = self.bind(call_step(place, after, value, params), variable_name(place), escapes=False)
        return call_consumer(case, value, params.get("w"))

    def _emit_padded_branch(self, index: int, data: Any) -> Any:
        case = self.graph.sites[index].case
        ones = replace(case, pad=replace(case.pad, value=1.0))

        def padded(one: Case) -> Callable[[], Any]:
            return lambda: emit_pad(_Emitter(self, escapes=False), one, data, case.input_layout)

        return self._emit_if(padded(case), padded(ones))

    def _emit_local(self, index: int, data: Any, params: dict[str, Any]) -> Any:
        """Emit a local function with pad, steps and consumer, and its call."""
        builder = self.builder
        arguments = {name: value for name, value in params.items() if isinstance(value, relax.Var)} | {"x": data}
        used = self.graph.sites[index].case
        names = ["x", *(["w"] if "w" in arguments and used.spec.weighted else [])]
        names += [place.parameter(n) for place in used.step_places for n in constants(place)]
        names = [name for name in names if name in arguments]
        inner = {name: relax.Var(self._name(name), arguments[name].ty) for name in names}
        builder.begin_scope(list(inner.values()))
        builder._begin_dataflow_block()
        result = self.bind(self._site_call(index, inner["x"], params | inner), "taken")
        body = relax.SeqExpr([builder._end_block()], result)
        builder.end_scope()
        function = relax.Function(list(inner.values()), body, result.ty)
        var = self.bind(function, "local")
        return self.bind(tvm.ir.Call(var, [arguments[name] for name in names]), "result")

    def _overwrite(self, index: int, data: Any) -> Any:
        """Emit the in-place call that doubles the data."""
        site = self.graph.sites[index]
        kernel = self.builder.add_func(doubling_kernel(_lengths(data), str(data.ty.dtype)), "double")
        if site.written == "data":
            return self.bind(relax.op.call_tir_inplace(kernel, [data], 0, data.ty), "written")
        builder = self.builder
        param = relax.Var("data", data.ty)
        with builder.function("overwrite", [param], private=True):
            with builder.dataflow():
                out = builder.emit_output(relax.op.call_tir_inplace(kernel, [param], 0, data.ty))
            callee = builder.emit_func_output(out)
        return self.bind(callee(data), "written")

    # --- calls and joins ------------------------------------------------------------------------------

    def _emit_call(self, function: int) -> None:
        """Build a function of the graph, and emit its call."""
        graph, builder = self.graph, self.builder
        keys = needed(graph, function)
        arguments = [self._env[key] for key in keys]
        types = _renew([argument.ty for argument in arguments])
        names = ["_".join(map(str, key)) for key in keys]
        params = {key: relax.Var(self._name(name), ty) for key, name, ty in zip(keys, names, types, strict=True)}
        outputs = [key for index in graph.inside(function) for key in output_keys(graph, index)]
        if is_impure(graph, function):
            self._go_to(self._segment + 1)
        callee = _FunctionBuilder(graph, builder, function, params).build(outputs)
        results = self.bind(callee(*arguments), f"part{function}")
        if is_impure(graph, function):
            self._go_to(self._segment + 1)
        for position, key in enumerate(outputs):
            several = len(outputs) > 1
            self._env[key] = self.bind(relax.TupleGetItem(results, position), "part") if several else results

    def _emit_join(self, join: Join) -> Any:
        left, right = self._env["result", join.left], self._env["result", join.right]
        if join.kind == "concat":
            return self.bind(relax.op.concat([left, right], axis=0), "joined")
        return self.bind(getattr(relax.op, join.kind)(left, right), "joined")


class _Emitter:
    """What ``build.emit_pad`` needs of a builder, with the names and kinds of variables of a graph."""

    def __init__(self, function: _FunctionBuilder, *, escapes: bool) -> None:
        self._function, self._escapes = function, escapes

    def emit(self, value: Any, name: str = "") -> Any:
        return self._function.bind(value, name or "lv", escapes=self._escapes)

    def emit_te(self, *arguments: Any) -> Any:
        return self.emit(self._function.builder.call_te(*arguments), "padded")


def _lengths(data: Any) -> tuple[int, ...]:
    return tuple(int(length) for length in data.ty.shape.values)


def _renew(types: list[Any]) -> list[Any]:
    """Return the types with new symbolic variables, as each function has its own.

    A length that is an expression becomes one variable where no parameter has the variables of the expression as
    lengths: a parameter of type ``(n // 2 + 4,)`` alone would not define n.
    """
    lengths = [length for ty in types for length in ty.shape.values]
    new: dict[Any, Any] = {length: tirx.Var(length.name, "int64") for length in lengths if isinstance(length, tirx.Var)}
    expressions: list[tuple[Any, Any]] = []

    def renew(length: Any) -> Any:
        free = tirx.analysis.undefined_vars(length)
        if all(var in new for var in free):
            return tvm_ffi.structural_map(length, (tvm.ir.Var, lambda var: new.get(var, var)), order="post")
        for old, var in expressions:
            if same(old, length):
                return var
        expressions.append((length, tirx.Var(f"m{len(expressions)}", "int64")))
        return expressions[-1][1]

    return [relax.TensorType([renew(length) for length in ty.shape.values], str(ty.dtype)) for ty in types]
