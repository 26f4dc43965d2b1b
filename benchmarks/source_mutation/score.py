"""The source-level mutation score of ``harness/fold``: mutmut changes the pass, and the harness tries to kill it.

    python benchmarks/source_mutation/score.py [--cases 1000] [--seed 2026] [--only rules] [--json FILE [--more]]

    case --unchanged pass, traced--> functions reached --each surviving change--> other module? --matrix--> kills

Invariant: a change is killed if ``check(case, the changed pass, complete=True)`` would blame the pass, by the same
matrix as ``foldproof mutants``. A change that returns the same modules for a case, and again for its own result, is not
killed. A change that ends the process, or exceeds the time of a case, counts as killed.

Two passes are changed: the bundled one, and one with the exact options. The report lists what nothing killed: never
reached, or surviving, and then whether ``explain()`` or the module of some case differed. With ``--more``, only the
surviving changes of FILE run, for example on the cases of another seed.
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
from foldproof.mutants.distinct_modules import Passes  # noqa: E402
from foldproof.mutants.kill_matrix import RIGHT, kill_matrix  # noqa: E402

PASS_SECONDS = 3
"""CPU seconds for one pass over a case of a few ops, which takes some milliseconds: longer is a loop."""

SECONDS = 300
"""Wall-clock seconds for changes that share a process: longer is a hang."""

MEGABYTES = 9 << 10
TOGETHER = 100
"""Changes that share a process. If the process is lost, each half is tried again."""

DRAWN = 4000
"""Cases from which the most informative ones are taken."""

FIRST, MOST = 1, 16
"""Cases per job: few while most changes survive."""

EXACT: dict[str, Any] = {"nonzero": "correct", "channels": "slice"}
OPTIONS = (FoldExplicitPadding(check_input=False), FoldExplicitPadding(check_input=False, **EXACT))


@dataclass(slots=True)
class Findings:
    """The findings of a job: how each change was killed; and the changes whose function ran, that returned another
    module, or that explained it otherwise.
    """

    killed: dict[str, str] = field(default_factory=dict)
    reached: set[str] = field(default_factory=set)
    differed: set[str] = field(default_factory=set)
    explained: set[str] = field(default_factory=set)

    def add(self, other: "Findings") -> None:
        self.killed = other.killed | self.killed
        self.reached |= other.reached
        self.differed |= other.differed
        self.explained |= other.explained


class Changed:
    """A pass with one change switched on. A loop raises TimeoutError, and so counts as a pass that raises."""

    def __init__(self, name: str, fold: Any) -> None:
        self._name, self._fold = name, fold

    def __call__(self, module: ir.Module) -> ir.Module:
        with mutated.switched(self._name), _limit_time():
            return self._fold(module)

    def explain(self, module: ir.Module) -> str:
        with mutated.switched(self._name), _limit_time():
            return _explain(self._fold, module)


def _explain(fold: Any, module: ir.Module) -> str:
    return "\n".join(map(repr, fold.explain(module)))


@contextmanager
def _limit_time() -> Iterator[None]:
    signal.setitimer(signal.ITIMER_VIRTUAL, PASS_SECONDS)  # raises in Python
    signal.setitimer(signal.ITIMER_PROF, 2 * PASS_SECONDS)  # ends the process, which may be deep in C++
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)


def _raise_timeout(*_: object) -> None:
    raise TimeoutError("the pass did not end in time")


# --- cases --------------------------------------------------------------------------------------------


def sort_by_news(drawn: Sequence[Case]) -> list[Case]:
    """Return the cases in order of news: first those with an outcome that is new, or new for their dtype or op.

    What a case exercises shows in the explanations, and most cases repeat those of others.
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


# --- running cases ------------------------------------------------------------------------------------


def examine_cases(cases: Sequence[Case], alive: Sequence[str]) -> Findings:
    """Return what the cases show about the changes."""
    found = Findings()
    target = parse_target("llvm")
    for case in cases:
        for fold in OPTIONS:
            names = [name for name in alive if name not in found.killed]
            for part in _examine_case(case, fold, names, target):
                found.add(part)
    return found


def _examine_case(case: Case, fold: Any, names: Sequence[str], target: Target) -> Iterator[Findings]:
    """Yield what a case shows about the changes of one pass: first those that change a module, then their kills."""
    unfolded = build(case)
    mutated.REACHED.clear()
    folded = fold(unfolded.clone())
    again, message = fold(folded), _explain(fold, unfolded)
    reached = [name for name in names if mutated.CHANGES[name].function in mutated.REACHED]

    def compared(some: Sequence[str], report: Callable[[str], None]) -> Findings:
        found = Findings(reached=set(some))
        for name in some:
            report(name)
            changed = Changed(name, fold)
            if not _makes_the_same(changed, unfolded, folded, again):
                found.differed.add(name)
            elif not _explains_the_same(changed, unfolded, message):
                found.explained.add(name)
        return found

    def run(some: Sequence[str], _tell: Callable[[str], None]) -> Findings:
        passes = Passes({RIGHT: fold, **{name: Changed(name, fold) for name in some}})
        [kills] = kill_matrix([case], passes, target, options_of(fold))
        return Findings(killed={name: failed.fingerprint for name, failed in kills.items()})

    differing: list[str] = []
    for start in range(0, len(reached), TOGETHER):
        part = _examine_safely(compared, reached[start : start + TOGETHER])
        differing += sorted(part.differed - part.killed.keys())
        yield part
    for start in range(0, len(differing), TOGETHER):
        yield _examine_safely(run, differing[start : start + TOGETHER])


