"""Element types: their names, ranges and precision, which cases, inputs and references share."""

FLOATS = ("float32", "float16", "float64", "bfloat16")
INTEGERS = ("int8", "uint8", "int16", "int32", "int64")
DTYPES = FLOATS + INTEGERS
QUANTIZED_DTYPES = ("int8", "uint8", "int32")
ZERO_POINT_DTYPES = ("int8", "uint8", "int32")
DEQUANTIZED_DTYPES = ("float32", "float16")
REQUANTIZED_DTYPES = ("int8", "uint8")

PRECISION = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}
"""Bits of the significand, the hidden one included."""

HIGHEST = {
    "float16": 65504.0,
    "bfloat16": 2.0**128 - 2.0**120,
    "float32": 2.0**128 - 2.0**104,
    "float64": 1.7976931348623157e308,
}
"""Highest finite value."""


def int_range(dtype: str) -> tuple[int, int]:
    """Lowest and highest value of an integer dtype."""
    bits = int(dtype.lstrip("uint"))
    return (0, 2**bits - 1) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
