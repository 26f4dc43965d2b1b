"""When a pad may become padding, and what that padding is. Pure Python: no TVM, no NumPy, no IR.

A rule is a class with numbered preconditions and an arithmetic step. ``decide(site)`` asks the rule of the
consumer's family and returns ``Folded`` or ``Refused``; a refusal names its reason. When unsure, refuse:
a missed fold is a nuisance, an unsound fold is a bug.

    pad --steps--> Propagated --rule--> Folded | Refused
"""

from collections.abc import Iterator
from dataclasses import replace

from foldproof.fold.conv_rules import IntoConv, IntoTransposed
from foldproof.fold.facts import Folded, Kind, Options, Outcome, PadFacts, Refused, Site
from foldproof.fold.pad_pairs import Nested
from foldproof.fold.pool_rules import IntoAvgPool, IntoMaxPool
from foldproof.fold.propagated import Propagated, propagate, refuse_common, refuse_crops, refuse_overwritten
from foldproof.fold.rule import Rule


def decide(site: Site, options: Options = Options()) -> Outcome:  # noqa: B008, a frozen value
    """Return the outcome of one site."""
    if Identity.applies(site):
        return next(Identity.refusals(site), None) or Identity.fold()
    for rule in RULES:
        if site.consumer.family == rule.family:
            return _decide_by_rule(rule, site, options)
    return Refused(Kind.CONSUMER, f"{site.consumer.op} is not a convolution or pool: it has no padding to fold into")


def merge(inner: PadFacts, outer: PadFacts) -> PadFacts | Refused:
    """Return one pad that does what ``outer`` does to the result of ``inner``, or why there is none (``Nested``)."""
    return next(Nested.refusals(inner, outer), None) or Nested.merge(inner, outer)


def _decide_by_rule(rule: "type[Rule]", site: Site, options: Options) -> Outcome:
    """Return the outcome of a rule, for the most ambitious choice of axes that folds."""
    refused = next(refuse_common(site), None)
    if refused is not None:
        return refused
    tried: list[Outcome] = []
    for letters in rule.letters(site, options):
        tried.append(_decide_along(letters, rule, site, options))
        if isinstance(tried[-1], Folded):
            break
    return tried[-1]


def _decide_along(letters: str, rule: "type[Rule]", site: Site, options: Options) -> Outcome:
    """Return the outcome if the widths along these letters fold, and the others stay."""
    propagated = propagate(site, letters)
    return propagated if isinstance(propagated, Refused) else _conclude(rule, propagated, options)


def _conclude(rule: "type[Rule]", propagated: Propagated, options: Options) -> Outcome:
    """Return the outcome of the rule, and then of the options that restrict it."""
    refused = next(refuse_crops(propagated), None) or next(rule.refusals(propagated, options), None)
    if refused is not None:
        return refused
    folded = rule.fold(propagated)
    if any(any(sides) for sides in propagated.kept):
        folded = replace(folded, kept=propagated.kept)
    return _refuse_by_option(folded, options) or folded


def _refuse_by_option(folded: Folded, options: Options) -> Refused | None:
    """Refuse padding that an option excludes."""
    padding = folded.padding or ()
    rank = len(padding) // 2
    if not options.allow_negative and any(width < 0 for width in padding):
        return Refused(Kind.OPTION, f"padding {list(padding)} is negative, and allow_negative is False")
    if not options.allow_asymmetric and padding[:rank] != padding[rank:]:
        return Refused(Kind.OPTION, f"padding {list(padding)} is asymmetric, and allow_asymmetric is False")
    return None


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
