"""Case -> IRModule: the one place with TVM's flat attribute lists.

main(x [, w] [, scale0, zero_point0])  ->  (result [, padded] [, padded + padded])
"""

from typing import Any

import numpy as np
import tvm
from tvm import relax

from harness.case import Case, Dims, Step

MAIN = "main"


def build(case: Case, *, with_pad: bool = True) -> tvm.IRModule:
    """A well-formed Relax module whose function ``main`` is the case, unfolded.

    The parameters are named and ordered as the keys of ``harness.inputs.inputs``. The function returns the result, or
    a tuple with what ``case.uses`` asks for behind it. ``with_pad=False`` leaves a pad out that does nothing.
    """
    builder = relax.BlockBuilder()
    params = _params(case)
    with builder.function(MAIN, list(params.values())):
        with builder.dataflow():
            outputs = _emit(builder, case, params, with_pad=with_pad)
            result = builder.emit_output(outputs[0] if len(outputs) == 1 else relax.Tuple(outputs))
        builder.emit_func_output(result)
    return builder.get()


def shape(dims: Dims, layout: str) -> tuple[int, ...]:
    """Dimensions in the order of a layout."""
    return tuple(dims[letter] for letter in layout)


def _params(case: Case) -> dict[str, relax.Var]:
    types = {"x": relax.TensorType(shape(case.data_dims, case.data_order), case.dtype)}
    if case.spec.weighted:
        types["w"] = relax.TensorType(shape(case.kernel_dims, case.kernel_order), case.kernel_dtype)
    for i, step in enumerate(case.steps):
        if not step.constant:
            types[f"scale{i}"] = relax.TensorType(_parameter_shape(step.scale), "float32")
            types[f"zero_point{i}"] = relax.TensorType(_parameter_shape(step.zero_point), step.zero_point_dtype)
    return {name: relax.Var(name, ty) for name, ty in types.items()}


def _parameter_shape(values: tuple[Any, ...]) -> tuple[int, ...]:
    return () if len(values) == 1 else (len(values),)


def _emit(builder: relax.BlockBuilder, case: Case, params: dict[str, relax.Var], *, with_pad: bool) -> list[relax.Var]:
    data, weight = params["x"], params.get("w")
    if not with_pad:
        padded = data
    elif case.pads_weight:
        padded = weight = builder.emit(_pad(case, weight, case.kernel_order), "padded")
    else:
        padded = data = builder.emit(_pad(case, data, case.data_order), "padded")
    for i, step in enumerate(case.steps):
        data = builder.emit(_dequantize(case, step, i, data, params), "dequantized")
    outputs = [builder.emit(_consumer(case, data, weight), "result")]
    for use in case.uses:
        outputs.append(padded if use == "returned" else builder.emit(relax.op.add(padded, padded), "read"))
    return outputs


def _pad(case: Case, operand: relax.Expr, layout: str) -> relax.Expr:
    flat = [width for letter in layout for width in case.pad_widths[letter]]
    return relax.op.nn.pad(operand, flat, pad_mode=case.pad.mode, pad_value=case.pad.value)


def _dequantize(case: Case, step: Step, i: int, data: relax.Expr, params: dict[str, relax.Var]) -> relax.Expr:
    parameters = (
        [_constant(step.scale, "float32"), _constant(step.zero_point, step.zero_point_dtype)]
        if step.constant
        else [params[f"scale{i}"], params[f"zero_point{i}"]]
    )
    return relax.op.dequantize(data, *parameters, axis=case.data_order.index(step.axis), out_dtype=step.out_dtype)


def _constant(values: tuple[Any, ...], dtype: str) -> relax.Expr:
    return relax.const(np.asarray(values, dtype).reshape(_parameter_shape(values)), dtype)


def _consumer(case: Case, data: relax.Expr, weight: relax.Expr | None) -> relax.Expr:
    make = getattr(relax.op.nn, case.op)
    axes = case.axes
    attributes: dict[str, Any] = {
        "strides": [a.stride for a in axes],
        "padding": [a.padding[0] for a in axes] + [a.padding[1] for a in axes],
        "dilation": [a.dilation for a in axes],
    }
    if case.spec.pools:
        flags = {"ceil_mode": case.ceil_mode, "count_include_pad": case.count_include_pad}
        return make(data, pool_size=[a.kernel for a in axes], layout=case.data_order, **flags, **attributes)
    if case.spec.transposed:
        attributes["output_padding"] = [a.output_padding for a in axes]
    return make(
        data,
        weight,
        groups=case.groups,
        data_layout=case.data_order,
        kernel_layout=case.kernel_order,
        out_dtype=case.out_dtype or None,
        **attributes,
    )
