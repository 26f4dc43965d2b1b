"""PrimFuncs that are built without TE: node for node those of LegalizeOps, or left to TVM."""

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
from foldproof.ir.relax.targets.fast.primfuncs import pad as pad_kernel
from foldproof.ir.relax.targets.fast.primfuncs import table as own
from foldproof.ir.relax.targets.fast.primfuncs.table import built
from foldproof.ir.relax.targets.fast.stages import Stages

FLOATS = ("float16", "float32", "float64", "bfloat16")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8")


def alone(call):
    """A module of this call, its operands parameters, and the call in it; constants stay."""
    operands = [
        relax.Var(f"x{i}", argument.ty) if isinstance(argument, relax.Var) else argument
        for i, argument in enumerate(call.args)
    ]
    builder = relax.BlockBuilder()
    with builder.function("main", [operand for operand in operands if isinstance(operand, relax.Var)]):
        builder.emit_func_output(builder.emit(ir.Call(call.op, operands, call.attrs, call.ty_args)))
    module = builder.get()
    return module, module["main"].body.blocks[0].bindings[0].value


def legalised(module):
    """The one PrimFunc that LegalizeOps makes, what it is called with, and the type; what it says if it raises."""
    made = or_error(relax.transform.LegalizeOps(), module)
    if isinstance(made, str):
        return made
    call = made["main"].body.blocks[0].bindings[0].value
    return made[call.args[0]], list(call.args[1].fields), call.ty


def or_error(make, argument):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TVM warns of a tag when it raises; an error there would leave the tag after
        try:
            return make(argument)
        except Exception as error:
            return str(error).strip().splitlines()[-1]


def compared(call):
    """Whether a call was built here; it must be what TVM makes of it."""
    module, call = alone(call)
    want = legalised(module)
    stages = or_error(built, call)
    if stages is None or isinstance(stages, str):
        assert stages is None or stages == want
        return False
    function, operands, ty = want
    tvm.ir.assert_structural_equal(stages.function(), function.without_attr("global_symbol"))
    assert [operand.same_as(call.args[i]) for operand, i in zip(operands, stages.operands, strict=True)] == [
        True
    ] * len(operands)
    assert [*stages.result.lengths] == [int(length) for length in ty.shape]
    assert stages.result.dtype == str(ty.dtype)
    return True


def calls_of(case):
    """The operator calls of a case, folded and not."""
    unfolded = build(case)
    for module in (unfolded, FoldExplicitPadding(nonzero="correct", channels="slice")(unfolded)):
        for function in module.functions.values():
            if isinstance(function, relax.Function):
                for block in function.body.blocks:
                    for binding in block.bindings:
                        if isinstance(binding.value, ir.Call) and str(binding.value.op.name) in own.OWN:
                            yield binding.value


def check_drawn(op, cases, seed):
    drawn = draw(strategy_of((op,), None), cases, seed)
    done = [(str(call.op.name), compared(call)) for case in drawn for call in calls_of(case)]
    ours = [was_built for name, was_built in done if name == f"relax.nn.{op}"]
    assert sum(ours) > 0.7 * len(ours) > 0  # the others have symbolic lengths


@pytest.mark.parametrize("op", ops.NAMES)
def test_what_cases_call_is_built_node_for_node_as_tvm_legalises_it(op):
    check_drawn(op, 15, seed=6)


@pytest.mark.slow
@pytest.mark.parametrize("op", ops.NAMES)
def test_what_many_cases_call_is_built_node_for_node_as_tvm_legalises_it(op):
    check_drawn(op, 250, seed=7)


# --- steps --------------------------------------------------------------------------------------------


def variable(lengths, dtype):
    return relax.Var("x", relax.TensorType(lengths, dtype))


def constant(rng, lengths, dtype):
    return relax.const(
        np.array([rng.choice([0, 1, 2, 3, 100]) for _ in range(int(np.prod(lengths)))]).reshape(lengths), dtype
    )


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "minimum", "maximum"])
def test_arithmetic_is_built_node_for_node_as_tvm_legalises_it(name):
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
        done += compared(getattr(relax.op, name)(*sides))
    assert done > 30  # no result without axes


@pytest.mark.parametrize("name", ["quantize", "dequantize"])
def test_quantization_is_built_node_for_node_as_tvm_legalises_it(name):
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
            continue  # no such quantization: TVM's type inference says so
        done += compared(call)
    assert done > 30


