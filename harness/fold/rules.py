"""When a pad may become padding, and what that padding is. Pure Python: no TVM, no NumPy, no IR.

A rule is a class with numbered preconditions and an arithmetic step. ``decide(site)`` asks the rule of the
consumer's family and returns ``Folded`` or ``Refused``; a refusal names its reason. When unsure, refuse:
a missed fold is a nuisance, an unsound fold is a bug.

    pad --steps--> Propagated --rule--> Folded | Refused
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

from foldproof.fold.conv_rules import IntoConv, IntoTransposed
from foldproof.fold.facts import Folded, Kind, Options, Outcome, PadFacts, Refused, Site
from foldproof.fold.pad_pairs import Nested
from foldproof.fold.pool_rules import IntoAvgPool, IntoMaxPool
from foldproof.fold.propagated import Propagated, propagate, refuse_common, refuse_crops, refuse_overwritten
from foldproof.fold.rule import Rule


def decide(site: Site, options: Options = Options()) -> Outcome:  # noqa: B008, a frozen value
    """Return the outcome of one site."""
    return next(list_outcomes(site, options))


def list_outcomes(site: Site, options: Options = Options()) -> Iterator[Outcome]:  # noqa: B008, a frozen value
    """Yield one refusal, or every way to fold: the most ambitious first, then those that leave axes to a smaller pad.

    They are computed one by one: a backend that accepts the first one causes no work for the others.
    """
    if Identity.applies(site):
        yield next(Identity.refusals(site), None) or Identity.fold()
        return
    for rule in RULES:
        if site.consumer.family == rule.family:
            yield from _list_by_rule(rule, site, options)
            return
    yield Refused(Kind.CONSUMER, f"{site.consumer.op} is not a convolution or pool: it has no padding to fold into")


def merge(inner: PadFacts, outer: PadFacts) -> PadFacts | Refused:
    """Return one pad that does what ``outer`` does to the result of ``inner``, or why there is none (``Nested``)."""
    return next(Nested.refusals(inner, outer), None) or Nested.merge(inner, outer)


def _list_by_rule(rule: "type[Rule]", site: Site, options: Options) -> Iterator[Outcome]:
    """Yield the outcomes of a rule: for each choice of axes that folds, or else one refusal."""
    refused = next(refuse_common(site), None)
    if refused is not None:
        yield refused
        return
    folds = False
    for letters in rule.letters(site, options):
        outcome = _decide_along(letters, rule, site, options)
        if isinstance(outcome, Refused):
            refused = outcome
            continue
        folds = True
        yield outcome
        for fewer in _list_fewer_axes(letters, site):
            smaller = _decide_along(fewer, rule, site, options)
            if isinstance(smaller, Folded):
                yield smaller
    if not folds:
        assert refused is not None
        yield refused


def _list_fewer_axes(letters: str, site: Site) -> Iterator[str]:
    """Yield every smaller choice of the axes that are padded, those of most axes first."""
    propagated = propagate(site, letters)
    assert isinstance(propagated, Propagated)
    axes = [letter for letter in letters if any(propagated.widths[letter])]
    for count in range(len(axes) - 1, 0, -1):
        yield from map("".join, combinations(axes, count))


def _decide_along(letters: str, rule: "type[Rule]", site: Site, options: Options) -> Outcome:
    """Return the outcome if the widths along these letters fold, and the others stay.

    An axis whose padding an option excludes stays, too. It does not keep the other axes from folding.
    """
    propagated = propagate(site, letters)
    if isinstance(propagated, Refused):
        return propagated
    outcome = _conclude(rule, propagated, options)
    if isinstance(outcome, Refused):
        return outcome
    excluded = _find_excluded(outcome, propagated, options)
    if not excluded:
        return outcome
    fewer = "".join(letter for letter in letters if letter not in excluded and any(propagated.widths[letter]))
    smaller = _decide_along(fewer, rule, site, options) if fewer else None
    return smaller if isinstance(smaller, Folded) else next(iter(excluded.values()))


def _conclude(rule: "type[Rule]", propagated: Propagated, options: Options) -> Outcome:
    """Return the outcome of the rule, whatever padding a backend accepts."""
    refused = next(refuse_crops(propagated), None) or next(rule.refusals(propagated, options), None)
    if refused is not None:
        return refused
    folded = rule.fold(propagated)
    if any(any(sides) for sides in propagated.kept):
        folded = replace(folded, kept=propagated.kept)
    return folded


def _find_excluded(folded: Folded, propagated: Propagated, options: Options) -> dict[str, Refused]:
    """Return the axes that fold, but whose padding an option excludes, each with its refusal.

    An axis that does not fold keeps what padding the consumer had.
    """
    padding, spatial = folded.padding or (), propagated.site.consumer.spatial
    excluded: dict[str, Refused] = {}
    for letter, before, after in zip(spatial, padding, padding[len(spatial) :], strict=False):
        if not any(propagated.widths[letter]):
            continue
        if not options.allow_negative and min(before, after) < 0:
            text = f"padding {list(padding)} is negative, and allow_negative is False"
            excluded[letter] = Refused(Kind.OPTION, text)
        elif not options.allow_asymmetric and before != after:
            text = f"padding {list(padding)} is asymmetric, and allow_asymmetric is False"
            excluded[letter] = Refused(Kind.OPTION, text)
    return excluded


class Identity:
    """A pad whose widths are all 0 is deleted, whatever its mode, its value and its consumer.

        lv = nn.pad(x, (0, 0, 0, 0, 0, 0), "reflect")
        gv = add(lv, lv)                                  ->    gv = add(x, x)

    1. Every width is the constant 0 (``applies``).
    2. No call after it may write into the copy or what it copies, and no caller: else the copy is needed.
    """

    @staticmethod
    def applies(site: Site) -> bool:
        return site.pad.is_identity

    @staticmethod
    def refusals(site: Site) -> Iterator[Refused]:
        return refuse_overwritten(site)

    @staticmethod
    def fold() -> Folded:
        return Folded("identity")


RULES: tuple[type[Rule], ...] = (IntoConv, IntoMaxPool, IntoAvgPool, IntoTransposed)
