"""``foldproof model``: what a pass does to a whole model, and what it is worth."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foldproof.cli.console import create_console
from foldproof.cli.options import setting_options
from foldproof.cli.signals import stop_on_signals

if TYPE_CHECKING:
    from foldproof.model.examine import Progress


class Shape(click.ParamType[tuple[str, tuple[int, ...]]]):
    """``x=1,3,224,224`` -> the name of an input and its lengths."""

    name = "shape"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[int, ...]]:
        """Return the name and the lengths."""
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"(.+)=([1-9]\d*(?:,[1-9]\d*)*)?", value)
        if match is None:
            self.fail(f"{value!r} is not a shape, such as x=1,3,224,224", param, ctx)
        return match[1], tuple(int(length) for length in match[2].split(",")) if match[2] else ()


WIDTH = 200
"""Columns of the report where stdout is not a terminal."""

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@setting_options("fold", "target")
@click.option(
    "--shape", "shapes", type=Shape(), multiple=True, help="Lengths of an input, as x=1,3,224,224; repeatable."
)
@click.option("--no-run", is_flag=True, help="List the sites only: do not compile and run the model.")
@click.option("--save", type=_FILE, help="Write the folded model to FILE, as TVMScript in Python.")
@click.option(
    "--cases",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write each site, scaled down, to DIR as a case for `foldproof replay`.",
)
@click.option("--html", type=_FILE, help="Write the report to FILE, too, as an HTML page.")
@click.argument("model", metavar="FILE")
def model(
    shapes: tuple[tuple[str, tuple[int, ...]], ...],
    no_run: bool,
    save: Path | None,
    cases: Path | None,
    html: Path | None,
    model: str,
    **given: Any,
) -> None:
    """List what a pass does to the pads of a model, compare the model with and without it, and measure the worth.

    FILE is an .onnx, .tflite or .pt2 file, TVMScript in a .py file, or MODULE:ATTR: an IRModule, or a torch module with
    its example inputs.
    """
    from foldproof.core.files import replace_file
    from foldproof.corpus.entry import require_writable
    from foldproof.model import Examination, Request, examine
    from foldproof.model.tables import render, render_html

    if cases is not None:
        require_writable(cases)
    request = Request(model=model, shapes=shapes, fold=given["fold"], target=given["target"])
    found = Examination(request=request)
    stopped = _Stopped()
    try:
        with stop_on_signals(stopped), _show_progress() as progress:
            examine(request, run=not no_run, save=save, cases=cases, progress=progress, into=found)
    except KeyboardInterrupt:
        found.interrupted = True
    create_console(WIDTH).print(render(found))
    if html is not None:
        replace_file(html, render_html(found))
        click.echo(f"written: {html}")
    sys.exit(found.exit_code)


class _Stopped:
    stopped = False


@contextmanager
def _show_progress() -> "Iterator[Progress]":
    """Show a progress bar on stderr, if that is a terminal, and yield the function that advances it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda text, done, steps: None
        return
    columns = (SpinnerColumn(), BarColumn(bar_width=20), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def advance(text: str, done: int, steps: int) -> None:
            bar.update(task, description=text, completed=done, total=steps)

        yield advance
