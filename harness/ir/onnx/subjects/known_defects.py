"""Known defects of the subjects: found by campaigns, confirmed by two opinions, each with a minimal case.

Invariant: a row excuses a failure of its kinds whose message and whose case show that defect, and no other failure.
docs/findings/index.md has the sentences of the specification that the rows rest on.
"""

from dataclasses import replace
from math import isfinite
from typing import Any

from foldproof.case import Axis, Case, Pad, Step
from foldproof.case.form import Form
from foldproof.case.onnx_case import OnnxCase
from foldproof.case.spelling import lowering_of
from foldproof.ir.base import KnownDefect
from foldproof.ir.onnx.build import build, spelled
from foldproof.ir.onnx.subjects.triggers import BECOMES, without

_POINT = (Axis(),)
_WRONG = ("Miscompile", "WrongType", "IllFormed")


def _quantizes(case: Any) -> bool:
    """Whether the result or a step of a case is quantized."""
    steps = (*case.producers, *case.steps)
    quantized = any(step.kind == "quantize" for step in steps)
    return quantized or lowering_of(spelled(case).case, spelled(case).form) in ("qdq", "qlinear")


def _is_average(case: Any) -> bool:
    return bool(case.spec.family == "avg_pool") and _quantizes(case)


def _follows_axis(case: Any) -> bool:
    """Whether data is dequantized by a scale or zero point of each channel."""
    return any(step.kind == "dequantize" and step.follows_axis for step in (*case.producers, *case.steps))


def _pads_weight(case: Any) -> bool:
    return bool(case.pads_weight)


def _moves_int32(case: Any) -> bool:
    return any(place.step.kind == "dequantize" and place.dtype == "int32" for place in case.step_places)


def _is_of_opset_21(case: Any) -> bool:
    steps = (*case.producers, *case.steps)  # the form names the oldest opset; ops of the case may need a newer one
    return _quantizes(case) or any(step.kind == "dequantize" for step in steps)


def _compares_before_negative_scale(case: Any) -> bool:
    """Whether a step that compares comes before a quantize with a negative scale, which turns it around."""
    compared = False
    for step in (*case.producers, *case.steps):
        compared |= step.kind in ("relu", "clip", "maximum", "minimum")
        if compared and step.kind == "quantize" and min(step.scale) < 0:
            return True
    return False


def _is_dilated(case: Any) -> bool:
    return any(axis.dilation > 1 for axis in case.axes)


def _widens(case: Any) -> bool:
    """Whether a pad of the case adds or removes elements somewhere."""
    nested = any(before or after for step in case.steps for _, before, after in step.widths)
    return nested or any(width != (0, 0) for width in case.pad_widths.values())


def _has_transposes(case: Any) -> bool:
    moves = any(step.source for step in case.steps)
    return moves or case.operand_layout != case.spec.data_layout


def _moves_pad_with_axes(case: Any) -> bool:
    return _has_transposes(case) and bool(spelled(case).form.axes)


