"""Source-level mutation score of ``harness/fold``: mutmut changes the pass, the harness is the judge.

    python benchmarks/source_mutation/score.py [--cases 1000] [--seed 2026] [--only rules] [--json FILE [--more]]

    case --unchanged pass, watched--> functions reached --each change alive in them--> another module? --matrix--> kills

Law: a change is killed if ``check(case, the changed pass, complete=True)`` would blame the pass, by the same matrix as
``foldproof mutants``; what makes the same modules from a case, and again from its own result, is not killed by it.
Changes that ended the process, or the time of a case, count as killed, by that.

Judged through two passes: the bundled one, and one with the exact options on. What nothing killed is listed: never
reached, or alive, and then whether at least ``explain()`` or the module of some case came out otherwise. With
``--more`` only what lives in FILE is judged, by the cases of another seed, say.
"""

import mmap
import multiprocessing
import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import mutated
import rows
from forked import in_fork

from foldproof import strategies

mutated.install()

from foldproof.case import Case  # noqa: E402
from foldproof.checking.prepare import options_of  # noqa: E402
from foldproof.fold import FoldExplicitPadding, Refused  # noqa: E402
from foldproof.generation.draw import leave_no_files, shards  # noqa: E402
from foldproof.ir.relax import module as ir  # noqa: E402
from foldproof.ir.relax.build import build  # noqa: E402
from foldproof.ir.relax.targets import Target, parse_target  # noqa: E402
from foldproof.mutants.kill_matrix import RIGHT, kill_matrix  # noqa: E402
from foldproof.mutants.through import Passes  # noqa: E402

PASS_SECONDS = 3
"""Of CPU time for one pass over a case of a few ops, which takes some milliseconds: longer is a loop."""

SECONDS = 300
"""Of wall-clock time for changes that go together: what takes longer hangs where it is executed."""

MEGABYTES = 9 << 10
TOGETHER = 100
"""Changes that share a process. If it is lost, halves of them are asked again."""

DRAWN = 4000
"""Cases from which the most telling ones are taken."""

FIRST, MOST = 1, 16
"""Cases of a job: few while most changes are alive."""

EXACT: dict[str, Any] = {"nonzero": "correct", "channels": "slice"}
OPTIONS = (FoldExplicitPadding(check_input=False), FoldExplicitPadding(check_input=False, **EXACT))


@dataclass(slots=True)
class DistinctFailure:
    """What a job found: change -> how it was killed; and the changes whose function ran, that made other modules, or
    that explained otherwise."""

    killed: dict[str, str] = field(default_factory=dict)
    reached: set[str] = field(default_factory=set)
    differed: set[str] = field(default_factory=set)
    apply_and_explain: set[str] = field(default_factory=set)

    def add(self, other: "DistinctFailure") -> None:
        self.killed = other.killed | self.killed
        self.reached |= other.reached
        self.differed |= other.differed
        self.apply_and_explain |= other.apply_and_explain


class Changed:
    """The pass of an option with one change on. A loop ends with a TimeoutError, and so as a pass that raised."""

    def __init__(self, name: str, fold: Any) -> None:
        self._name, self._fold = name, fold

    def __call__(self, module: ir.Module) -> ir.Module:
        with mutated.switched(self._name), _limited():
            return self._fold(module)

    def apply_and_explain(self, module: ir.Module) -> str:
        with mutated.switched(self._name), _limited():
            return _explained(self._fold, module)


def _explained(fold: Any, module: ir.Module) -> str:
    return "\n".join(map(repr, fold.explain(module)))


@contextmanager
def _limited() -> Iterator[None]:
    signal.setitimer(signal.ITIMER_VIRTUAL, PASS_SECONDS)  # raises in Python
    signal.setitimer(signal.ITIMER_PROF, 2 * PASS_SECONDS)  # ends the process, which may be deep in C++
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)


def _loops(*_: object) -> None:
    raise TimeoutError("the pass does not end")


# --- cases --------------------------------------------------------------------------------------------


