"""The command line: ``foldproof fuzz | replay | show | shrink | bench | mutants | corpus``.

Exit codes: 0 fine, 1 a defect was found, 2 bad input (one line on stderr that names the value and the choices).
"""

import sys

import click

from foldproof.cli.commands.cases import replay, show, shrink
from foldproof.cli.commands.corpus import corpus
from foldproof.cli.commands.fuzz import fuzz
from foldproof.cli.commands.measure import bench, mutants
from foldproof.core.errors import UsageError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="foldproof", prog_name="foldproof")
def cli() -> None:
    """Prove that folding explicit padding in Apache TVM is right: run with and without the pass, and compare."""


for command in (fuzz, replay, show, shrink, bench, mutants, corpus):
    cli.add_command(command)


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
