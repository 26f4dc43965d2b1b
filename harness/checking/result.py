"""The verdict on a case without a failure. Plain values, which are sent between processes."""

from dataclasses import dataclass

from foldproof.oracle.legality import Legality


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The verdict of ``check``.

    Args:
        folded: whether the pass left fewer pads than there were.
        legality: whether the pads that were left could be folded; None if none was left.
        rules: those by which the pass folded, if it explains.
        reasons: (kind, sentence) of the sites that the pass refused, if it explains.
        undefined: why some output could not be compared with all oracles.
        known_issues: those of the compiler that kept some output from being compared.
        unsupported: why the IR cannot express the case; it was not executed then. Empty if it can.
        sampled: whether both pipelines ran the case and returned the same bits.
        fallback: why the fast pipeline did not run the case; empty if it did.
    """

    folded: bool
    legality: Legality | None = None
    rules: tuple[str, ...] = ()
    reasons: tuple[tuple[str, str], ...] = ()
    undefined: tuple[str, ...] = ()
    known_issues: tuple[str, ...] = ()
    unsupported: str = ""
    sampled: bool = False
    fallback: str = ""

    @property
    def in_doubt(self) -> bool:
        """Whether some output was not compared with all oracles: the case has neither failed nor passed."""
        return bool(self.undefined or self.known_issues or self.unsupported)