Examine = Callable[[Sequence[str], Callable[[str], None]], Findings]
"""Examines changes, and reports the one at work through its second argument."""


def _examine_safely(examine: Examine, names: Sequence[str]) -> Findings:
    """Examine the changes in a process of its own. A change that ends it, or hangs, is killed by that."""
    if not names:
        return Findings()
    found, at = _examine_in_fork(examine, names)
    if found is not None:
        return found
    guilty = at or (names[0] if len(names) == 1 else "")
    if guilty:
        found = _examine_safely(examine, [name for name in names if name != guilty])
        found.add(Findings(killed={guilty: "the process was lost"}, reached={guilty}))
        return found
    middle = len(names) // 2
    found = _examine_safely(examine, names[:middle])
    found.add(_examine_safely(examine, names[middle:]))
    return found


def _examine_in_fork(examine: Examine, names: Sequence[str]) -> tuple[Findings | None, str]:
    """Return the findings, None if the process was lost, and the change at work."""
    at = mmap.mmap(-1, 200)  # shared by both processes

    def report(name: str) -> None:
        at[:] = name.encode().ljust(len(at))

    def work() -> Findings:
        signal.signal(signal.SIGVTALRM, _raise_timeout)
        return examine(names, report)

    report("")
    found = in_fork(work, seconds=SECONDS, megabytes=MEGABYTES)
    return found, at[:].decode().strip()


def _makes_the_same(changed: Changed, unfolded: ir.Module, folded: ir.Module, again: ir.Module) -> bool:
    try:
        return bool(ir.same(changed(unfolded.clone()), folded) and ir.same(changed(folded), again))
    except Exception:  # noqa: BLE001, the matrix runs the pass again and reports what it raises
        return False


def _explains_the_same(changed: Changed, unfolded: ir.Module, message: str) -> bool:
    try:
        return changed.explain(unfolded) == message
    except Exception:  # noqa: BLE001, it differs
        return False


# --- the command --------------------------------------------------------------------------------------


@click.command(help="Make thousands of changes to the source of the pass, and report which ones the harness kills.")
@click.option("--cases", "budget", default=1000, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=2026, show_default=True, type=click.IntRange(min=0))
@click.option("--only", default="", help="A module of foldproof.fold: rules, rewrite, ...")
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="One object per change.")
@click.option("--more", is_flag=True, help="Run only the surviving changes of the file of --json, and update it.")
def main(budget: int, seed: int, only: str, file: Path | None, more: bool) -> None:
    """Print a line per round, the score, and the surviving changes."""
    leave_no_files()
    if more and (file is None or not file.exists()):
        raise click.BadParameter(
            f"needs the --json FILE of an earlier run, but {file} does not exist", param_hint="--more"
        )
    before = rows.read(file, mutated.CHANGES) if more and file else []
    dead = {row["name"] for row in before if row["state"] in rows.KILLED}
    changes = [n for n, c in mutated.CHANGES.items() if only in ("", c.function.split(".")[2]) and n not in dead]
    if not changes:
        known = sorted({change.function.split(".")[2] for change in mutated.CHANGES.values()})
        raise click.BadParameter(
            f"unknown module or no changes: {only!r}; expected one of {', '.join(known)}", param_hint="--only"
        )
    started, found, done, size = time.monotonic(), Findings(), 0, FIRST
    workers = os.cpu_count() or 1
    drawn = [case for _, shard in shards(strategies.cases(), max(DRAWN, budget), seed) for case in shard]
    drawn = sort_by_news(drawn)[:budget]
    together = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork"))
    try:
        while done < len(drawn):
            alive = [name for name in changes if name not in found.killed]
            jobs = [drawn[start : start + size] for start in range(done, min(done + workers * size, len(drawn)), size)]
            for part in together.map(examine_cases, jobs, [alive] * len(jobs)):
                found.add(part)
            done += sum(map(len, jobs))
            size = min(2 * size, MOST)
            click.echo(f"{time.monotonic() - started:6.0f} s  {done:5} cases  {len(found.killed)} of {len(changes)}")
            sys.stdout.flush()
    except KeyboardInterrupt:
        click.echo("interrupted; the results so far:")
    finally:
        together.shutdown(wait=False, cancel_futures=True)
    rows_now = [_row(name, found) for name in changes]
    if file:
        rows.write(file, ({row["name"]: row for row in before} | {row["name"]: row for row in rows_now}).values())
    _report(rows_now, done, time.monotonic() - started)


def _report(rows_now: Sequence[rows.Row], cases: int, seconds: float) -> None:
    states = Counter(row["state"] for row in rows_now)
    reached = len(rows_now) - states["not reached"]
    for row in rows_now:
        if row["state"] not in ("killed", "not reached"):
            click.echo("\n".join((f"{row['state']}: {row['name']}", *row["lines"])))
    click.echo(
        f"{states['killed']} of {len(rows_now)} changes killed ({states['killed'] / len(rows_now):.1%}), "
        f"{states['killed'] / max(reached, 1):.1%} of the {reached} reached, in {cases} cases, {seconds:.0f} s: "
        + ", ".join(f"{count} {state}" for state, count in states.most_common())
    )


def _row(name: str, found: Findings) -> dict[str, Any]:
    state = next(
        state
        for state, names in (
            ("killed", found.killed),
            ("another module", found.differed),
            ("another explanation", found.explained),
            ("no difference", found.reached),
            ("not reached", (name,)),
        )
        if name in names
    )
    lines = mutated.CHANGES[name].lines
    return {"name": name, "state": state, "by": found.killed.get(name, ""), "lines": list(lines)}


if __name__ == "__main__":
    main()
