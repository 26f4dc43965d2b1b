"""foldproof.fold: PrimFuncs that compute element by element, as the ONNX frontend emits them for a Clip."""

import numpy as np
import pytest
from tests.support.foldings import assert_same_results, assert_stays, constant, fold, op_names, outcomes
from tvm import relax, tirx, topi
from tvm.script import tirx as T

from foldproof.fold import Folded, Kind
from foldproof.fold.kernels import Constant, Load, Node, list_nodes, read_kernel

O = relax.op  # noqa: E741

DATA = np.random.default_rng(0).integers(-9, 10, (1, 3, 8)).astype("float32") / 3
WEIGHT = np.random.default_rng(1).integers(-9, 10, (4, 3, 3)).astype("float32")


def model(*kernels, value=0.0, first=(), consumer=O.nn.conv1d, rows=8):
    """conv1d(kernels(pad(first(x))), w); a kernel is (function of topi, operands after the data)."""
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 3, rows), "float32"))
    w = relax.Var("w", relax.TensorType((4, 3, 3), "float32"))
    with builder.function("main", [x, w]):
        with builder.dataflow():
            y = x
            for function, *operands in first:
                y = builder.emit_te(function, y, *operands)
            y = builder.emit(O.nn.pad(y, [0, 0, 0, 0, 1, 2], pad_value=value))
            for function, *operands in kernels:
                y = builder.emit_te(function, y, *operands)
            result = builder.emit_output(consumer(y, w))
        builder.emit_func_output(result)
    return builder.get()


THROUGH = {
    "maximum": (-1.0, [(topi.maximum, constant(0))], ["maximum"]),
    "maximum of a number": (-1.0, [(topi.maximum, 0.0)], ["maximum"]),
    "clip as ONNX emits it": (0.25, [(topi.maximum, constant(-1)), (topi.minimum, 0.0)], ["maximum", "minimum"]),
    "clip": (-3.0, [(topi.clip, 0.0, 6.0)], ["minimum", "maximum"]),
    "per channel": (0.0, [(topi.multiply, constant(1, 2, 3, shape=(3, 1)))], ["multiply"]),
    "subtract": (2.0, [(topi.subtract, constant(2))], ["subtract"]),
    "divide": (0.0, [(topi.divide, constant(2))], ["divide"]),
    "relu": (-3.0, [(topi.nn.relu,)], ["maximum"]),
    "round": (0.5, [(topi.round,)], ["round"]),
    "tanh": (0.0, [(topi.tanh,)], ["tanh"]),
    "casts": (0.0, [(topi.clip, -9.0, 9.0), (topi.cast, "int8"), (topi.cast, "float32")], None),
}


@pytest.mark.parametrize(("value", "kernels", "ops"), THROUGH.values(), ids=list(THROUGH))
def test_a_pad_passes_an_elementwise_kernel(value, kernels, ops):
    module = model(*kernels, value=value)
    assert outcomes(module)[0][-1] == Folded("chain-conv", (1, 2))
    folded = fold(module)
    assert ops is None or op_names(folded) == [*ops, "nn.conv1d"]
    assert [name.name_hint for name in folded.get_global_vars()] == ["main"]
    assert_same_results(module, DATA, WEIGHT)


def test_a_pad_stays_where_the_kernel_does_not_make_zero_of_it():
    assert_stays(model((topi.maximum, constant(2))), Kind.VALUE)
    assert_stays(model((topi.exp,)), Kind.VALUE)
    along = constant(*range(11), shape=(11,))
    assert_stays(model((topi.multiply, along)), Kind.VARYING_OPERAND)


def test_kernels_before_a_pad_bound_its_data():
    first = [(topi.maximum, constant(0)), (topi.minimum, 6.0)]
    module = model(first=first, consumer=lambda x, w: O.nn.max_pool1d(x, 4))
    assert outcomes(module)[0][-1] == Folded("bounded-max_pool", (1, 2))
    assert_same_results(module, DATA, WEIGHT)
    assert_stays(model(first=first[1:], consumer=lambda x, w: O.nn.max_pool1d(x, 4)), Kind.VALUE)


