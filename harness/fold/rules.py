"""When a pad may become padding, and what that padding is. Pure Python: no TVM, no NumPy, no IR.

A rule is a class with numbered preconditions and an arithmetic step. ``decide(site)`` asks the rule of the
consumer's family and returns ``Folded`` or ``Refused``; a refusal names what stood in the way. When unsure, refuse:
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
    """The outcome of one site."""
    if Identity.applies(site):
        return next(Identity.refusals(site), None) or Identity.fold()
    for rule in RULES:
        if site.consumer.family == rule.family:
            return _decide_by_rule(rule, site, options)
    return Refused(Kind.CONSUMER, f"{site.consumer.op} is no convolution or pool: it has no padding to fold into")


def merge(inner: PadFacts, outer: PadFacts) -> PadFacts | Refused:
    """One pad that does what ``outer`` does to the result of ``inner``; the rule is ``Nested``."""
    return next(Nested.refusals(inner, outer), None) or Nested.merge(inner, outer)


def _decide_by_rule(rule: "type[Rule]", site: Site, options: Options) -> Outcome:
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
    """The outcome if the widths along these letters go, and the others stay."""
    propagated = propagate(site, letters)
    return propagated if isinstance(propagated, Refused) else _conclude(rule, propagated, options)


def _conclude(rule: "type[Rule]", propagated: Propagated, options: Options) -> Outcome:
    """What the rule says of a pad that arrives, and what the backend says of that."""
    refused = next(refuse_crops(propagated), None) or next(rule.refusals(propagated, options), None)
    if refused is not None:
        return refused
    folded = rule.fold(propagated)
    if any(any(sides) for sides in propagated.kept):
        folded = replace(folded, kept=propagated.kept)
    return _refuse_by_option(folded, options) or folded


def _refuse_by_option(folded: Folded, options: Options) -> Refused | None:
    padding = folded.padding or ()
    rank = len(padding) // 2
    if not options.allow_negative and any(width < 0 for width in padding):
        return Refused(Kind.OPTION, f"padding {list(padding)} is negative, and allow_negative is False")
    if not options.allow_asymmetric and padding[:rank] != padding[rank:]:
        return Refused(Kind.OPTION, f"padding {list(padding)} is asymmetric, and allow_asymmetric is False")
    return None


class Identity:
    """A pad whose widths are all 0 is deleted, whatever its mode, its value and its consumer.

    1. every width is the constant 0 (``applies``)
    2. nothing is written in place, so that the pad need not be a copy
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
