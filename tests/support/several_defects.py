"""Passes with several defects in one family, which a campaign has to distinguish. Named as ``--pass MODULE:ATTR``."""

from dataclasses import replace

from foldproof.fold import Folded, Kind
from foldproof.fold.facts import Site
from foldproof.mutants.operators import (
    add_sides,
    drop_preconditions,
    flatten,
    own_padding,
    pad_widths,
    replace_decision,
)


def _swap(site: Site, folded: Folded) -> Folded:
    swapped = [(after, before) for before, after in pad_widths(site)]
    return replace(folded, padding=flatten(add_sides(own_padding(site), swapped)))


def _combine(*kinds: Kind, swapped: bool) -> object:
    lenient = drop_preconditions(*kinds).wrong

    def wrong(site: Site) -> object:
        outcome = lenient(site)
        wanted = swapped and isinstance(outcome, Folded) and outcome.padding is not None
        return _swap(site, outcome) if wanted else outcome

    return replace_decision(wrong)


def value_ignored():
    """One defect: any pad value is folded."""
    return _combine(Kind.VALUE, swapped=False)


def value_ignored_and_swapped():
    """Two defects."""
    return _combine(Kind.VALUE, swapped=True)


def three_defects():
    """Three defects: the value and the mode are ignored, and begin and end are swapped."""
    return _combine(Kind.VALUE, Kind.MODE, swapped=True)
