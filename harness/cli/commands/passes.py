"""``foldproof passes``: the passes, optimizers and compilers that can be tested by name."""

import click


@click.command()
@click.option("--open", "shows_open", is_flag=True, help="Also print what each may do otherwise by right.")
def passes(shows_open: bool) -> None:
    """List the passes that --pass takes by name, with their versions and what is not installed."""
    from foldproof.ir.subjects import SUBJECTS

    click.echo("FoldExplicitPadding  relax  the bundled pass, which is the default")
    for subject in SUBJECTS:
        installed = ", ".join(f"{name} {version}" for name, version in subject.versions.items() if version)
        state = installed
        if subject.missing:
            state = f"not installed: {', '.join(subject.missing)}; pip install 'foldproof[{subject.extra}]'"
        click.echo(f"{subject.name:<20} {subject.ir:<6} {subject.applied}")
        click.echo(f"{'':<20} {'':<6} {state}")
        for each in subject.leaves_open if shows_open else ():
            click.echo(f"{'':<20} {'':<6} open: {each.text} ({each.source})")