ONNXRUNTIME = (
    KnownDefect(
        name="ort-quantized-average-dilations",
        text="DequantizeLinear, AveragePool with the attribute dilations, QuantizeLinear become a QLinearAveragePool, "
        "which has no such attribute: the session does not open",
        kinds=("CompileError",),
        matches=_is_average,
        message='QLinearAveragePool, "com.microsoft"',
        case=OnnxCase(
            case=Case(op="avg_pool1d", axes=(Axis(dilation=2),), dtype="uint8", steps=(Step(),)),
            form=Form(lowering="qdq"),
        ),
        upstream="microsoft/onnxruntime#26528",
        version="1.32.0",
        silent=False,
    ),
    KnownDefect(
        name="ort-quantized-average-per-channel",
        text="a DequantizeLinear of each channel before an AveragePool is moved into a QLinearAveragePool, which takes "
        "scalars only: the session does not open",
        kinds=("CompileError",),
        matches=_follows_axis,
        message="(QLinearAveragePool) [TypeInferenceError]",
        case=OnnxCase(
            case=Case(op="avg_pool1d", axes=_POINT, dtype="uint8", channels=2, steps=(Step(zero_point=(0, 0)),)),
            form=Form(lowering="qdq"),
        ),
        version="1.32.0",
        silent=False,
    ),
    KnownDefect(
        name="ort-quantized-conv-per-channel",
        text="a DequantizeLinear of each channel of the data before a Conv is moved into a QLinearConv, which takes a "
        "scalar zero point of the data only: running it raises",
        kinds=("CompileError",),
        matches=_follows_axis,
        message="qlinearconv.cc",
        case=OnnxCase(
            case=Case(
                op="conv1d",
                axes=_POINT,
                dtype="uint8",
                steps=(Step(zero_point=(0, 0)),),
                channels=2,
                constant_weight=True,
            ),
            form=Form(lowering="qdq"),
        ),
        version="1.32.0",
        silent=False,
    ),
    KnownDefect(
        name="ort-pad-of-weight",
        text="a Pad of a weight is removed, but the Conv still reads its result: the session does not open",
        kinds=("CompileError",),
        matches=_pads_weight,
        message="is not a graph input, initializer, or output of a previous node",
        case=OnnxCase(case=Case(op="conv1d", axes=_POINT, pad=Pad(operand="weight"))),
        version="1.32.0",
        silent=False,
    ),
    KnownDefect(
        name="ort-transposed-int32",
        text="a Transpose after the DequantizeLinear of int32 makes a QuantizeLinear to int32, which ONNX lacks: "
        "the session does not open",
        kinds=("CompileError",),
        matches=_moves_int32,
        message="of operator (QuantizeLinear)",
        case=OnnxCase(
            case=Case(
                op="conv1d_transpose",
                axes=_POINT,
                dtype="int32",
                steps=(Step(), Step(kind="permute_dims", source="NWC")),
            )
        ),
        version="1.32.0",
        silent=False,
    ),
    KnownDefect(
        name="ort-transposed-output-dtype",
        text="a QuantizeLinear that is moved across a Transpose in opset 21 gets an output_dtype that contradicts its "
        "zero point: the session does not open",
        kinds=("CompileError",),
        matches=_is_of_opset_21,
        message="does not match y_zero_point type",
        case=OnnxCase(case=Case(op="max_pool1d", axes=_POINT, data_layout="NWC"), form=Form(opset=21, lowering="qdq")),
        version="1.32.0",
        silent=False,
    ),
    KnownDefect(
        name="ort-relu-before-negative-scale",
        text="a Relu or Clip before a QuantizeLinear is removed where the quantized range seems to imply it, although "
        "a negative scale turns the range around",
        kinds=("Miscompile",),
        matches=_compares_before_negative_scale,
        case=OnnxCase(
            case=Case(
                op="max_pool1d",
                axes=(Axis(size=4),),
                producers=(Step(kind="relu"), Step(kind="quantize", scale=(-0.5,), out_dtype="uint8")),
                fills=("negative", "reals"),
                seed=74,
            ),
            form=Form(opset=13),
        ),
        version="1.32.0",
    ),
    KnownDefect(
        name="ort-relu-before-clip",
        text="a Relu before a Clip with a minimum, of float64 or integers: the session does not open",
        kinds=("CompileError",),
        matches=lambda case: any(step.kind == "relu" for step in (*case.producers, *case.steps)),
        message="relu_clip_fusion.cc",
        case=OnnxCase(
            case=Case(
                op="max_pool1d",
                axes=_POINT,
                dtype="float64",
                steps=(Step(kind="relu"), Step(kind="clip", low=1.0, high=5.0)),
            )
        ),
        version="1.32.0",
        silent=False,
    ),
    KnownDefect(
        name="ort-transposed-pad-indices",
        text="a Pad with the input axes is moved across a Transpose as if it had widths of all axes: another axis is "
        "padded",
        kinds=_WRONG,
        matches=_moves_pad_with_axes,
        case=OnnxCase(
            case=Case(
                op="max_pool1d",
                axes=(Axis(size=2),),
                steps=(Step(kind="permute_dims", source="NCW"), Step(kind="pad", widths=(("W", 0, 1),))),
                data_layout="NWC",
            ),
            form=Form(axes="reversed"),
        ),
        version="1.32.0",
    ),
    KnownDefect(
        name="ort-transposed-pad-raises",
        text="as ort-transposed-pad-indices, where the widths are too few: running it raises",
        kinds=("CompileError",),
        matches=_moves_pad_with_axes,
        message="Non-zero status code returned while running",
        case=OnnxCase(
            case=Case(
                op="avg_pool1d",
                axes=(Axis(size=2),),
                steps=(Step(kind="permute_dims", source="WCN"), Step(kind="pad")),
                data_layout="NWC",
            ),
            form=Form(axes="some"),
        ),
        version="1.32.0",
        silent=False,
    ),
)


