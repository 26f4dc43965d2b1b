"""What the journal of a campaign says of it, and the settings to go on with."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from foldproof.core.loading import UsageError
from foldproof.core.versions import versions

if TYPE_CHECKING:
    from foldproof.campaign.journal import Journal
    from foldproof.campaign.settings import Settings


def start_record(settings: "Settings") -> dict[str, Any]:
    """The first line of a journal, and of ``--json``."""
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
    from foldproof.checking.config import Question

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
