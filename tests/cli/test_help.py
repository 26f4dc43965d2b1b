"""Help texts: every command, at a fixed width, as a snapshot."""

import click
from tests.support.snapshots import assert_snapshot

from foldproof.cli.main import cli

WIDTH = 100


def help_texts(command, name, parent=None):
    """The lines of a command and of all commands below it."""
    widths = {"terminal_width": WIDTH, "max_content_width": WIDTH}
    command._help_option = None  # click keeps the option of the first context: another test may have had another one
    context = click.Context(command, info_name=name, parent=parent, **{**command.context_settings, **widths})
    yield f"$ {context.command_path} --help\n{command.get_help(context)}"
    for below in sorted(getattr(command, "commands", {})):
        yield from help_texts(command.commands[below], below, context)


def test_help_texts():
    assert_snapshot("cli-help", "\n\n\n".join(help_texts(cli, "foldproof")))