# --- onnxoptimizer, and onnxsim, which has its passes ---------------------------------------------------


def _pads_max_pool_with_zero(case: Any) -> bool:
    values = [case.pad.value, *(step.value for step in case.steps if step.kind == "pad")]
    return bool(case.spec.family == "max_pool") and 0.0 in values


def _averages_without_padding(case: Any) -> bool:
    own = any(any(axis.padding) for axis in case.axes)
    return bool(case.spec.family == "avg_pool" and own and not case.count_include_pad)


def _has_auto_pad(case: Any) -> bool:
    attributes = (each for node in build(case).graph.node for each in node.attribute)
    return any(each.name == "auto_pad" and each.s != b"NOTSET" for each in attributes)


def _has_value_in_opset_10(case: Any) -> bool:
    return bool(spelled(case).form.opset == 10 and case.pad.value != 0)


def _orders_axes(case: Any) -> bool:
    return spelled(case).form.axes in ("reversed", "shuffled", "negative")


def _rounds_up(case: Any) -> bool:
    return bool(case.ceil_mode)


ONNXOPTIMIZER = (
    KnownDefect(
        name="onnxoptimizer-zero-into-max_pool",
        text="fuse_pad_into_pool folds a pad of 0 into a MaxPool, whose border is below every number",
        kinds=("Miscompile",),
        matches=_pads_max_pool_with_zero,
        case=OnnxCase(case=Case(op="max_pool1d", axes=(Axis(size=2, pad=(1, 0), kernel=2),), fills=("negative",))),
        upstream="onnx/optimizer#318, onnxsim/onnxsim#290",
        version="0.4.2",
    ),
    KnownDefect(
        name="onnxoptimizer-average-counts-own-padding",
        text="fuse_pad_into_pool sets count_include_pad of an AveragePool that has padding of its own, which was not "
        "counted before",
        kinds=("Miscompile",),
        matches=_averages_without_padding,
        case=OnnxCase(case=Case(op="avg_pool1d", axes=(Axis(size=2, pad=(1, 0), kernel=2, padding=(0, 1)),))),
        version="0.4.2",
    ),
    KnownDefect(
        name="onnxoptimizer-auto_pad-of-pool",
        text="fuse_pad_into_pool writes pads beside auto_pad VALID or SAME, which are ignored or rejected",
        kinds=_WRONG,
        matches=_has_auto_pad,
        case=OnnxCase(case=Case(op="max_pool1d", axes=(Axis(pad=(0, 1)),)), form=Form(auto_pad="VALID")),
        upstream="onnx/optimizer#33 is of Conv, for which #251 repaired it",
        version="0.4.2",
    ),
    KnownDefect(
        name="onnxoptimizer-value-of-opset-10",
        text="the pad passes do not read the attribute value of a Pad of opset 10, and fold as if it were 0",
        kinds=("Miscompile",),
        matches=_has_value_in_opset_10,
        case=OnnxCase(
            case=Case(op="conv1d", axes=(Axis(pad=(1, 0)),), pad=Pad(value=1.0), constant_weight=True),
            form=Form(opset=10),
        ),
        version="0.4.2",
    ),
    KnownDefect(
        name="onnxoptimizer-channels-of-axes",
        text="as onnxoptimizer-order-of-axes, where a channel width becomes a spatial one: the model does not run",
        kinds=("CompileError",),
        matches=_orders_axes,
        message="Input channels C is not equal to kernel channels",
        case=OnnxCase(
            case=Case(op="conv2d", axes=(Axis(stride=2), Axis()), pad=Pad(channel=(1, 0))), form=Form(axes="reversed")
        ),
        version="0.4.2",
        silent=False,
    ),
    KnownDefect(
        name="onnxoptimizer-order-of-axes",
        text="the pad passes read the widths of a Pad with axes in the order of the tensor, so that batch and channel "
        "widths become spatial ones",
        kinds=_WRONG,
        matches=_orders_axes,
        case=OnnxCase(case=Case(op="conv1d", axes=_POINT, pad=Pad(batch=(0, 1))), form=Form(axes="reversed")),
        version="0.4.2",
    ),
    KnownDefect(
        name="onnxoptimizer-ceil_mode",
        text="fuse_pad_into_pool folds although ceil_mode then makes another number of windows",
        kinds=_WRONG,
        matches=_rounds_up,
        case=OnnxCase(case=Case(op="avg_pool1d", axes=(Axis(pad=(1, 1), kernel=2, stride=2),), ceil_mode=True)),
        version="0.4.2",
    ),
)

