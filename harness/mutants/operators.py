"""Operators that make a mutant of the bundled pass: replace one function while it runs, or change its result.

    site --misread_site--> site --decide--> Outcome --change_outcome--> Outcome --change_attributes--> call

Most mutants drop one precondition, misread one fact of a site, or change one step of the arithmetic or of the rewrite.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import tvm
from tvm import ir, relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from foldproof.fold import Folded, Kind, Outcome, Refused, replacement, rewrite, rules
from foldproof.fold.bindings import Bindings
from foldproof.fold.facts import Operand, Options, PadFacts, Quantization, Site, Step, Widths
from foldproof.fold.propagated import Propagated, propagate, refuse_common, refuse_crops
from foldproof.fold.reader import read_pad
from foldproof.fold.rules import decide
from foldproof.ir.base import Pass
from foldproof.mutants.patched_pass import BUNDLED, PatchedPass

Sides = list[Widths]
"""(before, after) of every spatial axis, in the order of the padding attribute."""

_with_padding = replacement.replace_padding


# --- functions of the pass ----------------------------------------------------------------------------


def patch_pass(owner: Any, *, fold: Pass = BUNDLED, **replacements: Any) -> Pass:
    """Return ``fold`` with attributes of ``owner`` replaced while it runs."""
    patches = tuple((owner, name, replacement) for name, replacement in replacements.items())
    if isinstance(fold, PatchedPass):
        return replace(fold, patches=(*fold.patches, *patches))
    return PatchedPass(base=fold, patches=patches)


def retype(fold: Pass) -> Pass:
    """Return ``fold`` with inferred types in its result, as of a pass that builds calls with a BlockBuilder."""
    assert isinstance(fold, PatchedPass)
    return replace(fold, after=infer_types)


def infer_types(folded: tvm.IRModule, module: tvm.IRModule) -> tvm.IRModule:
    """Infer all types of the functions that changed."""
    return change_functions(folded, remove_pads, but=module)


# --- what the rules are asked, and answer -------------------------------------------------------------


def replace_decision(wrong: Callable[[Site], Outcome]) -> Pass:
    """Decide on each site with ``wrong``."""
    patches = ((rewrite, "decide", lambda site, options: wrong(site)),)
    return PatchedPass(base=BUNDLED, patches=patches, after=infer_types, wrong=wrong)


def misread_site(lie: Callable[[Site], Site]) -> Pass:
    """Give the rules a wrong site."""
    return replace_decision(lambda site: decide(lie(site)))


def drop_preconditions(*kinds: Kind, where: Callable[[Site, Refused], bool] = lambda site, refused: True) -> Pass:
    """Remove the preconditions of these kinds from the rules, ``where`` it holds."""

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

    return replace_decision(lenient)


def _with_kept(folded: Folded, propagated: Propagated) -> Folded:
    folded = replace(folded, border=None)  # a rule that takes a border for zero corrects nothing
    return replace(folded, kept=propagated.kept) if any(map(any, propagated.kept)) else folded


def change_outcome(change: Callable[[Site, Folded], Outcome]) -> Pass:
    """Change the outcome of sites that are folded."""

    def wrong(site: Site) -> Outcome:
        outcome = decide(site)
        return change(site, outcome) if isinstance(outcome, Folded) and outcome.padding is not None else outcome

    return replace_decision(wrong)


def change_sum(wrong: Callable[[Sides, Sides], Sides]) -> Pass:
    """Replace the sum of own padding and widths."""
    return change_outcome(
        lambda site, folded: replace(folded, padding=flatten(wrong(own_padding(site), pad_widths(site))))
    )


# --- what is rebuilt ----------------------------------------------------------------------------------


def change_attributes(change: Callable[[ir.Call], dict[str, Any]]) -> Pass:
    """Change attributes of the folded consumer besides its padding."""

    def wrong(call: ir.Call, operand: Any, weights: Any, outcome: Folded, *, ty: Any) -> ir.Call:
        rebuilt = _with_padding(call, operand, weights, outcome, ty=ty)
        return rebuild_call(rebuilt, rebuilt.args, **change(rebuilt))

    return retype(patch_pass(replacement, replace_padding=wrong))


def change_functions(
    mod: tvm.IRModule, change: Callable[[relax.Function], relax.Function], *, but: tvm.IRModule | None = None
) -> tvm.IRModule:
    """Change every function of ``mod``, except those of ``but``."""
    out = mod.clone()
    for name, function in mod.functions_items():
        if isinstance(function, relax.Function) and not (but and function.same_as(but[name])):
            out.update_func(name, change(function))
    return out


def remove_pads(
    function: relax.Function, chosen: Callable[[Bindings, relax.Var, PadFacts], bool] = lambda body, var, pad: False
) -> relax.Function:
    """Remove the chosen pads: their readers read the input instead. All types are inferred again."""
    body = Bindings(function, lambda _: None)
    removed = {pad for pad in body.pads if chosen(body, pad, read_pad(body.values[pad]))}
    return relax.Function(
        function.params, _Retype(removed).visit_expr(function).body, None, function.is_pure, function.attrs
    )


@mutator
class _Retype(PyExprMutator):  # type: ignore[misc]
    """Infers all types again, without the pads in ``removed``."""

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
        """Remove the type of the call, so that it is inferred."""
        return ir.Call(call.op, [self.visit_expr(arg) for arg in call.args], call.attrs, call.ty_args)


def rebuild_call(call: ir.Call, args: Any, **attributes: Any) -> ir.Call:
    """Return the call with other operands and attributes."""
    attrs = {f.name: getattr(call.attrs, f.name) for f in type(call.attrs).__tvm_ffi_type_info__.fields}
    node = ir.make_node(call.op.attrs_type_key, **attrs | attributes)
    return ir.Call(call.op, args, node, call.ty_args, call.span, call.ty)


# --- widths, values, zero points ----------------------------------------------------------------------


def own_padding(site: Site) -> Sides:
    """Return the consumer's own padding."""
    padding, rank = site.consumer.padding, len(site.consumer.spatial)
    return list(zip(padding[:rank], padding[rank:], strict=True))


