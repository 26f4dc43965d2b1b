"""Which of the changes that no case kills are killed by the tests of the pass.

    score.py --json FILE -> what lives -> each change in a process of its own: the tests that reach its function
                                                                                 +-> FILE, with state "killed by a test"

No oracle sees the words of an explanation, or a binding that is left behind; the tests in ``tests/fold`` compare
them. A test counts that passes without a change.
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

TESTS = (
    "rules,consumers,through,pad_pairs,identity,moves,functions,aliases,in_place,kept,reports,options,pad_kernels,"
    "resnet_stem,correction,slices,values,propagation,pooling,reader,primfunc"
)
"""``tests/fold/test_NAME.py``, those that are quick and run the pass in their own process."""

CPU_SECONDS = 60
WALL_SECONDS = 300.0
"""A change whose tests take so long is in a loop, or waits for ever."""

MEGABYTES = 9 << 10


class Suite:
    """A pytest plugin that runs the tests as often as there are changes. ``found`` is change -> test."""

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
                click.echo(f"left out, it fails as it is: {item.nodeid}")
        for tests in self._reaching.values():
            tests.sort(key=lambda test: test[0])
        click.echo(f"{len(session.items)} tests reach {len(self._reaching)} functions")
        global _suite
        _suite = self
        with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("fork")) as together:
            for number, (name, test) in enumerate(zip(self.names, together.map(_judged, self.names), strict=True), 1):
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
        """The test that fails with a change on; empty if none does."""
        tests, end = self._reaching[mutated.CHANGES[name].function], time.process_time() + self.seconds
        with mutated.switched(name):
            for _, item in tests:
                if time.process_time() > end:
                    return ""
                if not self._passes(item):
                    return str(item.nodeid)
        return ""


_suite: Suite


def _judged(name: str) -> str:
    """The test that kills a change, found in a process that may be lost."""

    def work() -> str:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        return _suite.killer(name)

    found = in_fork(work, seconds=WALL_SECONDS, megabytes=MEGABYTES)
    return "the process was lost" if found is None else found


@click.command(help="Ask the tests of the pass about the changes of FILE that live, and write into it what they say.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--only", default="", help="A module of foldproof.fold: rules, rewrite, ...")
@click.option("--seconds", default=3.0, show_default=True, help="CPU time for a change; no test is begun after that.")
@click.option("--tests", default=TESTS, show_default=True, help="Names of files, tests/fold/test_NAME.py.")
def main(file: Path, only: str, seconds: float, tests: str) -> None:
    """Print the tests that kill most, and the states."""
    judged = rows.read(file, mutated.CHANGES)
    alive = [row["name"] for row in judged if row["state"] not in rows.KILLED]
    lives = [name for name in alive if only in ("", name.split(".")[2])]
    suite, folder = Suite(lives, seconds), Path(__file__).resolve().parents[2] / "tests" / "fold"
    quiet = ["-o", "addopts=", "--assert=plain", "-p", "no:terminal", "-p", "no:cacheprovider"]
    files = [str(folder / f"test_{name}.py") for name in tests.split(",")]
    ended = pytest.main([*quiet, "-m", "not slow and not faults", *files], plugins=[suite])
    if ended != pytest.ExitCode.OK:
        raise click.ClickException(f"pytest ended with {ended!r}")
    for row in judged:
        if row["name"] in suite.found:
            row.update(state=rows.BY_TEST, by=suite.found[row["name"]])
    rows.write(file, judged)
    _print(judged, suite.found.values())


def _print(judged: Iterable[rows.Row], tests: Iterable[str]) -> None:
    for test, count in Counter(test.partition("[")[0] for test in tests).most_common(12):
        click.echo(f"{count:5} {test}")
    click.echo(", ".join(f"{count} {state}" for state, count in Counter(row["state"] for row in judged).most_common()))


if __name__ == "__main__":
    main()
