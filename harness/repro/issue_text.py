"""The text of an issue for the project that a failure blames: Markdown, ready to be posted.

what happens, what was expected and why, a script, the environment
"""

from collections.abc import Sequence

from foldproof.case.describe import describe
from foldproof.checking.failures import Failure
from foldproof.core.versions import versions


def write_issue(failure: Failure, script: str, *, subject: str, sentences: Sequence[str], tools: Sequence[str]) -> str:
    """Return an issue text.

    Args:
        failure: the failure.
        script: the script that shows it.
        subject: the name of the pass.
        sentences: what the specification says, for the expected values.
        tools: name and version of each package that takes part.
    """
    happens = " ".join(failure.detail.split())
    because = [f"- {sentence}" for sentence in sentences] or ["- The module without the pass returns these values."]
    lines = [
        f"# {subject}: {_title(failure)}",
        "",
        "## What happens",
        "",
        happens,
        "",
        "The values that were expected are those of the model without the tool. Two implementations agree on them.",
        "",
        "## What was expected, and why",
        "",
        *because,
        "",
        "## How to reproduce",
        "",
        "The script needs nothing but the packages below. It exits with code 1 as long as the defect shows.",
        "",
        "```python",
        script.rstrip(),
        "```",
        "",
        "## Environment",
        "",
        *(f"- {tool}" for tool in tools),
        f"- found by foldproof {versions().get('foldproof', '')}".rstrip(),
        "",
        "## The case in words",
        "",
        "```text",
        describe(failure.case),
        "```",
    ]
    return "\n".join(lines) + "\n"


_TITLES = {
    "Miscompile": "wrong values",
    "WrongType": "wrong shape or dtype",
    "IllFormed": "a model that the checker rejects",
    "InputMutated": "the argument is changed",
    "TargetCrashed": "the process dies",
    "TargetTimeout": "no result in time",
}


def _title(failure: Failure) -> str:
    """Return a title: what is wrong, and for which op."""
    what = _TITLES.get(failure.kind, "an error")
    ops = ", ".join(dict.fromkeys(case.op for case in failure.case.cases))
    return f"{what} for a Pad before {ops}"
