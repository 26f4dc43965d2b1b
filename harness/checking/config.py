"""How each case is checked. Plain values, which are sent to workers."""

from dataclasses import dataclass

from foldproof.checking.crosscheck import SAMPLE
from foldproof.core.setting import Option, Role, setting

MEGABYTES = 4096
"""A worker holds 0.3 GB, and a case adds a few MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckConfig:
    """How a case is checked: the settings that ``foldproof.checking`` and workers need.

    Attributes:
        fold: the pass, as ``MODULE:ATTR``, or the name of a subject; None is the bundled pass.
        target: what to compile for, as the IR names it.
        pipeline: ``fast`` or ``default``.
        complete: whether a legal fold that the pass misses is a failure.
        sample: the share of the cases, 0 to 1, that both pipelines run.
        megabytes: how much memory a worker may hold.
    """

    fold: str | None = setting(
        None,
        Role.IDENTITY,
        Option(
            flag="--pass",
            kind="pass",
            metavar="MODULE:ATTR|NAME",
            help="Pass to test; `foldproof passes` lists the names.",
            no_default="the bundled pass",
        ),
    )
    target: str = setting(
        "llvm",
        Role.IDENTITY,
        Option(
            flag="--target",
            help="What to compile for: kind, tag or JSON, as the compiler names it, or native: this CPU.",
        ),
    )
    pipeline: str = setting(
        "fast",
        Role.IDENTITY,
        Option(
            flag="--pipeline",
            kind="choice",
            choices=("fast", "default"),
            help="How a case is compiled and run: by the compiler's default pipeline, or by a faster one.",
        ),
    )
    complete: bool = setting(
        True,
        Role.IDENTITY,
        Option(
            flag="--complete",
            kind="flag",
            default=False,
            help="Also fail on legal folds that the pass misses (always on for the bundled pass).",
        ),
    )
    sample: float = setting(
        SAMPLE,
        Role.IDENTITY,
        Option(
            flag="--sample",
            kind="share",
            help="Share of the cases that both pipelines run, and that the pass folds a second time. "
            "Every failure is run by both as well.",
        ),
    )
    megabytes: int = setting(
        MEGABYTES,
        Role.TASK,
        Option(
            flag="--memory",
            kind="count",
            minimum=512,
            metavar="MB",
            help="Memory that a worker may hold; a case that needs more is a failure.",
        ),
    )
