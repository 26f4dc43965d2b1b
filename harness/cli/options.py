"""Options that commands have in common: durations, shares, workers, and what is asked of each case."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foldproof.cli.commands.corpus import DEFAULT_CORPUS
from foldproof.core.errors import UsageError
from foldproof.core.loading import BUNDLED_NAMES

if TYPE_CHECKING:
    from foldproof.checking.config import CheckConfig

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


class Duration(click.ParamType[float]):
    """``60``, ``60s``, ``10m``, ``8h`` -> seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds, more than 0."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", value)
        seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
        if seconds <= 0:
            self.fail(f"{value!r} is no duration above 0, such as 60s, 10m or 8h", param, ctx)
        return seconds


class Share(click.ParamType[float]):
    """``2%`` or ``0.02`` -> 0.02."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """From 0 to 1."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", value)
        share = float(match[1]) / (100 if match[2] else 1) if match else 2.0
        if share > 1:
            self.fail(f"{value!r} is no share from 0 to 1, such as 0.02 or 2%", param, ctx)
        return share


class Workers(click.ParamType[int]):
    """A number of processes, or ``auto`` for one per core."""

    name = "workers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """At least 1."""
        if value == "auto":
            return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        if isinstance(value, int):
            return value
        if not re.fullmatch(r"[1-9]\d*", value):
            self.fail(f"{value!r} is neither a number of workers from 1 nor 'auto'", param, ctx)
        return int(value)


def config_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--pass, --target, --pipeline, --complete: what is asked of each case."""
    command = click.option(
        "--pipeline",
        type=click.Choice(["fast", "default"]),
        default="fast",
        show_default=True,
        help="Way from Relax to a run: TVM's default one, or only what tiny cases need.",
    )(command)
    command = click.option("--complete", is_flag=True, help="Fail on legal folds that the pass misses, too.")(command)
    command = click.option("--target", default="llvm", show_default=True, help="TVM target: kind, tag or JSON.")(
        command
    )
    return click.option("--pass", "fold", metavar="MODULE:ATTR", help="Pass to test (default: the bundled one).")(
        command
    )


def corpus_option(what: str) -> Callable[..., Any]:
    """--corpus: the folder for ``what``."""
    return click.option(
        "--corpus",
        type=click.Path(path_type=Path, file_okay=False),
        default=DEFAULT_CORPUS,
        show_default=True,
        help=f"Folder for {what}.",
    )


def config_of(fold: str | None, target: str, pipeline: str, complete: bool) -> "CheckConfig":
    """The bundled pass is always held to completeness."""
    from foldproof.checking.config import CheckConfig

    bundled = fold in BUNDLED_NAMES
    return CheckConfig(fold=None if bundled else fold, target=target, pipeline=pipeline, complete=complete or bundled)


def op_names(given: str | None) -> tuple[str, ...]:
    """The ops of ``A,B``, none for all. Raises UsageError."""
    from foldproof.case import ops

    names = tuple(given.split(",")) if given is not None else ()
    for name in names:
        if name not in ops.NAMES:
            raise UsageError(f"op {name!r} is none of {', '.join(ops.NAMES)}")
    return names


def replay_options(config: "CheckConfig") -> str:
    """What a replay line needs after the path to ask the same."""
    from shlex import quote

    options = f" --pass {quote(config.fold)}" if config.fold else ""
    options += f" --target {quote(config.target)}" if config.target != "llvm" else ""
    options += f" --pipeline {config.pipeline}" if config.pipeline != "fast" else ""
    return options + (" --complete" if config.complete and config.fold else "")
