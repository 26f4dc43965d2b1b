"""The settings of a campaign, spelled once: everything that names a setting elsewhere is derived from these fields."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

from foldproof.checking.config import CheckConfig
from foldproof.core.defaults import DEFAULT_CORPUS
from foldproof.core.setting import Option, Role, Setting, setting, settings_of
from foldproof.generation.case_source import CaseSource

NOT_TESTED_CORPUS = Path("foldproof-found")
"""Where the command line saves cases if the default folder is a folder of tests."""

DEFAULT_SECONDS = 60.0
"""Budget of a campaign on the command line that is given none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a campaign.

    Attributes:
        config: how each case is checked.
        ops: the ops to draw; empty means all.
        strategy: the Hypothesis strategy: ``cases``, ``graphs``, ``both``, or ``MODULE:ATTR``; None is the default one.
        only_cases: a filter that all cases satisfy, as text (``foldproof.case.filters``); empty means all cases.
        seed: the seed of the campaign, at least 0.
        examples: budget: how many cases to draw; None means unlimited.
        seconds: budget: how long to run, with shrinking; None means unlimited. The first budget that is used up
            ends the campaign.
        max_failures: budget: how many distinct failures end the campaign; None means unlimited.
        shrink_seconds: budget of shrinking each distinct failure, within ``seconds``; 0 shrinks none.
        known: fingerprints of known failures. Triage finds out which failures with them are known.
        workers: how many processes check cases on this machine.
        corpus: the folder into which failing cases are saved; None saves none.
    """

    config: CheckConfig = field(default_factory=CheckConfig)
    ops: tuple[str, ...] = setting(
        (),
        Role.IDENTITY,
        Option(flag="--ops", kind="ops", metavar="A,B", help="Ops to draw.", no_default="all"),
        load=tuple,
    )
    strategy: str | None = setting(
        None,
        Role.IDENTITY,
        Option(
            flag="--strategy",
            metavar="NAME|MODULE:ATTR",
            help="What is drawn: cases, graphs or both; or a Hypothesis strategy of either, or a function of op names "
            "that returns one.",
            no_default="both",
        ),
    )
    only_cases: str = setting(
        "",
        Role.IDENTITY,
        Option(
            flag="--only-cases",
            kind="filter",
            metavar="FILTER",
            help="Draw only cases of this filter, such as 'dtype in float32,float16 and min_pad >= 0'.",
            default=None,
            no_default="all cases",
        ),
    )
    seed: int = setting(
        0,
        Role.IDENTITY,
        Option(
            flag="--seed",
            kind="count",
            minimum=0,
            default=None,
            help="The same seed draws the same cases.",
            no_default="a new seed, printed first",
        ),
    )
    examples: int | None = setting(
        None, Role.BUDGET, Option(flag="--examples", kind="count", minimum=1, help="Budget: number of cases to draw.")
    )
    seconds: float | None = setting(
        None,
        Role.BUDGET,
        Option(
            flag="--time",
            kind="duration",
            help="Budget, such as 60s, 10m or 8h, with the time for shrinking.",
            no_default=f"{DEFAULT_SECONDS:.0f}s without another budget",
        ),
    )
    max_failures: int | None = setting(
        None,
        Role.TASK,
        Option(flag="--max-failures", kind="count", minimum=1, help="Stop at this number of distinct failures."),
    )
    shrink_seconds: float = setting(
        60.0,
        Role.RUN,
        Option(
            flag="--shrink-time",
            kind="duration",
            minimum=0,
            help="Budget of shrinking each distinct failure, within that of --time. 0 shrinks none.",
        ),
    )
    known: tuple[str, ...] = setting((), Role.TASK, load=tuple)
    workers: int = setting(
        1,
        Role.RUN,
        Option(flag="--workers", kind="workers", default="auto", help="Number of processes that check cases."),
    )
    corpus: Path | None = setting(  # noqa: RUF009, it is dataclasses.field
        None,
        Role.RUN,
        Option(
            flag="--corpus",
            kind="folder",
            default=str(DEFAULT_CORPUS),
            help="Folder into which failing cases are saved.",
        ),
        load=Path,
    )

    @property
    def source(self) -> CaseSource:
        """What the cases are drawn from."""
        return CaseSource(ops=self.ops, strategy=self.strategy, only_cases=self.only_cases, fold=self.config.fold)

    def __getitem__(self, name: str) -> Any:
        """Return the value of a setting, of a nested one too."""
        return getattr(self.config if name in _NESTED else self, name)

    def to_dict(self, roles: Collection[Role] = tuple(Role)) -> dict[str, Any]:
        """Return the settings of these roles as JSON values, by name."""
        return {each.name: _to_json(self[each.name]) for each in SETTINGS if each.role in roles}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Return the settings that a record of ``to_dict`` holds; what it lacks is at its default, the rest ignored."""
        return cls().updated(record, SETTINGS)

    def updated(self, record: Mapping[str, Any], chosen: Iterable[Setting]) -> Self:
        """Return these settings with the ``chosen`` ones taken from a record of ``to_dict``, where it has them."""
        values: dict[str, Any] = {
            each.name: None if record[each.name] is None else each.load(record[each.name])
            for each in chosen
            if each.name in record
        }
        nested = {name: values.pop(name) for name in _NESTED & set(values)}
        return replace(self, config=replace(self.config, **nested), **values)


SETTINGS: tuple[Setting, ...] = tuple(settings_of(Settings))
"""Every setting, in order."""

IDENTITY: tuple[Setting, ...] = tuple(each for each in SETTINGS if each.role is Role.IDENTITY)
"""The settings that decide which cases are drawn and how they are checked."""

TASK_ROLES = (Role.IDENTITY, Role.TASK)
"""The roles of the settings that the task of a shard carries."""

_NESTED = frozenset(each.name for each in fields(CheckConfig))


def _to_json(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value
