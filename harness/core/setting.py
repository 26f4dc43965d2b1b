"""Settings are spelled once: a field of a dataclass carries its role and the command line option that sets it.

    fold: str | None = setting(None, Role.IDENTITY, Option(flag="--pass", kind="pass", help="Pass to test ..."))

The command line, the first line of a journal, the comparison of ``--resume`` and the task of a shard are derived from
these fields. Invariant: no other module lists the settings.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

_METADATA = "foldproof"

FIELD_DEFAULT: Any = object()
"""The default of an option that is the default of its field."""


class Role(StrEnum):
    """What a setting decides."""

    IDENTITY = "identity"
    """Which cases are drawn, how they are checked. A shard task carries it; a resumed campaign must have the same."""
    TASK = "task"
    """How one shard is counted and limited. A shard task carries it; a resumed campaign may change it."""
    BUDGET = "budget"
    """When the campaign ends. A resumed campaign takes the recorded budgets unless a new one is given."""
    RUN = "run"
    """How this process runs the campaign: its workers, its corpus, its time for shrinking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A command line option. ``kind`` names its parameter type in ``foldproof.cli.options``.

    ``default`` is its default where the command line has another one than the field. ``no_default`` describes what
    happens without the option, where its default is None. Some kinds need ``minimum`` or ``choices``.
    """

    flag: str
    help: str
    kind: str = "text"
    metavar: str | None = None
    default: Any = FIELD_DEFAULT
    no_default: str = ""
    minimum: int | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A field as ``setting`` declared it. ``load`` turns its JSON value into the value of the field."""

    name: str
    role: Role
    option: Option | None
    default: Any
    load: Callable[[Any], Any]


def setting(default: Any, role: Role, option: Option | None = None, *, load: Callable[[Any], Any] | None = None) -> Any:
    """Declare a field of a dataclass as a setting.

    Args:
        default: its value where none is given.
        role: what it decides.
        option: the command line option that sets it; None where a command computes it.
        load: makes its value from the JSON value that is not None; without it the JSON value is the value.
    """
    return field(default=default, metadata={_METADATA: (role, option, load or _unchanged)})


def _unchanged(value: Any) -> Any:
    return value


def settings_of(cls: type) -> Iterator[Setting]:
    """Yield the settings of a dataclass, in order; those of a nested dataclass in the place of its field."""
    for each in fields(cls):
        if _METADATA in each.metadata:
            role, option, load = each.metadata[_METADATA]
            yield Setting(name=each.name, role=role, option=option, default=each.default, load=load)
        elif isinstance(each.default_factory, type):
            yield from settings_of(each.default_factory)
