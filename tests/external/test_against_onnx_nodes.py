"""The NumPy reference against data that the ONNX project publishes.

Two collections of package ``onnx``: the backend node tests, whose expected values the ONNX project wrote or computed,
and its tests converted from PyTorch, whose expected values PyTorch computed. No tolerance is added to the reference's
own: integers and sums that it calls exact agree to the bit, any other float32 value is within its proven bound, in
whatever order the others summed. (The single exception is FOUR_DECIMALS.)
"""

import importlib
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.backend.test.case import node as node_tests
from onnx.backend.test.loader import load_model_tests
from tests.support import onnx_nodes
from tests.support.relax import reference

from foldproof.case import dtypes
from foldproof.oracle.compare import within

FLOAT8 = "float8 and float4 are no numbers that a Case can have"
BLOCKED = "a Case has a scale per element of one axis, not per block"
WIDE = "quantize makes int8 and uint8 in TVM 0.27, and in a Case"

INEXPRESSIBLE = {
    "test_quantizelinear_e4m3fn": FLOAT8,
    "test_quantizelinear_e5m2": FLOAT8,
    "test_quantizelinear_float4e2m1": FLOAT8,
    "test_quantizelinear_uint16": WIDE,
    "test_quantizelinear_int16": WIDE,
    "test_quantizelinear_blocked_asymmetric": BLOCKED,
    "test_quantizelinear_blocked_symmetric": BLOCKED,
    "test_dequantizelinear_e4m3fn": FLOAT8,
    "test_dequantizelinear_e4m3fn_float16": FLOAT8,
    "test_dequantizelinear_e4m3fn_zero_point": FLOAT8,
    "test_dequantizelinear_e5m2": FLOAT8,
    "test_dequantizelinear_float4e2m1": FLOAT8,
    "test_dequantizelinear_blocked": BLOCKED,
}
"""Node tests that our reference has no words for, with the reason. Every other one is checked."""

CHECKED = {
    "Conv": 6,
    "ConvTranspose": 11,
    "MaxPool": 19,
    "AveragePool": 20,
    "Pad": 6,
    "QuantizeLinear": 6,
    "DequantizeLinear": 8,
    "ConvInteger": 2,
    "QLinearConv": 1,
}
"""Node tests checked per op, at least: what onnx 1.23.2 has. A package with fewer would prove less."""

RECORDED = {"Conv": 27, "ConvTranspose": 3, "MaxPool": 9, "AveragePool": 7, "Pad": 5}
"""Tests converted from PyTorch, at least, likewise."""

FOUR_DECIMALS = {"test_averagepool_2d_ceil_last_window_starts_on_pad": 0.5e-4 + 4 * 0.5e-4 / 9}
"""Inputs and results are written with four decimals: half of the last one, and that of four inputs, divided by nine.

(For the inputs as written one result is wrong in its last digit: 2.5564 / 9 is 0.28404, not 0.2841.)
"""


def op_of(graph):
    """The op of ours that a graph is about, if it is the only node but for those that add and remove a unit axis."""
    kinds = [node.op_type for node in graph.node if node.op_type not in ("Unsqueeze", "Squeeze")]
    return kinds[0] if len(kinds) == 1 and kinds[0] in onnx_nodes.OPS else None


@cache
def published():
    """The node tests about our ops by name: (node, inputs, first output). A second output, argmax, is not ours.

    Each op's tests are in a module of its own, and importing it makes them; all 1,800 would take ten times as long.
    """
    for name in onnx_nodes.OPS:
        importlib.import_module(f"{node_tests.__name__}.{name.lower()}")
    found = {}
    for test in node_tests._NodeTestCases:
        if op_of(test.model.graph) is not None:
            [(given, made)] = test.data_sets
            found[test.name] = (test.model.graph.node[0], [array(value) for value in given], array(made[0]))
    return found


def array(value):
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


@cache
def recorded():
    """The tests converted from PyTorch about our ops, by name: their folders and graphs."""
    tests = [test for kind in ("pytorch-converted", "pytorch-operator") for test in load_model_tests(kind=kind)]
    folders = {test.name: Path(test.model_dir) for test in tests}
    graphs = {name: onnx.load(folder / "model.onnx").graph for name, folder in folders.items()}
    return {name: (folders[name], graph) for name, graph in graphs.items() if op_of(graph) is not None}


# --- the tests of the ONNX project --------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(published()) - set(INEXPRESSIBLE)))
def test_the_reference_gives_the_published_result_of_a_node(name):
    node, given, expected = published()[name]
    result = onnx_nodes.answer(node, given)
    result = replace(result, bound=result.bound + FOUR_DECIMALS.get(name, 0.0))
    assert result.defined.all()
    assert within(expected, result) is None


@pytest.mark.parametrize("name", INEXPRESSIBLE)
def test_what_is_called_inexpressible_is_refused(name):
    """Should a Case learn to say it, it has to leave the table."""
    node, given, _ = published()[name]
    with pytest.raises((ValueError, TypeError, KeyError)):
        onnx_nodes.answer(node, given)


