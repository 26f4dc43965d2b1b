"""fold.primfunc: which PrimFuncs are pads. What is called one is executed, or evaluated here, term by term."""

import itertools
import math
import operator
import re

import ml_dtypes
import numpy as np
import pytest
import tvm
from tests.support.foldings import QUICK
from tvm import ir, relax, s_tir, tirx, topi

from foldproof.fold.facts import PadFacts
from foldproof.fold.primfunc import read_prim_pad

INF, NAN = math.inf, math.nan

# --- the route of the ONNX frontend -------------------------------------------------------------------


def emitted(pad, shape, dtype, *args):
    """The PrimFunc that a frontend makes of a topi pad (onnx_frontend.py, Pad: ``bb.emit_te(topi.nn.pad, ...)``)."""
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType(shape, dtype))
    with builder.function("main", [x]):
        builder.emit_func_output(builder.emit_te(pad, x, *args))
    (function,) = [f for _, f in builder.get().functions_items() if isinstance(f, tirx.PrimFunc)]
    return function


def constant(value, dtype, *widths):
    return PadFacts(mode="constant", value=value, dtype=dtype, widths=widths)


N, H, W, K = (tirx.Var(name, "int64") for name in "nhwk")


@pytest.mark.parametrize(
    ("dtype", "value", "read"),
    [
        ("float16", 0.0, 0.0),
        ("float32", -0.0, -0.0),
        ("float32", -INF, -INF),
        ("float64", 1e300, 1e300),
        ("bfloat16", 0.5, 0.5),
        ("float8_e4m3fn", 1.0, 1.0),
        ("int8", -1.5, -1),
        ("uint8", 200.0, 200),
        ("int16", -300, -300),
        ("int32", 0.0, 0),
        ("int64", -(2**53) - 1, -(2**53) - 1),
        ("uint64", 2**63 + 5, 2**63 + 5),
        ("bool", 1.0, 1),
    ],
)
def test_a_constant_pad_is_read_with_its_value_in_every_dtype(dtype, value, read):
    facts = read_prim_pad(emitted(topi.nn.pad, (2, 8), dtype, [0, 1], [0, 2], value))
    assert facts == constant(read, dtype, (0, 0), (1, 2))
    assert math.copysign(1, facts.value) == math.copysign(1, read)


def test_a_pad_of_nan_is_read_as_one():
    facts = read_prim_pad(emitted(topi.nn.pad, (8,), "float32", [1], [2], NAN))
    assert math.isnan(facts.value)
    assert facts.widths == ((1, 2),)


@pytest.mark.parametrize("shape", [(2, 3, 8, 9), (N, 3, H, W), (N, N, H, H)])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((0, 0, 1, 2), (0, 0, 3, 4)),
        ((0, 0, 0, 1), (0, 0, 0, 0)),
        ((1, 2, 0, 0), (0, 1, 0, 1)),
        ((0, 0, -1, -2), (0, 0, -1, 0)),
        ((0, 0, 2, -2), (0, 0, -2, 1)),
        ((0, 0, -20, 3), (0, 0, 20, 3)),
    ],
)
def test_widths_are_read_of_every_axis_crops_and_symbolic_shapes_included(shape, before, after):
    facts = read_prim_pad(emitted(topi.nn.pad, shape, "float32", list(before), list(after), 1.0))
    assert facts == constant(1.0, "float32", *zip(before, after, strict=True))


@pytest.mark.parametrize("rank", [1, 2, 3, 5])
def test_a_pad_is_read_in_every_rank(rank):
    widths = [(axis, 2 * axis) for axis in range(rank)]
    function = emitted(topi.nn.pad, (3,) * rank, "int8", [b for b, _ in widths], [a for _, a in widths], 7)
    assert read_prim_pad(function) == constant(7 if rank > 1 else 0, "int8", *widths)


@pytest.mark.parametrize("shape", [(2, 8), (N, H)])
def test_a_pad_of_nothing_is_an_identity(shape):
    facts = read_prim_pad(emitted(topi.nn.pad, shape, "int8", [0, 0], [0, 0], 3))
    assert facts.is_identity
    assert facts.mode == "constant"


def test_widths_are_unknown_where_one_is_not_constant():
    facts = read_prim_pad(emitted(topi.nn.pad, (N, H), "float32", [0, K], [1, 2], 0.0))
    assert facts == PadFacts(mode="constant", value=0.0, dtype="float32", widths=None)


