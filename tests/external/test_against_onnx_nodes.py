"""The NumPy reference against test data of the ONNX project.

The package ``onnx`` has two collections:

- backend node tests; the ONNX project wrote or computed the expected values
- tests converted from PyTorch; PyTorch computed the expected values

No tolerance is added to that of the reference. Integers and exact sums agree to the bit. Other float32 values are
within the proven bound, in whatever order the other implementation summed. (The only exception is FOUR_DECIMALS.)
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

FLOAT8 = "a Case has no float8 and no float4"
BLOCKED = "a Case has one scale for each element along an axis, not for each block"
WIDE = "quantize of a Case makes int8 and uint8 only, as in TVM 0.27"

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
"""Node tests that no Case can express, with the reason. All others are checked."""

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
"""The least number of node tests to check for each op: those of onnx 1.23.2. Fewer would prove less."""

RECORDED = {"Conv": 27, "ConvTranspose": 3, "MaxPool": 9, "AveragePool": 7, "Pad": 5}
"""The least number of tests converted from PyTorch, for each op."""

FOUR_DECIMALS = {"test_averagepool_2d_ceil_last_window_starts_on_pad": 0.5e-4 + 4 * 0.5e-4 / 9}
"""A further tolerance where inputs and results are written with four decimals.

It is half of the last decimal, plus the same of four inputs divided by nine. (For the inputs as written, one result is
wrong in its last digit: 2.5564 / 9 is 0.28404, not 0.2841.)
"""


def op_of(graph):
    """Return the op that a graph tests; None if it has other nodes, except those that add or remove a unit axis."""
    kinds = [node.op_type for node in graph.node if node.op_type not in ("Unsqueeze", "Squeeze")]
    return kinds[0] if len(kinds) == 1 and kinds[0] in onnx_nodes.OPS else None


@cache
def load_published(op):
    """Return the node tests of an op by name: (node, inputs, first output). A second output, argmax, is ignored.

    Importing the module of an op makes its tests; making all 1,800 would take ten times as long.
    """
    importlib.import_module(f"{node_tests.__name__}.{op.lower()}")
    found = {}
    for test in node_tests._NodeTestCases:
        if op_of(test.model.graph) == op:
            [(inputs, output)] = test.data_sets
            found[test.name] = (test.model.graph.node[0], [to_array(value) for value in inputs], to_array(output[0]))
    return found


def to_array(value):
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


@cache
def load_recorded():
    """Return the tests of our ops that were converted from PyTorch, by name: (folder, graph)."""
    tests = [test for kind in ("pytorch-converted", "pytorch-operator") for test in load_model_tests(kind=kind)]
    folders = {test.name: Path(test.model_dir) for test in tests}
    graphs = {name: onnx.load(folder / "model.onnx").graph for name, folder in folders.items()}
    return {name: (folders[name], graph) for name, graph in graphs.items() if op_of(graph) is not None}


# --- node tests of the ONNX project -------------------------------------------------------------------


@pytest.mark.parametrize("op", sorted(onnx_nodes.OPS))
def test_the_reference_agrees_with_the_published_results_of_an_op(op):
    """A test for each op, not for each node: making the nodes takes seconds, which only one worker should spend."""
    checked = {name: test for name, test in load_published(op).items() if name not in INEXPRESSIBLE}
    assert len(checked) >= CHECKED[op]
    for name, (node, inputs, expected) in checked.items():
        result = onnx_nodes.evaluate_node(node, inputs)
        result = replace(result, bound=result.bound + FOUR_DECIMALS.get(name, 0.0))
        assert result.defined.all(), name
        assert within(expected, result) is None, name


@pytest.mark.parametrize("name", INEXPRESSIBLE)
def test_inexpressible_nodes_are_rejected(name):
    """A test that a Case can express must leave the table."""
    op = "QuantizeLinear" if name.startswith("test_quantize") else "DequantizeLinear"
    node, inputs, _ = load_published(op)[name]
    with pytest.raises((ValueError, TypeError, KeyError)):
        onnx_nodes.evaluate_node(node, inputs)


def test_there_are_node_tests_of_every_op():
    assert set(CHECKED) == set(onnx_nodes.OPS)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # tests of other ops make infinities on purpose
def test_no_other_module_has_node_tests_of_our_ops():
    every = {test.name for test in load_model_tests(kind="node") if op_of(test.model.graph) is not None}
    assert every == {name for op in onnx_nodes.OPS for name in load_published(op)}


# --- tests converted from PyTorch ---------------------------------------------------------------------


def load_data(folder, graph):
    """Return the inputs of a recorded test, including constants of the model, and its output."""
    files = sorted((folder / "test_data_set_0").glob("input_*.pb"), key=lambda path: int(path.stem.split("_")[1]))
    inputs = [onnx.numpy_helper.to_array(onnx.load_tensor(path)) for path in files]
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    names = [value.name for value in graph.input]
    values = dict(zip([name for name in names if name not in constants], inputs, strict=True)) | constants
    output = onnx.numpy_helper.to_array(onnx.load_tensor(folder / "test_data_set_0" / "output_0.pb"))
    return [values[name] for name in names], output


@pytest.mark.parametrize("name", sorted(load_recorded()))
def test_the_reference_agrees_with_pytorch(name):
    assert find_difference(name) is None


def find_difference(name):
    """Return how a recorded result differs from the reference, image by image: a whole batch may take gigabytes."""
    folder, graph = load_recorded()[name]
    inputs, expected = load_data(folder, graph)
    [node] = [node for node in graph.node if node.op_type in onnx_nodes.OPS]
    if len(graph.node) > 1:  # an AvgPool1d, which is a pool over two axes
        inputs[0], expected = inputs[0][..., None], expected[..., None]
    for image in range(len(expected)):
        result = onnx_nodes.evaluate_node(node, [inputs[0][image : image + 1], *inputs[1:]])
        assert result.defined.all()
        difference = within(expected[image : image + 1], result)
        if difference is not None:
            return difference
    return None


def test_every_recorded_op_is_checked():
    found = Counter(op_of(graph) for _, graph in load_recorded().values())
    assert all(found[kind] >= least for kind, least in RECORDED.items()), found


# --- a wrong reference is noticed ---------------------------------------------------------------------


def with_axes(**changes):
    """Return a reference that computes with other attributes of each axis."""

    def wrong(case, arrays):
        axes = [replace(axis, **{name: change(axis) for name, change in changes.items()}) for axis in case.axes]
        return reference(replace(case, axes=tuple(axes)), arrays)

    return wrong


def with_other_count(case, arrays):
    return reference(replace(case, count_include_pad=not case.count_include_pad), arrays)


def with_flipped_kernel(case, arrays):
    return reference(case, arrays | {"w": np.flip(arrays["w"], tuple(range(2, arrays["w"].ndim)))})


def with_interleaved_groups(case, arrays):
    """Interleave the channels of all groups."""
    each = case.channels // case.groups
    order = np.arange(case.channels).reshape(case.groups, each).T.ravel()
    return reference(case, arrays | {"x": arrays["x"][:, order]})


WRONG = {  # the op of a published node test; none for a recorded test
    "sides of padding swapped, pool": (
        with_axes(padding=lambda a: a.padding[::-1]),
        "MaxPool",
        "test_maxpool_2d_same_lower",
    ),
    "sides of padding swapped, conv_transpose": (
        with_axes(padding=lambda a: a.padding[::-1]),
        "ConvTranspose",
        "test_convtranspose_autopad_same",
    ),
    "output_padding at the start": (
        with_axes(
            padding=lambda a: (a.padding[0] - a.output_padding, a.padding[1]), output_padding=lambda a: 0 * a.stride
        ),
        "",
        "test_ConvTranspose2d_no_bias",
    ),
    "count_include_pad negated": (with_other_count, "AveragePool", "test_averagepool_2d_pads"),
    "kernel flipped": (with_flipped_kernel, "", "test_Conv2d_padding"),
    "kernel of a transposed conv flipped": (with_flipped_kernel, "", "test_ConvTranspose2d"),
    "groups interleaved": (with_interleaved_groups, "", "test_Conv2d_groups"),
}


@pytest.mark.parametrize(("wrong", "op", "name"), WRONG.values(), ids=WRONG)
def test_a_wrong_reference_differs(monkeypatch, wrong, op, name):
    monkeypatch.setattr(onnx_nodes, "reference", wrong)
    if not op:
        assert find_difference(name) is not None
    else:
        node, inputs, expected = load_published(op)[name]
        assert within(expected, onnx_nodes.evaluate_node(node, inputs)) is not None


@pytest.mark.parametrize("name", ["test_Conv2d_no_bias", "test_AvgPool3d_stride"])
def test_a_bound_that_is_too_small_differs(monkeypatch, name):
    """The recorded sums are rounded, so they exceed the bound of float64."""
    monkeypatch.setitem(dtypes.PRECISION, "float32", 53)
    assert find_difference(name) is not None
