"""What takes the place of a consumer: the op with its new padding, a sliced weight, an added correction."""

from typing import Any

from tvm import ir, relax

from foldproof.fold import correction
from foldproof.fold.bindings import Bindings
from foldproof.fold.facts import Folded
from foldproof.fold.moves import make_type


def rewrite_consumer(bindings: Bindings, consumer: relax.Var, operand: Any, outcome: Folded) -> relax.Var:
    """Bind the consumer's variable to the folded op, plus a correction if there is one.

    Return the variable that the op is bound to: there may be more pads before it.
    """
    call = bindings.values[consumer]
    weights = call.args[1:]
    if outcome.channels is not None:
        weights[0] = bindings.precede("weight", slice_weight(call, weights[0], outcome.channels), before=consumer)
    folded = replace_padding(call, operand, weights, outcome, ty=call.ty)
    if outcome.border is not None:
        term = correction.build_term(call, outcome.border, outcome.padding or (), bindings.value(weights[0]))
        result = bindings.precede(consumer.name, folded, before=consumer)
        if isinstance(term, ir.Call):
            term = bindings.precede("correction", term, before=consumer)
        bindings.replace(consumer, ir.Call(ir.Op.get("relax.add"), [result, term], None, [], call.span, call.ty))
        return result
    bindings.replace(consumer, folded)
    return consumer


def replace_padding(call: ir.Call, operand: Any, weights: Any, outcome: Folded, *, ty: Any) -> ir.Call:
    """Return the consumer on ``operand`` with its new padding. An average pool's flag may change, too."""
    old = call.attrs  # once: each access makes another wrapper
    attrs = {field.name: getattr(old, field.name) for field in type(old).__tvm_ffi_type_info__.fields}
    attrs["padding"] = list(outcome.padding or ())
    if outcome.count_include_pad is not None:
        attrs["count_include_pad"] = outcome.count_include_pad
    node = ir.make_node(call.op.attrs_type_key, **attrs)
    return ir.Call(call.op, [operand, *weights], node, call.ty_args, call.span, ty)


def slice_weight(call: ir.Call, weight: Any, channels: tuple[int, int]) -> ir.Call:
    """Return the weight without the input channels that met only zeros."""
    axis = str(call.attrs.kernel_layout).index("I")
    lengths = list(weight.ty.shape.values)
    begin, end = channels[0], lengths[axis] - channels[1]
    new = relax.op.strided_slice(weight, axes=[axis], begin=[begin], end=[end])
    ty = make_type([*lengths[:axis], end - begin, *lengths[axis + 1 :]], weight.ty)
    return ir.Call(new.op, new.args, new.attrs, new.ty_args, call.span, ty)
