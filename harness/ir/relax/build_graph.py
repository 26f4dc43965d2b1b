"""Graph -> IRModule: sites, functions and scopes, each site by the calls of ``build``.

A function is a sequence of segments, alternately dataflow blocks and plain ones:

    segment 0   dataflow   pad0, result0, pad1                  a site in one block; the pad of the next one
    segment 1   plain      call_packed(...), If, local function
    segment 2   dataflow   result1                              its consumer, past the call

Invariant: the entry function has the parameters of ``foldproof.oracle.graphs.parameters``, then the condition if there
is one, and returns what ``foldproof.oracle.graphs.outputs`` returns, in that order.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import tvm
import tvm_ffi
from tvm import relax, tirx

from foldproof.case import Case
from foldproof.case.adoption import PADDED, RESULT
from foldproof.case.graph import CONDITIONAL, MAIN, Graph, Join, Site
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
from foldproof.ir.relax.module import same
from foldproof.oracle.graphs import CONDITION, parameter_name

Key = tuple[Any, ...]
"""Names a value of the graph: ("x", 0), ("padded", 1), ("result", 2), ("scale0", 1), ("condition",)."""

Env = dict[Key, Any]


def build_graph(graph: Graph) -> tvm.IRModule:
    """Build a well-formed Relax module whose function ``main`` is the graph, unfolded."""
    return _Builder(graph).build()


@dataclass(frozen=True, slots=True)
class _Segments:
    """Where the parts of a site stand: its pad, and its consumer."""

    pad: int
    consumer: int


class _Builder:
    """Builds one module."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._builder = relax.BlockBuilder()

    def build(self) -> tvm.IRModule:
        graph = self._graph
        params = {key: relax.Var(self._name(_parameter(key)), ty) for key, ty in self._entry_types().items()}
        keys = [key for site in range(len(graph.sites)) for key in self._outputs_of(site)]
        _FunctionBuilder(graph, self._builder, MAIN, params).build(keys)
        return self._builder.get()

    def _name(self, name: str) -> str:
        return "lv" if self._graph.equal_names else name

    def _entry_types(self) -> dict[Key, Any]:
        types: dict[Key, Any] = {}
        own = [parameter_types(site.case) for site in self._graph.sites]
        for key in needed(self._graph, MAIN):
            if key == (CONDITION,):
                types[key] = relax.TensorType((), "bool")
            else:
                name, index = key
                types[key] = own[index][name]
        return types

    def _outputs_of(self, index: int) -> list[Key]:
        return output_keys(self._graph, index)


def _parameter(key: Key) -> str:
    return str(key[0]) if len(key) == 1 else parameter_name(*key)


def output_keys(graph: Graph, index: int) -> list[Key]:
    """Return the keys of what a site returns: its result, its extra outputs, and what overwrote its data."""
    site = graph.sites[index]
    extra: list[Key] = [(name, index) for name in site.case.extra_outputs]
    written: list[Key] = [("written", index)] if site.written else []
    return [("result", index), *extra, *written]


def pad_owner(graph: Graph, index: int) -> int:
    """Return the site that makes the padded tensor of a site."""
    site = graph.sites[index]
    return pad_owner(graph, site.of) if site.data == PADDED else index


def data_key(graph: Graph, index: int) -> Key:
    """Return the key of the tensor that a site reads before its producers."""
    root = graph.sites[graph.roots[index]]
    return ("result", root.of) if root.data == RESULT else ("x", graph.roots[index])


def needed(graph: Graph, function: int) -> list[Key]:
    """Return the keys of what a function takes: in the order of the sites, the condition last."""
    inside = graph.inside(function)
    keys: dict[Key, None] = {}
    for index in inside:
        site, owner = graph.sites[index], pad_owner(graph, index)
        if owner in inside:
            key = data_key(graph, owner)
            if key[0] == "x" or key[1] not in inside:
                keys[key] = None
        else:
            keys["padded", owner] = None
        weight = graph.weight_owner(index)
        if site.case.spec.weighted and not site.case.constant_weight:
            keys["w", weight] = None
        producers = site.case.producer_places if owner == index else ()
        for place in (*producers, *site.case.step_places):
            if not place.step.constant:
                keys.update(dict.fromkeys((place.parameter(name), index) for name in constants(place)))
    if any(graph.sites[index].place in CONDITIONAL for index in inside):
        keys[CONDITION,] = None
    return list(keys)


def is_impure(graph: Graph, function: int) -> bool:
    """Whether a function calls one that is not pure."""
    return any(graph.sites[index].place == "past call" for index in graph.inside(function))


def items_of(graph: Graph, function: int) -> Iterator[tuple[str, int]]:
    """Yield ("site", index) and ("call", function) in the order in which a function has them."""
    called = set()
    for index in graph.inside(function):
        path = graph.callers(graph.sites[index].function)
        if path[0] == function:
            yield "site", index
            continue
        child = path[path.index(function) - 1]
        if child not in called:
            called.add(child)
            yield "call", child


