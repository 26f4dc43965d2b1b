"""The tasks of ``foldproof model`` in a worker process. The worker keeps the model and its programs between tasks.

Invariant: a task needs nothing of an earlier one. After a crash, the next task runs in a new process, which imports the
model again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from foldproof.core.errors import UsageError
from foldproof.core.loading import load_pass
from foldproof.ir.relax.module import same, short_error, well_formedness_error
from foldproof.model.as_case import NotExpressible, as_case
from foldproof.model.blame import Blame, find_blame
from foldproof.model.compare import Compared, compare_programs, lengths_by_name
from foldproof.model.importing import Model, import_model
from foldproof.model.outcomes import Folding, PassFailed, Site, add_remedies, apply_fold
from foldproof.model.pads import find_places
from foldproof.model.running import FILLS, ModelProgram, Plan, choose_lengths, make_inputs, parse_model_target
from foldproof.model.saving import module_source

PLAIN, FOLDED = "unfolded", "folded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to examine, as plain values: the model, the lengths of its inputs, the pass, the target, and the seed."""

    model: str
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    fold: str | None = None
    target: str = "llvm"
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a model is: its format, its inputs as text, and the names of its symbolic lengths."""

    kind: str
    inputs: tuple[str, ...]
    symbolic: tuple[str, ...]
    lengths: tuple[tuple[str, int], ...]
    notice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sites:
    """What the pass does: a row for each site, the pads before and after, and why the result is ill formed, if so.

    ``unchanged``: the pass returned an equal module.
    """

    sites: tuple[Site, ...]
    totals: tuple[tuple[str, str, int], ...]
    before: int
    after: int
    problem: str
    unchanged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedCase:
    """A site as a case: its JSON, or the reason why a Case cannot express it."""

    site: str
    case: dict[str, Any] | None
    reason: str = ""


Timed = tuple[tuple[float, float], ...]
"""Seconds of (unfolded, folded), for each round."""


class _Session:
    def __init__(self, request: Request) -> None:
        self.request = request
        self.programs: dict[tuple[str, str], ModelProgram] = {}

    @cached_property
    def target(self) -> Any:
        return parse_model_target(self.request.target)

    @cached_property
    def fold(self) -> Any:
        return load_pass(self.request.fold)

    @cached_property
    def model(self) -> Model:
        return import_model(self.request.model, dict(self.request.shapes))

    @cached_property
    def folding(self) -> Folding:
        return apply_fold(self.model, self.fold)

    def program(self, pipeline: str, which: str) -> ModelProgram:
        key = (pipeline, which)
        if key not in self.programs:
            model = self.model if which == PLAIN else self.folding.model
            self.programs[key] = ModelProgram(model, self.target, pipeline)
        return self.programs[key]

    def inputs(self, fill: str) -> list[Any]:
        return make_inputs(self.model.inputs, lengths_by_name(self.model), fill, self.request.seed)


_session = cache(_Session)


def call(task: str, request: Request, *args: Any) -> tuple[str, Any]:
    """Execute a task, and return ("ok", its result), ("usage", message) or ("error", message)."""
    try:
        return "ok", TASKS[task](_session(request), *args)
    except UsageError as error:
        return "usage", str(error)
    except PassFailed as error:
        return "error", str(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001, TVM raises errors of every type
        return "error", short_error(error)


def _load(session: _Session) -> Loaded:
    target, model = session.target, session.model
    _ = session.fold
    lengths = {str(variable): number for variable, number in choose_lengths(model).items()}
    return Loaded(
        kind=model.kind,
        inputs=tuple(map(str, model.inputs)),
        symbolic=model.symbolic,
        lengths=tuple(lengths.items()),
        notice=target.notice,
    )


def _fold(session: _Session) -> Sites:
    folding = session.folding
    problem = well_formedness_error(folding.model.module) if folding.model.module is not session.model.module else None
    if problem and well_formedness_error(session.model.module):
        problem = None  # it was ill formed before the pass
    return Sites(
        sites=folding.sites,
        totals=folding.totals,
        before=folding.before,
        after=folding.after,
        problem=problem or "",
        unchanged=same(folding.model.module, session.model.module),
    )


def _remedies(session: _Session) -> tuple[tuple[Site, ...], str]:
    return add_remedies(session.model, session.folding.sites, choose_lengths(session.model))


def _compile(session: _Session, pipeline: str, which: str) -> Plan:
    return session.program(pipeline, which).plan


def _run(session: _Session, pipeline: str, which: str) -> float:
    """Run a program on the first fill, and return the seconds: it says which of the two programs crashes."""
    program = session.program(pipeline, which)
    return program.time(program.load(session.inputs(FILLS[0])))


def _compare(session: _Session, pipeline: str, fill: str) -> Compared:
    plain, folded = (session.program(pipeline, which) for which in (PLAIN, FOLDED))
    return compare_programs(plain, folded, session.inputs(fill), fill)


def _measure(session: _Session, pipeline: str, seconds: float, rounds: int) -> Timed:
    """Run both programs in alternation, each first in every other round."""
    programs = [session.program(pipeline, which) for which in (PLAIN, FOLDED)]
    arrays = session.inputs(FILLS[0])
    loaded = [program.load(arrays) for program in programs]
    for program, tensors in zip(programs, loaded, strict=True):
        program.time(tensors)
    timed: list[tuple[float, float]] = []
    end = time.perf_counter() + seconds
    while len(timed) < rounds and (len(timed) < _FEWEST_ROUNDS or time.perf_counter() < end):
        pair = [0.0, 0.0]
        for which in (0, 1) if len(timed) % 2 == 0 else (1, 0):
            pair[which] = programs[which].time(loaded[which])
        timed.append((pair[0], pair[1]))
    return tuple(timed)


_FEWEST_ROUNDS = 5


def _blame(session: _Session, pipeline: str) -> Blame:
    inputs = [session.inputs(fill) for fill in FILLS]
    return find_blame(session.model, session.fold, session.target, inputs, pipeline)


def _save(session: _Session) -> str:
    name = session.request.model
    return module_source(session.folding.model.module, f"{name}, folded by foldproof")


def _cases(session: _Session) -> tuple[SavedCase, ...]:
    return tuple(_describe_case(place) for place in find_places(session.model.module))


def _describe_case(place: Any) -> SavedCase:
    site = f"{place.function}:{place.path.pad.name}"
    try:
        return SavedCase(site=site, case=as_case(place).to_json())
    except NotExpressible as error:
        return SavedCase(site=site, case=None, reason=str(error))


TASKS: dict[str, Callable[..., Any]] = {
    "load": _load,
    "fold": _fold,
    "remedies": _remedies,
    "compile": _compile,
    "run": _run,
    "compare": _compare,
    "measure": _measure,
    "blame": _blame,
    "save": _save,
    "cases": _cases,
}
"""Name -> a function of the session and its arguments."""