ONNXSCRIPT = (
    KnownDefect(
        name="onnxscript-zero-point-of-ConvInteger",
        text="fuse_pad_into_conv folds a pad of 0 into a ConvInteger with a zero point, which is what it pads with",
        kinds=("Miscompile",),
        matches=lambda case: lowering_of(spelled(case).case, spelled(case).form) == "conv_integer",
        case=OnnxCase(
            case=Case(
                op="conv1d",
                axes=(Axis(pad=(0, 1)),),
                dtype="int8",
                steps=(Step(zero_point=(1,)),),
                constant_weight=True,
            ),
            form=Form(lowering="conv_integer"),
        ),
        upstream="microsoft/onnxscript#2363 added the rule",
        version="0.7.2",
    ),
    KnownDefect(
        name="onnxscript-pad-of-opset-10",
        text="fuse_pad_into_conv raises on a Pad of opset 10, whose widths are an attribute",
        kinds=("CompileError",),
        matches=lambda case: spelled(case).form.opset == 10,
        message="PassError",
        case=OnnxCase(case=Case(op="conv1d", axes=_POINT), form=Form(opset=10)),
        version="0.7.2",
        silent=False,
    ),
    KnownDefect(
        name="onnxscript-clip-of-opset-10",
        text="Max and Min become a Clip with inputs, also in opset 10, whose Clip has attributes",
        kinds=("IllFormed",),
        matches=lambda case: spelled(case).form.opset == 10,
        message="(::Clip:6)",
        case=OnnxCase(
            case=Case(
                op="max_pool1d",
                axes=_POINT,
                producers=(Step(kind="maximum"), Step(kind="minimum", operand=(5.0,))),
            ),
            form=Form(opset=10),
        ),
        version="0.7.2",
        silent=False,
    ),
)

ONNXSLIM = (
    KnownDefect(
        name="onnxslim-axes",
        text="the widths of a Pad with the input axes are read as those of all axes, in the order of the tensor",
        kinds=(*_WRONG, "CompileError"),
        matches=lambda case: spelled(case).form.axes not in ("", "all"),
        case=OnnxCase(case=Case(op="conv1d", axes=(Axis(pad=(0, 1)),)), form=Form(axes="reversed")),
        version="0.1.98",
    ),
)


def _quantizes_by_negative_scale(case: Any) -> bool:
    steps = (*case.producers, *case.steps)
    return any(step.kind == "quantize" and min(step.scale) < 0 for step in steps)


def _is_lowered(case: Any, *lowerings: str) -> bool:
    return lowering_of(spelled(case).case, spelled(case).form) in lowerings


def _pads_with_infinity(case: Any) -> bool:
    values = [case.pad.value, *(step.value for step in case.steps if step.kind == "pad")]
    return any(not isfinite(value) for value in values)


