"""foldproof.fold.values: what each op makes of a pad value, pinned by executing TVM on the same values.

A value that is claimed must come out to the bit (a zero may have either sign, see values); one that is not claimed
(None) costs a fold and nothing else, so the tables also say how many must be claimed.
"""

import math
from itertools import product

import ml_dtypes  # noqa: F401, makes "bfloat16" a name that np.dtype knows
import numpy as np
import pytest
import tvm
from tests.support.sites import LOWEST32, LOWEST_BFLOAT16
from tvm import relax

from foldproof.fold import values
from foldproof.fold.values import cast, max_pool_start
from foldproof.ir.relax.targets import parse_target

INF, NAN = math.inf, math.nan
FLOATS = (0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1.5, 2.5, -2.5, 3.0, 6.0, 127.5, -128.0, 0.1, 65504.0, INF, -INF)
INTEGERS = (0, 1, -1, 2, 3, -5, 6, 7, 100, 127, -128)
SAMPLES = {
    **dict.fromkeys(("float16", "float32", "float64", "bfloat16"), FLOATS),
    **dict.fromkeys(("int8", "int16", "int32", "int64"), INTEGERS),
    "uint8": (0, 1, 2, 3, 7, 100, 128, 255),
}


def executed(build, *arrays):
    """What TVM makes of arrays: ``build`` is a function of their variables."""
    builder = relax.BlockBuilder()
    params = [relax.Var(f"x{i}", relax.TensorType(a.shape, str(a.dtype))) for i, a in enumerate(arrays)]
    with builder.function("main", params):
        with builder.dataflow():
            result = builder.emit_output(build(*params))
        builder.emit_func_output(result)
    with tvm.transform.PassContext(config={"tirx.disable_assert": True}):
        executable = tvm.compile(builder.get(), parse_target().tvm_target)
    machine = relax.VirtualMachine(executable, tvm.cpu())
    return machine["main"](*map(tvm.runtime.tensor, arrays)).numpy()


def array(numbers, dtype):
    with np.errstate(all="ignore"):
        return np.array(numbers).astype(np.dtype(dtype))


def held(dtype):
    """The samples as a tensor of the dtype holds them, and the same as Python numbers."""
    tensor = array(SAMPLES[dtype], dtype)
    return tensor, tensor.tolist() if dtype in values.INTEGER_BITS else tensor.astype(np.float64).tolist()


def assert_claims(claims, results, *, least):
    """Every claim is what TVM computed; at least ``least`` of them are made."""
    results = results.reshape(-1)
    numbers = results.tolist() if np.issubdtype(results.dtype, np.integer) else results.astype(np.float64).tolist()
    wrong = [(i, c, n) for i, (c, n) in enumerate(zip(claims, numbers, strict=True)) if c is not None and c != n]
    assert not wrong
    assert sum(claim is not None for claim in claims) >= least


NOT_UNSIGNED = ("negative", "sign")
FEW = ("sqrt", "tanh", "sin", "tan", "asin", "atan", "sinh", "asinh", "atanh", "erf", "exp", "sigmoid", "cos", "cosh")
FLOAT_ONLY = (*FEW, "log", "isfinite", "isinf", "isnan")
FLOAT_ONLY_NN = ("nn.gelu", "nn.gelu_tanh", "nn.silu", "nn.selu")
NO_HALF = ("asin", "atan", "sinh", "asinh", "atanh", "cosh")
"""TVM has no float16 code for them."""

NO_BFLOAT16 = ("isfinite", "isinf", "isnan")

UNARY_ROWS = [
    (name, dtype)
    for name, dtype in product(sorted(set(values.UNARY) - {"logical_not"}), SAMPLES)
    if not (dtype == "uint8" and name in NOT_UNSIGNED)
    and not (dtype in values.INTEGER_BITS and name in (*FLOAT_ONLY, *FLOAT_ONLY_NN))
    and not (dtype == "float16" and name in NO_HALF)
    and not (dtype == "bfloat16" and name in NO_BFLOAT16)
]


def op(name):
    owner = relax.op
    for part in name.split("."):
        owner = getattr(owner, part)
    return owner


