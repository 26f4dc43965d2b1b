"""The verdict on a case that does not fail. Plain values, which are sent between processes."""

from dataclasses import dataclass

from foldproof.oracle.legality import Legality


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What ``check`` returns for a case that does not fail.

    Args:
        folded: whether the pass left fewer pads than there were.
        legality: whether the pads that are left could be folded; None if none is left.
        rules: the rules by which the pass folded, if it reports them.
        reasons: (kind, sentence) of each site that the pass refused, if it reports them.
        declined: the kinds of refusals by which the pass left a legal fold that it declares out of its scope.
        undefined: why some output could not be compared with all oracles.
        known_issues: the known issues of the compiler that prevented a comparison.
        unsupported: why the IR cannot express the case, so that it was not executed; empty if it can.
        sampled: whether both pipelines ran the case and returned the same bits.
        fallback: why the fast pipeline did not run the case; empty if it did.
    """

    folded: bool
    legality: Legality | None = None
    rules: tuple[str, ...] = ()
    reasons: tuple[tuple[str, str], ...] = ()
    declined: tuple[str, ...] = ()
    undefined: tuple[str, ...] = ()
    known_issues: tuple[str, ...] = ()
    unsupported: str = ""
    sampled: bool = False
    fallback: str = ""

    @property
    def in_doubt(self) -> bool:
        """Whether some output was not compared with all oracles, so that the case neither fails nor passes."""
        return bool(self.undefined or self.known_issues or self.unsupported)