OPENVINO = (
    KnownDefect(
        name="openvino-scale-of-each-filter",
        text="a QLinearConv whose filters have scales of their own is computed with wrong scales",
        kinds=("Miscompile", "CompileError"),
        matches=lambda case: _is_lowered(case, "qlinear") and spelled(case).form.weight_per_channel,
        case=OnnxCase(
            case=Case(
                op="conv1d",
                axes=_POINT,
                dtype="uint8",
                steps=(Step(),),
                channels=2,
                filters=2,
                constant_weight=True,
                seed=3,
            ),
            form=Form(lowering="qlinear", weight_per_channel=True, out_dtype="uint8"),
        ),
        version="2026.4.1",
    ),
    KnownDefect(
        name="openvino-window-in-padding",
        text="a pool of opset 22 with ceil_mode keeps a window that would start in the padding",
        kinds=("WrongType",),
        matches=lambda case: bool(case.spec.pools and case.ceil_mode),
        case=OnnxCase(case=Case(op="max_pool1d", axes=(Axis(pad=(0, 1), stride=2),), ceil_mode=True)),
        version="2026.4.1",
    ),
    KnownDefect(
        name="openvino-average-of-overhang",
        text="an AveragePool with ceil_mode and count_include_pad also counts taps beyond the padding",
        kinds=("Miscompile",),
        matches=lambda case: bool(case.spec.family == "avg_pool" and case.ceil_mode and case.count_include_pad),
        case=OnnxCase(
            case=Case(
                op="avg_pool1d",
                axes=(Axis(size=11, kernel=3, stride=3, dilation=2, padding=(1, 0)),),
                ceil_mode=True,
                count_include_pad=True,
            )
        ),
        version="2026.4.1",
    ),
    KnownDefect(
        name="openvino-padding-of-ConvTranspose",
        text="a Pad before a ConvTranspose with padding of its own makes a result of another length",
        kinds=(*_WRONG, "CompileError"),
        matches=lambda case: bool(
            case.spec.transposed and not case.pads_weight and _widens(case) and _pads_itself(case)
        ),
        case=OnnxCase(case=Case(op="conv1d_transpose", axes=(Axis(pad=(0, 1), stride=2, padding=(0, 1)),))),
        version="2026.4.1",
    ),
    KnownDefect(
        name="openvino-pad-of-quantized-weight",
        text="a Pad of a dequantized weight with a zero point is not compiled",
        kinds=("CompileError",),
        matches=lambda case: bool(case.pads_weight) and _is_lowered(case, "qdq"),
        message="PadTransformation",
        case=OnnxCase(
            case=Case(
                op="conv1d_transpose",
                axes=(Axis(pad=(1, 0), kernel=2),),
                pad=Pad(operand="weight"),
                constant_weight=True,
            ),
            form=Form(lowering="qdq", weight_zero_point=-7),
        ),
        version="2026.4.1",
        silent=False,
    ),
    KnownDefect(
        name="openvino-stride-of-quantized-conv",
        text="a convolution loses the stride of an axis whose kernel is 1, or has it before its padding",
        kinds=("Miscompile", "WrongType"),
        matches=lambda case: (
            bool(case.spec.family == "conv") and any(axis.stride > 1 and axis.kernel == 1 for axis in case.axes)
        ),
        case=OnnxCase(
            case=Case(
                op="conv2d",
                axes=(Axis(size=2), Axis(size=3, stride=2)),
                channels=2,
                data_layout="NCWH",
                constant_weight=True,
            ),
            form=Form(lowering="qdq"),
        ),
        version="2026.4.1",
    ),
    KnownDefect(
        name="openvino-negative-scale",
        text="a QuantizeLinear with a negative scale is computed as if the range began at its end",
        kinds=("Miscompile",),
        matches=_quantizes_by_negative_scale,
        case=OnnxCase(
            case=Case(
                op="max_pool2d",
                axes=(Axis(), Axis()),
                producers=(Step(kind="quantize", scale=(-0.25,), out_dtype="int8"),),
                fills=("negative",),
                seed=76,
            )
        ),
        version="2026.4.1",
    ),
    KnownDefect(
        name="openvino-infinity-of-opset-10",
        text="the importer rejects a Pad of opset 10 whose attribute value is an infinity",
        kinds=("CompileError",),
        matches=lambda case: spelled(case).form.opset == 10 and _pads_with_infinity(case),
        message="FrontEnd API failed",
        case=OnnxCase(case=Case(op="max_pool1d", axes=_POINT, pad=Pad(value=float("inf"))), form=Form(opset=10)),
        version="2026.4.1",
        silent=False,
    ),
    KnownDefect(
        name="openvino-wrap",
        text="the importer does not know the mode wrap of Pad",
        kinds=("CompileError",),
        matches=lambda case: case.pad.mode == "circular",
        message="FrontEnd API failed",
        case=OnnxCase(case=Case(op="conv1d", axes=_POINT, pad=Pad(mode="circular"))),
        version="2026.4.1",
        silent=False,
    ),
)