def test_a_kernel_of_two_computed_operands_is_not_read():
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 3, 8), "float32"))
    w = relax.Var("w", relax.TensorType((4, 3, 3), "float32"))
    with builder.function("main", [x, w]):
        padded = builder.emit(O.nn.pad(x, [0, 0, 0, 0, 1, 2]))
        total = builder.emit_te(topi.add, padded, builder.emit(O.nn.relu(padded)))
        builder.emit_func_output(builder.emit(O.nn.conv1d(total, w)))
    kinds = {kind for *_, outcome in outcomes(builder.get()) for kind in [outcome.kind]}
    assert kinds == {Kind.STEP}


def test_a_kernel_with_other_readers_stays_for_them():
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 3, 8), "float32"))
    w = relax.Var("w", relax.TensorType((4, 3, 3), "float32"))
    with builder.function("main", [x, w]):
        padded = builder.emit(O.nn.pad(x, [0, 0, 0, 0, 1, 2]))
        kept = builder.emit_te(topi.maximum, padded, constant(0))
        first, second = (builder.emit(O.nn.conv1d(kept, w, dilation=d)) for d in (1, 2))
        builder.emit_func_output(builder.emit(O.concat([O.flatten(one) for one in (first, second, kept)])))
    folded = fold(builder.get())
    assert op_names(folded)[:3] == ["nn.pad", "call_tir", "maximum"]
    assert len(folded.get_global_vars()) == 2
    assert_same_results(builder.get(), DATA, WEIGHT)


# --- what is proved -------------------------------------------------------------------------------------


@T.prim_func(private=True, s_tir=True)
def scaled(x: T.Buffer((2, 3), "float32"), y: T.Buffer((1, 3), "float32"), z: T.Buffer((2, 3), "float32")):
    for i, j in T.grid(2, 3):
        with T.sblock("any name"):
            a, b = T.axis.remap("SS", [i, j])
            z[a, b] = T.min(x[a, b], T.float32(4)) * y[0, b]


@T.prim_func(private=True, s_tir=True)
def transposed(x: T.Buffer((3, 3), "float32"), z: T.Buffer((3, 3), "float32")):
    for i, j in T.grid(3, 3):
        with T.sblock("T_add"):
            a, b = T.axis.remap("SS", [i, j])
            z[a, b] = x[b, a] + T.float32(1)


@T.prim_func(private=True, s_tir=True)
def shifted(x: T.Buffer((2, 4), "float32"), z: T.Buffer((2, 3), "float32")):
    for i, j in T.grid(2, 3):
        with T.sblock("T_add"):
            a, b = T.axis.remap("SS", [i, j])
            z[a, b] = x[a, b + 1] + T.float32(1)


@T.prim_func(private=True, s_tir=True)
def partial(x: T.Buffer((2, 4), "float32"), z: T.Buffer((2, 4), "float32")):
    for i, j in T.grid(2, 3):
        with T.sblock("T_add"):
            a, b = T.axis.remap("SS", [i, j])
            z[a, b] = x[a, b] + T.float32(1)


@T.prim_func(private=True, s_tir=True)
def summed(x: T.Buffer((2, 3), "float32"), z: T.Buffer((2, 3), "float32")):
    for i, j in T.grid(2, 3):
        with T.sblock("T_add"):
            a, b = T.axis.remap("SS", [i, j])
            z[a, b] = z[a, b] + x[a, b]


@T.prim_func(private=True, s_tir=True)
def indexed(x: T.Buffer((2, 3), "float32"), z: T.Buffer((2, 3), "float32")):
    for i, j in T.grid(2, 3):
        with T.sblock("T_add"):
            a, b = T.axis.remap("SS", [i, j])
            z[a, b] = x[a, b] + T.Cast("float32", b)


@T.prim_func(private=True, s_tir=True)
def copied(x: T.Buffer((2, 3), "float32"), z: T.Buffer((2, 3), "float32")):
    for i, j in T.grid(2, 3):
        with T.sblock("T_copy"):
            a, b = T.axis.remap("SS", [i, j])
            z[a, b] = x[a, b]


@T.prim_func(private=True, s_tir=True)
def fused(x: T.Buffer((2, 3), "float32"), z: T.Buffer((2, 3), "float32")):
    for i, j in T.grid(2, 3):
        with T.sblock("T_add"):
            a, b = T.axis.remap("SS", [i, j])
            z[a, b] = x[a, b] * T.float32(0.1) + T.float32(1)