OTHER_MODES = [
    ("mirror", topi.nn.mirror_pad, "REFLECT"),
    ("mirror", topi.nn.mirror_pad, "SYMMETRIC"),
    ("reflect", topi.nn.reflect_pad),
    ("replicate", topi.nn.replicate_pad),
    ("circular", topi.nn.circular_pad),
]


@pytest.mark.parametrize(("mode", "pad", "more"), [(mode, pad, more) for mode, pad, *more in OTHER_MODES])
@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_another_mode_of_symbolic_lengths_is_read_by_its_name(mode, pad, more, dtype):
    facts = read_prim_pad(emitted(pad, (N, H), dtype, [0, 1], [0, 2], *more))
    widths = ((0, 0), (1, 2)) if mode == "replicate" else None
    assert facts == PadFacts(mode=mode, value=0, dtype=dtype, widths=widths)


@pytest.mark.parametrize("widths", [((0, 0), (2, 0)), ((1, 1), (0, 3)), ((0, 2), (2, 1)), ((5, 3), (8, 8))])
def test_the_ends_of_symbolic_lengths_are_read_where_they_are_replicated(widths):
    sides = [[side[end] for side in widths] for end in (0, 1)]
    facts = read_prim_pad(emitted(topi.nn.replicate_pad, (N, H), "int8", *sides))
    assert facts == PadFacts(mode="replicate", value=0, dtype="int8", widths=widths)


@pytest.mark.parametrize("widths", [((0, 17), (0, 0)), ((0, -1), (0, 1)), ((K, 0), (0, 1))])
def test_ends_of_too_many_or_unknown_widths_are_not_read(widths):
    sides = [[side[end] for side in widths] for end in (0, 1)]
    assert read_prim_pad(emitted(topi.nn.replicate_pad, (N, H), "int8", *sides)).widths is None


@pytest.mark.parametrize(
    ("mode", "pad", "more"),
    [("reflect", topi.nn.mirror_pad, ("REFLECT",)), *((m, p, ()) for m, p, *x in OTHER_MODES if not x)],
)
def test_copies_of_constant_lengths_are_read_element_by_element(mode, pad, more):
    facts = read_prim_pad(emitted(pad, (2, 8), "int8", [0, 1], [0, 2], *more))
    assert facts == PadFacts(mode=mode, value=0, dtype="int8", widths=((0, 0), (1, 2)))


@pytest.mark.parametrize(
    ("mode", "pad", "more"),
    [("reflect", topi.nn.mirror_pad, ("REFLECT",)), ("replicate", topi.nn.replicate_pad, ())],
)
def test_a_symbolic_axis_beside_the_copies_is_read(mode, pad, more):
    facts = read_prim_pad(emitted(pad, (N, 8), "int8", [0, 1], [0, 2], *more))
    assert facts == PadFacts(mode=mode, value=0, dtype="int8", widths=((0, 0), (1, 2)))


def test_symmetric_copies_are_those_of_replicate_where_they_are_one_wide():
    one, two = (read_prim_pad(emitted(topi.nn.mirror_pad, (2, 8), "int8", [0, w], [0, 1], "SYMMETRIC")) for w in (1, 2))
    assert (one.mode, one.widths) == ("replicate", ((0, 0), (1, 1)))
    assert (two.mode, two.widths) == ("mirror", None)


def test_an_axis_that_is_too_long_is_not_read():
    facts = read_prim_pad(emitted(topi.nn.replicate_pad, (2, 2**12), "int8", [0, 1], [0, 0]))
    assert facts.widths is None


@pytest.mark.parametrize(("mode", "pad", "more"), [(mode, pad, more) for mode, pad, *more in OTHER_MODES])
def test_widths_that_cancel_are_not_an_identity_in_another_mode(mode, pad, more):
    facts = read_prim_pad(emitted(pad, (2, 8), "float32", [0, 1], [0, -1], *more))
    assert facts.mode == mode
    assert not facts.is_identity


@pytest.mark.parametrize(("mode", "pad", "more"), [(mode, pad, more) for mode, pad, *more in OTHER_MODES])
def test_another_mode_of_no_widths_is_proved_an_identity(mode, pad, more):
    facts = read_prim_pad(emitted(pad, (2, 8), "float32", [0, 0], [0, 0], *more))
    assert facts == PadFacts(mode=mode, value=0, dtype="float32", widths=((0, 0), (0, 0)))


