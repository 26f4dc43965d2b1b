"""The command line: ``foldproof fuzz | replay | show | shrink | bench | mutants | corpus``.

Exit codes: 0 fine, 1 a defect was found, 2 bad input (one line on stderr that names the value and the choices).
"""

import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TextIO

import click

from harness.cli_corpus import DEFAULT_CORPUS
from harness.cli_corpus import corpus as corpus_group
from harness.loading import BUNDLED_NAMES, UsageError
from harness.versions import versions

if TYPE_CHECKING:
    from harness.campaign import Judging, Settings, Summary
    from harness.case import Case
    from harness.journal import Journal
    from harness.pool import Judge
    from harness.question import Question

DEFAULT_SECONDS = 60.0

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


def _question_options(command: Callable[..., Any]) -> Callable[..., Any]:
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


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="foldproof", prog_name="foldproof")
def cli() -> None:
    """Prove that folding explicit padding in Apache TVM is right: run with and without the pass, and compare."""


cli.add_command(corpus_group)


@cli.command()
@_question_options
@click.option("--ops", metavar="A,B", help="Ops to draw (default: all).")
@click.option("--examples", type=click.IntRange(min=1), help="Budget: cases to draw.")
@click.option(
    "--time",
    "seconds",
    type=Duration(),
    help=f"Budget: 60s, 10m, 8h (default without a budget: {DEFAULT_SECONDS:.0f}s).",
)
@click.option("--seed", type=click.IntRange(min=0), help="Same seed, same cases (default: a new one, printed first).")
@click.option("--workers", type=Workers(), default="auto", show_default=True, help="Processes that compile and run.")
@click.option(
    "--corpus",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_CORPUS,
    show_default=True,
    help="Folder for shrunk cases.",
)
@click.option("--no-save", is_flag=True, help="Save no case.")
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write one JSON object a line."
)
@click.option(
    "--strategy", metavar="MODULE:ATTR", help="Strategy of cases, or a function of op names that returns one."
)
@click.option(
    "--sample",
    type=Share(),
    default="2%",
    show_default=True,
    help="Share of the cases that both pipelines run, besides all failures.",
)
@click.option("--first", is_flag=True, help="Stop at the first failure: --max-failures 1.")
@click.option("--max-failures", type=click.IntRange(min=1), help="Stop at so many distinct failures.")
@click.option(
    "--memory",
    "megabytes",
    type=click.IntRange(min=512),
    default=4096,
    show_default=True,
    help="MB that a worker may hold; a case that needs more is a defect.",
)
@click.option(
    "--known",
    type=click.Path(path_type=Path),
    help="Case, or folder of cases, whose failures are known: counted, and no reason to fail.",
)
@click.option("--journal", type=click.Path(path_type=Path, file_okay=False), help="Folder to write down what is done.")
@click.option(
    "--resume",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of a journal: go on with that campaign, which says all but budgets, --workers and files.",
)
@click.option(
    "--shrink-time", type=Duration(), default=60.0, show_default="60s", help="Budget for each failure's shrinking."
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Judge on the Dask cluster of this scheduler, such as tcp://host:8786; --workers then only shrink.",
)
@click.pass_context
def fuzz(
    context: click.Context,
    fold: str | None,
    target: str,
    pipeline: str,
    complete: bool,
    ops: str | None,
    examples: int | None,
    seconds: float | None,
    seed: int | None,
    workers: int,
    corpus: Path,
    no_save: bool,
    json_path: Path | None,
    strategy: str | None,
    sample: float,
    first: bool,
    max_failures: int | None,
    megabytes: int,
    known: Path | None,
    journal: Path | None,
    resume: Path | None,
    shrink_time: float,
    scheduler: str | None,
) -> None:
    """Check random cases until a budget ends; shrink and save what fails."""
    from harness.campaign import Settings
    from harness.corpus import require_writable
    from harness.journal import Journal

    if resume is not None and journal is not None:
        raise UsageError(f"--resume {resume} goes on with the journal there, so --journal {journal} has no place")
    settings = Settings(
        ops=_op_names(ops),
        question=replace(_question(fold, target, pipeline, complete), sample=sample, megabytes=megabytes),
        strategy=strategy,
        seed=int.from_bytes(os.urandom(3), "big") if seed is None else seed,
        seconds=seconds,
        examples=examples,
        workers=workers,
        max_failures=1 if first else max_failures,
        corpus=None if no_save else corpus,
        shrink_seconds=shrink_time,
    )
    with ExitStack() as stack:
        kept = None
        if resume is not None:
            kept = stack.enter_context(Journal.resume(resume, versions()))
            settings = _resumed(context, settings, kept)
        if settings.seconds is None and settings.examples is None:
            settings = replace(settings, seconds=DEFAULT_SECONDS)
        if settings.corpus is not None:
            require_writable(settings.corpus)
        known_cases = _known(known)
        settings = replace(settings, known=tuple(known_cases.values()))
        judging = _judging(scheduler, stack)
        lines = stack.enter_context(_json_lines(json_path))
        if journal is not None:
            kept = stack.enter_context(Journal.create(journal, _start_record(settings)))
        summary = _campaign(settings, lines, kept, known_cases, judging)
    _exit(summary)


