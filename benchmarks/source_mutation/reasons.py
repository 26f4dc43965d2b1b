"""Why each change that lives does: the list of survivors, by reason.

    score.py, suite.py -> FILE + reasons.toml -> a table in Markdown; --list has every change, with its lines

A reason in reasons.toml has a pattern, for "module.function: the line before -> the line behind"; the first that is
found counts. ``equivalent`` says that the change cannot be seen from outside; the others nobody has told apart yet. It
ends with exit code 1 if a change has no reason.
"""

import json
import re
import sys
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

import click

REASONS = Path(__file__).with_name("reasons.toml")
KILLED = ("killed", "killed by a test")
NONE = "no reason is known"


def described(row: dict[str, Any]) -> str:
    """What patterns are searched in: one line."""
    _, _, module, function = row["name"].split(".")
    function = function.rpartition("__mutmut_")[0].removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
    sides = (" ".join(line[2:].strip() for line in row["lines"] if line[0] == sign) for sign in "-+")
    return f"{module}.{function}: " + " -> ".join(sides)


@click.command(help="Print the changes of FILE that live, by reason.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--list", "lists", is_flag=True, help="Every change.")
def main(file: Path, lists: bool) -> None:
    """A row per reason, those of equivalent changes first."""
    reasons = tomllib.loads(REASONS.read_text())["reason"]
    found = defaultdict(list)
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for row in rows:
        if row["state"] not in KILLED:
            text = described(row)
            why = next((reason["why"] for reason in reasons if re.search(reason["pattern"], text)), NONE)
            found[why].append(text)
    equivalent = {reason["why"]: reason["equivalent"] for reason in reasons}
    click.echo("| changes | | why |\n|---|---|---|")
    for why in sorted(found, key=lambda why: (not equivalent.get(why, False), -len(found[why]))):
        kind = "equivalent" if equivalent.get(why) else "not told apart"
        click.echo(f"| {len(found[why])} | {kind} | {why} |")
        for text in found[why] if lists else ():
            click.echo(f"|   | | `{text}` |")
    alive = sum(map(len, found.values()))
    same = sum(len(texts) for why, texts in found.items() if equivalent.get(why))
    killed = len(rows) - alive
    click.echo(
        f"\n{killed} of {len(rows)} killed ({killed / len(rows):.1%}), {killed / (len(rows) - same):.1%} of those that "
        f"are not equivalent; {alive} live: {same} equivalent, {alive - same} not told apart"
    )
    sys.exit(1 if NONE in found else 0)


if __name__ == "__main__":
    main()