def test_an_identity_that_the_analyzer_cannot_prove_is_only_called_by_its_mode():
    # (v + h) % h is v for v in 0..h-1, which TVM 0.27 does not simplify to
    facts = read_prim_pad(emitted(topi.nn.circular_pad, (2, H), "float32", [0, 0], [0, 0]))
    assert facts == PadFacts(mode="circular", value=0, dtype="float32", widths=None)


def test_a_clamp_of_a_symbolic_length_is_proved_an_identity():
    facts = read_prim_pad(emitted(topi.nn.replicate_pad, (2, H), "float32", [0, 0], [0, 0]))
    assert facts == PadFacts(mode="replicate", value=0, dtype="float32", widths=((0, 0), (0, 0)))


def test_what_is_read_is_the_relax_pad_that_computes_the_same():
    """Executed, both forms side by side, on every dtype and sign of the widths."""
    rows = [
        (dtype, value, widths)
        for dtype, value in [("float16", -INF), ("float32", -0.0), ("bfloat16", 0.1), ("int8", -7), ("uint8", 200)]
        for widths in [((1, 2), (0, 3)), ((-1, 1), (2, -2)), ((0, 0), (-1, -1)), ((-4, 5), (0, 0)), ((0, 0), (0, 0))]
    ]
    builder = relax.BlockBuilder()
    params = [relax.Var(f"x{i}", relax.TensorType((3, 4), dtype)) for i, (dtype, _, _) in enumerate(rows)]
    with builder.function("main", params):
        results = []
        for x, (dtype, value, widths) in zip(params, rows, strict=True):
            before, after = (list(side) for side in zip(*widths, strict=True))
            facts = read_prim_pad(emitted(topi.nn.pad, (3, 4), dtype, before, after, value))
            flat = [width for sides in facts.widths for width in sides]
            results.append(builder.emit_te(topi.nn.pad, x, before, after, value))
            results.append(builder.emit(relax.op.nn.pad(x, flat, "constant", float(facts.value))))
        builder.emit_func_output(relax.Tuple(results))
    machine = relax.VirtualMachine(tvm.compile(builder.get(), QUICK), tvm.cpu())
    random = np.random.default_rng(3)
    data = [random.integers(1, 100, (3, 4)).astype(ml_dtypes.bfloat16 if d == "bfloat16" else d) for d, _, _ in rows]
    out = [tensor.numpy() for tensor in machine["main"](*map(tvm.runtime.tensor, data))]
    for emitted_form, relax_form in zip(out[::2], out[1::2], strict=True):
        assert emitted_form.dtype == relax_form.dtype
        assert emitted_form.shape == relax_form.shape
        assert emitted_form.tobytes() == relax_form.tobytes()


# --- what looks like a pad ----------------------------------------------------------------------------

LOADED = "x[a - 1, b - 2]"
INSIDE = "1 <= a and a < 6 and 2 <= b and b < 7"
STORED = f"y[a, b] = T.if_then_else({INSIDE}, {LOADED}, T.float32(0))"
PAD = f"""
@T.prim_func(private=True, s_tir=True)
def main(x: T.Buffer((5, 5), "float32"), y: T.Buffer((8, 8), "float32")):
    for i, j in T.grid(8, 8):
        with T.sblock("PadInput"):
            a, b = T.axis.remap("SS", [i, j])
            {STORED}
"""


def parsed(source, *changes):
    for old, new in changes:
        assert source.count(old) == 1, f"{old!r} is not once in {source}"
        source = source.replace(old, new)
    return tvm.script.from_source(source, check_well_formed=False)


def test_the_function_that_the_next_ones_break_is_a_pad():
    assert read_prim_pad(parsed(PAD)) == constant(0.0, "float32", (1, 2), (2, 1))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('T.sblock("PadInput")', 'T.sblock("anything")'),
        ("for i, j in T.grid(8, 8):\n", "for i in T.serial(0, 8, step=1):\n      for j in range(8):\n"),
        (INSIDE, "a < 6 and b < 7 and 2 <= b and 1 <= a"),
        (INSIDE, "a >= 1 and 6 > a and 1 < b and b <= 6"),
        (INSIDE, "0 <= a - 1 and a - 1 < 5 and (0 <= b - 2 and b - 2 < 5)"),
        (INSIDE, f"{INSIDE} and a < 6"),
        (LOADED, "x[a + 3 - 4, -2 + b]"),
        ("    for", '    T.func_attr({"tirx.noalias": True, "op_pattern": 2})\n    for'),
    ],
)
def test_a_pad_in_other_words_is_one(old, new):
    assert read_prim_pad(parsed(PAD, (old, new))) == constant(0.0, "float32", (1, 2), (2, 1))