def _exit(summary: "Summary") -> NoReturn:
    if summary.trouble:
        click.echo(f"foldproof: {summary.trouble}", err=True)
        sys.exit(1 if summary.failures else 2)
    if not summary.failures and summary.executed == 0 and not summary.interrupted:
        raise UsageError("the budget ended when not a single case was checked yet: nothing was tested")
    sys.exit(1 if summary.failures else 130 if summary.interrupted else 0)


_RESUMED = {
    "fold": "pass",
    "target": "target",
    "pipeline": "pipeline",
    "complete": "complete",
    "ops": "ops",
    "seed": "seed",
    "strategy": "strategy",
    "sample": "sample",
}
"""Options that a journal has the say on -> what it calls them."""


def _resumed(context: click.Context, given: "Settings", journal: "Journal") -> "Settings":
    """The settings of the journal's campaign, with the budgets, workers and files that are given now."""
    from harness.question import Question

    said = journal.start
    asked = {
        "fold": given.question.fold,
        "target": given.question.target,
        "pipeline": given.question.pipeline,
        "complete": given.question.complete,
        "ops": list(given.ops),
        "seed": given.seed,
        "strategy": given.strategy,
        "sample": given.question.sample,
    }
    for option, name in _RESUMED.items():
        if _is_given(context, option) and asked[option] != said[name]:
            other = f"{name} {asked[option]!r} is another campaign"
            raise UsageError(f"--resume {journal.folder} goes on with {name} {said[name]!r}: {other}")
    spent = sum(shard["seconds"] for shard in journal.shards)
    no_budget = given.seconds is None and given.examples is None
    seconds, examples = (said["seconds"], said["examples"]) if no_budget else (given.seconds, given.examples)
    if no_budget and seconds is not None:
        seconds = max(seconds - spent, 0.001)
    question = Question(
        fold=said["pass"],
        target=said["target"],
        pipeline=said["pipeline"],
        complete=said["complete"],
        sample=said["sample"],
        megabytes=given.question.megabytes,
    )
    return replace(
        given,
        question=question,
        ops=tuple(said["ops"]),
        seed=said["seed"],
        strategy=said["strategy"],
        seconds=seconds,
        examples=examples,
    )


def _is_given(context: click.Context, option: str) -> bool:
    return context.get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE


def _known(path: Path | None) -> dict[Path, str]:
    """The files of known failures, and their fingerprints."""
    from harness import corpus

    found: dict[Path, str] = {}
    for file in corpus.paths([path]) if path is not None else ():
        fingerprint = corpus.load(file).found.get("failure")
        if not isinstance(fingerprint, str):
            raise UsageError(f"--known {file}: has no failure on record that could be known")
        found[file] = fingerprint
    return found


def _judging(scheduler: str | None, stack: ExitStack) -> "Judging | None":
    """How shards are judged: None is here."""
    if scheduler is None:
        return None
    from harness.cluster import Cluster
    from harness.elsewhere import judging

    return judging(stack.enter_context(Cluster(scheduler)))


def _campaign(
    settings: "Settings",
    lines: "JsonLines",
    journal: "Journal | None",
    known: dict[Path, str],
    judging: "Judging | None" = None,
) -> "Summary":
    from harness.campaign import failure_record, run
    from harness.draws import strategy_of
    from harness.pool import Judge
    from harness.report.progress import Progress
    from harness.report.summary import print_known, print_summary

    strategy_of(settings.ops, settings.strategy)
    console = _console()
    console.print(f"seed {settings.seed}, {settings.workers} workers, target {settings.question.target}", markup=False)
    lines.write(_start_record(settings))
    progress = Progress(console, seconds=settings.seconds, examples=settings.examples)
    with _interrupting(progress), Judge(settings.question, settings.workers) as judge:
        _start(judge)
        with progress:
            summary = run(settings, judge, progress, journal, judging)
        gone = [] if summary.interrupted else _no_longer_failing(judge, known)
    print_summary(console, summary, _replay_options(settings.question))
    print_known(console, gone)
    for found in summary.failures.values():
        lines.write({"event": "failure", **failure_record(found)})
    lines.write({**summary.to_plain(), "known_no_longer_failing": [str(path) for path in gone]})
    return summary


