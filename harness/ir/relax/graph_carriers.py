"""What stands between a pad and its consumer in a graph, and the kernel that overwrites its data."""

from collections.abc import Callable
from functools import cache
from typing import Any

import tvm
from tvm import relax, tirx

from foldproof.ir.relax.graph_plan import data_key


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


Carry = Callable[[Any, int, Any], Any]
"""(builder of the function, site, tensor) -> what carries the tensor to the consumer."""


def _carry_alias(function: Any, index: int, data: Any) -> Any:
    return data


def _carry_tuple(function: Any, index: int, data: Any) -> Any:
    pair = function.bind(relax.Tuple([data, data]), "pair", escapes=False)
    return relax.TupleGetItem(pair, 1)


def _carry_packed(function: Any, index: int, data: Any) -> Any:
    return relax.call_pure_packed("vm.builtin.copy", data, ty_args=data.ty)


def _carry_dps(function: Any, index: int, data: Any) -> Any:
    return relax.call_dps_packed("runtime.TVMTensorCopyFromTo", [data], data.ty)


def _carry_symbolic_clip(function: Any, index: int, data: Any) -> Any:
    owner = function.graph.pad_owner(index)
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


CASTS: dict[str, Callable[[Any, str], Any]] = {"match_cast": _same_type, "match_symbols": _new_lengths}

CARRIERS: dict[str, Carry] = {
    "alias": _carry_alias,
    "tuple": _carry_tuple,
    "packed": _carry_packed,
    "dps": _carry_dps,
    "symbolic clip": _carry_symbolic_clip,
}
