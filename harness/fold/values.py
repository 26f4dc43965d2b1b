"""Numbers as a tensor holds them, and what TVM's elementwise ops make of them. Pure Python: no TVM, no NumPy.

Every function returns the value that TVM computes in ``dtype``, or None where that is not known: the result is NaN, an
integer overflows, or the result depends on the code that the compiler emits. tests/fold/test_values.py executes TVM to
pin the values.
"""

import math
import operator
import struct
from collections.abc import Callable
from fractions import Fraction
from functools import partial

INTEGER_BITS = {"int8": ("", 8), "uint8": ("u", 8), "int16": ("", 16), "int32": ("", 32), "int64": ("", 64)}
FLOATS = ("float16", "float32", "float64", "bfloat16")
_NO_BFLOAT16 = FLOATS[:-1]
"""TVM has no code of some ops for bfloat16."""
_LOWEST = {
    "float16": -65504.0,
    "float32": -(2.0**128 - 2.0**104),
    "float64": -1.7976931348623157e308,
    "bfloat16": -math.inf,
}
HIGHEST = {"float16": 65504.0, "float32": 2.0**128 - 2.0**104, "float64": 1.7976931348623157e308, "bfloat16": 2.0**127}
"""No finite value above becomes one of the dtype; for bfloat16, far enough below what rounds to an infinity."""
_CODES = {"float16": "e", "float32": "f", "float64": "d"}
NUMBERS = frozenset(INTEGER_BITS) | frozenset(_LOWEST)
"""dtypes whose arithmetic the harness compares with and without the fold. float8 differed, others were not tried."""

Value = float
"""An int where the dtype is one, so that int64 is exact."""


def max_pool_start(dtype: str) -> Value:
    """Return the value that TVM's max_pool starts from and pads with: the lowest finite one (bfloat16: -inf)."""
    return _LOWEST[dtype] if dtype in _LOWEST else int_range(dtype)[0]