def _no_longer_failing(judge: "Judge", known: dict[Path, str]) -> list[Path]:
    """The known failures whose cases do not fail in that way any more."""
    from harness import corpus
    from harness.failures import Failure

    results = judge.ask([corpus.load(path).case for path in known])
    return [
        path
        for (path, fingerprint), result in zip(known.items(), results, strict=True)
        if not (isinstance(result, Failure) and result.fingerprint == fingerprint)
    ]


class Stoppable(Protocol):
    """What is told that the user wants an end."""

    stopped: bool


@contextmanager
def _interrupting(listener: "Stoppable") -> Iterator[None]:
    """SIGTERM does what Ctrl-C does; the listener knows of both, should the exception get lost, or have to wait."""
    from harness.draws import Drawing

    def interrupt(_number: int, _frame: Any) -> None:
        listener.stopped = True
        if not Drawing.busy:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start_record(settings: "Settings") -> dict[str, Any]:
    question = settings.question
    return {
        "event": "start",
        "seed": settings.seed,
        "ops": list(settings.ops),
        "pass": question.fold,
        "target": question.target,
        "pipeline": question.pipeline,
        "sample": question.sample,
        "complete": question.complete,
        "strategy": settings.strategy,
        "workers": settings.workers,
        "seconds": settings.seconds,
        "examples": settings.examples,
        "versions": versions(),
    }