def pad_widths(site: Site) -> Sides:
    """Return the spatial widths of the pad, as if no step were between."""
    assert site.pad.widths is not None
    return [site.pad.widths[site.consumer.layout.index(letter)] for letter in site.consumer.spatial]


def flatten(sides: Sides) -> tuple[int, ...]:
    """Return the sides in the order of the padding attribute."""
    return tuple(before for before, _ in sides) + tuple(after for _, after in sides)


def add_sides(own: Sides, widths: Sides) -> Sides:
    """Return the right sum."""
    return [(b + before, a + after) for (b, a), (before, after) in zip(own, widths, strict=True)]


def with_value(site: Site, value: float) -> Site:
    """Return the site with another pad value."""
    return replace(site, pad=replace(site.pad, value=value))


def with_constant_mode(site: Site) -> Site:
    """Return the site with a pad of the mode "constant"."""
    return replace(site, pad=replace(site.pad, mode="constant"))


def with_steps(site: Site, change: Callable[[Step], Step]) -> Site:
    """Return the site with changed steps."""
    return replace(site, steps=tuple(map(change, site.steps)))


def with_zero_points(site: Site, change: Callable[[tuple[float, ...]], tuple[float, ...]]) -> Site:
    """Return the site with changed zero points in quantize and dequantize."""

    def other(step: Step) -> Step:
        if not isinstance(step, Quantization) or step.zero_point.flat is None:
            return step
        flat = change(step.zero_point.flat)
        shape = step.zero_point.shape if len(flat) > 1 else (1,) * len(step.zero_point.shape or ())
        return replace(step, zero_point=Operand(shape=shape, flat=flat))

    return with_steps(site, other)
