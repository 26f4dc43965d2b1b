"""How each case is checked. Plain values, which are sent to workers."""

from dataclasses import dataclass

from foldproof.checking.crosscheck import SAMPLE

MEGABYTES = 4096
"""A worker holds 0.3 GB, and a case adds a few MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckConfig:
    """Which pass (``MODULE:ATTR``, None is the bundled one), on which target, through which pipeline.

    ``complete`` says whether a legal fold that was missed is a failure, ``sample`` which share of the cases (0 to 1)
    both pipelines run, ``megabytes`` how much memory a worker may hold.
    """

    fold: str | None = None
    target: str = "llvm"
    pipeline: str = "fast"
    complete: bool = True
    sample: float = SAMPLE
    megabytes: int = MEGABYTES
