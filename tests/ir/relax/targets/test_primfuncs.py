"""PrimFuncs that are built without TE: equal node for node to those of LegalizeOps, or left to TVM."""

import random
import warnings
from collections import Counter

import numpy as np
import pytest
import tvm
import tvm_ffi
from tvm import ir, relax, tirx

from foldproof.case import ops
from foldproof.fold import FoldExplicitPadding
from foldproof.generation.draw import draw, strategy_of
from foldproof.ir.relax.build import build
from foldproof.ir.relax.targets.fast.legalize import Legalizer
from foldproof.ir.relax.targets.fast.primfuncs import dispatch
from foldproof.ir.relax.targets.fast.primfuncs import pad as pad_kernel
from foldproof.ir.relax.targets.fast.primfuncs.builder import PrimFuncBuilder
from foldproof.ir.relax.targets.fast.primfuncs.dispatch import build_primfunc

FLOATS = ("float16", "float32", "float64", "bfloat16")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8")


def isolate(call):
    """Return a module that consists of this call, and the call in it. Operands become parameters, except constants."""
    operands = [
        relax.Var(f"x{i}", argument.ty) if isinstance(argument, relax.Var) else argument
        for i, argument in enumerate(call.args)
    ]
    builder = relax.BlockBuilder()
    with builder.function("main", [operand for operand in operands if isinstance(operand, relax.Var)]):
        builder.emit_func_output(builder.emit(ir.Call(call.op, operands, call.attrs, call.ty_args)))
    module = builder.get()
    return module, module["main"].body.blocks[0].bindings[0].value


def legalise(module):
    """Return the only PrimFunc of LegalizeOps, its operands and its type; or the message of the error."""
    made = try_make(relax.transform.LegalizeOps(), module)
    if isinstance(made, str):
        return made
    call = made["main"].body.blocks[0].bindings[0].value
    return made[call.args[0]], list(call.args[1].fields), call.ty


def try_make(make, argument):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TVM warns of a tag when it raises; an error there would leave the tag
        try:
            return make(argument)
        except Exception as error:
            return str(error).strip().splitlines()[-1]


def check_call(call):
    """Return whether a call is built without TE, in which case it must equal the PrimFunc of TVM."""
    module, call = isolate(call)
    want = legalise(module)
    builder = try_make(build_primfunc, call)
    if builder is None or isinstance(builder, str):
        assert builder is None or builder == want
        return False
    function, operands, ty = want
    tvm.ir.assert_structural_equal(builder.build(), function.without_attr("global_symbol"))
    assert [operand.same_as(call.args[i]) for operand, i in zip(operands, builder.operands, strict=True)] == [
        True
    ] * len(operands)
    assert [*builder.result.lengths] == [int(length) for length in ty.shape]
    assert builder.result.dtype == str(ty.dtype)
    return True


def calls_of(case):
    """Yield the operator calls of a case, unfolded and folded."""
    unfolded = build(case)
    for module in (unfolded, FoldExplicitPadding(nonzero="correct", channels="slice")(unfolded)):
        for function in module.functions.values():
            if isinstance(function, relax.Function):
                for block in function.body.blocks:
                    for binding in block.bindings:
                        if isinstance(binding.value, ir.Call) and str(binding.value.op.name) in dispatch.BUILDERS:
                            yield binding.value


def check_drawn(op, cases, seed):
    drawn = draw(strategy_of((op,), "cases"), cases, seed)
    done = [(call, check_call(call)) for case in drawn for call in calls_of(case)]
    ours = [was_built for call, was_built in done if str(call.op.name) == f"relax.nn.{op}" and is_static(call)]
    assert sum(ours) > 0.9 * len(ours) > 0  # the others are grouped convolutions with axes out of order


def is_static(call):
    """Whether no tensor of the call has a symbolic length."""
    shapes = [value.ty.shape.values for value in (*call.args, call) if isinstance(value.ty, relax.TensorType)]
    return all(isinstance(length, int | tirx.IntImm) for shape in shapes for length in shape)


@pytest.mark.parametrize("op", ops.NAMES)
def test_calls_of_cases_are_built_equal_to_those_of_tvm(op):
    check_drawn(op, 15, seed=6)


@pytest.mark.slow
@pytest.mark.parametrize("op", ops.NAMES)
def test_calls_of_many_cases_are_built_equal_to_those_of_tvm(op):
    check_drawn(op, 250, seed=7)


# --- steps --------------------------------------------------------------------------------------------


def variable(lengths, dtype):
    return relax.Var("x", relax.TensorType(lengths, dtype))


