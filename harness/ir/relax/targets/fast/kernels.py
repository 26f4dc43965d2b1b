"""Compile PrimFuncs into kernels: functions that are called with addresses.

    PrimFunc(A: Buffer((n, 4), "float32"), B, k: int64)   ->   int32 kernel(float* A, float* B, int64 k, int64 n)

TVM's packed calling convention checks and unpacks each argument. That costs more to compile than most kernels. Here the
caller checks the arguments. Lengths that only the shapes of buffers contain are appended as arguments.
"""

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import tvm
from tvm import ir, s_tir, tirx

from foldproof.ir.relax.targets.fast.buffers import Buffer
from foldproof.ir.relax.targets.fast.elf_loader import Code
from foldproof.ir.relax.targets.fast.object_loader import load
from foldproof.ir.relax.targets.target import Target, Unsupported

Argument = Buffer | int | float | bool

_SCALARS: dict[str, Any] = {
    "bool": ctypes.c_bool,
    "int32": ctypes.c_int32,
    "int64": ctypes.c_int64,
    "float32": ctypes.c_float,
    "float64": ctypes.c_double,
}


def compile_kernels(functions: Sequence[tuple[tirx.PrimFunc, "Signature"]], target: Target) -> list["Kernel"]:
    """Return a kernel for each (function, signature), all from one module. Raises what TVM raises."""
    if not functions:
        return []
    symbols = [f"kernel{i}" for i in range(len(functions))]
    named = {symbol: function for symbol, (function, _) in zip(symbols, functions, strict=True)}
    code = load(generate(lower(named, target), target), symbols)
    return [Kernel(symbol, signed, code) for symbol, (_, signed) in zip(symbols, functions, strict=True)]


def lower(functions: Mapping[str, tirx.PrimFunc], target: Target) -> tvm.IRModule:
    """Return the functions, by symbol, as a code generator takes them, with addresses for buffers."""
    bound = target.tvm_target.with_host(target.tvm_target)
    named = {
        ir.GlobalVar(symbol): function.with_attr({"global_symbol": symbol, "target": bound})
        for symbol, function in functions.items()
    }
    lowered = _LOWER(tvm.IRModule(named))
    return _FINISH(tvm.IRModule({var: _use_addresses(function, target) for var, function in lowered.functions_items()}))


def generate(module: tvm.IRModule, target: Target) -> tvm.runtime.Module:
    """Return the LLVM module. Its object file has the same code as TVM's, without debug information."""
    (var, first), *others = module.functions_items()  # the flags of one function are valid for all
    body = tirx.AttrStmt("default", "pragma_import_llvm", ir.StringImm(_NO_DEBUG_INFORMATION), first.body)
    flagged = tvm.IRModule({var: first.with_body(body), **dict(others)})
    return tvm.get_global_func("target.build.llvm")(flagged, _codegen_target(target))


_NO_DEBUG_INFORMATION = """
!llvm.module.flags = !{!0, !1}
!0 = !{i32 2, !"CodeView", i32 1}
!1 = !{i32 4, !"Dwarf Version", i32 0}
"""
"""An imported LLVM module whose flags turn off debug information.

TVM describes every variable for a debugger, which is a quarter of the time that an object takes, and has no option
against it. These flags ask for CodeView, which only Windows has, and for no version of DWARF. (LLVM,
``AsmPrinter::doInitialization``.)"""


_NO_VARIABLE_LOCATIONS = ["-livedebugvalues-input-bb-limit:uint=0", "-livedebugvalues-input-dbg-value-limit:uint=0"]
"""Options against LLVM's analysis of where a debugger finds each variable, a quarter of the remaining time."""


@cache
def _codegen_target(target: Target) -> tvm.target.Target:
    """Return the target with LLVM options that save time and do not change the code."""
    config = dict(target.tvm_target.export())
    return tvm.target.Target({**config, "cl-opt": [*config.get("cl-opt", ()), *_NO_VARIABLE_LOCATIONS]})


# --- calling ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parameter:
    """A buffer if ``shape`` is given (None for a length that is not known before the call), else a scalar."""

    dtype: str
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True, slots=True)
class Signature:
    """How to call a kernel. ``dimensions`` are (parameter, axis) of the lengths that follow the parameters."""

    parameters: tuple[Parameter, ...]
    dimensions: tuple[tuple[int, int], ...]
    dimension_dtypes: tuple[str, ...]


class Kernel:
    """Compiled code of one PrimFunc. It checks its arguments, since the code does not."""

    def __init__(self, name: str, signature: Signature, code: Code) -> None:
        self._signature = signature
        self._code = code  # the code is unmapped when this is collected
        types = [ctypes.c_void_p if p.shape is not None else _SCALARS[p.dtype] for p in signature.parameters]
        types += [_SCALARS[dtype] for dtype in signature.dimension_dtypes]
        self._entry = ctypes.CFUNCTYPE(ctypes.c_int32, *types)(code.addresses[name])

    def __call__(self, arguments: Sequence[Argument]) -> None:
        """Run on buffers and scalars; the kernel writes the last buffers. Raises TypeError, RuntimeError."""
        parameters = self._signature.parameters
        if len(arguments) != len(parameters):
            raise TypeError(f"a kernel of {len(parameters)} parameters was called with {len(arguments)} arguments")
        values = [_to_c(parameter, value) for parameter, value in zip(parameters, arguments, strict=True)]
        for parameter, axis in self._signature.dimensions:
            buffer: Any = arguments[parameter]
            values.append(buffer.array.shape[axis])
        status = self._entry(*values)
        if status != 0:
            raise RuntimeError(f"the kernel returned status {status}; expected 0")