@cli.command()
@_question_options
@click.option("--workers", type=Workers(), default="1", show_default=True, help="Processes that compile and run.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def replay(fold: str | None, target: str, pipeline: str, complete: bool, workers: int, paths: tuple[Path, ...]) -> None:
    """Check saved cases again: files, or folders of *.case.json."""
    from harness import corpus
    from harness.failures import Failure
    from harness.pool import Judge

    entries = [(path, corpus.load(path)) for path in corpus.paths(paths)]
    failed = 0
    question = _question(fold, target, pipeline, complete)
    with Judge(question, workers) as judge:
        _start(judge)
        jobs = [(path, entry, judge.submit([entry.case])) for path, entry in entries]
        for path, entry, job in jobs:
            [result] = job.results()
            if isinstance(result, Failure):
                failed += 1
                click.echo(f"FAILED  {path}: {result.fingerprint}: {result.detail}")
                continue
            complaint = entry.disappointment(result) if question.fold is None else None
            failed += complaint is not None
            doubts = ", ".join((*result.undefined, *result.findings))
            said = complaint or ("folded" if result.folded else "refused") + (
                f" (not compared: {doubts})" if doubts else ""
            )
            click.echo(f"{'FAILED' if complaint else 'ok':<7} {path}: {said}")
    if len(entries) > 1:
        click.echo(f"{len(entries)} cases, {failed} failed")
    sys.exit(1 if failed else 0)


@cli.command()
@_question_options
@click.option(
    "--script",
    "script_path",
    metavar="[FILE]",
    is_flag=False,
    flag_value="-",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Print, or write to FILE, a script that shows the case without foldproof and the pass.",
)
@click.argument("path", metavar="CASE", type=click.Path(path_type=Path))
def show(fold: str | None, target: str, pipeline: str, complete: bool, script_path: Path | None, path: Path) -> None:
    """Show a saved case: TVMScript before and after, the reason of each site, the verdict."""
    from harness import corpus
    from harness.loading import load_fold
    from harness.report.show import show as show_entry
    from harness.targets import parse_target

    entry = corpus.load(path)
    if script_path is not None:
        _show_script(path, entry.case, script_path, _question(fold, target, pipeline, complete))
    loaded, loaded_target = load_fold(fold), parse_target(target, pipeline)
    _tell(loaded_target.notice)
    question = _question(fold, target, pipeline, complete)
    passed = show_entry(_console(), entry, loaded, loaded_target, complete=question.complete)
    sys.exit(0 if passed else 1)


def _show_script(path: Path, case: "Case", script_path: Path, question: "Question") -> NoReturn:
    """In a worker, which may die of the case; exit code 1 if the case fails."""
    from harness.corpus import rewrite
    from harness.failures import Failure
    from harness.pool import Judge

    with Judge(question, 1) as judge:
        _start(judge)
        [result] = judge.ask([case])
        text, complaint = judge.script(case, result)
    if not text:
        raise UsageError(f"{path}: no script: {complaint}")
    if str(script_path) == "-":
        click.echo(text, nl=False)
    else:
        rewrite(script_path, text)
    sys.exit(1 if isinstance(result, Failure) else 0)


@cli.command()
@_question_options
@click.option("--workers", type=Workers(), default="auto", show_default=True, help="Processes that compile and run.")
@click.option(
    "--corpus",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_CORPUS,
    show_default=True,
    help="Folder for the shrunk case.",
)
@click.option("--shrink-time", type=Duration(), default=60.0, show_default="60s", help="Budget for shrinking.")
@click.argument("path", metavar="CASE", type=click.Path(path_type=Path))
def shrink(
    fold: str | None,
    target: str,
    pipeline: str,
    complete: bool,
    workers: int,
    corpus: Path,
    shrink_time: float,
    path: Path,
) -> None:
    """Shrink a saved case that fails, without the seed that it came from."""
    from harness import corpus as files
    from harness.campaign import Found, Settings, shrink_found
    from harness.failures import Failure
    from harness.pool import Judge
    from harness.report.summary import failure_text

    case = files.load(path).case
    files.require_writable(corpus)
    question = _question(fold, target, pipeline, complete)
    settings = Settings(question=question, workers=workers, corpus=corpus, shrink_seconds=shrink_time)
    with Judge(question, workers) as judge:
        _start(judge)
        [result] = judge.ask([case])
        if not isinstance(result, Failure):
            click.echo(f"{path}: does not fail, so there is nothing to shrink")
            sys.exit(0)
        found = Found(failure=result)
        shrink_found(settings, judge, found)
    _console().print(failure_text(found, _replay_options(question)), soft_wrap=True)
    sys.exit(1)


@cli.command()
@click.option("--pass", "fold", metavar="MODULE:ATTR", help="Pass to run (default: the bundled one).")
@click.option("--target", default="llvm", show_default=True, help="TVM target: kind, tag or JSON.")
@click.option("--ops", metavar="A,B", help="Ops to draw (default: all).")
@click.option("--time", "seconds", type=Duration(), default=180.0, show_default="3m", help="Budget, about.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Same seed, same cases.")
@click.option(
    "--sample", type=Share(), default="2%", show_default=True, help="Share of the cases that both pipelines run."
)
@click.option("--no-workers", is_flag=True, help="Leave out the race of one worker and two.")
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write one JSON object a line."
)
def bench(
    fold: str | None,
    target: str,
    ops: str | None,
    seconds: float,
    seed: int,
    sample: float,
    no_workers: bool,
    json_path: Path | None,
) -> None:
    """Measure what a case costs: naive, default and fast pipeline, by stage; and what a second worker brings."""
    from harness.bench import races, rounds
    from harness.report.bench import print_bench, record, summary

    question = replace(_question(fold, target, "fast", complete=False), sample=sample)
    names = _op_names(ops)
    found: list[Any] = []
    raced: list[Any] = []
    console = _console()
    with _json_lines(json_path) as lines, _patience(console) as patience:
        for each in rounds(question, ops=names, seed=seed, seconds=seconds * (1.0 if no_workers else 0.6)):
            found.append(each)
            lines.write(record(each))
            patience(f"{len(found)} rounds: {each.ms('single'):.1f} ms a case, {each.ratio('single'):.1f} x naive")
        for race in () if no_workers else races(question, ops=names, seed=seed, seconds=seconds * 0.4):
            raced.append(race)
            lines.write(record(race))
            patience(f"{len(raced)} races of workers: {race.ratio:.2f} x")
        lines.write(summary(found, raced))
    print_bench(console, found, raced)