@pytest.mark.parametrize(("name", "dtype"), UNARY_ROWS)
def test_unary_ops_make_of_a_value_what_tvm_makes_of_it(name, dtype):
    tensor, numbers = held(dtype)
    claims = [values.UNARY[name](number, dtype) for number in numbers]
    few = name in (*FEW, *FLOAT_ONLY_NN)
    least = 1 if name == "log" else 2 if few else len(numbers) - 4
    assert_claims(claims, executed(op(name), tensor), least=least)


def test_logical_not_of_a_bool():
    tensor = np.array([False, True])
    claims = [values.UNARY["logical_not"](number, "bool") for number in tensor.tolist()]
    assert_claims(claims, executed(relax.op.logical_not, tensor), least=2)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16"])
@pytest.mark.parametrize("alpha", [0.1, 0.25, 0.0, -2.0])
def test_leakyrelu(dtype, alpha):
    tensor, numbers = held(dtype)
    claims = [values.leakyrelu(number, alpha, dtype) for number in numbers]
    assert_claims(claims, executed(lambda x: relax.op.nn.leakyrelu(x, alpha), tensor), least=10)


@pytest.mark.parametrize("dtype", SAMPLES)
@pytest.mark.parametrize("bounds", [(0, 6), (-127, 127), (0.5, 5.5), (2, 3)])
def test_clip(dtype, bounds):
    if dtype == "uint8" and bounds[0] < 0:
        assert values.clip(3, *bounds, dtype) is None  # TVM refuses a negative bound there
        return
    tensor, numbers = held(dtype)
    claims = [values.clip(number, *bounds, dtype) for number in numbers]
    fractional = dtype in values.INTEGER_BITS and bounds[0] != int(bounds[0])
    least = 0 if fractional else len(numbers)
    assert_claims(claims, executed(lambda x: relax.op.clip(x, *bounds), tensor), least=least)


ARITHMETIC = ("add", "subtract", "multiply", "divide", "maximum", "minimum")
COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
LOGICAL = ("logical_and", "logical_or", "logical_xor")
BITWISE = ("bitwise_and", "bitwise_or", "bitwise_xor")


def test_every_binary_op_is_executed_here():
    assert {*ARITHMETIC, *COMPARISONS, *LOGICAL, *BITWISE, "power", "nn.prelu"} == set(values.BINARY)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_power(dtype):
    pairs = list(product((*FLOATS[:-1], 0.0, 1.0), repeat=2))
    left, right = (array(side, dtype) for side in zip(*pairs, strict=True))
    numbers = (side.astype(np.float64).tolist() for side in (left, right))
    claims = [values.BINARY["power"](a, b, dtype) for a, b in zip(*numbers, strict=True)]
    assert_claims(claims, executed(relax.op.power, left, right), least=60)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_prelu(dtype):
    pairs = list(product(FLOATS, repeat=2))
    left, right = (array(side, dtype) for side in zip(*pairs, strict=True))
    numbers = (side.astype(np.float64).tolist() for side in (left, right))
    claims = [values.BINARY["nn.prelu"](a, b, dtype) for a, b in zip(*numbers, strict=True)]
    assert_claims(claims, executed(lambda x, alpha: relax.op.nn.prelu(x, alpha, axis=0), left, right), least=200)


@pytest.mark.parametrize("name", LOGICAL)
def test_logical_ops(name):
    left, right = np.array([False, False, True, True]), np.array([False, True, False, True])
    claims = [values.BINARY[name](a, b, "bool") for a, b in zip(left.tolist(), right.tolist(), strict=True)]
    assert_claims(claims, executed(op(name), left, right), least=4)
    assert values.BINARY[name](1, 1, "float32") is None


@pytest.mark.parametrize("dtype", SAMPLES)
def test_where_and_casts_of_bool(dtype):
    tensor, numbers = held(dtype)
    chosen = np.arange(len(numbers)) % 2 == 0
    claims = [values.where(c, a, b, dtype) for c, a, b in zip(chosen.tolist(), numbers, numbers[::-1], strict=True)]
    flipped = np.ascontiguousarray(tensor[::-1])
    assert_claims(claims, executed(relax.op.where, chosen, tensor, flipped), least=len(numbers))
    claims = [values.convert(number, dtype, "bool") for number in numbers]
    assert_claims(claims, executed(lambda x: relax.op.astype(x, "bool"), tensor), least=len(numbers))
    claims = [values.convert(number, "bool", dtype) for number in (0, 1)]
    assert_claims(claims, executed(lambda x: relax.op.astype(x, dtype), np.array([False, True])), least=2)