def _pads_itself(case: Any) -> bool:
    return any(any(axis.padding) for axis in case.axes)


def _scales_inexactly(case: Any) -> bool:
    dequantizes = (step for step in (*case.producers, *case.steps) if step.kind == "dequantize")
    return any((scale * 64) % 1 for step in dequantizes for scale in step.scale)


OPENVINO_ARITHMETIC = (
    KnownDefect(
        name="openvino-dynamic-conv3d",
        text="a Conv in 3-D with a dilation and a dynamic axis reads memory that is not written",
        kinds=("Miscompile",),
        matches=lambda case: case.op == "conv3d" and bool(case.symbolic) and _is_dilated(case),
        case=OnnxCase(
            case=Case(
                op="conv3d",
                axes=(Axis(pad=(0, 1), kernel=2), Axis(dilation=2), Axis()),
                pad=Pad(value=1.0),
                symbolic=("N",),
                seed=1,
            )
        ),
        version="2026.4.1",
    ),
    KnownDefect(
        name="openvino-padding-of-quantized-average",
        text="padding of an AveragePool of dequantized data counts as the zero point and not as 0",
        kinds=("Miscompile",),
        matches=lambda case: (
            bool(case.spec.family == "avg_pool" and case.count_include_pad)
            and _pads_itself(case)
            and _is_lowered(case, "qdq")
        ),
        case=OnnxCase(
            case=Case(
                op="avg_pool1d",
                axes=(Axis(kernel=3, padding=(0, 2)),),
                dtype="int8",
                steps=(Step(zero_point=(1,)),),
                count_include_pad=True,
            ),
            form=Form(lowering="qdq"),
        ),
        version="2026.4.1",
    ),
    KnownDefect(
        name="openvino-grouped-quantized-conv",
        text="a grouped convolution of dequantized data returns zeros",
        kinds=("Miscompile",),
        matches=lambda case: case.groups > 1 and (_is_lowered(case, "qdq") or _is_lowered(case, "qlinear")),
        case=OnnxCase(
            case=Case(
                op="conv1d",
                axes=(Axis(pad=(0, 1), kernel=2),),
                dtype="int8",
                steps=(Step(),),
                channels=2,
                filters=4,
                groups=2,
                constant_weight=True,
            ),
            form=Form(lowering="qdq"),
        ),
        version="2026.4.1",
    ),
    KnownDefect(
        name="openvino-border-of-dequantized-data",
        text="a Pad of quantized and dequantized data pads with 0 whatever its value is",
        kinds=("Miscompile",),
        matches=lambda case: case.pad.value != 0 and any(step.kind == "dequantize" for step in case.producers),
        case=OnnxCase(
            case=Case(
                op="avg_pool1d",
                axes=(Axis(size=2, pad=(1, 1)),),
                producers=(Step(kind="quantize", scale=(0.5,), out_dtype="int8"), Step(scale=(0.5,))),
                pad=Pad(value=0.5),
            )
        ),
        version="2026.4.1",
    ),
    KnownDefect(
        name="openvino-border-of-quantized-weight",
        text="a Pad of a dequantized weight pads the integers with 0, which stands for another value than 0",
        kinds=("Miscompile",),
        matches=lambda case: (
            bool(case.pads_weight) and _is_lowered(case, "qdq") and spelled(case).form.weight_zero_point != 0
        ),
        case=OnnxCase(
            case=Case(
                op="conv1d_transpose",
                axes=(Axis(pad=(0, 1)),),
                pad=Pad(operand="weight"),
                constant_weight=True,
            ),
            form=Form(lowering="qdq", weight_zero_point=-7),
        ),
        version="2026.4.1",
    ),
    KnownDefect(
        name="openvino-int64-in-int32",
        text="int64 is computed in int32, and other values are truncated",
        kinds=("Miscompile",),
        matches=lambda case: "int64" in (*case.producer_dtypes, *case.step_dtypes, case.result_dtype),
        case=OnnxCase(
            case=Case(
                op="avg_pool1d",
                axes=(Axis(size=2, pad=(0, 1)),),
                dtype="int64",
                steps=(Step(kind="astype"),),
                fills=("extremes",),
            )
        ),
        upstream="openvinotoolkit/openvino#35896",
        version="2026.4.1",
    ),
    KnownDefect(
        name="openvino-inexact-quotient",
        text="a quotient is a product with the inverse, which is rounded twice; that is left open",
        kinds=("Miscompile",),
        matches=lambda case: any(step.kind in ("divide", "softsign") for step in (*case.producers, *case.steps)),
        case=OnnxCase(
            case=Case(
                op="conv1d_transpose",
                axes=(Axis(size=16, pad=(1, 1)),),
                pad=Pad(value=1.0),
                steps=(Step(kind="divide", operand=(3.0,), swapped=True),),
                channels=2,
                filters=2,
                constant_weight=True,
                fills=("integers", "negative"),
            )
        ),
        version="2026.4.1",
    ),
    KnownDefect(
        name="openvino-inexact-scale",
        text="(x - zero point) * scale is computed as x * scale - zero point * scale, which is left open",
        kinds=("Miscompile",),
        matches=_scales_inexactly,
        case=OnnxCase(
            case=Case(op="avg_pool1d", axes=_POINT, dtype="int8", steps=(Step(scale=(0.1,), zero_point=(-127,)),))
        ),
        version="2026.4.1",
    ),
)