@pytest.mark.parametrize(
    ("rows", "inside", "loaded", "widths"),
    [
        (8, "a < 5 and 2 <= b and b < 7", "x[a, b - 2]", (0, 3)),
        (6, "1 <= a and 2 <= b and b < 7", "x[a - 1, b - 2]", (1, 0)),
        (3, "2 <= b and b < 7", "x[a + 1, b - 2]", (-1, -1)),
    ],
)
def test_a_bound_that_the_output_keeps_need_not_be_tested(rows, inside, loaded, widths):
    function = parsed(PAD.replace("(8, 8)", f"({rows}, 8)"), (INSIDE, inside), (LOADED, loaded))
    assert read_prim_pad(function) == constant(0.0, "float32", widths, (2, 1))


CROP = PAD.replace("(8, 8)", "(3, 4)").replace(STORED, "y[a, b] = x[a + 1, b]")


def test_a_crop_without_a_value_is_a_pad_by_its_name():
    assert read_prim_pad(parsed(CROP)) == constant(0, "float32", (-1, -1), (0, -1))


@pytest.mark.parametrize(
    "change",
    [
        ('T.sblock("PadInput")', 'T.sblock("T_strided_slice")'),
        ("x[a + 1, b]", "x[a + 3, b]"),
        ("x[a + 1, b]", "x[a - 1, b]"),
        ("x[a + 1, b]", "x[a + 1, b * 1 // 2]"),
        ("x[a + 1, b]", "x[b, a + 1]"),
    ],
)
def test_a_slice_and_a_load_beyond_the_input_are_not_pads(change):
    assert read_prim_pad(parsed(CROP, change)) is None


@pytest.mark.parametrize(
    ("compute", "args"),
    [
        (topi.identity, ()),
        (topi.nn.relu, ()),
        (topi.strided_slice, ([0, 0, 1, 1], [1, 2, 5, 5], [1, 1, 1, 1])),
        (topi.transpose, ([0, 1, 3, 2],)),
        (topi.flip, (2,)),
        (topi.expand_dims, (0,)),
        (topi.cast, ("float16",)),
        (topi.nn.pool2d, ([2, 2], [1, 1], [1, 1], [1, 1, 1, 1], "max")),
        (topi.nn.dilate, ([1, 1, 2, 2],)),
    ],
)
def test_what_topi_makes_of_other_operators_is_not_a_pad(compute, args):
    assert read_prim_pad(emitted(compute, (1, 2, 6, 6), "float32", *args)) is None


def test_a_scalar_is_not_padded():
    assert read_prim_pad(emitted(topi.nn.pad, (), "float32", [], [])) is None