BINARY_ROWS = [
    (name, dtype)
    for name, dtype in product((*ARITHMETIC, *COMPARISONS, *BITWISE), SAMPLES)
    if name not in BITWISE or dtype in values.INTEGER_BITS
]


@pytest.mark.parametrize(("name", "dtype"), BINARY_ROWS)
def test_binary_ops_make_of_two_values_what_tvm_makes_of_them(name, dtype):
    pairs = list(product(SAMPLES[dtype], repeat=2))
    if dtype in values.INTEGER_BITS:
        low, _ = values.int_range(dtype)
        # Undefined in C, SIGFPE on x86: TVM divides as the machine does.
        pairs = [(a, b) for a, b in pairs if name != "divide" or (b != 0 and (a, b) != (low, -1))]
    left, right = (array(side, dtype) for side in zip(*pairs, strict=True))
    as_numbers = (
        side.tolist() if dtype in values.INTEGER_BITS else side.astype(np.float64).tolist() for side in (left, right)
    )
    claims = [values.BINARY[name](a, b, dtype) for a, b in zip(*as_numbers, strict=True)]
    assert_claims(claims, executed(op(name), left, right), least=len(pairs) // 3)


@pytest.mark.parametrize("constant", [2.0, 0.0, -0.5, 127.5])
@pytest.mark.parametrize("name", [*ARITHMETIC, *COMPARISONS])
def test_binary_ops_with_a_constant_that_tvm_may_simplify(name, constant):
    tensor, numbers = held("float32")
    if name == "divide" and constant == 0:
        return  # TVM refuses to compile it
    for swapped in (False, True):
        binary = values.BINARY[name]
        claims = [binary(constant, n, "float32") if swapped else binary(n, constant, "float32") for n in numbers]
        scalar = relax.const(np.float32(constant), "float32")
        result = executed(lambda x, s=swapped, c=scalar: op(name)(c, x) if s else op(name)(x, c), tensor)
        assert_claims(claims, result, least=6)


@pytest.mark.parametrize("constant", [2.0, -0.5])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_constant_divided_by_a_zero_of_either_sign(dtype, constant):
    numbers = [0.0, -0.0, 4.0, -INF]
    claims = [values.divide_by_signed(constant, number, dtype) for number in numbers]
    scalar = relax.const(constant, dtype)
    result = executed(lambda x: relax.op.divide(scalar, x), array(numbers, dtype))
    assert_claims(claims, result, least=len(numbers))


@pytest.mark.parametrize(("source", "target"), list(product(SAMPLES, repeat=2)))
def test_astype(source, target):
    tensor, numbers = held(source)
    claims = [values.convert(number, source, target) for number in numbers]
    assert_claims(claims, executed(lambda x: relax.op.astype(x, target), tensor), least=4)


@pytest.mark.parametrize("out_dtype", ["float32", "float16"])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32"])
@pytest.mark.parametrize("scale", [1.0, 0.1, 1000.0, -0.5])
@pytest.mark.parametrize("zero_point", [0, 3, 127])
def test_dequantize(dtype, out_dtype, scale, zero_point):
    tensor, numbers = held(dtype)
    claims = [values.dequantize(n, float(np.float32(scale)), zero_point, dtype, out_dtype) for n in numbers]
    parameters = relax.const(scale, "float32"), relax.const(zero_point, "int32")
    assert_claims(
        claims, executed(lambda x: relax.op.dequantize(x, *parameters, out_dtype=out_dtype), tensor), least=len(numbers)
    )


@pytest.mark.parametrize("out_dtype", ["int8", "uint8"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("scale", [1.0, 0.1, 0.0078125])
@pytest.mark.parametrize("zero_point", [0, 3, -5])
def test_quantize(dtype, out_dtype, scale, zero_point):
    tensor, numbers = held(dtype)
    claims = [values.quantize(n, float(np.float32(scale)), zero_point, dtype, out_dtype) for n in numbers]
    parameters = relax.const(scale, "float32"), relax.const(zero_point, "int8")
    result = executed(lambda x: relax.op.quantize(x, *parameters, out_dtype=out_dtype), tensor)
    assert_claims(claims, result, least=len(numbers))


def test_what_overflows_or_is_no_number_is_not_claimed():
    assert values.BINARY["add"](100, 100, "int8") is None
    assert values.BINARY["multiply"](2**40, 2**40, "int64") is None
    assert values.BINARY["subtract"](INF, INF, "float32") is None
    assert values.BINARY["multiply"](0.0, INF, "float32") is None  # NaN, or 0 where TVM simplifies x * 0
    assert values.BINARY["divide"](1.0, 0.0, "float32") is None
    assert values.convert(300.0, "float32", "int8") is None
    assert values.convert(INF, "float32", "int32") is None
    assert values.UNARY["sqrt"](-1.0, "float32") is None
    assert values.UNARY["tanh"](1.0, "float32") is None
    assert values.UNARY["abs"](-128, "int8") is None


def test_bfloat16_is_claimed_only_where_nothing_is_rounded():
    """TVM rounds to bfloat16 between two ops only sometimes (tests/data/corpus/conv1d-float16-cast-to-bfloat16)."""
    assert values.BINARY["multiply"](1.5, 3.0, "bfloat16") == 4.5
    assert values.BINARY["add"](256.0, 1.0, "bfloat16") is None
    assert values.BINARY["add"](256.0, 2.0**-20, "bfloat16") == 256.0  # in float32, too
    assert values.UNARY["square"](2.0**-133, "bfloat16") == 0.0
    assert values.convert(0.1, "float32", "bfloat16") is None


def test_what_float32_rounds_to_a_bfloat16_is_what_tvm_computes():
    tensor = array([256.0, 2.0**-133], "bfloat16")
    small = relax.const(array([2.0**-20], "bfloat16"), "bfloat16")
    assert executed(lambda x: relax.op.add(x, small), tensor).astype(float)[0] == 256.0
    assert executed(relax.op.square, tensor).astype(float)[1] == 0.0


@pytest.mark.parametrize(
    ("a", "b", "dtype", "inexact"),
    [
        (0.0, 0.1, "float32", False),
        (3.0, 0.5, "float32", False),
        (0.1, 0.1, "float32", True),
        (0.1, 3.0, "float64", True),
        (3.0, 5.0, "float64", False),
        (3, 5, "int8", False),
        (3.0, 1 / 3, "float64", True),  # 1.0, after rounding
        (0.0, 0.1, "float64", False),
        (1.25, 1.25, "float64", False),
        (1 + 2.0**-26, 1 + 2.0**-27, "float64", True),
        (1 + 2.0**-52, 0.5, "float64", False),
        (1e200, 1e200, "float64", True),  # an infinity, which a fused multiply-add does not see
        (INF, 2.0, "float64", False),
        (2.0, -INF, "float32", False),
        (2.0**-100, 2.0**-100, "float32", True),  # 0.0, after rounding
        (1.0078125, 1.0078125, "bfloat16", True),
        (1.5, 1.5, "bfloat16", False),
    ],
)
def test_a_product_that_was_rounded_is_known(a, b, dtype, inexact):
    rounded = (a, b) if dtype in values.INTEGER_BITS else (values.round_to(a, dtype), values.round_to(b, dtype))
    assert values.is_inexact_product(*rounded, dtype) is inexact


LONG = 2**62 + 1
"""No double holds it."""


@pytest.mark.parametrize(
    ("name", "dtype", "value", "expected"),
    [
        ("negative", "int8", 127, -127),
        ("negative", "int8", -128, None),
        ("negative", "uint8", 0, None),
        ("sign", "uint8", 3, None),
        ("sign", "int8", -3, -1),
        ("abs", "int8", -127, 127),
        ("sqrt", "float32", 0.0, 0.0),
        ("sqrt", "float32", 0.25, 0.5),
        ("sqrt", "float32", -0.25, None),
        ("round", "int64", LONG, LONG),
        ("round", "float32", INF, INF),
        ("round", "float32", -2.5, -2.0),
        ("floor", "float32", -2.5, -3.0),
        ("ceil", "float32", -2.5, -2.0),
        ("trunc", "float32", -2.5, -2.0),
        ("trunc", "float64", -INF, -INF),
    ],
)
def test_one_operand_at_the_limits(name, dtype, value, expected):
    assert values.UNARY[name](value, dtype) == expected


@pytest.mark.parametrize(
    ("name", "dtype", "a", "b", "expected"),
    [
        ("add", "int8", 100, 27, 127),
        ("add", "int8", 100, 28, None),
        ("add", "int8", -100, -28, -128),
        ("add", "int8", -100, -29, None),
        ("subtract", "uint8", 5, 5, 0),
        ("subtract", "uint8", 5, 6, None),
        ("multiply", "float32", 1.0, INF, INF),
        ("multiply", "float32", 0.0, INF, None),
        ("multiply", "float32", -INF, 0.0, None),
        ("multiply", "float32", 0.0, 3.0, 0.0),
        ("divide", "int8", -7, 2, -3),
        ("divide", "int8", -7, -2, 3),
        ("divide", "int8", 7, -2, -3),
        ("divide", "int8", 0, -2, 0),
        ("divide", "int8", -128, -1, None),
        ("divide", "float32", INF, INF, None),
        ("divide", "float32", INF, 2.0, INF),
        ("divide", "float32", 1.0, 0.0, None),
    ],
)
def test_two_operands_at_the_limits(name, dtype, a, b, expected):
    assert values.BINARY[name](a, b, dtype) == expected


@pytest.mark.parametrize(
    ("value", "alpha", "expected"),
    [(0.0, INF, None), (0.0, 0.5, 0.0), (2.0, INF, 2.0), (-2.0, 0.5, -1.0), (-2.0, INF, -INF)],
)
def test_leakyrelu_multiplies_what_is_not_positive(value, alpha, expected):
    assert values.leakyrelu(value, alpha, "float32") == expected


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (None, "float32", None),
        (NAN, "float32", None),
        (300, "uint8", None),
        (2.5, "int8", None),
        (3.0, "int8", 3),
        (0.1, "float16", 0.0999755859375),
        (1e39, "float32", None),
        (INF, "float32", INF),
    ],
)
def test_a_bound_of_clip_in_the_dtype_of_its_data(value, dtype, expected):
    assert values.cast_bound(value, dtype) == expected


@pytest.mark.parametrize(
    ("value", "source", "dtype", "expected"),
    [
        (2**53 - 1, "int64", "float64", 2.0**53 - 1),
        (2**53, "int64", "float64", None),  # not looked at: how integers beyond become floats
        (-(2**53), "int64", "float32", None),
        (1000, "int32", "float64", 1000.0),
        (2.0**60, "float64", "float32", 2.0**60),
        (-128.0, "float32", "int8", -128),
        (-128.9, "float32", "int8", -128),
        (127.9, "float32", "int8", 127),
        (-129.0, "float32", "int8", None),
        (128.0, "float32", "int8", None),
        (INF, "float32", "int8", None),
        (300, "int32", "uint8", 44),
        (-1, "int32", "uint8", 255),
        (200, "int32", "int8", -56),
    ],
)
def test_casts_at_the_limits(value, source, dtype, expected):
    assert values.convert(value, source, dtype) == expected


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ((3, 0.5, 1, "int8", "float32"), 1.0),
        ((3, 0.5, 1, "int8", "float64"), None),
        ((3.0, 0.5, 1, "float32", "float32"), None),
        ((2**31 - 1, 0.5, -1, "int32", "float32"), None),
        ((3, INF, 1, "int8", "float32"), None),
        ((100, 1000.0, 0, "int8", "float16"), 65504.0),
        ((-100, 1000.0, 0, "int8", "float16"), -65504.0),
    ],
)
def test_dequantize_at_the_limits(args, expected):
    assert values.dequantize(*args) == expected


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ((2.5, 1.0, 1, "float32", "int8"), 3),
        ((500.0, 1.0, 1, "float32", "int8"), 127),
        ((-500.0, 1.0, 1, "float32", "int8"), -128),
        ((INF, 1.0, 1, "float32", "int8"), 127),
        ((INF, 1.0, -INF, "float32", "int8"), None),
        ((2.5, 0.0, 1, "float32", "int8"), None),
        ((2.5, INF, 1, "float32", "int8"), None),
        ((2.5, 1.0, 1, "float64", "int8"), None),
        ((2.5, 1.0, 1, "float32", "float32"), None),
    ],
)
def test_quantize_at_the_limits(args, expected):
    assert values.quantize(*args) == expected