TVM = (
    KnownDefect(
        name="tvm-same-lower",
        text="a MaxPool with SAME_LOWER gets negative padding where a stride is longer than the kernel",
        kinds=(*_WRONG, "CompileError"),
        matches=lambda case: case.spec.family == "max_pool" and spelled(case).form.auto_pad == "SAME_LOWER",
        case=OnnxCase(case=Case(op="max_pool1d", axes=(Axis(size=3, stride=2),)), form=Form(auto_pad="SAME_LOWER")),
        version="0.27.0",
    ),
    KnownDefect(
        name="tvm-unknown-length",
        text="an elementwise operator on a padded tensor of an unknown length does not compile",
        kinds=("CompileError",),
        matches=lambda case: bool(case.symbolic),
        message="CanProveDivisible",
        case=OnnxCase(
            case=Case(
                op="max_pool2d",
                axes=(Axis(pad=(1, 2)), Axis(size=2, pad=(2, 1))),
                channels=3,
                steps=(Step(kind="minimum", operand=(3.0,)),),
                symbolic=("W",),
            )
        ),
        version="0.27.0",
        silent=False,
    ),
    KnownDefect(
        name="tvm-no-operator",
        text="the importer lacks ConvInteger and QLinearConv, and says so",
        kinds=("CompileError",),
        matches=lambda case: bool(case.spec.family == "conv"),
        message="The following operators are not supported for frontend ONNX",
        case=OnnxCase(
            case=Case(op="conv1d", axes=_POINT, dtype="int8", steps=(Step(),), constant_weight=True),
            form=Form(lowering="conv_integer"),
        ),
        version="0.27.0",
        silent=False,
    ),
)

_OF_ONNXSIM = ("onnxoptimizer-order-of-axes", "onnxoptimizer-channels-of-axes", "onnxoptimizer-ceil_mode")
"""What onnxsim 0.8.1 has of the defects of onnxoptimizer 0.4.2: it brings newer passes of its own."""

_ROWS: dict[str, tuple[KnownDefect, ...]] = {
    "onnxruntime": ONNXRUNTIME,
    "onnxoptimizer": ONNXOPTIMIZER,
    "onnxscript": ONNXSCRIPT,
    "onnxslim": ONNXSLIM,
    "onnxsim": tuple(each for each in ONNXOPTIMIZER if each.name in _OF_ONNXSIM),
    "openvino": (*OPENVINO, *OPENVINO_ARITHMETIC),
    "tvm": TVM,
}

KNOWN_DEFECTS = {
    name: tuple(replace(row, without=without(row.name), becomes=BECOMES.get(row.name)) for row in rows)
    for name, rows in _ROWS.items()
}
"""Name of a subject, without its variant -> its known defects."""
