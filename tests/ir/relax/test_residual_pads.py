"""foldproof.ir.relax.residual_pads: which pads a module still has."""

# ruff: noqa: RET504, SIM108 - this is TVMScript: a binding is named, and a branch is an `if`.

import pytest
import tvm
from tvm.script import ir as I
from tvm.script import relax as R

from foldproof.case import MIRRORED_MODES, Axis, Case, Pad, Step
from foldproof.ir.relax.build import build
from foldproof.ir.relax.residual_pads import count_identity_pads, count_padded_operands, count_residual_pads


@pytest.mark.parametrize(
    ("case", "count"),
    [
        (Case(op="conv1d", axes=(Axis(size=3, pad=(1, 0)),)), 1),
        (Case(op="conv1d", axes=(Axis(size=3),)), 1),  # zero widths are a pad all the same
        (Case(op="conv2d_transpose", axes=(Axis(size=3, pad=(1, 0)), Axis())), 1),
        (Case(op="avg_pool3d", axes=(Axis(), Axis(), Axis(pad=(0, 1)))), 1),
        (Case(op="conv1d", axes=(Axis(size=3, kernel=2, pad=(1, 0)),), pad=Pad(operand="weight")), 1),
        (Case(op="conv1d", axes=(Axis(size=3),), pad=Pad(operand="weight", batch=(1, 0))), 0),
        (Case(op="conv1d", axes=(Axis(size=3),), pad=Pad(batch=(1, 0), channel=(0, 1))), 0),  # that stays
        (Case(op="conv1d", axes=(Axis(size=3, pad=(1, -1)),)), 1),
        (Case(op="conv1d", axes=(Axis(size=3, pad=(1, 0)),), dtype="int8", steps=(Step(),)), 1),
        (Case(op="max_pool1d", axes=(Axis(size=3, pad=(1, 0)),), extra_outputs=("returned", "read")), 1),
    ],
    ids=lambda value: value.op if isinstance(value, Case) else "",
)
def test_a_pad_of_a_spatial_axis_counts_and_an_identity_pad(case, count):
    assert count_residual_pads(build(case)) == count


def test_pads_are_counted_by_operand_through_aliases_branches_and_local_functions():
    @I.ir_module
    class Module:
        @R.function
        def main(c: R.Tensor((), "bool"), x: R.Tensor((3, 3, 4), "float32")) -> R.Tensor((3, 3, 1), "float32"):
            lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1))
            lv1 = lv

            @R.function
            def inner(z: R.Tensor((3, 3, 4), "float32")) -> R.Tensor((3, 3, 5), "float32"):
                lv2 = R.nn.pad(z, (0, 0, 0, 0, 1, 1))
                lv3 = R.nn.avg_pool1d(lv2, (2,))
                return lv3

            lv4 = inner(x)  # noqa: F841
            if c:
                y = R.nn.conv1d(lv1, lv)
            else:
                y = R.nn.conv1d(x, x)
            return y

        @R.function
        def other(x: R.Tensor((3, 3, 4), "float32")):
            lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1))
            lv1 = R.nn.relu(lv)
            lv2 = R.nn.max_pool1d(lv1, (2,))
            return lv2

    assert count_residual_pads(Module) == 4
    assert count_residual_pads(tvm.IRModule({"other": Module["other"]})) == 1


# --- through a chain ----------------------------------------------------------------------------------

TIMES = Step(kind="multiply", operand=(2.0,), constant=False)


