"""Passes with several defects in one family, which a campaign has to distinguish. Named as ``--pass MODULE:ATTR``."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from foldproof.fold import Folded, Kind
from foldproof.fold.facts import Site
from foldproof.fold.rules import decide
from foldproof.mutants.operators import (
    add_sides,
    drop_preconditions,
    flatten,
    own_padding,
    pad_widths,
    replace_decision,
    with_constant_mode,
)


def _swap(site: Site, folded: Folded) -> Folded:
    swapped = [(after, before) for before, after in pad_widths(site)]
    return replace(folded, padding=flatten(add_sides(own_padding(site), swapped)))


def _combine(*kinds: Kind, swapped: bool) -> object:
    lenient = drop_preconditions(*kinds).wrong

    def wrong(site: Site) -> object:
        outcome = lenient(with_constant_mode(site) if Kind.MODE in kinds else site)
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


# --- ten defects over three families ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A defect of the fold of one family: a precondition that is dropped, or a change of the outcome."""

    family: str
    dropped: Kind | None = None
    change: Callable[[Site, Folded], Folded] | None = None


def _added(site: Site, folded: Folded) -> list[tuple[int, int]]:
    """Return what the fold adds to the own padding, for each spatial axis."""
    rank = len(site.consumer.spatial)
    new = zip(folded.padding[:rank], folded.padding[rank:], strict=True)
    return [(b - own_b, a - own_a) for (b, a), (own_b, own_a) in zip(new, own_padding(site), strict=True)]


def _swap_sides(site: Site, folded: Folded) -> Folded:
    swapped = [(after, before) for before, after in _added(site, folded)]
    return replace(folded, padding=flatten(add_sides(own_padding(site), swapped)))


def _overwrite_own(site: Site, folded: Folded) -> Folded:
    return replace(folded, padding=flatten(_added(site, folded)))


def _keep_divisor(site: Site, folded: Folded) -> Folded:
    return replace(folded, count_include_pad=None)


PLANTED = {
    "conv folds any value": Planted(family="conv", dropped=Kind.VALUE),
    "conv folds any mode": Planted(family="conv", dropped=Kind.MODE),
    "conv swaps begin and end": Planted(family="conv", change=_swap_sides),
    "conv overwrites its own padding": Planted(family="conv", change=_overwrite_own),
    "max_pool folds any value": Planted(family="max_pool", dropped=Kind.VALUE),
    "max_pool folds any mode": Planted(family="max_pool", dropped=Kind.MODE),
    "max_pool ignores ceil_mode": Planted(family="max_pool", dropped=Kind.CEIL_MODE),
    "avg_pool does not count the padding": Planted(family="avg_pool", change=_keep_divisor),
    "avg_pool ignores ceil_mode": Planted(family="avg_pool", dropped=Kind.CEIL_MODE),
    "avg_pool folds any value": Planted(family="avg_pool", dropped=Kind.VALUE),
}


def planted(*names: str):
    """A pass with some of ``PLANTED``."""
    chosen = [PLANTED[name] for name in names]

    def wrong(site: Site) -> object:
        own = [defect for defect in chosen if defect.family == site.consumer.family]
        dropped = {defect.dropped for defect in own if defect.dropped}
        site = with_constant_mode(site) if Kind.MODE in dropped else site
        outcome = drop_preconditions(*dropped).wrong(site) if dropped else decide(site)
        for defect in own:
            if defect.change and isinstance(outcome, Folded) and outcome.padding is not None:
                outcome = defect.change(site, outcome)
        return outcome

    return replace_decision(wrong)


def ten_defects():
    """All of ``PLANTED``."""
    return planted(*PLANTED)