def constant(rng, lengths, dtype):
    return relax.const(
        np.array([rng.choice([0, 1, 2, 3, 100]) for _ in range(int(np.prod(lengths)))]).reshape(lengths), dtype
    )


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "minimum", "maximum"])
def test_arithmetic_is_built_equal_to_that_of_tvm(name):
    rng = random.Random(name)
    done = 0
    for _ in range(40):
        dtype = rng.choice(FLOATS + INTEGERS)
        lengths = [rng.choice([1, 2, 5]) for _ in range(rng.randint(1, 4))]
        sides = []
        for _side in range(2):
            shape = [rng.choice([1, n]) for n in lengths][rng.randint(0, len(lengths)) :]
            sides.append(constant(rng, shape, dtype) if rng.random() < 0.4 else variable(shape, dtype))
        if all(isinstance(side, ir.GenericConst) for side in sides):
            sides[rng.randint(0, 1)] = variable(lengths, dtype)
        done += check_call(getattr(relax.op, name)(*sides))
    assert done > 30  # no result without axes


@pytest.mark.parametrize("name", ["quantize", "dequantize"])
def test_quantization_is_built_equal_to_that_of_tvm(name):
    rng = random.Random(name)
    done = 0
    for _ in range(60):
        lengths = [rng.choice([1, 2, 5]) for _ in range(rng.randint(1, 4))]
        axis = rng.randrange(len(lengths))
        quantized = rng.choice(
            ["int8", "uint8", "int16", "int32"] if name == "dequantize" else ["int8", "uint8", "int16"]
        )
        floating = rng.choice(["float32", "float16"])
        scale_shape, zero_shape = ([[], [1], [lengths[axis]]][rng.randint(0, 2)] for _ in range(2))
        scale = constant(rng, scale_shape, "float32") if rng.random() < 0.5 else variable(scale_shape, "float32")
        zero = constant(rng, zero_shape, quantized) if rng.random() < 0.5 else variable(zero_shape, quantized)
        data, out = (quantized, floating) if name == "dequantize" else ("float32", quantized)
        try:
            call = relax.BlockBuilder().normalize(
                getattr(relax.op, name)(variable(lengths, data), scale, zero, axis=axis, out_dtype=out)
            )
        except Exception:
            continue  # TVM's type inference rejects this quantization
        done += check_call(call)
    assert done > 30


@pytest.mark.parametrize("dtype", FLOATS + INTEGERS)
def test_functions_of_an_element_are_built_equal_to_those_of_tvm(dtype):
    x = variable((2, 1, 3), dtype)
    assert all(check_call(relax.op.astype(x, other)) for other in FLOATS + INTEGERS)
    assert check_call(relax.op.nn.relu(x))
    unsigned = dtype.startswith("u")
    for name in ("abs", "ceil", "floor", "negative", "round", "sign", "square", "trunc"):
        left = (name in ("negative", "sign") and unsigned) or (name in ("abs", "sign") and dtype == "int32")
        assert check_call(getattr(relax.op, name)(x)) is not left
    assert [check_call(relax.op.clip(x, *limits)) for limits in ((0, 6), (2, 100))] == [True, True]
    if dtype in FLOATS:
        assert check_call(relax.op.clip(x, -2.5, float("inf")))
        assert check_call(relax.op.sqrt(x))
        assert all(check_call(relax.op.nn.leakyrelu(x, alpha)) for alpha in (0.1, -2.0))


def test_changes_of_shape_are_built_equal_to_those_of_tvm():
    rng, done = random.Random(2), Counter()
    for _ in range(60):
        lengths = [rng.choice([1, 1, 2, 3, 5]) for _ in range(rng.randint(1, 5))]
        rank, ones = len(lengths), [i for i, n in enumerate(lengths) if n == 1]
        x = variable(lengths, rng.choice(FLOATS + INTEGERS))
        calls = [
            relax.op.permute_dims(x),
            relax.op.permute_dims(x, [axis - rank * rng.randint(0, 1) for axis in rng.sample(range(rank), rank)]),
            relax.op.expand_dims(x, rng.sample(range(-rank - 1, 0), rng.randint(1, 2)) if rank > 1 else 0),
            relax.op.squeeze(x),
            *(relax.op.reshape(x, draw_shape(rng, int(np.prod(lengths)))) for _ in range(3)),
        ]
        if ones:
            calls.append(relax.op.squeeze(x, [axis - rank * rng.randint(0, 1) for axis in ones[:2]]))
        done.update(str(call.op.name) for call in calls if check_call(relax.BlockBuilder().normalize(call)))
    assert min(done.values()) > 50, done
    assert len(done) == 4


