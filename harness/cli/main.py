"""The command line: ``foldproof fuzz | replay | show | shrink | corpus | bench | mutants | model | passes``.

Exit codes:
    0  no defect was found
    1  a defect was found
    2  bad input: one line on stderr that names the value and what was expected
    130  interrupted
"""

import sys

import click

from foldproof.cli.commands.bench import bench
from foldproof.cli.commands.corpus import corpus
from foldproof.cli.commands.fuzz import fuzz
from foldproof.cli.commands.model import model
from foldproof.cli.commands.mutants import mutants
from foldproof.cli.commands.passes import passes
from foldproof.cli.commands.replay import replay
from foldproof.cli.commands.show import show
from foldproof.cli.commands.shrink import shrink
from foldproof.core.errors import UsageError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="foldproof", prog_name="foldproof")
def cli() -> None:
    """Test passes that fold explicit padding in Apache TVM: run each case with and without the pass, and compare."""


for command in (fuzz, replay, show, shrink, corpus, bench, mutants, model, passes):
    cli.add_command(command)


def main() -> None:
    """Run the command line. Bad input ends it with one line on stderr and exit code 2."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(2)
    except click.ClickException as error:
        _exit_with(error.format_message())
    except UsageError as error:
        _exit_with(str(error))
    except click.Abort:
        sys.exit(130)


def _exit_with(message: str) -> None:
    click.echo("foldproof: " + " ".join(message.split()), err=True)
    sys.exit(2)
