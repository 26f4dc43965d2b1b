"""Execute legalised Relax functions without TVM's virtual machine: read once into closures, then run.

    lv = R.call_tir(cls.pad, (x,), out_ty=R.Tensor((n, 9), "float32"))
    gv = R.call_tir(cls.conv1d, (lv, w), ...)         ->   one closure per binding: a poisoned buffer, a kernel call

It supports what LegalizeOps leaves of a graph without loops, including symbolic shapes, branches, calls of other
functions and of local ones, packed functions (``packed``), and kernels that write in place. A variable is a reference,
as in the virtual machine: two names of one tensor see the same writes.

Anything else in a module raises Unsupported while the module is read, never while it runs.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tvm
import tvm_ffi
from tvm import ir, relax, tirx

from foldproof.ir.relax.targets.fast.buffers import Buffer
from foldproof.ir.relax.targets.fast.packed import get_packed
from foldproof.ir.relax.targets.target import Unsupported

Value = Any
"""A Buffer, a number, a shape (tuple of int), a closure, or a tuple of values."""

RunKernel = Callable[[Sequence[Value]], None]


@dataclass(slots=True)
class _Frame:
    """One call of a function: the values of its variables. New memory is filled with the byte ``poison``.

    ``pending`` are (expression, actual length) that are checked as soon as all symbolic lengths are known.
    """

    kernels: Mapping[str, RunKernel]
    poison: int
    values: dict[Any, Value] = field(default_factory=dict)
    dims: dict[Any, int] = field(default_factory=dict)
    pending: list[tuple[Any, int]] = field(default_factory=list)


_Compute = Callable[[_Frame], Value]


class Executor:
    """The Relax functions of a module that ``main`` reaches. ``kernels`` are the PrimFuncs that they call, by name."""

    def __init__(self, module: tvm.IRModule, name: str = "main") -> None:
        """Read the function ``name`` of a module. Raises Unsupported."""
        self.kernels: dict[str, tirx.PrimFunc] = {}
        self._module = module
        self._functions: dict[str, _Function] = {}
        self._main = self._function(name)
        _require_tensors(module[name].ret_ty)

    def run(self, arrays: Iterable[Any], kernels: Mapping[str, RunKernel], *, poison: int) -> tuple[Any, ...]:
        """Return the outputs as NumPy arrays, nested tuples flattened, for NumPy arrays in the order of parameters."""
        result = self._main.call([Buffer.from_array(array) for array in arrays], _Frame(kernels, poison))
        return tuple(output.array for output in _flatten(result))

    # --- reading: every method returns a closure that computes the value of what was read --------------

    def _function(self, name: str) -> "_Function":
        if name not in self._functions:
            function = self._functions[name] = _Function()
            self._read(function, self._module[name])
        return self._functions[name]

    def _read(self, function: "_Function", source: relax.Function) -> None:
        if not isinstance(source, relax.Function):
            raise Unsupported(f"a call of a {type(source).__name__}")
        function.params = [(var, _binder(var)) for var in source.params]
        function.body = self._sequence(source.body)

    def _sequence(self, sequence: relax.SeqExpr) -> _Compute:
        bindings = [self._binding(binding) for block in sequence.blocks for binding in block.bindings]
        result = self._expression(sequence.body)

        def run(frame: _Frame) -> Value:
            for bind in bindings:
                bind(frame)
            return result(frame)

        return run

    def _binding(self, binding: Any) -> _Compute:
        if isinstance(binding.value, relax.Function):
            return self._local_function(binding.var, binding.value)
        var, compute = binding.var, self._expression(binding.value)
        match = _matcher(binding.ty) if isinstance(binding, relax.MatchCast) else None

        def bind(frame: _Frame) -> None:
            value = frame.values[var] = compute(frame)
            if match is not None:
                match(frame, value)
                _check_pending(frame)

        return bind

    def _local_function(self, var: Any, source: relax.Function) -> Callable[[_Frame], None]:
        """Return a closure that binds a local function. Its body sees the variables of the frame around it."""
        function = _Function()
        self._read(function, source)

        def bind(frame: _Frame) -> None:
            frame.values[var] = _Closure(function, frame)

        return bind

    def _expression(self, expr: Any) -> _Compute:
        if isinstance(expr, ir.GenericConst):
            constant = Buffer.from_array(expr.value.numpy(), str(expr.value.dtype))
            return lambda frame: constant
        if isinstance(expr, relax.ShapeExpr):
            return _shape_of(expr.values)
        if isinstance(expr, relax.Tuple):
            parts = [self._expression(part) for part in expr.fields]
            return lambda frame: tuple(part(frame) for part in parts)
        if isinstance(expr, relax.TupleGetItem):
            whole, index = self._expression(expr.tuple_value), int(expr.index)
            return lambda frame: whole(frame)[index]
        if isinstance(expr, relax.If):
            return self._branch(expr)
        if isinstance(expr, ir.Call) and not ir.is_prim_expr(expr):
            return self._call(expr)
        if isinstance(expr, relax.Var) and not ir.is_prim_expr(expr):
            return lambda frame: frame.values[expr]
        if ir.is_prim_expr(expr):
            return _scalar(expr)
        raise Unsupported(f"a {type(expr).__name__} in a graph")

    def _branch(self, expr: relax.If) -> _Compute:
        condition = self._expression(expr.cond)
        yes, no = self._sequence(expr.true_branch), self._sequence(expr.false_branch)

        def run(frame: _Frame) -> Value:
            value = condition(frame)
            holds = value.array.item() if isinstance(value, Buffer) else value
            return yes(frame) if holds else no(frame)

        return run

    def _call(self, call: ir.Call) -> _Compute:
        if isinstance(call.op, ir.GlobalVar):
            return self._call_function(call)
        if isinstance(call.op, relax.ExternFunc):
            return self._call_packed(call, str(call.op.global_symbol), call.args)
        if isinstance(call.op, ir.Op) and (read := _READERS.get(call.op.name)) is not None:
            return read(self, call)
        if isinstance(call.op, relax.Var):
            return self._call_closure(call)
        raise Unsupported(f"a call of {call.op.name if isinstance(call.op, ir.Op) else type(call.op).__name__}")

    def _call_function(self, call: ir.Call) -> _Compute:
        callee = self._function(call.op.name_hint)
        arguments = [self._expression(argument) for argument in call.args]
        return lambda frame: callee.call([a(frame) for a in arguments], _Frame(frame.kernels, frame.poison))

    def _call_closure(self, call: ir.Call) -> _Compute:
        closure = self._expression(call.op)
        arguments = [self._expression(argument) for argument in call.args]
        return lambda frame: closure(frame).call([a(frame) for a in arguments])

    def _call_kernel(self, call: ir.Call) -> _Compute:
        """Return a closure that calls a kernel with its inputs, new results, and numbers.

        In place, the first results are inputs; ``place`` is the index of an input, or -1 for a new result.
        """
        name = call.args[0].name_hint
        if not isinstance(self._module[name], tirx.PrimFunc):
            raise Unsupported(f"a call_tir of a {type(self._module[name]).__name__}")
        self.kernels[name] = self._module[name]
        _require_kernel_inputs(call.args[1].ty)
        given = self._expression(call.args[1])
        numbers = self._expression(call.args[2]) if len(call.args) > 2 else None
        single = not isinstance(call.ty, relax.TupleType)
        types = [call.ty] if single else list(call.ty.fields)
        places = list(map(int, getattr(call.attrs, "inplace_indices", [-1] * len(types))))
        outputs = [_allocator(ty) for ty, place in zip(types, places, strict=True) if place < 0]

        def run(frame: _Frame) -> Value:
            inputs = given(frame)
            inputs = inputs if isinstance(inputs, tuple) else (inputs,)
            new = tuple(output(frame) for output in outputs)
            last = numbers(frame) if numbers is not None else ()
            frame.kernels[name]((*inputs, *new, *last))
            if len(new) == len(places):
                return new[0] if single else new
            rest = iter(new)
            results = tuple(next(rest) if place < 0 else inputs[place] for place in places)
            return results[0] if single else results

        return run

    def _call_packed(self, call: ir.Call, name: str, given: Iterable[Any]) -> _Compute:
        function = get_packed(name)
        arguments = [self._packed_argument(argument) for argument in given]
        _require_tensors(call.ty)
        return lambda frame: function([a(frame) for a in arguments])

    def _packed_argument(self, argument: Any) -> _Compute:
        if not (isinstance(argument.ty, relax.TensorType) or ir.is_prim_expr(argument)):
            raise Unsupported(f"a packed function with an argument of type {argument.ty}")
        return self._expression(argument)

    def _call_named_packed(self, call: ir.Call) -> _Compute:
        """Read call_pure_packed and call_inplace_packed: the first argument is the function."""
        if not isinstance(call.args[0], relax.ExternFunc):
            raise Unsupported(f"a {call.op.name} of a {type(call.args[0]).__name__}")
        return self._call_packed(call, str(call.args[0].global_symbol), call.args[1:])

    def _call_dps_packed(self, call: ir.Call) -> _Compute:
        """Return a closure that calls a packed function with its inputs and new results."""
        if not isinstance(call.args[0], relax.ExternFunc) or not isinstance(call.args[1], relax.Tuple):
            raise Unsupported(f"a call_dps_packed of a {type(call.args[0]).__name__}")
        function = get_packed(str(call.args[0].global_symbol))
        arguments = [self._packed_argument(argument) for argument in call.args[1].fields]
        single = not isinstance(call.ty, relax.TupleType)
        outputs = [_allocator(ty) for ty in ([call.ty] if single else call.ty.fields)]

        def run(frame: _Frame) -> Value:
            results = tuple(output(frame) for output in outputs)
            function([*(a(frame) for a in arguments), *results])
            return results[0] if single else results

        return run

    def _shape_of(self, call: ir.Call) -> _Compute:
        tensor = self._expression(call.args[0])
        return lambda frame: tensor(frame).array.shape


_READERS: Mapping[str, Callable[[Executor, ir.Call], _Compute]] = {
    "relax.call_tir": Executor._call_kernel,
    "relax.call_tir_inplace": Executor._call_kernel,
    "relax.call_pure_packed": Executor._call_named_packed,
    "relax.call_inplace_packed": Executor._call_named_packed,
    "relax.call_dps_packed": Executor._call_dps_packed,
    "relax.shape_of": Executor._shape_of,
}


class _Function:
    """A Relax function that can be called. It is filled while it is read, since it may call itself."""

    params: list[tuple[Any, Callable[[_Frame, Value], None]]]
    body: _Compute

    def call(self, arguments: Sequence[Value], frame: _Frame) -> Value:
        """Return the result for arguments, in a new frame."""
        if len(arguments) != len(self.params):
            raise TypeError(f"a function of {len(self.params)} parameters was called with {len(arguments)} arguments")
        for (var, match), value in zip(self.params, arguments, strict=True):
            match(frame, value)
            frame.values[var] = value
        _check_pending(frame)
        return self.body(frame)


@dataclass(frozen=True, slots=True)
class _Closure:
    """A local function, and the frame of the function around it."""

    function: _Function
    outer: _Frame

    def call(self, arguments: Sequence[Value]) -> Value:
        outer = self.outer
        frame = _Frame(outer.kernels, outer.poison, dict(outer.values), dict(outer.dims))
        return self.function.call(arguments, frame)


# --- types --------------------------------------------------------------------------------------------


def _require_tensors(ty: Any) -> None:
    """Require a tensor, or a tuple of tensors, since a program returns nothing else."""
    if isinstance(ty, relax.TupleType):
        for part in ty.fields:
            _require_tensors(part)
    elif not isinstance(ty, relax.TensorType):
        raise Unsupported(f"a function that returns {ty}")


def _require_kernel_inputs(ty: Any) -> None:
    for part in ty.fields if isinstance(ty, relax.TupleType) else [ty]:
        if not isinstance(part, relax.TensorType | ir.PrimType):
            raise Unsupported(f"a kernel with an argument of type {part}")


def _flatten(value: Value) -> Iterator[Buffer]:
    if isinstance(value, tuple):
        for part in value:
            yield from _flatten(part)
    else:
        yield value


def _allocator(ty: Any) -> _Compute:
    """Return a closure that allocates a buffer of a tensor type."""
    if not isinstance(ty, relax.TensorType) or not isinstance(ty.shape, relax.ShapeExpr):
        raise Unsupported(f"a kernel with a result of type {ty}")
    shape, dtype = _shape_of(ty.shape.values), _dtype(ty)
    return lambda frame: Buffer(shape(frame), dtype, frame.poison)


def _dtype(ty: Any) -> str:
    return str(ty.dtype)


def _binder(param: Any) -> Callable[[_Frame, Value], None]:
    """Return a function that checks an argument, and binds the lengths of its type; a number is a length itself."""
    return _length_binder([param]) if isinstance(param.ty, ir.PrimType) else _matcher(param.ty)


def _length_binder(lengths: Sequence[Any]) -> Callable[[_Frame, Value], None]:
    return lambda frame, value: _match_lengths(frame, lengths, (value,))


def _matcher(ty: Any) -> Callable[[_Frame, Value], None]:
    """Return a function that checks a value against a type, and binds the symbolic lengths of the type."""
    if isinstance(ty, relax.TupleType):
        parts = [_matcher(part) for part in ty.fields]

        def match_parts(frame: _Frame, value: Value) -> None:
            for match, part in zip(parts, value, strict=True):
                match(frame, part)

        return match_parts
    if isinstance(ty, relax.ShapeType):
        lengths = None if ty.values is None else list(ty.values)
        return lambda frame, value: _match_lengths(frame, lengths, value)
    if isinstance(ty, relax.FuncType):
        return lambda frame, value: None
    if not isinstance(ty, relax.TensorType):
        raise Unsupported(f"a value of type {ty}")
    dtype, shape, rank = _dtype(ty), ty.shape, int(ty.ndim)
    lengths = list(shape.values) if isinstance(shape, relax.ShapeExpr) else None

    def match_tensor(frame: _Frame, value: Buffer) -> None:
        if value.dtype != dtype or (rank >= 0 and value.array.ndim != rank):
            raise TypeError(f"expected {ty}, not a tensor {value.array.shape} of {value.dtype}")
        _match_lengths(frame, lengths, value.array.shape)

    return match_tensor


def _match_lengths(frame: _Frame, lengths: Sequence[Any] | None, actual: tuple[int, ...]) -> None:
    if lengths is None:
        return
    if len(lengths) != len(actual):
        raise TypeError(f"expected the shape {lengths}, not {actual}")
    for length, value in zip(lengths, actual, strict=True):
        if isinstance(length, tirx.Var) and length not in frame.dims:
            frame.dims[length] = value
        else:
            frame.pending.append((length, value))


def _check_pending(frame: _Frame) -> None:
    """Check the lengths that are expressions. All variables are known by now, whatever the order of the parameters."""
    for length, value in frame.pending:
        if _evaluate(length, frame.dims) != value:
            raise TypeError(f"the length {length} must be {_evaluate(length, frame.dims)}, not {value}")
    frame.pending.clear()


# --- numbers ------------------------------------------------------------------------------------------


def _shape_of(lengths: Iterable[Any]) -> Callable[[_Frame], tuple[int, ...]]:
    parts = list(lengths)
    if all(isinstance(part, tirx.IntImm) for part in parts):
        known = tuple(int(part) for part in parts)
        return lambda frame: known
    return lambda frame: tuple(_evaluate(part, frame.dims) for part in parts)


def _scalar(expr: Any) -> _Compute:
    if isinstance(expr, tirx.IntImm | tirx.FloatImm):
        value = expr.value
        return lambda frame: value
    return lambda frame: _evaluate(expr, frame.dims)


def _evaluate(expr: Any, dims: Mapping[Any, int]) -> int:
    """Return the value of an integer expression of symbolic lengths."""
    if isinstance(expr, tirx.IntImm):
        return int(expr)

    def known(var: tirx.Var) -> Any:
        return tirx.IntImm(str(var.ty.dtype), dims[var]) if var in dims else var

    value = tvm.sym.Analyzer().simplify(tvm_ffi.structural_map(expr, (ir.Var, known), order="post"))
    if not isinstance(value, tirx.IntImm):
        raise TypeError(f"the value of {expr} is not known yet: {value}")
    return int(value)
