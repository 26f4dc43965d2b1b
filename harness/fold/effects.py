"""The calls of a module that may write into a tensor, and the tensors that they may reach: once for every function.

    lv1 = nn.pad(lv)
    lv2 = flip(lv)               flip writes into its parameter: lv, and whatever may share its storage, is overwritten
    lv3 = nn.conv1d(lv1, w)      so that lv may not be read here instead of lv1

Variables that may share storage are one set (union-find, without the order of the bindings): aliases, tuples and their
elements, the results of branches, what a call passes to a function and gets back, what a closure captures, and views.
A set has the time of the last call that may write into it: what was written before the pad is not in the way.
The summary of a function tells which of its parameters, its result, the constants and the tensors that the world knows
are in one set, and which sets are written. Summaries are computed until they stay the same, callees first.

A module in which nothing writes is walked once, and has no summaries.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import tvm
import tvm_ffi
from tvm import ir, relax, tirx

from foldproof.fold.reader import CALL_TIR, PAD, op_name, shape_of
from foldproof.fold.sharing import KERNEL_CALLS, computes
from foldproof.fold.values import NUMBERS

WORLD, CONSTANTS, RESULT = range(3)
"""The sets of every function: what calls outside the module may know, all constants, and the function's result."""

_HARMLESS = ("relax.print", "relax.assert_op")
_OPAQUE = ("relax.call_pure_packed", "relax.call_py_func")
_IN_PLACE = ("relax.call_tir_inplace", "relax.call_inplace_packed")


@dataclass(frozen=True, slots=True)
class Summary:
    """The effects of a call. ``sets`` has a number for WORLD, CONSTANTS, RESULT and then for each parameter."""

    sets: tuple[int, ...]
    written: frozenset[int]


class Effects:
    """The summaries of the functions of a module."""

    def __init__(self, mod: tvm.IRModule, is_pad: Callable[[ir.Call], Any]) -> None:
        self.mod = mod
        self.is_pad = is_pad
        self.writer = ""  # one call of the module that may write
        self.constants_written = ""
        self._summaries: dict[ir.GlobalVar, Summary] | None = None
        self._copies: dict[ir.GlobalVar, bool] = {}
        self._stores: dict[ir.GlobalVar, frozenset[int]] = {}

    def __call__(self, function: relax.Function) -> "FunctionEffects | None":
        """Return the effects of a function of the module, maybe folded already; None if nothing writes anywhere."""
        if self._summaries is None:
            self._summaries = {}
            self._summarize()
        return FunctionEffects(self, function).close() if self.writer else None

    def summary(self, callee: ir.GlobalVar, parameters: int) -> Summary:
        """Return the summary of a function as far as it is known: at first it does nothing."""
        assert self._summaries is not None
        return self._summaries.get(callee) or Summary(tuple(range(3 + parameters)), frozenset())

    def copies(self, kernel: Any) -> bool:
        """Return whether a ``call_tir`` may be made a view of its argument: TVM does so where it sees a plain copy."""
        if kernel not in self._copies:
            function = self.mod.functions.get(kernel)
            known = isinstance(function, tirx.PrimFunc)
            self._copies[kernel] = not known or bool(relax.analysis.has_reshape_pattern(function))
        return self._copies[kernel]

    def list_stored(self, call: ir.Call) -> list[Any]:
        """Return the arguments of a ``call_tir`` that the kernel stores into, against its contract."""
        kernel, args = call.args[0], _fields(call.args[1])
        if kernel not in self._stores:
            function = self.mod.functions.get(kernel)
            self._stores[kernel] = _find_stored(function) if isinstance(function, tirx.PrimFunc) else frozenset()
        return [arg for place, arg in enumerate(args) if place in self._stores[kernel]]

    def _summarize(self) -> None:
        functions = {var: f for var, f in self.mod.functions_items() if isinstance(f, relax.Function)}
        self.writer = next((name for var, f in functions.items() for name in self._find_writers(var, f)), "")
        if not self.writer:
            return
        assert self._summaries is not None
        calls = {var: [callee for callee in _find_named(f) if callee in functions] for var, f in functions.items()}
        callers: dict[ir.GlobalVar, list[ir.GlobalVar]] = {var: [] for var in functions}
        for var, callees in calls.items():
            for callee in callees:
                callers[callee].append(var)
        waiting = _callees_first(calls)
        queued = set(waiting)
        for var in waiting:  # grows where a summary has changed
            queued.discard(var)
            old = self.summary(var, len(functions[var].params))
            effects = FunctionEffects(self, functions[var])
            self._summaries[var] = effects.summarize()
            self.constants_written = self.constants_written or effects.writer_of(CONSTANTS) or ""
            if self._summaries[var] != old:
                again = [caller for caller in callers[var] if caller not in queued]
                queued.update(again)
                waiting += again

    def _find_writers(self, var: ir.GlobalVar, function: relax.Function) -> Iterator[str]:
        for bound, value in _all_calls(function.body):
            if self.may_write(value):
                yield f"the in-place call of {name_callee(value)} ({bound.name} of {var.name_hint})"

    def may_write(self, call: ir.Call) -> bool:
        """Return whether a call may write, whatever is in the callee: it is in place, or not known to be pure."""
        name = op_name(call)
        if name:
            return _op_may_write(name) or (name == CALL_TIR and bool(self.list_stored(call)))
        if isinstance(call.op, ir.GlobalVar) and isinstance(
            self.mod.functions.get(call.op), tirx.PrimFunc | relax.ExternFunc
        ):
            return True
        return isinstance(call.op, relax.ExternFunc) or getattr(call.op.ty, "purity", True) is False


