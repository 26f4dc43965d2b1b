"""Source-level mutation score of ``harness/fold``: mutmut changes the pass, the harness is the judge.

    python benchmarks/source_mutation/score.py [--cases 1000] [--seed 2026] [--only rules] [--json FILE]

    case --unchanged pass, watched--> functions reached --each change alive in them--> another module? --matrix--> kills

Law: a change is killed if ``check(case, the changed pass, complete=True)`` would blame the pass, by the same matrix as
``foldproof mutants``; what makes the same modules from a case, and again from its own result, is not killed by it.
Changes that ended the process, or the time of a case, count as killed, by that.

Judged through two passes: the bundled one, and one with the exact options on. What nothing killed is listed: never
reached, or alive, and then whether at least ``explain()`` or the module of some case came out otherwise.
"""

import json
import mmap
import multiprocessing
import os
import resource
import signal
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import mutated

mutated.install()

import strategies  # noqa: E402, behind install: it must be first to import the pass
from harness import ir  # noqa: E402
from harness.build import build  # noqa: E402
from harness.case import Case  # noqa: E402
from harness.draws import leave_no_files, shards  # noqa: E402
from harness.fold import FoldExplicitPadding  # noqa: E402
from harness.mutants.matrix import RIGHT, matrix  # noqa: E402
from harness.mutants.through import Passes  # noqa: E402
from harness.targets import Target, parse_target  # noqa: E402

PASS_SECONDS = 3
"""Of CPU time for one pass over a case of a few ops, which takes some milliseconds: longer is a loop."""

STEP_SECONDS = 60
"""Of wall-clock time that a worker may stay at one change: what loops outside Python is killed."""

MEMORY = 9 << 30
FIRST, MOST = 2, 16
"""Cases of a job: few while most changes are alive."""

EXACT: dict[str, Any] = {"nonzero": "correct", "channels": "slice"}
OPTIONS = (FoldExplicitPadding(check_input=False), FoldExplicitPadding(check_input=False, **EXACT))


@dataclass(slots=True)
class Found:
    """What a job found: change -> how it was killed; and the changes whose function ran, that made other modules, or
    that explained otherwise."""

    killed: dict[str, str] = field(default_factory=dict)
    reached: set[str] = field(default_factory=set)
    differed: set[str] = field(default_factory=set)
    explained: set[str] = field(default_factory=set)

    def add(self, other: "Found") -> None:
        self.killed = other.killed | self.killed
        self.reached |= other.reached
        self.differed |= other.differed
        self.explained |= other.explained


class Changed:
    """The pass of an option with one change on. A loop ends with a TimeoutError, and so as a pass that raised."""

    def __init__(self, name: str, fold: Any) -> None:
        self._name, self._fold = name, fold

    def __call__(self, module: ir.Module) -> ir.Module:
        with mutated.switched(self._name), _limited():
            return self._fold(module)

    def explained(self, module: ir.Module) -> str:
        with mutated.switched(self._name), _limited():
            return _explained(self._fold, module)


def _explained(fold: Any, module: ir.Module) -> str:
    return "\n".join(map(repr, fold.explain(module)))


