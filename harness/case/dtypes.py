"""Element types: names, ranges and precision. Cases, inputs and references share them."""

FLOATS = ("float32", "float16", "float64", "bfloat16")
INTEGERS = ("int8", "uint8", "int16", "int32", "int64")
DTYPES = FLOATS + INTEGERS
QUANTIZED_DTYPES = ("int8", "uint8", "int32")
ZERO_POINT_DTYPES = ("int8", "uint8", "int32")
DEQUANTIZED_DTYPES = ("float32", "float16")
REQUANTIZED_DTYPES = ("int8", "uint8")

PRECISION = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}
"""Bits of the significand, including the hidden one."""

HIGHEST = {
    "float16": 65504.0,
    "bfloat16": 2.0**128 - 2.0**120,
    "float32": 2.0**128 - 2.0**104,
    "float64": 1.7976931348623157e308,
}
"""The highest finite value."""


def int_range(dtype: str) -> tuple[int, int]:
    """Return the lowest and the highest value of an integer dtype."""
    bits = int(dtype.lstrip("uint"))
    return (0, 2**bits - 1) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
