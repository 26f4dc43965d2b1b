"""Planted defects: passes that are wrong on purpose, each in a way that a comparable pass has been wrong.

    PYTHONPATH=tests foldproof fuzz --pass planted:begin_end_swapped

Most are the bundled pass with one precondition dropped, one fact of a site misread, or one step of the arithmetic or of
the rebuilding changed. ``KILLED_BY`` proves that none is equivalent to it: a case for each that shows the defect.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import tvm
from tvm import ir, relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from harness.case import Axis, Case, Pad, Step
from harness.fold import Folded, FoldExplicitPadding, Kind, Outcome, Refused, rewrite, rules
from harness.fold.arrival import Arrival, arrive, common, crops
from harness.fold.body import Body
from harness.fold.facts import Operand, Options, PadFacts, Quantization, Site, Widths
from harness.fold.rules import decide
from harness.fold.site import PAD, op_name, read_pad

Fold = Callable[[tvm.IRModule], tvm.IRModule]
Sides = list[Widths]
"""(before, after) of every spatial axis, in the order of the padding attribute."""

_with_padding = rewrite._with_padding


# --- how to spoil the bundled pass --------------------------------------------------------------------


def _patched(owner: Any, **replacements: Any) -> Fold:
    """The bundled pass with attributes of ``owner`` replaced while it runs."""

    @tvm.transform.module_pass(opt_level=0, name="Planted")
    def planted(mod: tvm.IRModule, _ctx: Any) -> tvm.IRModule:
        with patch.multiple(owner, **replacements):
            return FoldExplicitPadding()(mod)

    return planted


def _retyped(fold: Fold) -> Fold:
    """The types that the folded consumer has now: those of a pass that makes it with a BlockBuilder."""
    return lambda mod: _each(fold(mod), _without_pads, but=mod)


def _deciding(wrong: Callable[[Site], Outcome]) -> Fold:
    return _retyped(_patched(rewrite, decide=lambda site, options: wrong(site)))


def _believing(lie: Callable[[Site], Site]) -> Fold:
    """The rules are asked about another site."""
    return _deciding(lambda site: decide(lie(site)))


def _without(*kinds: Kind, where: Callable[[Site, Refused], bool] = lambda site, refused: True) -> Fold:
    """The rules without the preconditions of these kinds."""

    def kept(site: Site, refusals: Iterator[Refused]) -> Refused | None:
        return next((r for r in refusals if r.kind not in kinds or not where(site, r)), None)

    def lenient(site: Site) -> Outcome:
        rule = next((rule for rule in rules.RULES if rule.family == site.consumer.family), None)
        if rule is None or site.pad.is_identity:
            return decide(site)
        refused = kept(site, common(site))
        if refused is not None:
            return refused
        arrival = arrive(site, site.consumer.spatial)
        if not isinstance(arrival, Arrival):
            return arrival
        refused = kept(site, crops(arrival)) or kept(site, rule.refusals(arrival, Options()))
        return refused or _with_kept(rule.fold(arrival), arrival)

    return _deciding(lenient)


def _with_kept(folded: Folded, arrival: Arrival) -> Folded:
    folded = replace(folded, border=None)  # a rule that takes a border for zero makes up for nothing
    return replace(folded, kept=arrival.kept) if any(map(any, arrival.kept)) else folded


def _concluding(change: Callable[[Site, Folded], Outcome]) -> Fold:
    """The rules fold what they should, to something else."""

    def wrong(site: Site) -> Outcome:
        outcome = decide(site)
        return change(site, outcome) if isinstance(outcome, Folded) and outcome.padding is not None else outcome

    return _deciding(wrong)


def _adding(wrong: Callable[[Sides, Sides], Sides]) -> Fold:
    """Another sum of own padding and widths."""
    return _concluding(lambda site, folded: replace(folded, padding=_flat(wrong(_own(site), _widths(site)))))


def _rebuilding(change: Callable[[ir.Call], dict[str, Any]]) -> Fold:
    """The folded consumer gets other attributes besides its padding."""

    def wrong(call: ir.Call, operand: Any, weights: Any, outcome: Folded, *, ty: Any) -> ir.Call:
        rebuilt = _with_padding(call, operand, weights, outcome, ty=ty)
        return _call(rebuilt, rebuilt.args, **change(rebuilt))

    return _retyped(_patched(rewrite, _with_padding=wrong))


def _each(
    mod: tvm.IRModule, change: Callable[[relax.Function], relax.Function], *, but: tvm.IRModule | None = None
) -> tvm.IRModule:
    """``mod`` with every function changed, ``but`` those of another module."""
    out = mod.clone()
    for name, function in mod.functions_items():
        if isinstance(function, relax.Function) and not (but and function.same_as(but[name])):
            out.update_func(name, change(function))
    return out


def _without_pads(function: relax.Function, chosen: Callable[[PadFacts], bool] = lambda pad: False) -> relax.Function:
    """The function without the chosen pads: what uses them reads their input. All types are inferred anew."""
    body = Body(function, lambda _: None)
    removed = {pad for pad in body.pads if chosen(read_pad(body.values[pad]))}
    return relax.Function(function.params, _Retype(removed).visit_expr(function).body, None, attrs=function.attrs)


@mutator
class _Retype(PyExprMutator):
    """Infer all types anew, without the pads in ``removed``."""

    def __init__(self, removed: Any) -> None:
        super().__init__()
        self.removed = removed

    def visit_var_binding_(self, binding: relax.VarBinding) -> None:
        if binding.var in self.removed:
            self.set_var_remap(binding.var, self.visit_expr(binding.value.args[0]))
        else:
            super().visit_var_binding_(binding)

    def visit_call_(self, call: ir.Call) -> ir.Call:
        return ir.Call(call.op, [self.visit_expr(arg) for arg in call.args], call.attrs, call.ty_args)


def _call(call: ir.Call, args: Any, **changes: Any) -> ir.Call:
    attrs = {f.name: getattr(call.attrs, f.name) for f in type(call.attrs).__tvm_ffi_type_info__.fields}
    node = ir.make_node(call.op.attrs_type_key, **attrs | changes)
    return ir.Call(call.op, args, node, call.ty_args, call.span, call.ty)


def _own(site: Site) -> Sides:
    padding, rank = site.consumer.padding, len(site.consumer.spatial)
    return list(zip(padding[:rank], padding[rank:], strict=True))


def _widths(site: Site) -> Sides:
    return [site.pad.widths[site.consumer.layout.index(letter)] for letter in site.consumer.spatial]


def _flat(sides: Sides) -> tuple[int, ...]:
    return tuple(before for before, _ in sides) + tuple(after for _, after in sides)


def _sum(own: Sides, widths: Sides) -> Sides:
    return [(b + before, a + after) for (b, a), (before, after) in zip(own, widths, strict=True)]


def _pad_value(site: Site, value: float) -> Site:
    return replace(site, pad=replace(site.pad, value=value))


def _zero_point(site: Site, change: Callable[[tuple[float, ...]], tuple[float, ...]]) -> Site:
    """The site with other zero points in its quantize and dequantize."""

    def changed(step: Any) -> Any:
        if not isinstance(step, Quantization) or step.zero_point.flat is None:
            return step
        flat = change(step.zero_point.flat)
        shape = step.zero_point.shape if len(flat) > 1 else (1,) * len(step.zero_point.shape or ())
        return replace(step, zero_point=Operand(shape=shape, flat=flat))

    return replace(site, steps=tuple(map(changed, site.steps)))


# --- value --------------------------------------------------------------------------------------------


def value_ignored() -> Fold:
    """Any pad value is taken for the neutral one (apache/tvm#12353)."""
    return _without(Kind.VALUE)


def quantized_value_ignored() -> Fold:
    """Any pad value in front of a quantized consumer is taken for the neutral one (apache/tvm#11127)."""
    return _without(Kind.QUANTIZATION)


def zero_instead_of_zero_point() -> Fold:
    """The value in front of a dequantize is compared with 0."""
    return _believing(lambda site: _zero_point(site, lambda points: (0.0,) * len(points)))


def first_zero_point_only() -> Fold:
    """Only the first of the per-channel zero points is looked at."""
    return _believing(lambda site: _zero_point(site, lambda points: points[:1]))


def zero_point_wrong_sign() -> Fold:
    """Value and zero point are compared as bytes: 255 passes for -1 (google/XNNPACK#8647)."""

    def as_bytes(site: Site) -> Site:
        value = site.pad.value
        return _zero_point(site, lambda points: tuple(value if (p - value) % 256 == 0 else p for p in points))

    return _believing(as_bytes)


def absent_value_taken_as_match() -> Fold:
    """A zero point that is not constant is taken for the pad value."""

    def assumed(site: Site) -> Site:
        def known(step: Any) -> Any:
            if not isinstance(step, Quantization) or step.zero_point.flat is not None:
                return step
            shape = (1,) * len(site.pad.widths)
            one, match = Operand(shape=shape, flat=(1.0,)), Operand(shape=shape, flat=(int(site.pad.value),))
            return replace(step, scale=one, zero_point=match)

        return replace(site, steps=tuple(map(known, site.steps)))

    return _believing(assumed)


def value_compared_before_cast() -> Fold:
    """The attribute is compared, not what the integer tensor makes of it: 0.99, which is 0 there, is not folded."""

    def uncast(site: Site) -> Site:
        value, integral = site.pad.value, "int" in site.pad.dtype and math.isfinite(site.pad.value)
        return _pad_value(site, math.copysign(math.ceil(abs(value)), value)) if integral else site

    return _believing(uncast)


def value_truncated_on_floats() -> Fold:
    """The value is compared as an integer: 0.5 passes for 0 in a float tensor."""
    return _believing(lambda site: _pad_value(site, float(int(site.pad.value))) if abs(site.pad.value) < 1 else site)


def max_pool_folds_zero() -> Fold:
    """A max_pool is taken to pad with 0 (onnxsim#290, onnx/optimizer#318)."""
    return _without(Kind.VALUE, where=lambda site, _: site.consumer.family == "max_pool" and site.pad.value == 0)


def neutral_value_of_another_dtype() -> Fold:
    """A max_pool is taken to pad every dtype with the lowest value of a narrower one (apache/tvm#11597)."""

    def lowest(site: Site, _: Refused) -> bool:
        narrow = -128 if "int" in site.pad.dtype else -65504
        return site.consumer.family == "max_pool" and site.pad.value <= narrow

    return _without(Kind.VALUE, where=lowest)


# --- mode ---------------------------------------------------------------------------------------------


def mode_ignored() -> Fold:
    """Reflected borders are taken for constant ones (tenstorrent/tt-tvm#53, apache/tvm#19848)."""
    return _without(Kind.MODE)


def mode_checked_for_convolutions_only() -> Fold:
    """One branch of the pass forgets the mode."""
    return _without(Kind.MODE, where=lambda site, _: site.consumer.family != "conv")


# --- widths -------------------------------------------------------------------------------------------


def begin_end_swapped() -> Fold:
    """The widths of the two sides are swapped (tenstorrent/tt-tvm#42)."""
    return _adding(lambda own, widths: _sum(own, [(after, before) for before, after in widths]))


def axes_swapped() -> Fold:
    """The widths of H go to W."""
    return _adding(lambda own, widths: _sum(own, widths[::-1]))


def nchw_indices_for_nhwc() -> Fold:
    """The widths are taken from the axes 2 and 3, whatever the layout."""
    return _concluding(lambda site, folded: replace(folded, padding=_flat(_sum(_own(site), list(site.pad.widths[2:])))))


def end_from_begin() -> Fold:
    """The width in front is added on both sides (openvinotoolkit/openvino#38265)."""
    return _adding(lambda own, widths: _sum(own, [(before, before) for before, _ in widths]))


def widths_always_one() -> Fold:
    """Every pad is taken for one of (1, 1) (apache/tvm#11823)."""
    return _adding(lambda own, widths: _sum(own, [(1, 1) for _ in widths]))


def own_padding_overwritten() -> Fold:
    """The consumer's own padding is lost (TVM CLML)."""
    return _adding(lambda own, widths: widths)


def own_padding_end_from_begin() -> Fold:
    """The consumer's own padding is read as if it had one entry per axis (microsoft/onnxruntime#22001)."""
    return _adding(lambda own, widths: _sum([(before, before) for before, _ in own], widths))


def stale_side_when_symmetric() -> Fold:
    """Where the sum comes out alike on both sides, only the first is written."""
    return _adding(
        lambda own, widths: [
            (before, old) if before == after else (before, after)
            for (before, after), (_, old) in zip(_sum(own, widths), own, strict=True)
        ]
    )


def batch_channel_pad_dropped() -> Fold:
    """The widths of batch and channel are not looked at, and go with the others."""

    def narrow(site: Site) -> Site:
        layout = site.consumer.layout
        if site.pad.widths is None or len(layout) != len(site.pad.widths):
            return site
        sides = tuple((0, 0) if x in "NC" else s for x, s in zip(layout, site.pad.widths, strict=True))
        return replace(site, pad=replace(site.pad, widths=sides))

    return _deciding(lambda site: decide(site if site.pad.is_identity else narrow(site)))


def crop_summed() -> Fold:
    """A negative width is added to the own padding (openxla/xla#48715, openvinotoolkit/openvino#17239)."""
    return _without(Kind.CROP)


def only_begin_tested() -> Fold:
    """A pad is taken to do nothing if it has no width in front."""

    def vain(pad: PadFacts) -> bool:
        return not any(before for before, _ in pad.widths)

    return lambda mod: FoldExplicitPadding()(_each(mod, lambda function: _without_pads(function, vain)))


def asymmetric_refused() -> Fold:
    """Only pads that are alike on both sides are folded."""

    def cautious(site: Site, folded: Folded) -> Outcome:
        uneven = any(before != after for before, after in _widths(site))
        return Refused(Kind.OWN_PADDING, "the pad is not symmetric") if uneven else folded

    return _concluding(cautious)


def wide_pad_asserted() -> Fold:
    """A pool's pad as wide as its window is met with an assertion instead of a refusal."""

    def narrow(site: Site, folded: Folded) -> Outcome:
        pairs = zip(_widths(site), site.consumer.kernel, strict=False)
        assert all(max(sides) < kernel for sides, kernel in pairs), "a pad is as wide as the window"
        return folded

    return _concluding(narrow)


# --- pools --------------------------------------------------------------------------------------------


def count_include_pad_not_set() -> Fold:
    """The zeros that were counted are not counted any more (microsoft/onnxruntime#21556, llvm-project#132700)."""
    return _concluding(lambda site, folded: replace(folded, count_include_pad=None))


def count_include_pad_set_despite_own_padding() -> Fold:
    """The pool's own padding, which was not counted, is counted now."""
    return _without(Kind.EXCLUDED_PADDING)


def own_begin_padding_tested_only() -> Fold:
    """Only the begin side of a pool's own padding is tested for zero."""
    return _without(Kind.EXCLUDED_PADDING, where=lambda site, _: not any(before for before, _ in _own(site)))


def ceil_mode_ignored() -> Fold:
    """With ceil_mode a window that starts behind the data is lost (apache/tvm#18641)."""
    return _without(Kind.CEIL_MODE)


def ceil_mode_checked_on_first_axis_only() -> Fold:
    """The number of windows is compared along H only."""
    return _without(Kind.CEIL_MODE, where=lambda site, r: f"axis {site.consumer.spatial[0]}" not in r.detail)


def ceil_overhang_counted() -> Fold:
    """ceil_mode is turned into padding, which count_include_pad counts (apache/tvm#9835)."""

    def widened(call: ir.Call) -> dict[str, Any]:
        attrs = call.attrs
        if not op_name(call).startswith("relax.nn.avg_pool") or not attrs.ceil_mode:
            return {}
        befores, afters = [], []
        axes = [i for i, letter in enumerate(str(attrs.layout)) if letter in "DHW"]
        for i, at in enumerate(sorted(axes, key=str(attrs.layout).__getitem__)):
            size, windows = (int(ty.shape.values[at]) for ty in (call.args[0].ty, call.ty))
            extent = (int(attrs.pool_size[i]) - 1) * int(attrs.dilation[i]) + 1
            before, after = int(attrs.padding[i]), int(attrs.padding[i + len(axes)])
            befores.append(before)
            afters.append(max(after, (windows - 1) * int(attrs.strides[i]) + extent - size - before))
        return {"ceil_mode": False, "padding": befores + afters}

    return _rebuilding(widened)


def integer_sum_widened() -> Fold:
    """The first own padding of an integer avg_pool changes the width of its sum."""
    return _without(Kind.DTYPE)


# --- graph --------------------------------------------------------------------------------------------


def attributes_lost() -> Fold:
    """The rebuilt consumer has dilation 1."""
    return _rebuilding(lambda call: {"dilation": [1 for _ in call.attrs.dilation]})


def strides_lost() -> Fold:
    """The rebuilt consumer has stride 1."""
    return _rebuilding(lambda call: {"strides": [1 for _ in call.attrs.strides]})


def groups_lost() -> Fold:
    """The rebuilt convolution has one group."""
    return _rebuilding(lambda call: {"groups": 1} if hasattr(call.attrs, "groups") else {})


def out_dtype_lost() -> Fold:
    """The rebuilt convolution accumulates in the dtype of its data."""
    return _rebuilding(lambda call: {"out_dtype": None} if hasattr(call.attrs, "out_dtype") else {})


def stale_type() -> Fold:
    """The dequantize that now reads the data keeps the type that it had behind the pad."""

    def stale(body: Any, path: Any, outcome: Folded) -> list[Any]:
        return [_types(body, path, outcome)[0], *(body.values[var].ty for var, _, _ in path.steps)]

    _types = rewrite._types
    return _patched(rewrite, _types=stale)


def shared_pad_removed() -> Fold:
    """The folded pad goes, although something else reads it."""

    def buried(body: Body, value: Any) -> None:
        for arg in value.args:
            if isinstance(arg, relax.Var) and body._removable(arg):
                body.dead[arg] = True

    return _patched(Body, _bury=buried)


def returned_pad_removed() -> Fold:
    """Whatever else uses the folded pad gets its input instead."""

    def bypassed(function: relax.Function) -> relax.Function:
        return _without_pads(function, lambda pad: True)

    return lambda mod: _each(FoldExplicitPadding()(mod), bypassed, but=mod)


def input_mutated() -> Fold:
    """The module is changed in place."""

    def fold(mod: tvm.IRModule) -> tvm.IRModule:
        for name, function in FoldExplicitPadding()(mod).functions_items():
            mod.update_func(name, function)
        return mod

    return fold


def not_idempotent() -> Fold:
    """Every run leaves another mark."""

    def fold(mod: tvm.IRModule) -> tvm.IRModule:
        runs = int(mod["main"].attrs["runs"]) if mod["main"].attrs and "runs" in mod["main"].attrs else 0
        out = FoldExplicitPadding()(mod).clone()
        out.update_func(out.get_global_var("main"), out["main"].with_attr("runs", runs + 1))
        return out

    return fold


def raises_on_groups() -> Fold:
    """Grouped convolutions are met with an exception instead of a refusal."""

    def ungrouped(call: ir.Call) -> dict[str, Any]:
        if getattr(call.attrs, "groups", 1) != 1:
            raise NotImplementedError("groups")
        return {}

    return _rebuilding(ungrouped)


def nonconstant_dereferenced() -> Fold:
    """A zero point that is a parameter of the function is read like a constant (apache/tvm#14445)."""

    def careless(site: Site) -> Outcome:
        for step in site.steps:
            if isinstance(step, Quantization):
                max(step.zero_point.flat)
        return decide(site)

    return _deciding(careless)


def varying_parameters_moved() -> Fold:
    """A dequantize whose parameters follow a padded axis is moved in front of the pad as it is."""

    def uniform(site: Site) -> Site:
        def first(operand: Operand) -> Operand:
            return Operand(shape=(1,) * len(operand.shape or ()), flat=operand.flat and operand.flat[:1])

        def flattened(step: Any) -> Any:
            if not isinstance(step, Quantization):
                return step
            return replace(step, scale=first(step.scale), zero_point=first(step.zero_point))

        return replace(site, steps=tuple(map(flattened, site.steps)))

    return _believing(uniform)


def weight_pad_folded() -> Fold:
    """A pad on the weight operand is folded like one on the data."""

    def fold(mod: tvm.IRModule) -> tvm.IRModule:
        out = FoldExplicitPadding()(mod).clone()
        for name, function in out.functions_items():
            body = Body(function, lambda _: None)
            for var in body.consumers:
                _fold_weight_pad(body, var)
            out.update_func(name, body.rebuilt())
        return out

    return _retyped(fold)


def _fold_weight_pad(body: Body, var: relax.Var) -> None:
    call = body.values[var]
    pad = body.value(call.args[1]) if len(call.args) > 1 else None
    if op_name(pad) == PAD:
        layout, padding = str(call.attrs.kernel_layout), [int(width) for width in call.attrs.padding]
        sides = [read_pad(pad).widths[layout.index(letter)] for letter in "DHW" if letter in layout]
        more = [own + width for own, width in zip(padding, _flat(sides), strict=True)]
        body.replace(var, _call(call, [call.args[0], pad.args[0]], padding=more))


def transposed_crop_not_scaled() -> Fold:
    """The pad of a transposed convolution is taken from its padding without the stride (OpenVINO)."""
    return _transposing(lambda own, width: own - width)


def transposed_padding_added() -> Fold:
    """A transposed convolution is folded like a forward one."""
    return _transposing(lambda own, width: own + width)


def _transposing(wrong: Callable[[int, int], int]) -> Fold:
    def fold(site: Site) -> Outcome:
        if site.consumer.family != "conv_transpose" or isinstance(decide(site), Refused) or site.pad.is_identity:
            return decide(site)
        padding = tuple(map(wrong, _flat(_own(site)), _flat(_widths(site))))
        return replace(decide(site), padding=padding) if min(padding) >= 0 else decide(site)

    return _deciding(fold)


# --- the proof that none of them is equivalent to the bundled pass ------------------------------------

H = Axis(size=4, pad=(1, 2), kernel=2, padding=(0, 1))
W = Axis(size=5, pad=(0, 1), kernel=3, padding=(2, 0))
BARE = Axis(size=4, pad=(1, 2), kernel=2)


def _killer(op: str, *axes: Axis, **fields: Any) -> Case:
    return Case(**{"op": op, "axes": axes, "fills": ("negative",), **fields})


def _quantized(*, value: float, dtype: str = "int8", channels: int = 1, **step: Any) -> Case:
    steps = (Step(**{"zero_point_dtype": dtype, **step}),)
    return _killer("conv1d", BARE, dtype=dtype, pad=Pad(value=value), steps=steps, channels=channels)


KILLED_BY: dict[str, Case] = {
    "value_ignored": _killer("conv1d", BARE, pad=Pad(value=3.0)),
    "quantized_value_ignored": _quantized(value=3.0, zero_point=(4,)),
    "zero_instead_of_zero_point": _quantized(value=0.0, zero_point=(3,)),
    "first_zero_point_only": _quantized(value=3.0, zero_point=(3, 4), channels=2),
    "zero_point_wrong_sign": _quantized(value=255.0, dtype="uint8", zero_point=(-1,), zero_point_dtype="int8"),
    "absent_value_taken_as_match": _quantized(value=0.0, zero_point=(3,), constant=False),
    "value_compared_before_cast": _killer("conv1d", BARE, dtype="int8", out_dtype="int32", pad=Pad(value=0.99)),
    "value_truncated_on_floats": _killer("conv1d", BARE, pad=Pad(value=0.5)),
    "max_pool_folds_zero": _killer("max_pool1d", BARE),
    "neutral_value_of_another_dtype": _killer(
        "max_pool1d", Axis(size=4, pad=(2, 2), kernel=2), dtype="int16", pad=Pad(value=-128.0)
    ),
    "mode_ignored": _killer("conv1d", BARE, pad=Pad(mode="reflect")),
    "mode_checked_for_convolutions_only": _killer("avg_pool1d", BARE, pad=Pad(mode="replicate")),
    "begin_end_swapped": _killer("conv2d", H, W),
    "axes_swapped": _killer("conv2d", H, replace(W, pad=(3, 0))),
    "nchw_indices_for_nhwc": _killer("conv2d", H, W, data_layout="NHWC"),
    "end_from_begin": _killer("conv2d", H, W),
    "widths_always_one": _killer("conv2d", H, W),
    "own_padding_overwritten": _killer("conv2d", H, W),
    "own_padding_end_from_begin": _killer("conv2d", H, W),
    "stale_side_when_symmetric": _killer("conv1d", Axis(size=4, pad=(0, 1), kernel=2, padding=(1, 0))),
    "batch_channel_pad_dropped": _killer("avg_pool1d", BARE, pad=Pad(channel=(0, 1))),
    "crop_summed": _killer("conv1d", Axis(size=6, pad=(-1, 1), kernel=2, padding=(2, 0))),
    "only_begin_tested": _killer("conv1d", Axis(size=4, pad=(0, 2), kernel=2)),
    "asymmetric_refused": _killer("conv1d", BARE),
    "wide_pad_asserted": _killer("max_pool1d", BARE, pad=Pad(value=-math.inf)),
    "count_include_pad_not_set": _killer("avg_pool1d", BARE),
    "count_include_pad_set_despite_own_padding": _killer(
        "avg_pool1d", Axis(size=4, pad=(0, 1), kernel=2, padding=(1, 0))
    ),
    "own_begin_padding_tested_only": _killer("avg_pool1d", Axis(size=4, pad=(1, 0), kernel=2, padding=(0, 1))),
    "ceil_mode_ignored": _killer(
        "max_pool1d", Axis(size=4, pad=(0, 1), kernel=2, stride=2), pad=Pad(value=-math.inf), ceil_mode=True
    ),
    "ceil_mode_checked_on_first_axis_only": _killer(
        "avg_pool2d", Axis(size=4, kernel=2), Axis(size=4, pad=(0, 1), kernel=2, stride=2), ceil_mode=True
    ),
    "ceil_overhang_counted": _killer("avg_pool1d", Axis(size=3, pad=(1, 0), kernel=3, stride=2), ceil_mode=True),
    "integer_sum_widened": _killer("avg_pool1d", BARE, dtype="int8", fills=("extremes",)),
    "attributes_lost": _killer("conv1d", Axis(size=6, pad=(1, 2), kernel=2, dilation=2)),
    "strides_lost": _killer("conv1d", Axis(size=6, pad=(1, 2), kernel=2, stride=2)),
    "groups_lost": _killer("conv1d", BARE, channels=4, filters=2, groups=2),
    "out_dtype_lost": _killer("conv1d", BARE, dtype="int8", out_dtype="int32"),
    "stale_type": _quantized(value=3.0, zero_point=(3,)),
    "shared_pad_removed": _killer("conv1d", BARE, uses=("read",)),
    "returned_pad_removed": _killer("conv1d", BARE, uses=("returned",)),
    "input_mutated": _killer("conv1d", BARE),
    "not_idempotent": _killer("conv1d", BARE),
    "raises_on_groups": _killer("conv1d", BARE, channels=2, filters=2, groups=2),
    "nonconstant_dereferenced": _quantized(value=3.0, zero_point=(3,), constant=False),
    "varying_parameters_moved": _quantized(
        value=3.0, zero_point=(3,), scale=(1.0, 0.5, 2.0, 1.0, 0.5, 2.0, 1.0), axis="W"
    ),
    "weight_pad_folded": _killer("conv1d", Axis(size=6, pad=(0, 1), kernel=2), pad=Pad(operand="weight")),
    "transposed_crop_not_scaled": _killer(
        "conv1d_transpose", Axis(size=4, pad=(1, 0), kernel=3, stride=2, padding=(2, 0))
    ),
    "transposed_padding_added": _killer("conv1d_transpose", Axis(size=4, pad=(1, 0), kernel=4, padding=(1, 0))),
}

PLANTED = tuple(KILLED_BY)
"""The names of all planted defects."""
