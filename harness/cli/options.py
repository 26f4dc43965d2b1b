"""Options of the commands: built from the settings that carry them, and the types of their values."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from foldproof.campaign.settings import SETTINGS, Settings
from foldproof.checking.config import CheckConfig
from foldproof.core.loading import BUNDLED_NAMES
from foldproof.core.setting import FIELD_DEFAULT, Option, Setting

Command = TypeVar("Command", bound=Callable[..., Any])

# --- types of values ----------------------------------------------------------------------------------

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


class Duration(click.ParamType[float]):
    """``60``, ``60s``, ``10m``, ``8h`` -> seconds."""

    name = "duration"

    def __init__(self, *, zero: bool = False) -> None:
        self._zero = zero

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds, more than 0, or at least 0 if ``zero`` is allowed."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", value)
        seconds = float(match[1]) * _UNITS[match[2]] if match else -1.0
        if seconds < 0 or (seconds == 0 and not self._zero):
            expected = "duration" if self._zero else "duration above 0"
            self.fail(f"{value!r} is not a {expected}, such as 60s, 10m or 8h", param, ctx)
        return seconds


class Share(click.ParamType[float]):
    """``2%`` or ``0.02`` -> 0.02."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return a number from 0 to 1."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", value)
        share = float(match[1]) / (100 if match[2] else 1) if match else 2.0
        if share > 1:
            self.fail(f"{value!r} is not a share from 0 to 1, such as 0.02 or 2%", param, ctx)
        return share


class Workers(click.ParamType[int]):
    """A number of processes, or ``auto`` for one per core."""

    name = "workers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return a number of at least 1."""
        if value == "auto":
            return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        if isinstance(value, int):
            return value
        if not re.fullmatch(r"[1-9]\d*", value):
            self.fail(f"{value!r} is not a number of workers from 1, nor 'auto'", param, ctx)
        return int(value)


class OpNames(click.ParamType[tuple[str, ...]]):
    """``conv1d,max_pool2d`` -> names of ops."""

    name = "ops"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Return the names, each of a known op."""
        if isinstance(value, tuple):
            return value
        from foldproof.case import ops

        names = tuple(value.split(","))
        for name in names:
            if name not in ops.NAMES:
                self.fail(f"unknown op {name!r}; expected one of {', '.join(ops.NAMES)}", param, ctx)
        return names


class Filter(click.ParamType[str]):
    """``dtype in float32,float16`` -> itself, if it is a filter on cases."""

    name = "filter"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text of the filter."""
        from foldproof.case.filters import CaseFilter

        try:
            CaseFilter.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return str(value)


class PassSpec(click.ParamType[str | None]):
    """``MODULE:ATTR`` -> itself, None for a name of the bundled pass."""

    name = "pass"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | None:
        """Return what ``CheckConfig.fold`` holds."""
        return None if value in BUNDLED_NAMES else str(value)


_TYPES: Mapping[str, Callable[[Option], Any]] = {
    "text": lambda option: click.STRING,
    "count": lambda option: click.IntRange(min=option.minimum),
    "choice": lambda option: click.Choice(option.choices),
    "duration": lambda option: Duration(zero=option.minimum == 0),
    "share": lambda option: Share(),
    "workers": lambda option: Workers(),
    "ops": lambda option: OpNames(),
    "filter": lambda option: Filter(),
    "pass": lambda option: PassSpec(),
    "folder": lambda option: click.Path(path_type=Path, file_okay=False),
    "flag": lambda option: click.BOOL,
}
"""Kind of an option -> the type of its values."""

_WRITTEN: Mapping[str, Callable[[Any], str]] = {
    "duration": lambda seconds: f"{seconds:g}s",
    "share": lambda share: f"{share:.4g}" if share * 100 % 1 else f"{share:.0%}",
}
"""Kind of an option -> how a user writes a value."""


# --- options ------------------------------------------------------------------------------------------

CHECK_OPTIONS = ("fold", "target", "pipeline", "complete")
"""The settings that decide how a saved case is checked."""


def setting_options(*names: str, **defaults: Any) -> Callable[[Command], Command]:
    """Return a decorator that adds the options of settings, by the names of their fields.

    Without names it adds the options of all settings. ``defaults`` replaces defaults of some.
    """
    chosen = [each for each in SETTINGS if each.option and (not names or each.name in names)]

    def decorate(command: Command) -> Command:
        for each in reversed(chosen):
            command = _click_option(each, each.option, defaults)(command) if each.option else command
        return command

    return decorate


def _click_option(setting: Setting, option: Option, defaults: Mapping[str, Any]) -> Callable[[Command], Command]:
    default = setting.default if option.default is FIELD_DEFAULT else option.default
    default = defaults.get(setting.name, default)
    if option.kind in _WRITTEN and default is not None:
        default = _WRITTEN[option.kind](default)
    default = None if default == () else default
    shown = option.no_default or False if default is None else True
    given = {"type": _TYPES[option.kind](option), "default": default, "show_default": shown}
    if option.kind == "flag":
        given = {"is_flag": True, "default": default}
    return click.option(option.flag, setting.name, help=option.help, metavar=option.metavar, **given)


json_option = click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write one JSON object per line to FILE.",
)


# --- what was given -----------------------------------------------------------------------------------


def settings_from(given: Mapping[str, Any]) -> Settings:
    """Return the settings that the values of ``setting_options`` make; what is None or absent is at its default.

    The bundled pass is always held to completeness.
    """
    values = {each.name: given[each.name] for each in SETTINGS if given.get(each.name) is not None}
    values["complete"] = values.get("complete", False) or values.get("fold") is None
    return Settings().updated(values, SETTINGS)


def config_from(given: Mapping[str, Any]) -> CheckConfig:
    """Return how cases are to be checked, from the values of ``setting_options``."""
    return settings_from(given).config


def replay_options(config: CheckConfig) -> str:
    """Return what follows the path on a replay line, so that the replay checks in the same way."""
    from shlex import quote

    options = ""
    for each in SETTINGS:
        if each.name not in CHECK_OPTIONS or each.option is None:
            continue
        value = getattr(config, each.name)
        if each.option.kind == "flag":
            options += f" {each.option.flag}" if value and config.fold else ""
        elif value != each.default:
            options += f" {each.option.flag} {quote(value)}"
    return options