WRONG = {
    "lower bound too high": ("1 <= a", "2 <= a"),
    "lower bound too low": ("1 <= a", "0 <= a"),
    "upper bound too low": ("a < 6", "a < 5"),
    "upper bound too high": ("a < 6", "a <= 6"),
    "bounds of the other axis": (INSIDE, "1 <= b and b < 6 and 2 <= a and a < 7"),
    "axis not tested": (INSIDE, "1 <= a and a < 6"),
    "side not tested": (INSIDE, "1 <= a and a < 6 and b < 7"),
    "one test too many": (INSIDE, f"{INSIDE} and a < 4"),
    "test of no order": (INSIDE, f"{INSIDE} and a != 3"),
    "test of both axes": (INSIDE, f"{INSIDE} and a <= b + 9"),
    "tests joined by or": (INSIDE, "(1 <= a and a < 6) or (2 <= b and b < 7)"),
    "test negated": (INSIDE, f"not ({INSIDE})"),
    "test by a call": (INSIDE, f'{INSIDE} and T.call_extern("int32", "f") < a'),
    "test of what is loaded": (INSIDE, f"{INSIDE} and {LOADED} < T.float32(1)"),
    "branches swapped": (f"{LOADED}, T.float32(0)", f"T.float32(0), {LOADED}"),
    "load shifted": (LOADED, "x[a - 2, b - 2]"),
    "load of swapped axes": (LOADED, "x[b - 2, a - 1]"),
    "load scaled": (LOADED, "x[a - 1, (b - 2) // 2]"),
    "load mirrored": (LOADED, "x[5 - a, b - 2]"),
    "load by loop instead of axis": (LOADED, "x[i - 1, b - 2]"),
    "load of one element": (LOADED, "x[0, 0]"),
    "load by a call": (LOADED, 'x[a - T.call_extern("int32", "one"), b - 2]'),
    "load by data": (LOADED, 'x[a - T.Cast("int32", x[0, 0]), b - 2]'),
    "value of another load": ("T.float32(0)", "x[0, 0]"),
    "value of the index": ("T.float32(0)", 'T.Cast("float32", a)'),
    "value of a call": ("T.float32(0)", 'T.call_extern("float32", "f")'),
    "cast inside": (LOADED, f'T.Cast("float32", T.Cast("float16", {LOADED}))'),
    "cast outside": (STORED, STORED.replace("T.if", 'T.Cast("float32", T.if').replace("(0))", "(0)))")),
    "named PadInput, but adds": (LOADED, f"{LOADED} + T.float32(1)"),
    "named PadInput, but fills": (STORED, "y[a, b] = T.float32(0)"),
    "store of swapped axes": ("y[a, b]", "y[b, a]"),
    "store shifted": ("y[a, b]", "y[a, b + 1]"),
    "load of the output": (LOADED, "y[a - 1, b - 2]"),
    "store to the input": ("y[a, b]", "x[a, b]"),
    "two stores": (STORED, f"{STORED}\n            y[0, 0] = T.float32(1)"),
    "conditional store": (STORED, f"if a < 7:\n                {STORED}"),
    "unwritten elements": ("T.grid(8, 8)", "T.grid(8, 7)"),
    "written beyond the output": ("T.grid(8, 8)", "T.grid(9, 8)"),
    "axes from 1": ('T.axis.remap("SS", [i, j])', "T.axis.spatial((1, 9), i + 1), T.axis.spatial(8, j)"),
    "axes reversed": ('T.axis.remap("SS", [i, j])', "T.axis.spatial(8, 7 - i), T.axis.spatial(8, j)"),
    "axes swapped": ('remap("SS", [i, j])', 'remap("SS", [j, i])'),
    "axes that reduce": ('"SS"', '"SR"'),
    "block not always run": ("            y[a, b]", "            T.where(i < 7)\n            y[a, b]"),
    "block with an annotation": ("            y[a, b]", '            T.sblock_attr({"k": 1})\n            y[a, b]'),
    "block with an init": (
        "            y[a, b]",
        "            with T.init():\n                y[a, b] = T.float32(9)\n            y[a, b]",
    ),
    "loop on threads": (
        "for i, j in T.grid(8, 8):\n        with",
        'for i in T.thread_binding(8, "threadIdx.x"):\n      for j in range(8):\n        with',
    ),
    "loop of vectors": (
        "for i, j in T.grid(8, 8):\n        with",
        "for i in range(8):\n      for j in T.vectorized(8):\n        with",
    ),
    "loop with a step": (
        "for i, j in T.grid(8, 8):\n        with",
        "for i in range(8):\n      for j in T.serial(0, 8, step=2):\n        with",
    ),
    "loop from 1": (
        "for i, j in T.grid(8, 8):\n        with",
        "for i in range(8):\n      for j in range(1, 9):\n        with",
    ),
    "side effect": ("    for i", '    T.evaluate(T.call_extern("int32", "f"))\n    for i'),
    "other dtype": ('x: T.Buffer((5, 5), "float32")', 'x: T.Buffer((5, 5), "int32")'),
    "other buffer": (
        'y: T.Buffer((8, 8), "float32")',
        'z: T.Buffer((5, 5), "float32"), y: T.Buffer((8, 8), "float32")',
    ),
    "input of another shape": ('(5, 5), "float32")', '(5, 6), "float32")'),
    "input with strides": ('(5, 5), "float32")', '(5, 5), "float32", strides=(8, 1))'),
    "input with an offset": ('(5, 5), "float32")', '(5, 5), "float32", elem_offset=4)'),
    "input in other memory": ('(5, 5), "float32")', '(5, 5), "float32", scope="shared")'),
    "scalar before it": ("main(x: T.Buffer", "main(n: T.int32, x: T.Buffer"),
    "scalar after": ('y: T.Buffer((8, 8), "float32")', 'y: T.Buffer((8, 8), "float32"), n: T.int32'),
    "function that allocates": ("    for i", '    t = T.sblock_alloc_buffer((8,), "float32")\n    for i'),
    "output before input": (
        'x: T.Buffer((5, 5), "float32"), y: T.Buffer((8, 8), "float32")',
        'y: T.Buffer((8, 8), "float32"), x: T.Buffer((5, 5), "float32")',
    ),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG.keys())
