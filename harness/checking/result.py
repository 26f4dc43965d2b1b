"""A case without a failure, and what was seen. Plain values: sent between processes, so nothing of TVM."""

from dataclasses import dataclass

from foldproof.oracle.legality import Legality


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of ``check``.

    ``reasons`` are (kind, sentence) of the sites that a pass with an ``explain`` method refused, ``rules`` those it
    folded by. ``legality`` is asked where a pad was left. ``undefined`` and ``findings`` name why some output could
    not be compared with all oracles: no failure of the pass, and not passed either. ``sampled`` says that both
    pipelines ran the case and gave the same bits, ``fallback`` why the fast one did not run it.
    """

    folded: bool
    legality: Legality | None = None
    rules: tuple[str, ...] = ()
    reasons: tuple[tuple[str, str], ...] = ()
    undefined: tuple[str, ...] = ()
    known_issues: tuple[str, ...] = ()
    sampled: bool = False
    fallback: str = ""

    @property
    def in_doubt(self) -> bool:
        """Whether some output could not be compared with all oracles: neither failed nor passed."""
        return bool(self.undefined or self.known_issues)
