"""``foldproof show``: everything about a saved case."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from foldproof.cli.console import create_console, print_notice, start_pool
from foldproof.cli.options import CHECK_OPTIONS, config_from, setting_options
from foldproof.core.errors import UsageError

if TYPE_CHECKING:
    from foldproof.case.any_case import AnyCase
    from foldproof.checking.config import CheckConfig
    from foldproof.checking.failures import Failure


@click.command()
@setting_options(*CHECK_OPTIONS)
@click.option(
    "--script",
    "script_path",
    metavar="[FILE]",
    is_flag=False,
    flag_value="-",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Print, or write to FILE, a script that reproduces the result without foldproof and without the pass.",
)
@click.option(
    "--report-markdown",
    "report_path",
    metavar="[FILE]",
    is_flag=False,
    flag_value="-",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Print, or write to FILE, an issue text with that script, what was expected and why, and the versions.",
)
@click.argument("path", metavar="CASE", type=click.Path(path_type=Path))
def show(script_path: Path | None, report_path: Path | None, path: Path, **given: Any) -> None:
    """Show a saved case: TVMScript before and after the pass, the reason of each site, and the result."""
    from foldproof.core.loading import load_pass
    from foldproof.corpus.entry import load_entry
    from foldproof.ir.base import ir_of
    from foldproof.report.show import show as show_entry

    config = config_from(given)
    entry = load_entry(path)
    if other := entry.other_pass(config.fold):
        print_notice(f"{path}: {other}; --pass names another")
    if script_path is not None:
        _write_script(path, entry.case, script_path, config)
    if report_path is not None:
        _write_script(path, entry.case, report_path, config, as_issue=True)
    fold = load_pass(config.fold)
    target = ir_of(fold).parse_target(config.target, config.pipeline)
    print_notice(target.notice)
    passed = show_entry(create_console(), entry, fold, target, complete=config.complete)
    sys.exit(0 if passed else 1)


def _write_script(
    path: Path, case: "AnyCase", script_path: Path, config: "CheckConfig", *, as_issue: bool = False
) -> NoReturn:
    """Check the case in a worker, which it may crash; exit with code 1 if the case fails."""
    from foldproof.checking.failures import Failure
    from foldproof.core.files import replace_file
    from foldproof.workers.pool import WorkerPool

    with WorkerPool(config, 1) as pool:
        start_pool(pool)
        [result] = pool.check_each([case])
        text, problem = pool.script(case, result)
    if not text:
        raise UsageError(f"{path}: cannot be written as a script: {problem}")
    if as_issue:
        if not isinstance(result, Failure):
            raise UsageError(f"{path}: the case does not fail, so there is nothing to report")
        text = _write_issue(result, text, config)
    if str(script_path) == "-":
        click.echo(text, nl=False)
    else:
        replace_file(script_path, text)
    sys.exit(1 if isinstance(result, Failure) else 0)


def _write_issue(failure: "Failure", script: str, config: "CheckConfig") -> str:
    from foldproof.core.loading import load_pass, name_of_pass
    from foldproof.core.versions import versions
    from foldproof.ir.base import ir_of
    from foldproof.ir.subjects import BY_NAME
    from foldproof.repro.issue_text import write_issue

    subject = BY_NAME.get(config.fold or "")
    tools = subject.versions if subject is not None else versions()
    return write_issue(
        failure,
        script,
        subject=name_of_pass(config.fold),
        sentences=ir_of(load_pass(config.fold)).quote_specification(failure.case),
        tools=[f"{name} {version}" for name, version in tools.items()],
    )