@cache
def _op_may_write(name: str) -> bool:
    return "inplace" in name or (ir.Op.get(name).get_attr("FPurity") is False and name not in _HARMLESS)


def _all_calls(sequence: relax.SeqExpr) -> Iterator[tuple[relax.Var, ir.Call]]:
    for block in sequence.blocks[:]:
        for binding in block.bindings[:]:
            value = binding.value
            if isinstance(value, ir.Call):
                yield binding.var, value
            elif isinstance(value, relax.If):
                yield from _all_calls(value.true_branch)
                yield from _all_calls(value.false_branch)
            elif isinstance(value, relax.Function):
                yield from _all_calls(value.body)


def _find_stored(function: tirx.PrimFunc) -> frozenset[int]:
    """Return the numbers of the parameters that a kernel stores into, under their own names."""
    stored: list[Any] = []
    tvm_ffi.structural_walk(function.body, (tirx.BufferStore, lambda store: stored.append(store.buffer)))
    buffers = {buffer.__chandle__() for buffer in stored}
    return frozenset(place for place, param in enumerate(function.params) if param.__chandle__() in buffers)


def _find_named(function: relax.Function) -> list[ir.GlobalVar]:
    found: list[ir.GlobalVar] = []
    tvm_ffi.structural_walk(function, (ir.GlobalVar, found.append))
    return list(dict.fromkeys(found))


def _callees_first(calls: dict[ir.GlobalVar, list[ir.GlobalVar]]) -> list[ir.GlobalVar]:
    """Return the functions, each after those that it calls, except where they call each other."""
    order: list[ir.GlobalVar] = []
    seen: set[ir.GlobalVar] = set()
    stack = [(var, False) for var in calls]
    while stack:
        var, done = stack.pop()
        if done:
            order.append(var)
        elif var not in seen:
            seen.add(var)
            stack += [(var, True), *((callee, False) for callee in calls[var])]
    return order


def name_callee(call: ir.Call) -> str:
    """Return the name of what a call calls."""
    name = op_name(call)
    target = call.args[0] if name in _IN_PLACE else call.op
    if isinstance(target, relax.ExternFunc):
        return str(target.global_symbol)
    return (
        name.removeprefix("relax.")
        if isinstance(target, ir.Op)
        else str(getattr(target, "name_hint", None) or target.name)
    )


# --- one function -------------------------------------------------------------------------------------


_NEVER = (-1.0, "")