@pytest.mark.parametrize("dtype", FLOATS + INTEGERS)
def test_functions_of_an_element_are_built_node_for_node_as_tvm_legalises_them(dtype):
    x = variable((2, 1, 3), dtype)
    assert all(compared(relax.op.astype(x, other)) for other in FLOATS + INTEGERS)
    assert compared(relax.op.nn.relu(x))
    unsigned = dtype.startswith("u")
    for name in ("abs", "ceil", "floor", "negative", "round", "sign", "square", "trunc"):
        left = (name in ("negative", "sign") and unsigned) or (name in ("abs", "sign") and dtype == "int32")
        assert compared(getattr(relax.op, name)(x)) is not left
    assert [compared(relax.op.clip(x, *limits)) for limits in ((0, 6), (2, 100))] == [True, True]
    if dtype in FLOATS:
        assert compared(relax.op.clip(x, -2.5, float("inf")))
        assert compared(relax.op.sqrt(x))
        assert all(compared(relax.op.nn.leakyrelu(x, alpha)) for alpha in (0.1, -2.0))


def test_moved_elements_are_built_node_for_node_as_tvm_legalises_them():
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
            *(relax.op.reshape(x, shape_of(rng, int(np.prod(lengths)))) for _ in range(3)),
        ]
        if ones:
            calls.append(relax.op.squeeze(x, [axis - rank * rng.randint(0, 1) for axis in ones[:2]]))
        done.update(str(call.op.name) for call in calls if compared(relax.BlockBuilder().normalize(call)))
    assert min(done.values()) > 50, done
    assert len(done) == 4


def shape_of(rng, elements):
    """Up to five axes of so many elements."""
    lengths = []
    while elements > 1 and len(lengths) < 3:
        lengths.append(rng.choice([n for n in range(2, elements + 1) if elements % n == 0]))
        elements //= lengths[-1]
    lengths += [elements] + [1] * rng.randint(0, 1)
    rng.shuffle(lengths)
    return lengths


# --- pads ---------------------------------------------------------------------------------------------


def test_pads_are_built_node_for_node_as_tvm_legalises_them():
    rng = random.Random(1)
    assert sum(compared(padded(rng)) for _ in range(250)) > 160  # others reflect, or have a value beyond the dtype


def padded(rng):
    """A pad of up to six axes: widths of all signs, values within and beyond the dtype, all modes and unknown ones."""
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


def test_what_is_not_built_is_left_to_tvm():
    n = tirx.Var("n", "int64")
    data, symbolic, unknown = (
        variable((4,), "int8"),
        variable((n,), "int8"),
        relax.Var("x", relax.TensorType(None, "int8", ndim=1)),
    )
    assert built(relax.op.nn.pad(data, [1, 1])) is not None
    assert built(relax.op.nn.pad(data, [1, 1], "reflect")) is None
    assert [built(relax.op.nn.pad(each, [1, 1])) for each in (symbolic, unknown)] == [None] * 2
    assert built(relax.op.add(data, symbolic)) is None
    assert built(relax.op.astype(relax.const(1, "int8"), "int32")) is None
    image, weight = variable((1, 4, 6), "float32"), variable((2, 4, 3), "float32")
    assert built(relax.BlockBuilder().normalize(relax.op.nn.conv1d(image, weight, out_layout="NWC"))) is None
    assert built(relax.BlockBuilder().normalize(relax.op.nn.max_pool1d(image, out_layout="NWC"))) is None
    assert built(relax.op.sin(image)) is None


def test_an_operator_that_this_tvm_legalises_otherwise_is_left_to_tvm(monkeypatch):
    def doubled(call):
        stages = Stages(call)
        x = stages.operand(0)
        stages.stage("compute", x.lengths, lambda *at: x[at] + x[at])
        return stages

    monkeypatch.setitem(own.OWN, "relax.nn.relu", doubled)
    legalize = Legalizer(tvm.target.Target("llvm"))
    for lengths in ((2, 3), (4,)):
        module, _ = alone(relax.op.nn.relu(variable(lengths, "float32")))
        assert tvm_ffi.structural_equal(legalize(module)["relu"], relax.transform.LegalizeOps()(module)["relu"])
    module, _ = alone(relax.op.add(variable((2,), "int8"), variable((2,), "int8")))
    legalize(module)
    assert legalize.differing == ("relax.nn.relu",)


def test_each_mode_of_a_pad_is_compared_with_tvm(monkeypatch):
    """A pad that is right in one mode says nothing of the kernel of another."""
    monkeypatch.setitem(pad_kernel.COPYING, "circular", pad_kernel.COPYING["replicate"])
    legalize = Legalizer(tvm.target.Target("llvm"))
    for mode, name in (("constant", "pad"), ("circular", "circular_pad"), ("replicate", "replicate_pad")):
        module, _ = alone(relax.op.nn.pad(variable((2, 3), "float32"), [0, 0, 1, 1], mode))
        assert tvm_ffi.structural_equal(legalize(module)[name], relax.transform.LegalizeOps()(module)[name])
    assert legalize.differing == ("relax.nn.pad circular",)
