"""How to spoil the bundled pass: one function of it replaced while it runs, or its result changed.

    site --lie--> site --decide--> Outcome --conclusion--> Outcome --rebuild--> call

Most defects are the pass with one precondition dropped, one fact of a site misread, or one step of the arithmetic or of
the rebuilding changed.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import tvm
from tvm import ir, relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from foldproof.checking.apply_pass import Fold
from foldproof.fold import Folded, Kind, Outcome, Refused, replacement, rewrite, rules
from foldproof.fold.bindings import Bindings
from foldproof.fold.facts import Operand, Options, PadFacts, Quantization, Site, Step, Widths
from foldproof.fold.propagated import Propagated, propagate, refuse_common, refuse_crops
from foldproof.fold.reader import read_pad
from foldproof.fold.rules import decide
from foldproof.mutants.altered import BUNDLED, Spoilt

Sides = list[Widths]
"""(before, after) of every spatial axis, in the order of the padding attribute."""

_with_padding = replacement.replace_padding


# --- functions of the pass ----------------------------------------------------------------------------


def patched(owner: Any, *, fold: Fold = BUNDLED, **replacements: Any) -> Fold:
    """``fold`` with attributes of ``owner`` replaced while it runs."""
    patches = tuple((owner, name, replacement) for name, replacement in replacements.items())
    if isinstance(fold, Spoilt):
        return replace(fold, patches=(*fold.patches, *patches))
    return Spoilt(base=fold, patches=patches)


def retyped(fold: Fold) -> Fold:
    """The types that the folded consumer has now: those of a pass that makes it with a BlockBuilder."""
    assert isinstance(fold, Spoilt)
    return replace(fold, after=with_types_anew)


def with_types_anew(folded: tvm.IRModule, module: tvm.IRModule) -> tvm.IRModule:
    """What changed, with all its types inferred."""
    return each(folded, without_pads, but=module)


# --- what the rules are asked, and answer -------------------------------------------------------------


def deciding(wrong: Callable[[Site], Outcome]) -> Fold:
    """Another answer to each site."""
    patches = ((rewrite, "decide", lambda site, options: wrong(site)),)
    return Spoilt(base=BUNDLED, patches=patches, after=with_types_anew, wrong=wrong)


def believing(lie: Callable[[Site], Site]) -> Fold:
    """The rules are asked about another site."""
    return deciding(lambda site: decide(lie(site)))


def without(*kinds: Kind, where: Callable[[Site, Refused], bool] = lambda site, refused: True) -> Fold:
    """The rules without the preconditions of these kinds."""

    def kept(site: Site, refusals: Iterator[Refused]) -> Refused | None:
        return next((r for r in refusals if r.kind not in kinds or not where(site, r)), None)

    def lenient(site: Site) -> Outcome:
        rule = next((rule for rule in rules.RULES if rule.family == site.consumer.family), None)
        if rule is None or site.pad.is_identity:
            return decide(site)
        refused = kept(site, refuse_common(site))
        if refused is not None:
            return refused
        propagated = propagate(site, site.consumer.spatial)
        if not isinstance(propagated, Propagated):
            return propagated
        refused = kept(site, refuse_crops(propagated)) or kept(site, rule.refusals(propagated, Options()))
        return refused or _with_kept(rule.fold(propagated), propagated)

    return deciding(lenient)


def _with_kept(folded: Folded, propagated: Propagated) -> Folded:
    folded = replace(folded, border=None)  # a rule that takes a border for zero makes up for nothing
    return replace(folded, kept=propagated.kept) if any(map(any, propagated.kept)) else folded


def concluding(change: Callable[[Site, Folded], Outcome]) -> Fold:
    """The rules fold what they should, to something else."""

    def wrong(site: Site) -> Outcome:
        outcome = decide(site)
        return change(site, outcome) if isinstance(outcome, Folded) and outcome.padding is not None else outcome

    return deciding(wrong)


def adding(wrong: Callable[[Sides, Sides], Sides]) -> Fold:
    """Another sum of own padding and widths."""
    return concluding(lambda site, folded: replace(folded, padding=flat(wrong(own_padding(site), pad_widths(site)))))


# --- what is rebuilt ----------------------------------------------------------------------------------


def rebuilding(change: Callable[[ir.Call], dict[str, Any]]) -> Fold:
    """The folded consumer gets other attributes besides its padding."""

    def wrong(call: ir.Call, operand: Any, weights: Any, outcome: Folded, *, ty: Any) -> ir.Call:
        rebuilt = _with_padding(call, operand, weights, outcome, ty=ty)
        return changed(rebuilt, rebuilt.args, **change(rebuilt))

    return retyped(patched(replacement, replace_padding=wrong))


def each(
    mod: tvm.IRModule, change: Callable[[relax.Function], relax.Function], *, but: tvm.IRModule | None = None
) -> tvm.IRModule:
    """``mod`` with every function changed, ``but`` those of another module."""
    out = mod.clone()
    for name, function in mod.functions_items():
        if isinstance(function, relax.Function) and not (but and function.same_as(but[name])):
            out.update_func(name, change(function))
    return out


def without_pads(
    function: relax.Function, chosen: Callable[[Bindings, relax.Var, PadFacts], bool] = lambda body, var, pad: False
) -> relax.Function:
    """The function without the chosen pads: what uses them reads their input. All types are inferred anew."""
    body = Bindings(function, lambda _: None)
    removed = {pad for pad in body.pads if chosen(body, pad, read_pad(body.values[pad]))}
    return relax.Function(function.params, _Retype(removed).visit_expr(function).body, None, attrs=function.attrs)


@mutator
class _Retype(PyExprMutator):  # type: ignore[misc]
    """Infer all types anew, without the pads in ``removed``."""

    def __init__(self, removed: Any) -> None:
        super().__init__()
        self.removed = removed

    def visit_var_binding_(self, binding: relax.VarBinding) -> None:
        """Drop the binding of a removed pad."""
        if binding.var in self.removed:
            self.set_var_remap(binding.var, self.visit_expr(binding.value.args[0]))
        else:
            super().visit_var_binding_(binding)

    def visit_call_(self, call: ir.Call) -> ir.Call:
        """The call without its type."""
        return ir.Call(call.op, [self.visit_expr(arg) for arg in call.args], call.attrs, call.ty_args)


def changed(call: ir.Call, args: Any, **attributes: Any) -> ir.Call:
    """The call with other operands and attributes."""
    attrs = {f.name: getattr(call.attrs, f.name) for f in type(call.attrs).__tvm_ffi_type_info__.fields}
    node = ir.make_node(call.op.attrs_type_key, **attrs | attributes)
    return ir.Call(call.op, args, node, call.ty_args, call.span, call.ty)


# --- widths, values, zero points ----------------------------------------------------------------------


def own_padding(site: Site) -> Sides:
    """The consumer's own padding."""
    padding, rank = site.consumer.padding, len(site.consumer.spatial)
    return list(zip(padding[:rank], padding[rank:], strict=True))