@cli.command()
@click.option("--only", metavar="A,B", help="Defects to run (default: all).")
@click.option("--budget", type=click.IntRange(min=1), default=1000, show_default=True, help="Cases of each seed.")
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="How many seeds.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The first seed.")
@click.option("--workers", type=Workers(), default="auto", show_default=True, help="Processes that compile and run.")
@click.option("--baselines/--no-baselines", default=True, help="Other ways of testing beside it.")
@click.option("--shrink/--no-shrink", "shrinks", default=True, help="The small case of each defect.")
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path, dir_okay=False), help="Write one JSON object a line."
)
def mutants(
    only: str | None,
    budget: int,
    seeds: int,
    seed: int,
    workers: int,
    baselines: bool,
    shrinks: bool,
    json_path: Path | None,
) -> None:
    """Measure the harness: how many cases does it take to kill passes that are wrong on purpose?"""
    from harness.mutants.benchmark import Plan, run
    from harness.mutants.report import Progress, print_result, records
    from harness.pool import Judge
    from harness.question import Question

    plan = Plan(
        names=_defect_names(only),
        budget=budget,
        seeds=seeds,
        seed=seed,
        workers=workers,
        baselines=baselines,
        shrinks=shrinks,
    )
    console = _console()
    with _json_lines(json_path) as lines:
        progress = Progress(console, plan, lines.write)
        with _interrupting(progress), Judge(Question(), workers) as judge:
            lines.write({"event": "start", "versions": versions(), "defects": list(plan.names)})
            _start(judge)
            result = run(plan, judge, progress)
        print_result(console, result)
        for record in records(result):
            lines.write(record)
    sys.exit(130 if result.interrupted else 0 if len(result.killed) == len(plan.names) else 1)


# --- what commands share ------------------------------------------------------------------------------


def _op_names(given: str | None) -> tuple[str, ...]:
    from harness import ops

    names = tuple(given.split(",")) if given is not None else ()
    for name in names:
        if name not in ops.NAMES:
            raise UsageError(f"op {name!r} is none of {', '.join(ops.NAMES)}")
    return names


def _defect_names(given: str | None) -> tuple[str, ...]:
    from harness.mutants import BY_NAME

    names = tuple(dict.fromkeys(given.split(","))) if given is not None else tuple(BY_NAME)
    for name in names:
        if name not in BY_NAME:
            raise UsageError(f"defect {name!r} is none of {', '.join(BY_NAME)}")
    return names


def _question(fold: str | None, target: str, pipeline: str, complete: bool) -> "Question":
    """The bundled pass is always held to completeness."""
    from harness.question import Question

    bundled = fold in BUNDLED_NAMES
    return Question(fold=None if bundled else fold, target=target, pipeline=pipeline, complete=complete or bundled)


def _start(judge: "Judge") -> None:
    judge.start()
    _tell(judge.notice)


def _tell(notice: str) -> None:
    """What the user should know, and no failure: on stderr, where it disturbs no output."""
    if notice:
        click.echo(f"foldproof: {notice}", err=True)


def _replay_options(question: "Question") -> str:
    """What a replay line needs behind the path to ask the same."""
    from shlex import quote

    options = f" --pass {quote(question.fold)}" if question.fold else ""
    options += f" --target {quote(question.target)}" if question.target != "llvm" else ""
    options += f" --pipeline {question.pipeline}" if question.pipeline != "fast" else ""
    return options + (" --complete" if question.complete and question.fold else "")


def _console() -> Any:
    """Without a terminal, lines are as wide as a log likes them."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 120)


@contextmanager
def _patience(console: Any) -> Iterator[Callable[[str], None]]:
    """A line that says how far a command has come, on a terminal only."""
    if not console.is_terminal:
        yield lambda text: None
        return
    with console.status("warming up") as status:
        yield status.update


class JsonLines:
    """One JSON object a line, flushed, or nothing where no file was asked for."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file

    def __enter__(self) -> "JsonLines":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            with suppress(OSError):  # said already: each line is flushed
                self._file.close()

    def write(self, record: dict[str, Any]) -> None:
        """Append a line. Raises UsageError, on a full disk for one."""
        if self._file is None:
            return
        try:
            print(json.dumps(record, allow_nan=False), file=self._file, flush=True)
        except OSError as error:
            raise UsageError(f"--json {self._file.name}: cannot be written: {error.strerror}") from error


def _json_lines(path: Path | None) -> JsonLines:
    try:
        return JsonLines(path.open("w", encoding="utf-8") if path else None)
    except OSError as error:
        raise UsageError(f"--json {path}: cannot be written: {error.strerror}") from error


def main() -> None:
    """Run the command; bad input ends with one line and exit code 2."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(2)
    except click.ClickException as error:
        _refuse(error.format_message())
    except UsageError as error:
        _refuse(str(error))
    except click.Abort:
        sys.exit(130)


def _refuse(message: str) -> None:
    click.echo("foldproof: " + " ".join(message.split()), err=True)
    sys.exit(2)