class FunctionEffects:
    """The variables of one function as sets that may share storage, and the calls that write into a set."""

    def __init__(self, module: Effects, function: relax.Function) -> None:
        self.module = module
        self.function = function
        self._parents = list(range(3))
        self._copied: list[tuple[int, int]] = []  # a pad that may be made a view, and what it pads
        self._writers: dict[int, tuple[float, str]] = {}  # the last call that may write into a set, and when
        self._times: dict[int, int] = {}
        self._now: float = 0
        self._nodes: dict[int, int] = {}
        self._values: dict[int, Any] = {}
        self._closures: dict[int, tuple[relax.Function, int]] = {}  # a local function, and its result
        self._owners: dict[int, int] = {}  # block -> the number of the innermost function that it is in
        self._functions = 1
        self._own: list[int] = []
        self._released: set[int] = set()
        self._parameters = [self._node(param) for param in function.params]
        self._returned: list[int] = []  # the elements of the returned tuple, which need not share storage
        self._walk(function.body, 0)
        self._returned = self._returned or [self._data(function.body.body)]

    def summarize(self) -> Summary:
        """Return the effects of a call of the function."""
        self._join_copies()
        self._join(RESULT, *self._returned)
        roots = [self._find(node) for node in (WORLD, CONSTANTS, RESULT, *self._parameters)]
        sets = tuple(map(roots.index, roots))
        return Summary(
            sets, frozenset(number for number, root in zip(sets, roots, strict=True) if root in self._writers)
        )

    def close(self) -> "FunctionEffects":
        """Take any two parameters for one tensor, which the world knows: nothing is known of the callers."""
        for node in self._parameters:
            self._join(WORLD, node)
        if self.module.constants_written:
            self._now = math.inf  # by any function, at any time
            self._write(CONSTANTS, self.module.constants_written)
        self._own = list(map(self._find, range(len(self._parents))))
        self._join_copies()
        return self

    # --- what is asked

    def time_of(self, var: relax.Var) -> int:
        """Return the number of a binding in the order of the function; -1 for a new variable."""
        return self._times.get(var.__chandle__(), -1)

    def writer_of(self, expr: Any, since: int = -1) -> str | None:
        """Return the call that may write into a variable or constant after the time ``since``.

        '' if there is none, None for a new variable.
        """
        if isinstance(expr, ir.GenericConst):
            expr = CONSTANTS
        node = expr if isinstance(expr, int) else self._nodes.get(expr.__chandle__())
        if node is None:
            return None
        time, writer = self._writers.get(self._find(node), (-1, ""))
        return writer if time > since else ""

    def is_visible(self, pad: relax.Var) -> bool:
        """Return whether a pad's own result may be known outside the function."""
        node = self._nodes.get(pad.__chandle__())
        return node is None or self._own[node] in {self._own[known] for known in (WORLD, *self._returned)}

    @property
    def escapes(self) -> bool:
        """Whether a local function may be called by others, at any time."""
        return bool(self._released)

    def owner(self, block: Any) -> int:
        """Return the number of the local function that a block is in; 0 is the function itself."""
        return self._owners[block.__chandle__()]

    # --- sets

    def _find(self, node: int) -> int:
        while self._parents[node] != node:
            self._parents[node] = self._parents[self._parents[node]]
            node = self._parents[node]
        return node

    def _join(self, *nodes: int) -> int:
        first = self._find(nodes[0])
        for node in nodes[1:]:
            root = self._find(node)
            if root != first:
                first, root = min(first, root), max(first, root)
                self._parents[root] = first
                if root in self._writers:
                    self._writers[first] = max(self._writers.get(first, _NEVER), self._writers[root])
        return first

    def _join_copies(self) -> None:
        for pad, source in self._copied:
            self._join(pad, source)

    def _write(self, node: int, writer: str) -> None:
        root = self._find(node)
        self._writers[root] = max(self._writers.get(root, _NEVER), (self._now, writer))

    def _new(self) -> int:
        self._parents.append(len(self._parents))
        return len(self._parents) - 1

    def _node(self, var: Any) -> int:
        key = var.__chandle__()
        if key not in self._nodes:
            self._nodes[key] = self._new()
        return self._nodes[key]

    # --- one walk

    def _sequence(self, sequence: relax.SeqExpr, owner: int) -> int:
        self._walk(sequence, owner)
        return self._data(sequence.body)

    def _walk(self, sequence: relax.SeqExpr, owner: int) -> None:
        for block in sequence.blocks[:]:
            self._owners[block.__chandle__()] = owner
            for binding in block.bindings[:]:
                self._bind(binding.var, binding.value, owner)

    def _bind(self, var: relax.Var, value: Any, owner: int) -> None:
        node = self._node(var)
        self._values[var.__chandle__()] = value
        self._times[var.__chandle__()] = len(self._times)
        self._now = math.inf if owner else len(self._times) - 1  # a local function may be called at any time
        if isinstance(value, relax.If):
            branches = [self._sequence(branch, owner) for branch in (value.true_branch, value.false_branch)]
            self._join(node, *branches)
        elif isinstance(value, relax.Function):
            self._closures[var.__chandle__()] = value, self._new()
            self._functions += 1
            for param in value.params:
                self._node(param)
            self._join(self._closures[var.__chandle__()][1], self._sequence(value.body, self._functions - 1))
        elif isinstance(value, ir.Call):
            self._call(node, var.name, value)
        elif isinstance(value, relax.Tuple) and var.same_as(self.function.body.body):
            self._returned = list(map(self._data, value.fields))
        elif not self._names_function(value):
            self._join(node, self._data(value))

    def _returns(self, var: relax.Var) -> bool:
        """Return whether ``var`` is the returned tuple, which something else reads, too."""
        return bool(self._returned) and var.same_as(self.function.body.body)

    def _names_function(self, value: Any) -> bool:
        return isinstance(self._resolve(value), relax.Var) and self._resolve(value).__chandle__() in self._closures

    def _resolve(self, value: Any) -> Any:
        """Return what a variable is another name of: a variable, a function, the value that it is bound to."""
        while isinstance(value, relax.Var):
            bound = self._values.get(value.__chandle__())
            if not isinstance(bound, relax.Var | ir.GlobalVar):
                return value
            value = bound
        return value

    def _data(self, value: Any) -> int:
        """Return the set of all that a value holds. A local function that is passed on may be called anywhere."""
        if isinstance(value, relax.Var):
            name = self._resolve(value)
            if name.__chandle__() not in self._closures:
                return self._join(self._node(value), *(self._returned if self._returns(value) else ()))
            self._release(name)
            return self._node(name)
        if isinstance(value, ir.GenericConst):
            return CONSTANTS
        if isinstance(value, relax.Tuple):
            return self._join(self._new(), *map(self._data, value.fields))
        if isinstance(value, relax.TupleGetItem):
            return self._data(value.tuple_value)
        return self._new()

    def _release(self, name: Any) -> None:
        """Join a local function with all it captures, takes and returns."""
        if name.__chandle__() not in self._released:
            function, result = self._closures[name.__chandle__()]
            self._released.add(name.__chandle__())
            captured = [self._node(var) for var in relax.analysis.free_vars(function)]
            self._join(self._node(name), result, *captured, *map(self._node, function.params))

    def _call(self, node: int, name: str, call: ir.Call) -> None:
        target = self._resolve(call.op)
        operator = op_name(call)
        writer = f"the in-place call of {name_callee(call)} ({name})"
        if operator:
            self._call_operator(node, operator, call, writer)
        elif self.module.may_write(call):
            self._call_world(node, call, writer)
        elif isinstance(target, ir.GlobalVar):
            self._call_global(node, target, list(map(self._data, call.args)), writer)
        elif isinstance(target, relax.Var) and target.__chandle__() in self._closures:
            function, result = self._closures[target.__chandle__()]
            self._join(node, result)
            for param, arg in zip(function.params, call.args, strict=True):
                self._join(self._node(param), self._data(arg))
        else:
            self._call_world(node, call, writer)

    def _call_operator(self, node: int, name: str, call: ir.Call, writer: str) -> None:
        if name in _HARMLESS:
            return
        if name in _IN_PLACE:
            self._call_in_place(node, call, writer)
        elif name == "relax.invoke_pure_closure" and (made := self._find_closure(call)) is not None:
            args = [*map(self._data, _fields(call.args[1])), *map(self._data, _fields(made.args[1]))]
            self._call_global(node, made.args[0], args, writer)
        elif _op_may_write(name) or name == "relax.invoke_pure_closure":
            self._call_world(node, call, writer)
        elif name == PAD or (name == CALL_TIR and self.module.is_pad(call)):
            if _may_be_view(call, padded := _fields(call.args[1])[0] if name == CALL_TIR else call.args[0]):
                self._copied.append((node, self._data(padded)))
        elif name in KERNEL_CALLS or _has_kernel(name):
            for arg in self.module.list_stored(call) if name == CALL_TIR else ():
                self._write(self._data(arg), writer)
            if not self._computes(name, call):
                args = _fields(call.args[1]) if name in KERNEL_CALLS else call.args
                self._join(node, *(self._data(arg) for arg in args if _may_be_view(call, arg)))
        else:  # what is not compiled to a kernel may return its arguments
            self._join(node, *map(self._data, call.args))
            if name in _OPAQUE:
                self._join(WORLD, node)

    def _computes(self, name: str, call: ir.Call) -> bool:
        """Return whether the result of a kernel has storage of its own for sure."""
        if name in KERNEL_CALLS:
            return name == "relax.call_dps_packed" or not self.module.copies(call.args[0])
        return computes(name, call, self._constant)

    def _constant(self, arg: Any) -> Any:
        value = self._resolve(arg)
        bound = self._values.get(value.__chandle__(), value) if isinstance(value, relax.Var) else value
        return value if bound is None else bound

    def _call_in_place(self, node: int, call: ir.Call, writer: str) -> None:
        args = call.args[1:] if op_name(call) != "relax.call_tir_inplace" else _fields(call.args[1])
        nodes = [self._data(arg) for arg in args]
        chosen = [int(index) for index in call.attrs.inplace_indices]
        if any(index >= len(nodes) for index in chosen):
            chosen = list(range(len(nodes)))
        for index in chosen:
            if index >= 0:
                self._join(node, nodes[index])
                self._write(node, writer)
        if op_name(call) != "relax.call_tir_inplace":  # it may return any of its arguments
            self._join(node, *nodes)

    def _find_closure(self, call: ir.Call) -> ir.Call | None:
        """Return the ``make_closure`` of a function of the module whose closure a call invokes."""
        made = self._constant(call.args[0])
        known = op_name(made) == "relax.make_closure" and made.args[0] in self.module.mod.functions
        return made if known and isinstance(self.module.mod[made.args[0]], relax.Function) else None

    def _call_global(self, node: int, callee: ir.GlobalVar, args: list[int], writer: str) -> None:
        """Repeat the summary of a function of the module on the arguments."""
        if callee not in self.module.mod.functions:
            self._join(node, *args)
            return
        nodes = [WORLD, CONSTANTS, node, *args]
        summary = self.module.summary(callee, len(args))
        if len(summary.sets) != len(nodes):
            self._write(self._join(WORLD, *nodes), writer)
            return
        for place, number in zip(nodes, summary.sets, strict=True):
            self._join(place, nodes[number])
            if number in summary.written:
                self._write(place, writer)

    def _call_world(self, node: int, call: ir.Call, writer: str) -> None:
        """Let a call write into all that it gets, and all that such calls got."""
        args = [*call.args, call.op] if isinstance(call.op, relax.Var) else call.args
        self._write(self._join(WORLD, node, *map(self._data, args)), writer)


def _fields(value: Any) -> list[Any]:
    return list(value.fields) if isinstance(value, relax.Tuple) else [value]


@cache
def _has_kernel(name: str) -> bool:
    return ir.Op.get(name).get_attr("FLegalize") is not None


def _may_be_view(call: ir.Call, arg: Any) -> bool:
    """Return whether the result of a kernel may be made a view of an argument: same dtype, same number of elements."""
    if isinstance(arg, ir.GenericConst) or not isinstance(call.ty, relax.TensorType):
        return True
    if not isinstance(arg.ty, relax.TensorType):
        return isinstance(arg.ty, relax.TupleType)
    if call.ty.dtype != arg.ty.dtype:
        return str(call.ty.dtype) not in NUMBERS or str(arg.ty.dtype) not in NUMBERS
    made, read = _count(call), _count(arg)
    return made is None or read is None or made == read


def _count(value: Any) -> int | None:
    """Return the number of elements, None if it is not constant."""
    count = 1
    for length in shape_of(value) or [None]:
        if not isinstance(length, tirx.IntImm):
            return None
        count *= int(length.value)
    return count