@T.prim_func(private=True, s_tir=True)
def halves(x: T.Buffer((2, 3), "float16"), z: T.Buffer((2, 3), "float16")):
    for i, j in T.grid(2, 3):
        with T.sblock("T_add"):
            a, b = T.axis.remap("SS", [i, j])
            z[a, b] = (x[a, b] + T.float16(1)) - T.float16(1)


@T.prim_func(private=True, s_tir=True)
def squared(x: T.Buffer((2, 3), "float32"), z: T.Buffer((2, 3), "float32")):
    for i, j in T.grid(2, 3):
        with T.sblock("T_multiply"):
            a, b = T.axis.remap("SS", [i, j])
            z[a, b] = x[a, b] * x[a, b]


def test_a_body_is_read_as_ops_of_relax():
    found = read_kernel(scaled)
    low = Node(
        op="minimum", dtype="float32", operands=(Load(parameter=0, whole=True), Constant(value=4.0, dtype="float32"))
    )
    assert found == Node(op="multiply", dtype="float32", operands=(low, Load(parameter=1, whole=False)))
    assert list_nodes(found, 0) == [low, found]
    assert list_nodes(found, 1) is None  # it is broadcast, and more than it is computed


@pytest.mark.parametrize("function", [transposed, shifted, partial, summed, indexed, copied])
def test_a_body_that_does_anything_else_is_not_elementwise(function):
    assert read_kernel(function) is None


@pytest.mark.parametrize("function", [fused, halves, squared])
def test_a_body_that_compilers_may_round_in_another_way_is_not_taken_apart(function):
    assert list_nodes(read_kernel(function), 0) is None


def test_a_body_over_symbolic_lengths_is_read():
    n = tirx.Var("n", "int64")
    x = relax.Var("x", relax.TensorType((2, n), "float32"))
    builder = relax.BlockBuilder()
    with builder.function("main", [x]):
        builder.emit_func_output(builder.emit_te(topi.maximum, x, 0.0))
    [function] = [f for f in builder.get().functions.values() if isinstance(f, tirx.PrimFunc)]
    assert read_kernel(function).op == "maximum"


def test_the_data_may_be_any_operand_of_the_kernel():
    module = model((lambda y, c: topi.multiply(c, y), constant(2)))
    assert [outcome for *_, outcome in outcomes(module)] == [Folded("chain-conv", (1, 2))]
    second = swapped(constant(2))
    assert [outcome for *_, outcome in outcomes(second)] == [Folded("chain-conv", (1, 2))]
    assert_same_results(second, DATA, WEIGHT)


def swapped(*operands):
    """conv1d(operand * pad(x)), a kernel that reads the data as its second parameter, and a parameter if none."""
    builder = relax.BlockBuilder()
    x, p = relax.Var("x", relax.TensorType((1, 3, 8), "float32")), relax.Var("p", relax.TensorType((), "float32"))
    w = relax.Var("w", relax.TensorType((4, 3, 3), "float32"))
    with builder.function("main", [x, w] if operands else [x, p, w]):
        with builder.dataflow():
            y = builder.emit(O.nn.pad(x, [0, 0, 0, 0, 1, 2], pad_value=0.0 if operands else 1.0))
            y = builder.emit_te(topi.subtract, y, constant(1)) if not operands else y
            y = builder.emit_te(topi.multiply, *(operands or (p,)), y)
            result = builder.emit_output(O.nn.conv1d(y, w))
        builder.emit_func_output(result)
    return builder.get()


def test_the_reason_names_the_operand_of_a_kernel_that_is_not_a_constant():
    [(_, consumer, _, outcome)] = outcomes(swapped())
    assert (consumer, outcome.kind) == ("conv1d", Kind.RUNTIME_OPERAND)
    assert (
        outcome.detail == "the operand of multiply is not a constant, but the parameter p: bind it first (BindParams)"
    )


def test_a_refusal_after_a_kernel_of_which_the_data_is_the_second_operand_names_the_consumer():
    module = swapped(constant(float("inf")))
    assert [(consumer, outcome.kind) for _, consumer, _, outcome in outcomes(module)] == [
        ("conv1d", Kind.UNDEFINED_VALUE)
    ]