@pytest.mark.parametrize(
    ("single", "expected"),
    [(-1.0, -1.0), (-1.00390625, -1.0), (1.01171875, 1.015625), (-3.0e38, -3.00405527047391e38), (-INF, -INF)],
)
def test_rounding_to_bfloat16_takes_the_even_neighbour(single, expected):
    assert values.round_to(single, "bfloat16") == expected


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [(1e39, "float32", INF), (-1e39, "float32", -INF), (-65520.0, "float16", -INF), (65519.0, "float16", 65504.0)],
)
def test_rounding_beyond_the_range_gives_an_infinity(value, dtype, expected):
    assert values.round_to(value, dtype) == expected


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        ("int8", 0.0, 0),
        ("int8", 0.99, 0),
        ("int8", -0.99, 0),
        ("int8", 1.5, 1),
        ("int8", -1.5, -1),
        ("int8", 127.9, 127),
        ("int8", -128.9, -128),
        ("int16", 32767.0, 32767),
        ("int32", -2147483648.0, -2147483648),
        ("int64", -9223372036854775808.0, -9223372036854775808),
        ("int64", 9223372036854774784.0, 9223372036854774784),
        ("uint8", 255.9, 255),
        ("uint8", -0.0, 0),
        ("float64", 0.1, 0.1),
        ("float64", 5e-324, 5e-324),
        ("float32", 0.1, 0.100000001490116119384765625),
        ("float32", 16777217.0, 16777216.0),
        ("float32", 1e-50, 0.0),
        ("float32", LOWEST32, LOWEST32),
        ("float32", -INF, -INF),
        ("float16", 0.1, 0.0999755859375),
        ("float16", 65504.0, 65504.0),
        ("float16", 2.0**-24, 2.0**-24),
        ("float16", 2.0**-25, 0.0),
        ("float16", 2049.0, 2048.0),
        ("float16", INF, INF),
        ("bfloat16", 0.1, 0.10009765625),
        ("bfloat16", 1 + 2.0**-8, 1.0),  # a tie, to even
        ("bfloat16", 1 + 3 * 2.0**-8, 1 + 2.0**-6),  # a tie, to even
        ("bfloat16", 1 + 2.0**-8 + 2.0**-23, 1 + 2.0**-7),
        ("bfloat16", -1 - 3 * 2.0**-8, -1 - 2.0**-6),
        ("bfloat16", 3.4e38, INF),
        ("bfloat16", LOWEST32, -INF),
        ("bfloat16", LOWEST_BFLOAT16, LOWEST_BFLOAT16),
        ("bfloat16", 1e-50, 0.0),
        ("bfloat16", 2.0**-133, 2.0**-133),
        ("bfloat16", -INF, -INF),
    ],
)
def test_a_pad_value_is_cast_as_the_tensor_holds_it(dtype, value, expected):
    assert cast(value, dtype) == expected


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("int8", 128.0),
        ("int8", -129.0),
        ("int8", NAN),
        ("int8", INF),
        ("int8", -INF),
        ("int64", 9223372036854775808.0),
        ("int64", -9223372036854777856.0),
        ("uint8", -0.5),
        ("uint8", -1.0),
        ("uint8", 256.0),
        ("float16", 65505.0),
        ("float16", -65536.0),
        ("float32", 3.5e38),
        ("float32", -1e300),
        ("bfloat16", -3.5e38),
    ],
)
def test_a_pad_value_that_tvm_refuses_has_no_cast(dtype, value):
    assert cast(value, dtype) is None


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16"])
def test_floats_keep_nan_and_the_sign_of_zero(dtype):
    assert math.isnan(cast(NAN, dtype))
    assert math.copysign(1, cast(-0.0, dtype)) == -1
    assert math.copysign(1, cast(-1e-320, dtype)) == -1


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("float16", -65504.0),
        ("float32", -3.4028234663852886e38),
        ("float64", -1.7976931348623157e308),
        ("bfloat16", -INF),
        ("int8", -128),
        ("int16", -32768),
        ("int32", -2147483648),
        ("int64", -9223372036854775808),
        ("uint8", 0),
    ],
)
def test_max_pool_starts_at_the_lowest_finite_value(dtype, expected):
    assert max_pool_start(dtype) == expected