def telling(drawn: Sequence[Case]) -> list[Case]:
    """The cases of which the pass says something new come first: another outcome, or one for another dtype or op.

    What a case exercises shows in what is said of it, and most cases say what others have said.
    """
    known: set[tuple[str, ...]] = set()
    new, others = [], []
    for case in drawn:
        message = {
            _DIGITS.sub("#", _outcome(report.outcome)) for fold in OPTIONS for report in fold.explain(build(case))
        }
        traits = (case.op, case.dtype, case.operand_dtype, f"symbolic {bool(case.symbolic)}", f"form {case.pad.form}")
        items = {(one, trait) for one in message for trait in traits}
        (others if items <= known else new).append(case)
        known |= items
    return new + others


def _outcome(outcome: Any) -> str:
    return f"{outcome.kind} {outcome.detail}" if isinstance(outcome, Refused) else str(outcome.rule)


_DIGITS = re.compile(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?")


# --- judging ------------------------------------------------------------------------------------------


def judged(cases: Sequence[Case], alive: Sequence[str]) -> DistinctFailure:
    """What the cases show of the changes."""
    found = DistinctFailure()
    target = parse_target("llvm")
    for case in cases:
        for fold in OPTIONS:
            names = [name for name in alive if name not in found.killed]
            for part in _one(case, fold, names, target):
                found.add(part)
    return found


def _one(case: Case, fold: Any, names: Sequence[str], target: Target) -> Iterator[DistinctFailure]:
    """What a case shows of the changes through one pass: first which make something else of it, then what that does."""
    unfolded = build(case)
    mutated.REACHED.clear()
    folded = fold(unfolded.clone())
    again, message = fold(folded), _explained(fold, unfolded)
    reached = [name for name in names if mutated.CHANGES[name].function in mutated.REACHED]

    def compared(some: Sequence[str], tell: Callable[[str], None]) -> DistinctFailure:
        found = DistinctFailure(reached=set(some))
        for name in some:
            tell(name)
            changed = Changed(name, fold)
            if not _alike(changed, unfolded, folded, again):
                found.differed.add(name)
            elif not _says(changed, unfolded, message):
                found.apply_and_explain.add(name)
        return found

    def run(some: Sequence[str], _tell: Callable[[str], None]) -> DistinctFailure:
        passes = Passes({RIGHT: fold, **{name: Changed(name, fold) for name in some}})
        [kills] = kill_matrix([case], passes, target, options_of(fold))
        return DistinctFailure(killed={name: failed.fingerprint for name, failed in kills.items()})

    differing: list[str] = []
    for start in range(0, len(reached), TOGETHER):
        part = _safely(compared, reached[start : start + TOGETHER])
        differing += sorted(part.differed - part.killed.keys())
        yield part
    for start in range(0, len(differing), TOGETHER):
        yield _safely(run, differing[start : start + TOGETHER])


WorkerPool = Callable[[Sequence[str], Callable[[str], None]], DistinctFailure]
"""Finds something of changes, and tells which one it is at, if it is at a single one."""


def _safely(pool: WorkerPool, names: Sequence[str]) -> DistinctFailure:
    """What ``judge`` finds of the changes, in a process of its own; one that ends it, or hangs, is killed by that."""
    if not names:
        return DistinctFailure()
    found, at = _forked(pool, names)
    if found is not None:
        return found
    guilty = at or (names[0] if len(names) == 1 else "")
    if guilty:
        found = _safely(pool, [name for name in names if name != guilty])
        found.add(DistinctFailure(killed={guilty: "the process was lost"}, reached={guilty}))
        return found
    middle = len(names) // 2
    found = _safely(pool, names[:middle])
    found.add(_safely(pool, names[middle:]))
    return found


def _forked(pool: WorkerPool, names: Sequence[str]) -> tuple[DistinctFailure | None, str]:
    """What it finds, None if the process was lost; and the change that it was at."""
    at = mmap.mmap(-1, 200)  # shared by both processes

    def tell(name: str) -> None:
        at[:] = name.encode().ljust(len(at))

    def work() -> DistinctFailure:
        signal.signal(signal.SIGVTALRM, _loops)
        return pool(names, tell)

    tell("")
    found = in_fork(work, seconds=SECONDS, megabytes=MEGABYTES)
    return found, at[:].decode().strip()


def _alike(changed: Changed, unfolded: ir.Module, folded: ir.Module, again: ir.Module) -> bool:
    try:
        return bool(ir.same(changed(unfolded.clone()), folded) and ir.same(changed(folded), again))
    except Exception:  # noqa: BLE001, whatever the changed pass raises, the matrix will say so of the case
        return False


def _says(changed: Changed, unfolded: ir.Module, message: str) -> bool:
    try:
        return changed.apply_and_explain(unfolded) == message
    except Exception:  # noqa: BLE001, it differs
        return False


# --- the command --------------------------------------------------------------------------------------


@click.command(help="Change the source of the pass, thousands of times, with the harness as the judge.")
@click.option("--cases", "budget", default=1000, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=2026, show_default=True, type=click.IntRange(min=0))
@click.option("--only", default="", help="A module of foldproof.fold: rules, rewrite, ...")
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="One object per change.")
@click.option("--more", is_flag=True, help="Judge what lives in the file of --json, and write into that.")
def main(budget: int, seed: int, only: str, file: Path | None, more: bool) -> None:
    """Print a line per round, the score, and what is alive."""
    leave_no_files()
    if more and (file is None or not file.exists()):
        raise click.BadParameter(f"needs the --json FILE of an earlier run, and {file} is none", param_hint="--more")
    before = rows.read(file, mutated.CHANGES) if more and file else []
    dead = {row["name"] for row in before if row["state"] in rows.KILLED}
    changes = [n for n, c in mutated.CHANGES.items() if only in ("", c.function.split(".")[2]) and n not in dead]
    if not changes:
        known = sorted({change.function.split(".")[2] for change in mutated.CHANGES.values()})
        raise click.BadParameter(f"{only!r} has no changes; the modules are {', '.join(known)}", param_hint="--only")
    started, found, done, size = time.monotonic(), DistinctFailure(), 0, FIRST
    workers = os.cpu_count() or 1
    drawn = [case for _, shard in shards(strategies.cases(), max(DRAWN, budget), seed) for case in shard]
    drawn = telling(drawn)[:budget]
    together = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork"))
    try:
        while done < len(drawn):
            alive = [name for name in changes if name not in found.killed]
            jobs = [drawn[start : start + size] for start in range(done, min(done + workers * size, len(drawn)), size)]
            for part in together.map(judged, jobs, [alive] * len(jobs)):
                found.add(part)
            done += sum(map(len, jobs))
            size = min(2 * size, MOST)
            click.echo(f"{time.monotonic() - started:6.0f} s  {done:5} cases  {len(found.killed)} of {len(changes)}")
            sys.stdout.flush()
    except KeyboardInterrupt:
        click.echo("interrupted: what follows is what was found until now")
    finally:
        together.shutdown(wait=False, cancel_futures=True)
    judged_now = [_row(name, found) for name in changes]
    if file:
        rows.write(file, ({row["name"]: row for row in before} | {row["name"]: row for row in judged_now}).values())
    _report(judged_now, done, time.monotonic() - started)


def _report(judged_now: Sequence[rows.Row], cases: int, seconds: float) -> None:
    states = Counter(row["state"] for row in judged_now)
    reached = len(judged_now) - states["not reached"]
    for row in judged_now:
        if row["state"] not in ("killed", "not reached"):
            click.echo("\n".join((f"{row['state']}: {row['name']}", *row["lines"])))
    click.echo(
        f"{states['killed']} of {len(judged_now)} changes killed ({states['killed'] / len(judged_now):.1%}), "
        f"{states['killed'] / max(reached, 1):.1%} of the {reached} reached, in {cases} cases, {seconds:.0f} s: "
        + ", ".join(f"{count} {state}" for state, count in states.most_common())
    )


def _row(name: str, found: DistinctFailure) -> dict[str, Any]:
    state = next(
        state
        for state, names in (
            ("killed", found.killed),
            ("another module", found.differed),
            ("another explanation", found.apply_and_explain),
            ("no difference", found.reached),
            ("not reached", (name,)),
        )
        if name in names
    )
    lines = mutated.CHANGES[name].lines
    return {"name": name, "state": state, "by": found.killed.get(name, ""), "lines": list(lines)}


if __name__ == "__main__":
    main()
