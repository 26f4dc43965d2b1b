"""The score per module, and why each change that survives does so.

    score.py, suite.py -> FILE + equivalent_mutants.toml -> two tables in Markdown; --list prints every surviving change

A reason in equivalent_mutants.toml has a pattern for "module.function: the line before -> the line after". The first
match counts. ``equivalent`` means that the change cannot be observed; the others are not distinguished yet. Exits with
1 if a change has no reason.
"""

import re
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import rows

REASONS = Path(__file__).with_name("equivalent_mutants.toml")
NONE = "no reason is known"


def describe_change(row: dict[str, Any]) -> str:
    """Return the line that patterns are searched in."""
    _, _, module, function = row["name"].split(".")
    function = function.rpartition("__mutmut_")[0].removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
    sides = (" ".join(line[2:].strip() for line in row["lines"] if line[0] == sign) for sign in "-+")
    return f"{module}.{function}: " + " -> ".join(sides)


def by_module(changes: Sequence[rows.Row]) -> Iterator[str]:
    """Yield a line per module, and one for all."""
    states = Counter((name, row["state"]) for row in changes for name in (f"`{row['name'].split('.')[2]}.py`", "all"))
    for name in sorted({name for name, _ in states}, key=lambda name: (name == "all", name)):
        total = sum(count for (other, _), count in states.items() if other == name)
        cases, tests = states[name, rows.BY_CASE], states[name, rows.BY_TEST]
        yield f"| {name} | {total} | {cases} ({cases / total:.1%}) | {tests} | {total - cases - tests} |"


@click.command(help="Print the score of FILE per module, and the surviving changes per reason.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--list", "lists", is_flag=True, help="Print every surviving change.")
def main(file: Path, lists: bool) -> None:
    """Print a row per module, then a row per reason, equivalent changes first."""
    reasons = tomllib.loads(REASONS.read_text())["reason"]
    found = defaultdict(list)
    changes = rows.read(file)
    for row in changes:
        if row["state"] not in rows.KILLED:
            text = describe_change(row)
            why = next((reason["why"] for reason in reasons if re.search(reason["pattern"], text)), NONE)
            found[why].append(text)
    equivalent = {reason["why"]: reason["equivalent"] for reason in reasons}
    click.echo("| module | changes | killed by a case | by a test | surviving |\n|---|---|---|---|---|")
    click.echo("\n".join(by_module(changes)))
    click.echo("\n| changes | | why |\n|---|---|---|")
    for why in sorted(found, key=lambda why: (not equivalent.get(why, False), -len(found[why]))):
        kind = "equivalent" if equivalent.get(why) else "not distinguished"
        click.echo(f"| {len(found[why])} | {kind} | {why} |")
        for text in found[why] if lists else ():
            click.echo(f"|   | | `{text}` |")
    alive = sum(map(len, found.values()))
    same = sum(len(texts) for why, texts in found.items() if equivalent.get(why))
    killed = len(changes) - alive
    click.echo(
        f"\n{killed} of {len(changes)} killed ({killed / len(changes):.1%}), {killed / (len(changes) - same):.1%} of "
        f"those that are not equivalent; {alive} surviving: {same} equivalent, {alive - same} not distinguished"
    )
    sys.exit(1 if NONE in found else 0)


if __name__ == "__main__":
    main()