def _to_c(parameter: Parameter, value: Argument) -> Any:
    if parameter.shape is None:
        if isinstance(value, Buffer):
            raise TypeError(f"expected a scalar of {parameter.dtype}, not a tensor")
        return value
    if not isinstance(value, Buffer):
        raise TypeError(f"expected a tensor, not {value!r}")
    shape = value.array.shape
    same = len(shape) == len(parameter.shape) and all(
        want in (None, got) for want, got in zip(parameter.shape, shape, strict=True)
    )
    if not same or value.dtype != parameter.dtype:
        raise TypeError(f"expected a tensor {parameter.shape} of {parameter.dtype}, not {shape} of {value.dtype}")
    return value.address


# --- signatures ---------------------------------------------------------------------------------------


def derive_signature(function: tirx.PrimFunc) -> Signature:
    """Return how to call the kernel of a function. Raises Unsupported."""
    parameters: list[Parameter] = []
    known: dict[Any, tuple[int, int]] = {}
    given = set(function.params)
    needed: set[Any] = set()
    for position, var in enumerate(function.params):
        if not isinstance(var.ty, tirx.BufferType):
            parameters.append(_scalar(var))
            continue
        lengths = list(var.ty.shape)
        _require_compact(var)
        for axis, length in enumerate(lengths):
            if isinstance(length, tirx.IntImm):
                continue
            if isinstance(length, tirx.Var):
                known.setdefault(length, (position, axis))
            else:
                needed |= set(tirx.analysis.undefined_vars(length, []))
        shape = tuple(int(length) if isinstance(length, tirx.IntImm) else None for length in lengths)
        parameters.append(Parameter(str(var.ty.dtype), shape))
    unknown = needed - known.keys() - given
    if unknown:
        raise Unsupported(f"no shape of a PrimFunc tells its dimension {next(iter(unknown))}")
    appended = {var: place for var, place in known.items() if var not in given}
    return Signature(tuple(parameters), tuple(appended.values()), tuple(str(var.ty.dtype) for var in appended))


def _scalar(var: tirx.Var) -> Parameter:
    dtype = str(getattr(var.ty, "dtype", var.ty))
    if dtype not in _SCALARS:
        raise Unsupported(f"a PrimFunc with a parameter of {dtype}")
    return Parameter(dtype, None)


def _require_compact(buffer: tirx.Var) -> None:
    """Require a compact buffer without an offset, of a dtype that NumPy has."""
    ty = buffer.ty
    if len(ty.strides) or not (isinstance(ty.elem_offset, tirx.IntImm) and int(ty.elem_offset) == 0):
        raise Unsupported("a PrimFunc with a buffer that has strides or an offset")
    try:
        np.dtype(str(ty.dtype))
    except TypeError:
        raise Unsupported(f"a PrimFunc with a buffer of {ty.dtype}") from None


# --- lowering -----------------------------------------------------------------------------------------

_LOWER = ir.transform.Sequential(
    [
        s_tir.transform.LowerInitBlock(),
        s_tir.transform.PlanAndUpdateBufferAllocationLocation(),
        s_tir.transform.ConvertBlocksToOpaque(),
        s_tir.transform.LowerMatchBuffer(),
        s_tir.transform.LowerOpaqueBlock(),
        tirx.transform.FlattenBuffer(),
        tirx.transform.BF16ComputeLegalize(),
        tirx.transform.VectorizeLoop(True),
        tirx.transform.UnrollLoop(),
        s_tir.transform.RewriteUnsafeSelect(),
        tirx.transform.FP8ComputeLegalize(),
    ]
)
"""The passes of TVM's pipeline that a CPU kernel needs to compile, or that change its meaning. None only optimises."""

_FINISH = ir.transform.Sequential(
    [
        tirx.transform.FP8StorageLegalize(),
        tirx.transform.BF16StorageLegalize(),
        tirx.transform.LowerTVMBuiltin(),
        tirx.transform.LowerIntrin(),
    ]
)

_ZERO, _ONE = tirx.IntImm("int32", 0), tirx.IntImm("int32", 1)


def _use_addresses(function: tirx.PrimFunc, target: Target) -> tirx.PrimFunc:
    """Return the function with addresses for buffers, and its symbolic lengths as further parameters."""
    params, declared, known = [], [], set(function.params)
    dimensions: dict[Any, None] = {}
    overlap = not function.attrs.get("tirx.noalias", False)  # a call may give one tensor twice, to write in place
    for var in function.params:
        if not isinstance(var.ty, tirx.BufferType):
            params.append(var)
            continue
        pointer = tirx.Var(var.name, ir.PointerType(ir.PrimType(str(var.ty.dtype)), "global"))
        params.append(pointer)
        if overlap:  # LLVM's code generator takes parameters to be distinct memory, and local pointers only if told so
            address, pointer = pointer, tirx.Var(var.name, pointer.ty)
            declared.append(tirx.Bind(pointer, address))
        declared.append(tirx.stmt.DeclBuffer(var, data=pointer))
        dimensions.update((length, None) for length in var.ty.shape if isinstance(length, tirx.Var))
    params += [var for var in dimensions if var not in known]
    body = tirx.AttrStmt("default", "device_type", _ONE, function.body)
    body = tirx.AttrStmt("default", "device_id", _ZERO, body)
    attrs = {"global_symbol": function.attrs["global_symbol"], "target": target.tvm_target}
    attrs["tirx.noalias"] = not overlap
    return tirx.PrimFunc(
        params,
        tirx.SeqStmt([*declared, body, tirx.stmt.Return(_ZERO)]),
        ret_type=ir.PrimType("int32"),
        attrs=ir.make_node("ir.DictAttrs", **attrs),
    )