def test_a_function_wrong_in_one_thing_is_not_a_pad(change):
    assert read_prim_pad(parsed(PAD, change)) is None


def test_a_scalar_in_between_is_a_parameter():
    assert read_prim_pad(parsed(PAD, (", y: T.Buffer", ", n: T.int32, y: T.Buffer"))) == constant(
        0.0, "float32", (1, 2), (2, 1)
    )


def test_a_width_that_a_call_computes_is_not_a_pad():
    """A call need not return the same twice."""
    call = 'T.call_extern("int32", "f")'
    inside, loaded = f"{call} <= a and a < 5 + {call} and 2 <= b and b < 7", f"x[a - {call}, b - 2]"
    stored = f"y[a, b] = T.if_then_else({inside}, {loaded}, T.float32(0))"
    assert read_prim_pad(parsed(PAD, (STORED, stored))) is None


def test_a_function_without_parameters_is_not_a_pad():
    function = parsed(PAD)
    assert read_prim_pad(tirx.PrimFunc([], function.body, function.ret_type)) is None


def test_loops_of_int64_are_read_too():
    source = PAD.replace("T.grid(8, 8)", "T.grid(T.int64(8), T.int64(8))")
    source = source.replace("(5, 5)", "(T.int64(5), T.int64(5))").replace("(8, 8), ", "(T.int64(8), T.int64(8)), ")
    assert read_prim_pad(parsed(source)) == constant(0.0, "float32", (1, 2), (2, 1))


def test_a_function_whose_body_is_its_loops_is_read_too():
    """TVMScript puts a root block around them."""
    function = parsed(PAD)
    bare = tirx.PrimFunc(function.params, function.body.block.body, function.ret_type)
    assert read_prim_pad(bare) == constant(0.0, "float32", (1, 2), (2, 1))


def test_a_mode_by_name_that_does_more_than_load_is_not_a_pad():
    function = emitted(topi.nn.replicate_pad, (2, 8), "float32", [0, 1], [0, 2])
    source = function.script()
    name = "ReplicatePadInput[v_i0, v_i1] = x"
    assert read_prim_pad(parsed(source)) is not None
    assert read_prim_pad(parsed(source, (name, name.replace("x", "T.float32(2) * x")))) is None


# --- every function that differs in one token ---------------------------------------------------------


class Undefined(Exception):
    """The function reads or writes where its buffers hold nothing."""


def evaluated(function, sizes):
    """Output index -> the input index stored there, or the fill value: the meaning of a PrimFunc, term by term.

    ``sizes`` gives the variables of the shapes, by name.
    """
    source, target = (tuple(value_of(dim, sizes, None) for dim in function.params[i].ty.shape) for i in (0, -1))
    written = {}

    def run(statement, env):
        if isinstance(statement, tirx.For):
            start, extent = value_of(statement.min, env, source), value_of(statement.extent, env, source)
            for i in range(start, start + extent):
                run(statement.body, env | {statement.loop_var.name: i})
        elif isinstance(statement, s_tir.SBlockRealize):
            axes = [axis.var.name for axis in statement.block.iter_vars]
            values = [value_of(value, env, source) for value in statement.iter_values]
            if value_of(statement.predicate, env, source):
                run(statement.block.body, env | dict(zip(axes, values, strict=True)))
        else:
            assert isinstance(statement, tirx.BufferStore)
            assert statement.buffer.same_as(function.params[-1])
            index = tuple(value_of(i, env, source) for i in statement.indices)
            if not within(index, target):
                raise Undefined(index)
            written[index] = value_of(statement.value, env, source)

    run(function.body, dict(sizes))
    return target, written


BINARY = {
    tirx.Add: operator.add,
    tirx.Sub: operator.sub,
    tirx.Mul: operator.mul,
    tirx.FloorDiv: operator.floordiv,
    tirx.FloorMod: operator.mod,
    tirx.Min: min,
    tirx.Max: max,
    tirx.LE: operator.le,
    tirx.LT: operator.lt,
    tirx.And: lambda a, b: a and b,
    tirx.Or: lambda a, b: a or b,
}


