"""Pad values as a tensor holds them. Pure Python, so that the rules need neither TVM nor NumPy."""

import math
import struct

INTEGER_BITS = {"int8": ("", 8), "uint8": ("u", 8), "int16": ("", 16), "int32": ("", 32), "int64": ("", 64)}
_LOWEST = {
    "float16": -65504.0,
    "float32": -(2.0**128 - 2.0**104),
    "float64": -1.7976931348623157e308,
    "bfloat16": -math.inf,
}
NUMBERS = frozenset(INTEGER_BITS) | frozenset(_LOWEST)
"""dtypes whose arithmetic the harness compares with and without the fold. float8 differed, others were not tried."""


def max_pool_start(dtype: str) -> float:
    """What TVM's max_pool starts from and pads with: the lowest finite value (bfloat16: float32's, which is -inf)."""
    if dtype in _LOWEST:
        return _LOWEST[dtype]
    sign, bits = INTEGER_BITS[dtype]
    return 0 if sign else -(2 ** (bits - 1))


def cast(value: float, dtype: str) -> float | None:
    """A pad value as the tensor holds it; None where TVM refuses to build it.

    Integers truncate toward zero, floats round to nearest and may underflow to 0. A finite value out of range is an
    error in TVM ("Literal value exceeds maximum of float16"); for bfloat16 the range is that of float32.
    """
    if dtype in INTEGER_BITS:
        return _to_integer(value, *INTEGER_BITS[dtype])
    if dtype == "bfloat16":
        return _to_bfloat16(value)
    code = {"float16": "e", "float32": "f", "float64": "d"}[dtype]
    if math.isfinite(value) and abs(value) > -_LOWEST[dtype]:
        return None
    return float(struct.unpack(code, struct.pack(code, value))[0])


def _to_integer(value: float, sign: str, bits: int) -> int | None:
    if not math.isfinite(value) or (sign and value < 0):
        return None
    low, high = (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return int(value) if low <= int(value) <= high else None


def _to_bfloat16(value: float) -> float | None:
    """To float32, then to the nearest bfloat16, ties to even; the highest float32 values become infinities."""
    single = cast(value, "float32")
    if single is None or not math.isfinite(single):
        return single
    bits = struct.unpack("<I", struct.pack("<f", single))[0]
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return float(struct.unpack("<f", struct.pack("<I", rounded))[0])