def pad_widths(site: Site) -> Sides:
    """The widths of the pad along the spatial axes, as if nothing stood in between."""
    assert site.pad.widths is not None
    return [site.pad.widths[site.consumer.layout.index(letter)] for letter in site.consumer.spatial]


def flat(sides: Sides) -> tuple[int, ...]:
    """In the order of the attribute."""
    return tuple(before for before, _ in sides) + tuple(after for _, after in sides)


def total(own: Sides, widths: Sides) -> Sides:
    """The right sum."""
    return [(b + before, a + after) for (b, a), (before, after) in zip(own, widths, strict=True)]


def with_value(site: Site, value: float) -> Site:
    """The site with another pad value."""
    return replace(site, pad=replace(site.pad, value=value))


def with_steps(site: Site, change: Callable[[Step], Step]) -> Site:
    """The site with other steps."""
    return replace(site, steps=tuple(map(change, site.steps)))


def with_zero_points(site: Site, change: Callable[[tuple[float, ...]], tuple[float, ...]]) -> Site:
    """The site with other zero points in its quantize and dequantize."""

    def other(step: Step) -> Step:
        if not isinstance(step, Quantization) or step.zero_point.flat is None:
            return step
        flat = change(step.zero_point.flat)
        shape = step.zero_point.shape if len(flat) > 1 else (1,) * len(step.zero_point.shape or ())
        return replace(step, zero_point=Operand(shape=shape, flat=flat))

    return with_steps(site, other)