def segments_of(graph: Graph, function: int) -> dict[int, _Segments]:
    """Return where the parts of the sites of a function stand. A call is at the segment of the pads behind it."""
    segments, now = {}, 0
    for kind, index in items_of(graph, function):
        if kind == "call":
            now += 2 if is_impure(graph, index) else 0
            continue
        place = graph.sites[index].place
        if place == "block":
            segments[index] = _Segments(now, now)
            continue
        plain = place in ("behind", "branch", "branches", "inside", "local")
        segments[index] = _Segments(now, now + (1 if plain else 2))
        now += 2
    return segments


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
            self._blocks.enter_context(_Dataflow(self.builder))

    def bind(self, value: Any, name: str, *, escapes: bool = True) -> relax.Var:
        """Bind a value. A variable that escapes may be read outside its dataflow block."""
        value = self.builder.normalize(value)
        hidden = not escapes and self.builder.current_block_is_dataflow()
        make = relax.DataflowVar if hidden else relax.Var
        var = make("lv" if self.graph.equal_names else name, value.ty)
        self.builder.emit_normalized(relax.VarBinding(var, value))
        return var

    def cast(self, value: Any, ty: Any, *, escapes: bool) -> relax.Var:
        """Bind a ``match_cast``."""
        hidden = not escapes and self.builder.current_block_is_dataflow()
        var = (relax.DataflowVar if hidden else relax.Var)("lv" if self.graph.equal_names else "cast", ty)
        self.builder.emit_normalized(relax.MatchCast(var, value, ty))
        return var

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
            padded = self._env["padded", pad_owner(self.graph, index)]
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
        if site.carrier in _CASTS:
            data = self.cast(data, _CASTS[site.carrier](data.ty, case.operand_layout), escapes=crosses)
        elif site.carrier:
            data = self.bind(_CARRIERS[site.carrier](self, index, data), "carried", escapes=crosses)
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
            if site.data == PADDED and other != index and pad_owner(graph, other) == index:
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
        inner = {name: relax.Var("lv" if self.graph.equal_names else name, arguments[name].ty) for name in names}
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
        names = ["lv" if graph.equal_names else "_".join(map(str, key)) for key in keys]
        params = {key: relax.Var(name, ty) for key, name, ty in zip(keys, names, types, strict=True)}
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


class _Dataflow:
    """A dataflow block of a function that is being built."""

    def __init__(self, builder: relax.BlockBuilder) -> None:
        self._scope = builder.dataflow()

    def __enter__(self) -> None:
        self._scope.__enter__()

    def __exit__(self, *error: object) -> None:
        self._scope.__exit__(*error)


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


@cache
def doubling_kernel(shape: tuple[int, ...], dtype: str) -> tirx.PrimFunc:
    """Return a kernel that doubles a tensor in place."""
    loops = ", ".join(f"i{axis}" for axis in range(len(shape)))
    spatial = ", ".join(f"v{axis}" for axis in range(len(shape)))
    text = f"""
@T.prim_func(private=True, s_tir=True)
def double(data: T.Buffer({shape}, "{dtype}")):
    for {loops} in T.grid({", ".join(map(str, shape))}):
        with T.sblock("double"):
            {spatial} = T.axis.remap("{"S" * len(shape)}", [{loops}])
            data[{spatial}] = data[{spatial}] + data[{spatial}]
"""
    return tvm.script.from_source(text)


_Carry = Callable[[_FunctionBuilder, int, Any], Any]


def _carry_alias(function: _FunctionBuilder, index: int, data: Any) -> Any:
    return data


def _carry_tuple(function: _FunctionBuilder, index: int, data: Any) -> Any:
    pair = function.bind(relax.Tuple([data, data]), "pair", escapes=False)
    return relax.TupleGetItem(pair, 1)


def _carry_packed(function: _FunctionBuilder, index: int, data: Any) -> Any:
    return relax.call_pure_packed("vm.builtin.copy", data, ty_args=data.ty)


def _carry_dps(function: _FunctionBuilder, index: int, data: Any) -> Any:
    return relax.call_dps_packed("runtime.TVMTensorCopyFromTo", [data], data.ty)


def _carry_symbolic_clip(function: _FunctionBuilder, index: int, data: Any) -> Any:
    owner = pad_owner(function.graph, index)
    source = function.params[data_key(function.graph, owner)]
    length = source.ty.shape.values[function.graph.sites[owner].case.input_layout.index("N")]
    return relax.op.clip(data, 0, length)


def _same_type(ty: Any, layout: str) -> Any:
    return ty


def _new_lengths(ty: Any, layout: str) -> Any:
    """Return the type with a new symbolic length for each axis but that of the channels."""
    lengths = [
        length if letter == "C" else tirx.Var(f"m{axis}", "int64")
        for axis, (letter, length) in enumerate(zip(layout, ty.shape.values, strict=True))
    ]
    return relax.TensorType(lengths, str(ty.dtype))


_CASTS: dict[str, Callable[[Any, str], Any]] = {"match_cast": _same_type, "match_symbols": _new_lengths}

_CARRIERS: dict[str, _Carry] = {
    "alias": _carry_alias,
    "tuple": _carry_tuple,
    "packed": _carry_packed,
    "dps": _carry_dps,
    "symbolic clip": _carry_symbolic_clip,
}
