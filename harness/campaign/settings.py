"""What a campaign does: which cases, what is asked of them, and how long."""

from dataclasses import dataclass, field
from pathlib import Path

from foldproof.checking.config import CheckConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a campaign does. ``seconds`` and ``examples`` are budgets; the first that is used up ends it.

    It also ends with ``max_failures`` distinct failures. ``known`` are fingerprints that are counted, and no failures.
    """

    ops: tuple[str, ...] = ()
    config: CheckConfig = field(default_factory=CheckConfig)
    strategy: str | None = None
    seed: int = 0
    seconds: float | None = None
    examples: int | None = None
    workers: int = 1
    max_failures: int | None = None
    known: tuple[str, ...] = ()
    corpus: Path | None = None
    shrink_seconds: float = 60.0