def draw_shape(rng, elements):
    """Return a shape of up to five axes with this number of elements."""
    lengths = []
    while elements > 1 and len(lengths) < 3:
        lengths.append(rng.choice([n for n in range(2, elements + 1) if elements % n == 0]))
        elements //= lengths[-1]
    lengths += [elements] + [1] * rng.randint(0, 1)
    rng.shuffle(lengths)
    return lengths


# --- pads ---------------------------------------------------------------------------------------------


def test_pads_are_built_equal_to_those_of_tvm():
    rng = random.Random(1)
    assert sum(check_call(draw_pad(rng)) for _ in range(250)) > 160  # others reflect, or their value is out of range


def draw_pad(rng):
    """Return a pad of up to six axes: widths of all signs, values in and out of range, known and unknown modes."""
    dtype = rng.choice([*FLOATS, *INTEGERS, "bool"])
    lengths = [rng.choice([1, 2, 3, 5, 8]) for _ in range(rng.randint(1, 6))]
    widths = []
    for length in lengths:
        before, after = rng.choice([0, 0, 1, 2, -1, length, -length]), rng.choice([0, 0, 1, 3, -1])
        widths += [before, after] if length + before + after > 0 else [0, 0]
    value = rng.choice([0.0, -0.0, 1.0, 3.7, -1.5, float("nan"), float("inf"), 1e38, -128.0, 255.0])
    mode = rng.choice(["constant", "constant", "constant", "edge", "reflect", "replicate", "circular"])
    return relax.op.nn.pad(variable(lengths, dtype), widths, mode, value)


# --- left to TVM --------------------------------------------------------------------------------------


def test_unsupported_calls_are_left_to_tvm():
    n = tirx.Var("n", "int64")
    data, symbolic, unknown = (
        variable((4,), "int8"),
        variable((n,), "int8"),
        relax.Var("x", relax.TensorType(None, "int8", ndim=1)),
    )
    assert build_primfunc(relax.op.nn.pad(data, [1, 1])) is not None
    assert build_primfunc(relax.op.nn.pad(data, [1, 1], "reflect")) is None
    assert [build_primfunc(relax.op.nn.pad(each, [1, 1])) for each in (symbolic, unknown)] == [None] * 2
    assert build_primfunc(relax.op.add(data, symbolic)) is None
    assert build_primfunc(relax.op.astype(relax.const(1, "int8"), "int32")) is None
    image, weight = variable((1, 4, 6), "float32"), variable((2, 4, 3), "float32")
    assert build_primfunc(relax.BlockBuilder().normalize(relax.op.nn.conv1d(image, weight, out_layout="NWC"))) is None
    assert build_primfunc(relax.BlockBuilder().normalize(relax.op.nn.max_pool1d(image, out_layout="NWC"))) is None
    assert build_primfunc(relax.op.sin(image)) is None


def test_an_operator_that_this_tvm_legalises_differently_is_left_to_tvm(monkeypatch):
    def doubled(call):
        builder = PrimFuncBuilder(call)
        x = builder.operand(0)
        builder.add_stage("compute", x.lengths, lambda *at: x[at] + x[at])
        return builder

    monkeypatch.setitem(dispatch.BUILDERS, "relax.nn.relu", doubled)
    legalize = Legalizer(tvm.target.Target("llvm"))
    for lengths in ((2, 3), (4,)):
        module, _ = isolate(relax.op.nn.relu(variable(lengths, "float32")))
        assert tvm_ffi.structural_equal(legalize(module)["relu"], relax.transform.LegalizeOps()(module)["relu"])
    module, _ = isolate(relax.op.add(variable((2,), "int8"), variable((2,), "int8")))
    legalize(module)
    assert legalize.differing == ("relax.nn.relu",)


def test_each_mode_of_a_pad_is_compared_with_tvm(monkeypatch):
    """A correct pad in one mode proves nothing about the kernel of another mode."""
    monkeypatch.setitem(pad_kernel.COPYING_MODES, "circular", pad_kernel.COPYING_MODES["replicate"])
    legalize = Legalizer(tvm.target.Target("llvm"))
    for mode, name in (("constant", "pad"), ("circular", "circular_pad"), ("replicate", "replicate_pad")):
        module, _ = isolate(relax.op.nn.pad(variable((2, 3), "float32"), [0, 0, 1, 1], mode))
        assert tvm_ffi.structural_equal(legalize(module)[name], relax.transform.LegalizeOps()(module)[name])
    assert legalize.differing == ("relax.nn.pad circular",)
