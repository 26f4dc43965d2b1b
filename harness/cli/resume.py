"""What the journal of a campaign says of it, and the settings to go on with."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from foldproof.core.errors import UsageError
from foldproof.core.versions import versions

if TYPE_CHECKING:
    from foldproof.campaign.journal import Journal
    from foldproof.campaign.settings import Settings


def start_record(settings: "Settings") -> dict[str, Any]:
    """The first line of a journal, and of ``--json``."""
    config = settings.config
    return {
        "event": "start",
        "seed": settings.seed,
        "ops": list(settings.ops),
        "pass": config.fold,
        "target": config.target,
        "pipeline": config.pipeline,
        "sample": config.sample,
        "complete": config.complete,
        "strategy": settings.strategy,
        "workers": settings.workers,
        "seconds": settings.seconds,
        "examples": settings.examples,
        "versions": versions(),
    }


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


def resumed(context: click.Context, given: "Settings", journal: "Journal") -> "Settings":
    """The settings of the journal's campaign, with the budgets, workers and files that are given now."""
    from foldproof.checking.config import CheckConfig

    message = journal.start
    asked = {
        "fold": given.config.fold,
        "target": given.config.target,
        "pipeline": given.config.pipeline,
        "complete": given.config.complete,
        "ops": list(given.ops),
        "seed": given.seed,
        "strategy": given.strategy,
        "sample": given.config.sample,
    }
    for option, name in _RESUMED.items():
        if _is_given(context, option) and asked[option] != message[name]:
            other = f"{name} {asked[option]!r} is another campaign"
            raise UsageError(f"--resume {journal.folder} goes on with {name} {message[name]!r}: {other}")
    spent = sum(shard["seconds"] for shard in journal.shards)
    no_budget = given.seconds is None and given.examples is None
    seconds, examples = (message["seconds"], message["examples"]) if no_budget else (given.seconds, given.examples)
    if no_budget and seconds is not None:
        seconds = max(seconds - spent, 0.001)
    config = CheckConfig(
        fold=message["pass"],
        target=message["target"],
        pipeline=message["pipeline"],
        complete=message["complete"],
        sample=message["sample"],
        megabytes=given.config.megabytes,
    )
    return replace(
        given,
        config=config,
        ops=tuple(message["ops"]),
        seed=message["seed"],
        strategy=message["strategy"],
        seconds=seconds,
        examples=examples,
    )


def _is_given(context: click.Context, option: str) -> bool:
    return context.get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE
