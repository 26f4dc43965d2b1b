"""Mutants: options that describe a backend, by which some axes of a pad fold and the others stay.

The harness cannot see what the function ``accepts`` is told: tests/fold/test_options.py has that.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import cast

from foldproof.case import Axis
from foldproof.fold import Folded, FoldExplicitPadding, Outcome, rewrite, rules
from foldproof.fold.facts import Options, Site
from foldproof.ir.base import Pass
from foldproof.mutants.mutant import MakePass, Mutant, witness_case
from foldproof.mutants.operators import patch_pass, retype
from foldproof.mutants.patched_pass import RESTRICTED

RESTRICT: MakePass = partial(cast(Callable[..., Pass], FoldExplicitPadding), allow_asymmetric=False)


def _change_kept(change: Callable[[Site, Folded], Folded]) -> Pass:
    """Change the outcome of sites of which a smaller pad stays."""

    def wrong(site: Site, options: Options) -> Outcome:
        outcome = rules.decide(site, options)
        return change(site, outcome) if isinstance(outcome, Folded) and outcome.kept is not None else outcome

    return retype(patch_pass(rewrite, fold=RESTRICTED, decide=wrong))


def excluded_axis_lost() -> Pass:
    """An axis that an option excludes goes all the same, but does not become padding."""
    return _change_kept(lambda site, folded: replace(folded, kept=None))


def excluded_axis_kept_at_the_other_end() -> Pass:
    """The widths of an axis that stays change sides in the smaller pad."""

    def turned(site: Site, folded: Folded) -> Folded:
        return replace(folded, kept=tuple((after, before) for before, after in folded.kept or ()))

    return _change_kept(turned)


def excluded_axis_swapped() -> Pass:
    """The widths of an axis that stays move to the next spatial axis."""

    def swapped(site: Site, folded: Folded) -> Folded:
        places = [site.consumer.layout.index(letter) for letter in site.consumer.spatial]
        kept = list(folded.kept or ())
        for place, after in zip(places, (*places[1:], places[0]), strict=True):
            kept[after] = (folded.kept or ())[place]
        return replace(folded, kept=tuple(kept))

    return _change_kept(swapped)


# --- the table ----------------------------------------------------------------------------------------

_AXES = (Axis(size=4, pad=(1, 1), kernel=2), Axis(size=5, pad=(0, 2), kernel=3))

MUTANTS: tuple[Mutant, ...] = tuple(
    Mutant(kind="option", make=make, right=RESTRICT, witness=witness_case("conv2d", *_AXES))
    for make in (excluded_axis_lost, excluded_axis_kept_at_the_other_end, excluded_axis_swapped)
)
"""The mutants of this module."""
