"""Which changes that no case kills are killed by the tests of the pass.

    score.py --json FILE -> surviving changes -> each in a process of its own: the tests that reach its function
                                                                              +-> FILE, with state "killed by a test"

No oracle reads the words of an explanation, or a binding that is left over; the tests of ``tests/fold`` compare them.
Only tests that pass without a change count.
"""

import multiprocessing
import os
import resource
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import click
import mutated
import rows
from forked import in_fork

mutated.install()

import pytest  # noqa: E402

import foldproof.fold  # noqa: E402, F401, with its changes

EXCLUDED = ("fold_time", "pipelines")
"""The tests ``tests/fold/test_NAME.py`` that are not used: they are slow, or run the pass in other processes."""

CPU_SECONDS = 60
WALL_SECONDS = 300.0
"""Wall-clock seconds of a change's tests: longer is a loop or a deadlock."""

MEGABYTES = 9 << 10


class Suite:
    """A pytest plugin that runs the tests once per change. ``found`` is change -> test."""

    def __init__(self, names: Sequence[str], seconds: float) -> None:
        self.names, self.seconds, self.found = names, seconds, dict[str, str]()
        self._failed = False
        self._reaching: dict[str, list[tuple[float, Any]]] = defaultdict(list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._failed = self._failed or report.failed

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        for item in session.items:
            mutated.REACHED.clear()
            started = time.perf_counter()
            if self._passes(item):
                for function in mutated.REACHED:
                    self._reaching[function].append((time.perf_counter() - started, item))
            else:
                click.echo(f"skipped, because it fails without a change: {item.nodeid}")
        for tests in self._reaching.values():
            tests.sort(key=lambda test: test[0])
        click.echo(f"{len(session.items)} tests reach {len(self._reaching)} functions")
        global _suite
        _suite = self
        with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("fork")) as together:
            for number, (name, test) in enumerate(
                zip(self.names, together.map(_find_killer, self.names), strict=True), 1
            ):
                if test:
                    self.found[name] = test
                if number % 100 == 0:
                    click.echo(f"{number} changes, {len(self.found)} killed")
                    sys.stdout.flush()
        return True

    def _passes(self, item: pytest.Item) -> bool:
        self._failed = False
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        return not self._failed

    def killer(self, name: str) -> str:
        """Return the test that fails with a change on; empty if none does."""
        tests, end = self._reaching[mutated.CHANGES[name].function], time.process_time() + self.seconds
        with mutated.switched(name):
            for _, item in tests:
                if time.process_time() > end:
                    return ""
                if not self._passes(item):
                    return str(item.nodeid)
        return ""


_suite: Suite


def _find_killer(name: str) -> str:
    """Return the test that kills a change, found in a process of its own."""

    def work() -> str:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        return _suite.killer(name)

    found = in_fork(work, seconds=WALL_SECONDS, megabytes=MEGABYTES)
    return "the process was lost" if found is None else found


@click.command(help="Run the tests of the pass on the surviving changes of FILE, and update the file.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--only", default="", help="A module of foldproof.fold: rules, rewrite, ...")
@click.option("--seconds", default=3.0, show_default=True, help="CPU seconds per change; no test starts after that.")
@click.option(
    "--tests", default="", help=f"Names of files, tests/fold/test_NAME.py (default: all but {', '.join(EXCLUDED)})."
)
def main(file: Path, only: str, seconds: float, tests: str) -> None:
    """Print the tests that kill most, and the states."""
    changes = rows.read(file, mutated.CHANGES)
    alive = [row["name"] for row in changes if row["state"] not in rows.KILLED]
    lives = [name for name in alive if only in ("", name.split(".")[2])]
    suite, folder = Suite(lives, seconds), Path(__file__).resolve().parents[2] / "tests" / "fold"
    quiet = ["-o", "addopts=", "--assert=plain", "-p", "no:terminal", "-p", "no:cacheprovider"]
    names = tests.split(",") if tests else _test_names(folder)
    files = [str(folder / f"test_{name}.py") for name in names]
    ended = pytest.main([*quiet, "-m", "not slow and not faults", *files], plugins=[suite])
    if ended != pytest.ExitCode.OK:
        raise click.ClickException(f"pytest ended with {ended!r}")
    for row in changes:
        if row["name"] in suite.found:
            row.update(state=rows.BY_TEST, by=suite.found[row["name"]])
    rows.write(file, changes)
    _print(changes, suite.found.values())


def _test_names(folder: Path) -> list[str]:
    names = sorted(path.stem.removeprefix("test_") for path in folder.glob("test_*.py"))
    return [name for name in names if name not in EXCLUDED]


def _print(changes: Iterable[rows.Row], tests: Iterable[str]) -> None:
    for test, count in Counter(test.partition("[")[0] for test in tests).most_common(12):
        click.echo(f"{count:5} {test}")
    click.echo(", ".join(f"{count} {state}" for state, count in Counter(row["state"] for row in changes).most_common()))


if __name__ == "__main__":
    main()