def test_every_node_test_of_our_ops_is_checked_or_in_the_table():
    assert set(INEXPRESSIBLE) <= set(published())
    checked = Counter(node.op_type for name, (node, _, _) in published().items() if name not in INEXPRESSIBLE)
    assert all(checked[kind] >= least for kind, least in CHECKED.items()), checked
    assert set(checked) == set(CHECKED) == set(onnx_nodes.OPS)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of tests of other ops, which make infinities on purpose
def test_no_node_test_of_our_ops_hides_in_another_module():
    every = {test.name for test in load_model_tests(kind="node") if op_of(test.model.graph) is not None}
    assert every == set(published())


# --- what PyTorch computed ----------------------------------------------------------------------------


def loaded(folder, graph):
    """Inputs, those that stand in the model as constants included, and output of a recorded test."""
    files = sorted((folder / "test_data_set_0").glob("input_*.pb"), key=lambda path: int(path.stem.split("_")[1]))
    given = [onnx.numpy_helper.to_array(onnx.load_tensor(path)) for path in files]
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    names = [value.name for value in graph.input]
    values = dict(zip([name for name in names if name not in constants], given, strict=True)) | constants
    made = onnx.numpy_helper.to_array(onnx.load_tensor(folder / "test_data_set_0" / "output_0.pb"))
    return [values[name] for name in names], made


@pytest.mark.parametrize("name", sorted(recorded()))
def test_the_reference_gives_what_pytorch_computed(name):
    assert differing(name) is None


def differing(name):
    """How a recorded result differs from the reference, one image at a time: the largest would take gigabytes."""
    folder, graph = recorded()[name]
    given, expected = loaded(folder, graph)
    [node] = [node for node in graph.node if node.op_type in onnx_nodes.OPS]
    if len(graph.node) > 1:  # an AvgPool1d, which goes through two axes
        given[0], expected = given[0][..., None], expected[..., None]
    for image in range(len(expected)):
        result = onnx_nodes.answer(node, [given[0][image : image + 1], *given[1:]])
        assert result.defined.all()
        difference = within(expected[image : image + 1], result)
        if difference is not None:
            return difference
    return None


def test_every_recorded_op_is_checked():
    found = Counter(op_of(graph) for _, graph in recorded().values())
    assert all(found[kind] >= least for kind, least in RECORDED.items()), found


# --- the tester ---------------------------------------------------------------------------------------


def of_axes(**changes):
    """A reference that takes an attribute of each axis for another value."""

    def wrong(case, arrays):
        axes = [replace(axis, **{name: change(axis) for name, change in changes.items()}) for axis in case.axes]
        return reference(replace(case, axes=tuple(axes)), arrays)

    return wrong


def counting(case, arrays):
    return reference(replace(case, count_include_pad=not case.count_include_pad), arrays)


def mirrored(case, arrays):
    return reference(case, arrays | {"w": np.flip(arrays["w"], tuple(range(2, arrays["w"].ndim)))})


def regrouped(case, arrays):
    """The channels of all groups interleaved."""
    each = case.channels // case.groups
    order = np.arange(case.channels).reshape(case.groups, each).T.ravel()
    return reference(case, arrays | {"x": arrays["x"][:, order]})


WRONG = {
    "sides of padding swapped, pool": (of_axes(padding=lambda a: a.padding[::-1]), "test_maxpool_2d_same_lower"),
    "sides of padding swapped, conv_transpose": (
        of_axes(padding=lambda a: a.padding[::-1]),
        "test_convtranspose_autopad_same",
    ),
    "output_padding before it": (
        of_axes(
            padding=lambda a: (a.padding[0] - a.output_padding, a.padding[1]), output_padding=lambda a: 0 * a.stride
        ),
        "test_ConvTranspose2d_no_bias",
    ),
    "padding counted, or not": (counting, "test_averagepool_2d_pads"),
    "kernel mirrored": (mirrored, "test_Conv2d_padding"),
    "kernel of a transposed conv mirrored": (mirrored, "test_ConvTranspose2d"),
    "groups interleaved": (regrouped, "test_Conv2d_groups"),
}


@pytest.mark.parametrize(("wrong", "name"), WRONG.values(), ids=WRONG)
def test_a_wrong_reference_differs(monkeypatch, wrong, name):
    monkeypatch.setattr(onnx_nodes, "reference", wrong)
    if name in recorded():
        assert differing(name) is not None
    else:
        node, given, expected = published()[name]
        assert within(expected, onnx_nodes.answer(node, given)) is not None


@pytest.mark.parametrize("name", ["test_Conv2d_no_bias", "test_AvgPool3d_stride"])
def test_a_bound_of_nothing_differs(monkeypatch, name):
    """The recorded sums do round: with the bound of float64 they are wrong."""
    monkeypatch.setitem(dtypes.PRECISION, "float32", 53)
    assert differing(name) is not None