@contextmanager
def _limited() -> Iterator[None]:
    signal.setitimer(signal.ITIMER_VIRTUAL, PASS_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _loops(*_: object) -> None:
    raise TimeoutError("the pass does not end")


# --- a worker: a process for each job, which a change may end ----------------------------------------


@dataclass(frozen=True, slots=True)
class Left:
    """Where a worker was lost, in the first of its cases: at which option, behind which place among the changes.

    ``differing`` had made another module by then; they are to be run ``alone`` if one of them ended the process.
    """

    option: int = 0
    place: int = -1
    differing: tuple[str, ...] = ()
    alone: bool = False


class Worker:
    """Judges cases in a process of its own, and says by shared memory which change it is at."""

    def __init__(self, cases: Sequence[Case], alive: Sequence[str], left: Left) -> None:
        self.cases, self.alive, self.left = cases, alive, left
        self._at = mmap.mmap(-1, 16)
        self._steps = 0
        self._say(-1)
        self.answers, self._ours = multiprocessing.Pipe(duplex=False)
        self.process = multiprocessing.get_context("fork").Process(target=self._run, daemon=True)
        self.process.start()
        self._ours.close()

    @property
    def at(self) -> int:
        """The place of the change that the process is, or was, at; negative between changes."""
        return int(struct.unpack("qq", self._at[:])[0])

    def answer(self) -> Any:
        """What is found next; None at the end. Raises EOFError if the process died, TimeoutError if it hangs."""
        seen = b""
        while seen != (seen := self._at[:]):
            if self.answers.poll(STEP_SECONDS):
                return self.answers.recv()
        raise TimeoutError

    def _say(self, place: int) -> None:
        self._steps += 1
        self._at[:] = struct.pack("qq", place, self._steps)

    def _run(self) -> None:
        signal.signal(signal.SIGVTALRM, _loops)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # TVM warns of half of what changed passes make
        target = parse_target("llvm")
        places = {name: place for place, name in enumerate(self.alive)}
        left = self.left
        for case in self.cases:
            for option in range(left.option, len(OPTIONS)):
                killed = self._judge(case, OPTIONS[option], places, left, target)
                for name in killed:
                    places.pop(name, None)
                self._ours.send(("option", killed))
                left = Left()
            self._ours.send(("case",))
        self._ours.send(None)

    def _judge(self, case: Case, fold: Any, places: dict[str, int], left: Left, target: Target) -> dict[str, str]:
        """The changes that a case kills, and how."""
        unfolded = build(case)
        mutated.REACHED.clear()
        folded = fold(unfolded.clone())
        again = fold(folded)
        said = _explained(fold, unfolded)
        reached = set(mutated.REACHED)
        others = {name: Changed(name, fold) for name in left.differing if name in places}
        for name, place in places.items():
            if place <= left.place or mutated.CHANGES[name].function not in reached:
                continue
            self._say(place)
            changed = Changed(name, fold)
            if not _alike(changed, unfolded, folded, again):
                others[name] = changed
                self._ours.send(("differs", name))
            elif not _says(changed, unfolded, said):
                self._ours.send(("explains", name))
            else:
                self._ours.send(("reached", name))
        killed: dict[str, str] = {}
        groups = [{name: changed} for name, changed in others.items()] if left.alone else [others]
        for group in filter(None, groups):
            self._say(places[next(iter(group))] if left.alone else -1)
            [kills] = matrix([case], Passes({RIGHT: fold, **group}), target)
            killed |= {name: failed.fingerprint for name, failed in kills.items()}
        self._say(-1)
        return killed


def _alike(changed: Changed, unfolded: ir.Module, folded: ir.Module, again: ir.Module) -> bool:
    try:
        return bool(ir.same(changed(unfolded.clone()), folded) and ir.same(changed(folded), again))
    except Exception:  # noqa: BLE001, whatever the changed pass raises, the matrix will say so of the case
        return False


def _says(changed: Changed, unfolded: ir.Module, said: str) -> bool:
    try:
        return changed.explained(unfolded) == said
    except Exception:  # noqa: BLE001, it differs
        return False


def judged(cases: Sequence[Case], alive: Sequence[str]) -> Found:
    """What the cases show of the changes, by as many workers as it takes."""
    found, left = Found(), Left()
    while cases:
        worker = Worker(cases, alive, left)
        option, differing, done = left.option, list(left.differing), 0
        try:
            while (answer := worker.answer()) is not None:
                kind, *rest = answer
                if kind == "option":
                    option, differing, left = option + 1, [], Left()
                    found.killed |= rest[0]
                elif kind == "case":
                    option, done = 0, done + 1
                else:
                    found.reached.add(rest[0])
                if kind == "differs":
                    found.differed.add(rest[0])
                    differing.append(rest[0])
                elif kind == "explains":
                    found.explained.add(rest[0])
            worker.process.join()
            return found
        except EOFError:
            lost = "the process died"
        except TimeoutError:
            lost = "it hung"
        worker.process.kill()
        worker.process.join()
        at = worker.at
        if at >= 0:
            found.killed[alive[at]] = lost
        elif left.alone:
            raise RuntimeError(f"a worker was lost to no change: {cases[done]}")
        # At no change, it ran what differs, all in one; what was lost at a change alone ran behind all of them.
        seen = len(alive) if at < 0 or left.alone else at + 1
        seen = sum(name not in found.killed for name in alive[:seen])
        alive = [name for name in alive if name not in found.killed]
        differing = [name for name in differing if name not in found.killed]
        left = Left(option, seen - 1, tuple(differing), alone=at < 0 or left.alone)
        cases = cases[done:]
    return found


# --- the command --------------------------------------------------------------------------------------


@click.command(help="Change the source of the pass, thousands of times, with the harness as the judge.")
@click.option("--cases", "budget", default=1000, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=2026, show_default=True, type=click.IntRange(min=0))
@click.option("--only", default="", help="A module of harness.fold: rules, rewrite, ...")
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="One object per change.")
def main(budget: int, seed: int, only: str, file: Path | None) -> None:
    """Print a line per round, the score, and what is alive."""
    leave_no_files()
    changes = [n for n, c in mutated.CHANGES.items() if only in ("", c.function.split(".")[2])]
    if not changes:
        known = sorted({change.function.split(".")[2] for change in mutated.CHANGES.values()})
        raise click.BadParameter(f"{only!r} has no changes; the modules are {', '.join(known)}", param_hint="--only")
    started, found, done, size = time.monotonic(), Found(), 0, FIRST
    workers = os.cpu_count() or 1
    drawn = [case for _, shard in shards(strategies.cases(), budget, seed) for case in shard]
    together = ThreadPoolExecutor(workers)
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
    _report(changes, found, done, time.monotonic() - started, file)


def _report(changes: Sequence[str], found: Found, cases: int, seconds: float, file: Path | None) -> None:
    rows = [_row(name, found) for name in changes]
    if file:
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    states = Counter(row["state"] for row in rows)
    reached = len(rows) - states["not reached"]
    for row in rows:
        if row["state"] not in ("killed", "not reached"):
            click.echo("\n".join((f"{row['state']}: {row['name']}", *row["lines"])))
    click.echo(
        f"{states['killed']} of {len(rows)} changes killed ({states['killed'] / len(rows):.1%}), "
        f"{states['killed'] / max(reached, 1):.1%} of the {reached} reached, in {cases} cases, {seconds:.0f} s: "
        + ", ".join(f"{count} {state}" for state, count in states.most_common())
    )


def _row(name: str, found: Found) -> dict[str, Any]:
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