def value_of(expr, env, source):
    """An integer or a truth; for a load the index into the input of shape ``source``."""
    if type(expr) in BINARY:
        return BINARY[type(expr)](value_of(expr.a, env, source), value_of(expr.b, env, source))
    if isinstance(expr, ir.Var):
        return env[expr.name]
    if isinstance(expr, tirx.IntImm | tirx.FloatImm):
        return expr.value
    if isinstance(expr, ir.TensorLoad):
        index = tuple(value_of(i, env, source) for i in expr.indices)
        if not within(index, source):
            raise Undefined(index)
        return index
    parts = expr.args if isinstance(expr, ir.Call) else (expr.condition, expr.true_value, expr.false_value)
    assert isinstance(expr, tirx.Select) or expr.op.name == "prim.if_then_else"
    return value_of(parts[1 if value_of(parts[0], env, source) else 2], env, source)


def within(index, shape):
    return all(0 <= i < size for i, size in zip(index, shape, strict=True))


def padded(facts, shape):
    """What a pad stores: output index -> input index or value."""
    out = [before + size + after for (before, after), size in zip(facts.widths, shape, strict=True)]
    stored = {}
    for index in itertools.product(*map(range, out)):
        read = tuple(i - before for i, (before, _) in zip(index, facts.widths, strict=True))
        stored[index] = read if within(read, shape) else facts.value
    return tuple(out), stored


def one_token_off(script):
    """The function with one number, sign, comparison or variable changed, in every way."""
    text = re.sub(r"\n.*T\.(reads|writes)\(.*", "", script)
    others = {"<=": ("<",), "<": ("<=",), " - ": (" + ",), " + ": (" - ",), "and": ("or",)}
    others |= {
        "v_i0": ("v_i1",),
        "v_i1": ("v_i0",),
        "i0": ("i1",),
        "i1": ("i0",),
        "T.min": ("T.max",),
        "T.max": ("T.min",),
    }
    start = text.index("def main")
    for match in re.finditer(
        r"(?<![\w.])\d+(?![\w.])|<=|<| [-+] |\band\b|v_i[01](?!.* = T\.axis)|\bi[01](?=(?:, i1)?\])|T\.m(?:in|ax)\b",
        text[start:],
    ):
        token = match.group()
        changed = (str(int(token) + 1), str(int(token) - 1)) if token.isdigit() else others[token]
        for new in changed:
            yield text[: start + match.start()] + new + text[start + match.end() :]


BASES = {
    "pad": (topi.nn.pad, (2, 3), [0, 1], [0, 2], 7),
    "pad of both axes": (topi.nn.pad, (3, 3), [1, 2], [2, 1], 7),
    "crop": (topi.nn.pad, (3, 4), [0, -1], [0, -1], 7),
    "crop and pad": (topi.nn.pad, (3, 4), [2, -1], [-1, 2], 7),
    "symbolic": (topi.nn.pad, (N, H), [0, 1], [0, 2], 7),
    "identity": (topi.nn.pad, (3, 4), [0, 0], [0, 0], 7),
    "replicated identity": (topi.nn.replicate_pad, (3, 4), [0, 0], [0, 0]),
    "circular identity": (topi.nn.circular_pad, (3, 4), [0, 0], [0, 0]),
    "reflected identity": (topi.nn.reflect_pad, (3, 4), [0, 0], [0, 0]),
}


@pytest.mark.parametrize("base", BASES.values(), ids=BASES.keys())
def test_whatever_is_called_a_pad_stores_what_that_pad_stores(base):
    pad, shape, *args = base
    function = emitted(pad, shape, "int32", *args)
    assert_stores(function, read_prim_pad(function))
    mutants = list(one_token_off(function.script()))
    assert len(mutants) > 15
    for script in mutants:
        mutant = tvm.script.from_source(script, check_well_formed=False)
        facts = read_prim_pad(mutant)
        if facts is not None and facts.widths is not None:
            assert_stores(mutant, facts)


def assert_stores(function, facts):
    for n, h in ((1, 1), (2, 3), (4, 2)):
        sizes = {"n": n, "h": h}
        shape = tuple(value_of(dim, sizes, None) for dim in function.params[0].ty.shape)
        assert evaluated(function, sizes) == padded(facts, shape), function.script()
