"""The settings of a resumed campaign: its identity from the journal, the rest from the command line."""

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import click

from foldproof.campaign.settings import IDENTITY, Settings
from foldproof.cli.console import print_notice
from foldproof.core.errors import UsageError
from foldproof.core.pass_source import describe_change, find_source
from foldproof.core.setting import Option
from foldproof.core.versions import versions

if TYPE_CHECKING:
    from foldproof.campaign.journal import Journal


def start_record(settings: Settings) -> dict[str, Any]:
    """Return the first line of a journal, and of ``--json``."""
    source = find_source(settings.config.fold)
    return {"event": "start", **settings.to_dict(), "versions": versions(), "pass_source": source}


def require_same_pass(journal: "Journal", settings: Settings, *, anyway: bool) -> str:
    """Require that the pass has the source that the journal recorded last.

    Args:
        journal: an open journal.
        settings: the settings of the resumed campaign.
        anyway: whether another source is recorded and reported instead of refused.

    Returns:
        How the pass changed since the campaign began, in a sentence for the report; empty if it did not.

    Raises:
        UsageError: if the pass changed and ``anyway`` is not given.
    """
    if not journal.sources:
        print_notice(
            f"--resume {journal.folder}: the journal has no digest of the pass, so a change of the pass goes unnoticed"
        )
        return ""
    source = find_source(settings.config.fold)
    change = describe_change(journal.sources[-1], source) if source else ""  # loading it fails, and says why
    if change and not anyway:
        raise UsageError(
            f"--resume {journal.folder}: the pass is not the one of the campaign: {change}; start another campaign "
            "with --journal, or add --anyway to mix the results of both"
        )
    if change:
        journal.record_pass(source)
        journal.sources.append(source)
    steps = "; ".join(describe_change(old, new) for old, new in pairwise(journal.sources))
    return f"the pass changed during the campaign, so its counts are of several passes: {steps}" if steps else ""


def resume_settings(context: click.Context, given: Settings, journal: "Journal") -> Settings:
    """Return the settings of the journal's campaign, with the budgets, workers and files that are given now.

    Without a budget the recorded ones are used, less the time that was spent.

    Raises:
        UsageError: if an option of the command line contradicts the identity of the campaign.
    """
    recorded = Settings.from_dict(journal.start)
    for each in IDENTITY:
        if each.option and _is_given(context, each.name) and given[each.name] != recorded[each.name]:
            flag = each.option.flag
            old, new = _show(recorded[each.name], each.option), _show(given[each.name], each.option)
            raise UsageError(
                f"--resume {journal.folder}: {flag} is {old} in the campaign, but {new} was given; "
                f"omit {flag}, or start another campaign with --journal"
            )
    settings = given.updated(journal.start, IDENTITY)
    if given.seconds is not None or given.examples is not None:
        return settings
    spent = sum(shard["seconds"] for shard in journal.shards)
    seconds = None if recorded.seconds is None else max(recorded.seconds - spent, 0.001)
    return replace(settings, seconds=seconds, examples=recorded.examples)


def _show(value: Any, option: Option) -> str:
    if value is None or value == ():
        return option.no_default
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