@pytest.mark.parametrize(
    ("steps", "layout"),
    [
        ((Step(kind="round"), Step(kind="clip"), Step(kind="astype", out_dtype="int8")), "NCHW"),
        ((TIMES, Step(kind="divide", operand=(3.0,), swapped=True), Step(kind="leakyrelu")), "NCHW"),
        ((Step(kind="quantize", out_dtype="int8"), Step()), "NCHW"),
        ((Step(kind="permute_dims", source="HNCW"),), "NCHW"),
        (
            (Step(kind="permute_dims", source="CNWH"), Step(kind="relu"), Step(kind="permute_dims", source="NCHW")),
            "NHWC",
        ),
        ((Step(kind="expand_dims", source="NHC"),), "NHWC"),
        ((Step(kind="squeeze", source="NUCVHW"),), "NCHW"),
        ((Step(kind="reshape", source="HUC"),), "NHWC"),
        ((Step(kind="pad", value=1.0, widths=(("C", 0, 1),)), Step(kind="relu")), "NCHW"),
    ],
)
@pytest.mark.parametrize("form", ["op", "call_tir"])
def test_a_pad_counts_through_a_chain_along_the_axis_that_the_consumer_reads(steps, layout, form):
    fields = {"data_layout": layout, "channels": 3, "steps": steps}
    padded = Case(op="conv2d", axes=(Axis(size=4, pad=(1, -1)), Axis()), pad=Pad(form=form), **fields)
    assert count_residual_pads(build(padded)) == 1
    along_channels = Case(op="conv2d", axes=(Axis(size=4), Axis()), pad=Pad(form=form, channel=(2, -2)), **fields)
    assert count_residual_pads(build(along_channels)) == 0
    identity = Case(op="conv2d", axes=(Axis(size=4), Axis()), pad=Pad(form=form), **fields)
    assert (count_residual_pads(build(identity)), count_identity_pads(build(identity))) == (1, 1)


@pytest.mark.parametrize("mode", MIRRORED_MODES)
def test_a_mirrored_pad_as_call_tir_is_a_pad(mode):
    pad = Pad(mode=mode, form="call_tir")
    assert count_residual_pads(build(Case(op="max_pool1d", axes=(Axis(size=3, pad=(1, 0)),), pad=pad))) == 1
    identity = build(Case(op="max_pool1d", axes=(Axis(size=3),), pad=pad))
    assert (count_residual_pads(identity), count_identity_pads(identity)) == (1, 1)


def test_a_nested_pad_counts_by_its_own_axes():
    spatial = Step(kind="pad", widths=(("W", 1, 0),))
    channel = Step(kind="pad", widths=(("C", 1, 0),))
    case = Case(op="conv1d", axes=(Axis(size=3),), pad=Pad(batch=(0, 1)), steps=(spatial,))
    assert count_residual_pads(build(case)) == 1
    case = Case(op="conv1d", axes=(Axis(size=3),), pad=Pad(batch=(0, 1)), steps=(channel,))
    assert count_residual_pads(build(case)) == 0
    case = Case(op="conv1d", axes=(Axis(size=3),), pad=Pad(batch=(0, 1)), steps=(Step(kind="pad"),))
    assert (count_residual_pads(build(case)), count_identity_pads(build(case))) == (1, 1)


def test_a_pad_of_a_symbolic_axis_counts():
    for form in ("op", "call_tir"):
        case = Case(op="conv1d", axes=(Axis(size=3, pad=(1, 0)),), pad=Pad(form=form), symbolic=("W",))
        assert count_residual_pads(build(case)) == 1
        case = Case(op="conv1d", axes=(Axis(size=3),), pad=Pad(form=form), symbolic=("W",))
        assert count_identity_pads(build(case)) == 1


def test_a_kernel_that_takes_lengths_as_scalars_counts():
    for pad, count in (((1, 0), 1), ((0, 0), 0)):
        fields = {"symbolic": ("W",), "input_stride": 2, "pad": Pad(form="call_tir")}
        module = build(Case(op="conv1d", axes=(Axis(size=3, pad=pad),), **fields))
        assert (count_padded_operands(module), count_identity_pads(module)) == (count, 1 - count)


def test_a_pad_before_another_op_does_not_count():
    @I.ir_module
    class Module:
        @R.function
        def main(x: R.Tensor((1, 4, 4), "float32"), w: R.Tensor((1, 4, 1), "float32")):
            lv = R.nn.pad(x, (0, 0, 0, 0, 1, 1))
            lv1 = R.reshape(lv, (1, 6, 4))
            lv2 = R.nn.max_pool1d(lv1, (1,))
            lv3 = R.nn.pad(x, (0, 0, 0, 0, 1, 0))
            lv4 = R.nn.pad(x, (0, 0, 0, 0, 0, 1))
            lv5 = R.add(lv3, lv4)
            lv6 = R.nn.conv1d(lv5, w)
            lv7 = R.nn.softmax(lv3)
            lv8 = R.nn.conv1d(lv7, w)
            return (lv2, lv6, lv8)

    assert count_residual_pads(Module) == 0
