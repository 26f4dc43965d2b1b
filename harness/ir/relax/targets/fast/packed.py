"""Packed functions of TVM's runtime, called with buffers: what ``call_packed`` and ``call_dps_packed`` name.

    R.call_dps_packed("runtime.TVMTensorCopyFromTo", (x,), out_ty=...)   ->   function([x, result])

A packed function gets tensors that share the memory of the buffers, so that it can write into them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tvm

from foldproof.ir.relax.targets.fast.buffers import Buffer
from foldproof.ir.relax.targets.target import Unsupported

Packed = Callable[[Sequence[Any]], Any]

_COPY = "vm.builtin.copy"
"""Returns its argument itself, in spite of its name."""


def get_packed(name: str) -> Packed:
    """Return a function of buffers and numbers. Raises Unsupported."""
    if name == _COPY:
        return _first
    function = None if name.startswith("vm.") else tvm.get_global_func(name, allow_missing=True)
    if function is None:
        raise Unsupported(f"a call of the packed function {name}")

    def call(arguments: Sequence[Any]) -> Any:
        tensors = [_to_tensor(argument) if isinstance(argument, Buffer) else argument for argument in arguments]
        return _to_value(function(*tensors), arguments)

    return call


def _first(arguments: Sequence[Any]) -> Any:
    [argument] = arguments
    return argument


def _to_tensor(buffer: Buffer) -> tvm.runtime.Tensor:
    """Return a tensor with the memory of a buffer. DLPack of NumPy has neither bfloat16 nor float8."""
    array = buffer.array
    if array.dtype.kind in "biuf":
        return tvm.runtime.from_dlpack(array)
    plain = array.view(f"uint{8 * array.dtype.itemsize}")
    return tvm.runtime.from_dlpack(plain)._create_view(array.shape, buffer.dtype)


def _to_value(result: Any, arguments: Sequence[Any]) -> Any:
    """Return a result as the executor has it. A tensor with the memory of an argument is that argument."""
    if isinstance(result, tvm.runtime.Tensor):
        array = result.numpy()
        dtype, address = str(result.dtype), _address(result)
        for argument in arguments:
            if isinstance(argument, Buffer) and (argument.address, argument.array.shape) == (address, array.shape):
                return argument
        return Buffer.from_array(array, dtype)
    if isinstance(result, tuple | list | tvm.ir.Array):
        return tuple(_to_value(part, arguments) for part in result)
    return result


def _address(tensor: tvm.runtime.Tensor) -> int:
    return int(tensor.data_ptr())