def int_range(dtype: str) -> tuple[int, int]:
    """Return the lowest and the highest value of an integer dtype."""
    sign, bits = INTEGER_BITS[dtype]
    return (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


# --- the value of a pad attribute ---------------------------------------------------------------------


def cast(value: float, dtype: str) -> Value | None:
    """Return a pad value as the tensor holds it, None where TVM does not build it.

    Integers truncate toward zero, floats round to nearest and may underflow to 0. A finite value out of range is an
    error in TVM ("Literal value exceeds maximum of float16"); for bfloat16 the range is that of float32.
    """
    if dtype in INTEGER_BITS:
        return _to_integer(value, *INTEGER_BITS[dtype])
    range_of = "float32" if dtype == "bfloat16" else dtype
    if math.isfinite(value) and abs(value) > -_LOWEST[range_of]:
        return None
    return round_to(value, dtype)


def _to_integer(value: float, sign: str, bits: int) -> int | None:
    if not math.isfinite(value) or (sign and value < 0):
        return None
    low, high = (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return int(value) if low <= int(value) <= high else None


# --- rounding -----------------------------------------------------------------------------------------


def round_to(value: float, dtype: str) -> float:
    """Round to the nearest value of a float dtype, ties to even; beyond its range to an infinity."""
    if dtype == "bfloat16":
        return _to_bfloat16(round_to(value, "float32"))
    try:
        return float(struct.unpack(_CODES[dtype], struct.pack(_CODES[dtype], value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def _to_bfloat16(single: float) -> float:
    """Round a float32 value to bfloat16. The highest float32 values become infinities."""
    if not math.isfinite(single):
        return single
    bits = struct.unpack("<I", struct.pack("<f", single))[0]
    up = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return float(struct.unpack("<f", struct.pack("<I", up))[0])


def _result(value: float, dtype: str) -> Value | None:
    """Round the exact result of one operation to the dtype, None where the result is not known.

    float32 and float16 results of + - * / sqrt rounded twice, from the double, are those rounded once (53 >= 2p + 2).
    Integers must not overflow: with 32 and 64 bits that is undefined in LLVM. With 8 and 16 bits they wrap in LLVM, but
    not in C, which computes in int (src/target/source/codegen_c.cc casts no intermediate result back). TVM computes
    bfloat16 in float32 and rounds only sometimes. So a value is known only if float32 and bfloat16 round it alike.
    """
    if dtype in INTEGER_BITS:
        low, high = int_range(dtype)
        return value if low <= value <= high else None
    if math.isnan(value):
        return None
    nearest = round_to(value, dtype)
    return nearest if dtype != "bfloat16" or nearest == round_to(value, "float32") else None


# --- one operand --------------------------------------------------------------------------------------


def _whole(function: Callable[[float], int], value: Value, dtype: str) -> Value:
    return value if dtype in INTEGER_BITS or not math.isfinite(value) else float(function(value))


def _negative(value: Value, dtype: str) -> Value | None:
    return None if dtype.startswith("u") else _result(-value, dtype)  # TVM builds no -1 of an unsigned dtype


def _sign(value: Value, dtype: str) -> Value | None:
    if dtype.startswith("u"):
        return None
    return type(value)((value > 0) - (value < 0))


def _square(value: Value, dtype: str) -> Value | None:
    return _product(value, value, dtype)


def _sqrt(value: Value, dtype: str) -> Value | None:
    return _result(math.sqrt(value), dtype) if dtype in FLOATS and value >= 0 else None


def _known(points: dict[float, float]) -> Callable[[Value, str], Value | None]:
    """Return a function that is known at these points. Elsewhere a library, or a polynomial of TVM's, approximates it.

    Every such function is exact there, since each library has exp(0) = 1.
    """
    return lambda value, dtype: points.get(value) if dtype in FLOATS else None


def _is_finite(value: Value, dtype: str) -> Value | None:
    return int(math.isfinite(value)) if dtype in _NO_BFLOAT16 else None


def _is_infinite(value: Value, dtype: str) -> Value | None:
    return int(math.isinf(value)) if dtype in _NO_BFLOAT16 else None


def _is_nan(value: Value, dtype: str) -> Value | None:
    return 0 if dtype in _NO_BFLOAT16 else None  # no value is NaN


UNARY: dict[str, Callable[[Value, str], Value | None]] = {
    "nn.relu": lambda value, _: value if value > 0 else type(value)(0),
    "negative": _negative,
    "abs": lambda value, dtype: _result(abs(value), dtype),
    "round": partial(_whole, round),
    "floor": partial(_whole, math.floor),
    "ceil": partial(_whole, math.ceil),
    "trunc": partial(_whole, math.trunc),
    "sign": _sign,
    "square": _square,
    "sqrt": _sqrt,
    **dict.fromkeys(
        ("tanh", "sin", "tan", "asin", "atan", "sinh", "asinh", "atanh", "erf", "nn.gelu", "nn.gelu_tanh", "nn.silu"),
        _known({0.0: 0.0}),
    ),
    "nn.selu": _known({0.0: 0.0}),
    "exp": _known({0.0: 1.0, math.inf: math.inf, -math.inf: 0.0}),
    "sigmoid": _known({0.0: 0.5, math.inf: 1.0, -math.inf: 0.0}),
    "log": _known({1.0: 0.0}),
    "cos": _known({0.0: 1.0}),
    "cosh": _known({0.0: 1.0}),
    "zeros_like": lambda value, _: type(value)(0),
    "ones_like": lambda value, _: type(value)(1),
    "isfinite": _is_finite,
    "isinf": _is_infinite,
    "isnan": _is_nan,
    "logical_not": lambda value, dtype: 1 - int(value) if dtype == "bool" else None,
}
"""Op -> what it makes of a value (no NaN) of a dtype. The sign of a zero is not known. A bool is 0 or 1."""


def leakyrelu(value: Value, alpha: float, dtype: str) -> Value | None:
    """Compute ``x > 0 ? x : x * alpha``, alpha rounded to the dtype."""
    return value if value > 0 else _product(value, round_to(alpha, dtype), dtype)


def cast_bound(value: float | None, dtype: str) -> Value | None:
    """Return a bound of clip in the dtype of its data, None where it is unknown, or does not fit."""
    if value is None or math.isnan(value):
        return None
    fits = cast(value, dtype)
    return None if fits is None or (dtype in INTEGER_BITS and fits != value) else fits


def clip(value: Value, low: float | None, high: float | None, dtype: str) -> Value | None:
    """Compute ``max(min(x, high), low)``."""
    least, most = cast_bound(low, dtype), cast_bound(high, dtype)
    return None if least is None or most is None else max(min(value, most), least)


# --- two operands -------------------------------------------------------------------------------------


def _sum(a: Value, b: Value, dtype: str) -> Value | None:
    return _result(a + b, dtype)


def _difference(a: Value, b: Value, dtype: str) -> Value | None:
    return _result(a - b, dtype)


def _product(a: Value, b: Value, dtype: str) -> Value | None:
    return _result(a * b, dtype)  # 0 times an infinity is NaN, but 0 where TVM simplifies x * 0: unknown


def _quotient(a: Value, b: Value, dtype: str) -> Value | None:
    """Divide. Integers truncate toward zero."""
    if b == 0 or (math.isinf(a) and math.isinf(b)):
        return None
    if dtype in INTEGER_BITS:
        quotient = abs(int(a)) // abs(int(b))
        return _result(quotient if (a < 0) == (b < 0) else -quotient, dtype)
    return _result(a / b, dtype)


def divide_by_signed(a: Value, b: Value, dtype: str) -> Value | None:
    """Divide by a number whose sign is certain if it is 0: a float other than 0 becomes an infinity."""
    if b == 0 and a != 0 and dtype in _NO_BFLOAT16:
        return math.copysign(math.inf, a) * math.copysign(1, b)
    return _quotient(a, b, dtype)


def prelu(value: Value, alpha: Value, dtype: str) -> Value | None:
    """Compute ``x > 0 ? x : x * alpha``."""
    if dtype not in _NO_BFLOAT16:
        return None
    return value if value > 0 else _product(value, alpha, dtype)


def _power(a: Value, b: Value, dtype: str) -> Value | None:
    """Return 1 ** b, a ** 0, and 0 ** b for b > 0. Elsewhere the target's library approximates the result."""
    if dtype not in _NO_BFLOAT16:
        return None
    if a == 1 or b == 0:
        return 1.0
    return 0.0 if a == 0 and b > 0 else None


def _compare(test: Callable[[Value, Value], bool]) -> Callable[[Value, Value, str], Value | None]:
    return lambda a, b, _: int(test(a, b))


def _combine(function: Callable[[int, int], int], *dtypes: str) -> Callable[[Value, Value, str], Value | None]:
    """Return a function of integers of these dtypes."""
    return lambda a, b, dtype: function(int(a), int(b)) if dtype in dtypes else None


BINARY: dict[str, Callable[[Value, Value, str], Value | None]] = {
    "add": _sum,
    "subtract": _difference,
    "multiply": _product,
    "divide": _quotient,
    "maximum": lambda a, b, _: a if a > b else b,
    "minimum": lambda a, b, _: a if a < b else b,
    "power": _power,
    "nn.prelu": prelu,
    "equal": _compare(operator.eq),
    "not_equal": _compare(operator.ne),
    "less": _compare(operator.lt),
    "less_equal": _compare(operator.le),
    "greater": _compare(operator.gt),
    "greater_equal": _compare(operator.ge),
    "logical_and": _combine(operator.and_, "bool"),
    "logical_or": _combine(operator.or_, "bool"),
    "logical_xor": _combine(operator.xor, "bool"),
    "bitwise_and": _combine(operator.and_, *INTEGER_BITS),
    "bitwise_or": _combine(operator.or_, *INTEGER_BITS),
    "bitwise_xor": _combine(operator.xor, *INTEGER_BITS),
}
"""Op -> what it makes of two values (no NaN) of a dtype. A bool is 0 or 1."""


def where(condition: Value, a: Value, b: Value, _: str) -> Value:
    """Choose ``a`` where the condition is not 0."""
    return a if condition else b


_TO_BOOL = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "isfinite", "isinf", "isnan")
_OF_BOOL = ("logical_not", "logical_and", "logical_or", "logical_xor", "where", "astype")


def is_known(op: str, source: str, dtype: str) -> bool:
    """Return whether the arithmetic of an op from one dtype to another is known. Only some ops know bool."""
    if source in NUMBERS and dtype in NUMBERS:
        return True
    booleans = {"bool"} & {source, dtype}
    return bool(booleans) and {source, dtype} <= NUMBERS | booleans and op in (*_TO_BOOL, *_OF_BOOL)


ADDITIVE = ("add", "subtract")


def is_inexact_product(a: Value, b: Value, dtype: str) -> bool:
    """Return whether a product is rounded: with fused multiply-add, a target may skip that before a sum."""
    if dtype in INTEGER_BITS or not (math.isfinite(a) and math.isfinite(b)):
        return False
    product = round_to(a * b, dtype)
    return math.isinf(product) or Fraction(product) != Fraction(a) * Fraction(b)


# --- casts and quantization ---------------------------------------------------------------------------


def convert(value: Value, source: str, dtype: str) -> Value | None:
    """Compute ``astype``: integers wrap, floats round, a float becomes an integer only if its whole part fits.

    A bool is 0 or 1, and whether a number is not 0.
    """
    if dtype == "bool":
        return int(value != 0)
    if dtype in FLOATS:
        return _result(float(value), dtype) if abs(value) < 2**53 or source in FLOATS else None
    if source in FLOATS:
        low, high = int_range(dtype)
        return int(value) if math.isfinite(value) and low <= int(value) <= high else None
    low, high = int_range(dtype)
    return low + (int(value) - low) % (high - low + 1)


def dequantize(value: Value, scale: float, zero_point: Value, source: str, dtype: str) -> Value | None:
    """Compute ``float32(int32(x) - zero_point) * scale``; float16 is clipped to its finite range and rounded.

    (TVM 0.27: relax/transform/legalize_ops/qdq.py.)
    """
    if source in FLOATS or dtype not in ("float32", "float16"):
        return None
    difference = _difference(value, zero_point, "int32")
    if difference is None or not math.isfinite(scale):
        return None
    product = _product(round_to(float(difference), "float32"), scale, "float32")
    if product is None or dtype == "float32":
        return product
    return round_to(max(min(product, 65504.0), -65504.0), dtype)


def quantize(value: Value, scale: float, zero_point: Value, source: str, dtype: str) -> Value | None:
    """Compute ``clip(round(x / scale) + zero_point)`` in float32, rounded half to even (same file)."""
    if source not in ("float32", "float16") or dtype not in INTEGER_BITS or not math.isfinite(scale):
        return None
    scaled = _quotient(value, scale, "float32")
    if scaled is None:
        return None
    whole = scaled if math.isinf(scaled) else float(round(scaled))
    shifted = _sum(whole, float(zero_point), "float32")
    low, high = int_range(dtype)
    return None if shifted is None else int(max(min(shifted, high), low))
