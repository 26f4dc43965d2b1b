"""A table of real models: pads, folds, what is left and why, bits, kernels, memory, latency.

    python benchmarks/models.py LIST --results results.jsonl      examine each model, one line of JSON for each
    python benchmarks/models.py --table results.jsonl             print the table in Markdown

A line of LIST: ``FILE | what to call it | where it is from | shapes``, with shapes such as ``x=1,3,224,224 y=1``.
A model that is in the results is not examined again, so an interrupted run goes on.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from foldproof.core.errors import UsageError
from foldproof.model import Examination, Request, Worth, examine

PLAIN, FOLDED = "unfolded", "folded"


def main() -> None:
    """Examine models, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("list", nargs="?", type=Path)
    parser.add_argument("--results", type=Path, default=Path("models.jsonl"))
    parser.add_argument("--table", type=Path)
    parser.add_argument("--most", type=int, default=1_000, help="Examine so many models at most.")
    parser.add_argument("--seconds", type=float, default=10.0, help="How long both models run in alternation.")
    given = parser.parse_args()
    if given.table is not None:
        print_tables(read_results(given.table))
        return
    if given.list is None:
        parser.error("give a LIST, or --table")
    done = {row["name"] for row in read_results(given.results)}
    waiting = [line for line in read_list(given.list) if line[1] not in done]
    for path, name, source, shapes in waiting[: given.most]:
        row = {"name": name, "source": source, **examine_one(path, shapes, given.seconds)}
        with given.results.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(name, row["state"], file=sys.stderr, flush=True)


def read_list(path: Path) -> list[tuple[str, str, str, str]]:
    """Return (file, name, source, shapes) of each line."""
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    return [tuple((*map(str.strip, line.split("|")), "", "", "")[:4]) for line in lines]  # type: ignore[misc]


def read_results(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of results; none if there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def examine_one(path: str, shapes: str, seconds: float) -> dict[str, Any]:
    """Return the figures of a model. ``state`` is ``examined``, or ``not imported``."""
    pairs = (text.rpartition("=") for text in shapes.split())
    lengths = tuple((name, tuple(map(int, numbers.split(","))) if numbers else ()) for name, _, numbers in pairs)
    try:
        found = examine(Request(model=path, shapes=lengths), seconds=seconds)
    except UsageError as error:
        return {"state": "not imported", "why": str(error).removeprefix(f"{path}: ")}
    return {"state": "examined", **figures(found)}


def figures(found: Examination) -> dict[str, Any]:
    """Return what the table has of an examination."""
    assert found.loaded is not None
    sites = found.sites
    left = Counter(row.kind or row.outcome for row in found.rows if row.outcome != "folded")
    return {
        "kind": found.loaded.kind,
        "before": sites.before if sites else None,
        "after": sites.after if sites else None,
        "folded": sum(row.outcome == "folded" for row in found.rows),
        "left": dict(left),
        "remedies": dict(Counter(row.remedy for row in found.rows if row.remedy)),
        "unchanged": bool(sites and sites.unchanged),
        "differs": found.differs,
        "compared": sum(len(worth.compared) for worth in found.worth),
        "problems": found.problems,
        "notices": found.notices,
        "worth": {worth.pipeline: worth_figures(worth) for worth in found.worth},
    }


def worth_figures(worth: Worth) -> dict[str, Any]:
    """Return the figures of a pipeline."""
    return {
        "kernels": [worth.plans[which].kernels for which in (PLAIN, FOLDED) if which in worth.plans],
        "memory": [worth.plans[which].memory for which in (PLAIN, FOLDED) if which in worth.plans],
        "ratio": worth.ratio,
        "rounds": len(worth.timed),
    }


# --- the tables ---------------------------------------------------------------------------------------


def print_tables(rows: list[dict[str, Any]]) -> None:
    """Print a table of sites, a table of the worth, and the models that were not imported."""
    examined = [row for row in rows if row["state"] == "examined"]
    print_table(
        ("model", "from", "pads", "folded", "left, and why", "bits"),
        ([row["name"], row["source"], row["before"], row["folded"], describe_left(row), bits(row)] for row in examined),
    )
    print()
    print_table(
        ("model", "pipeline", "kernels", "planned memory, MiB", "latency, folded / unfolded"),
        (
            [row["name"], pipeline, arrow(worth["kernels"]), arrow(mib(worth["memory"])), describe_ratio(row, worth)]
            for row in examined
            for pipeline, worth in row["worth"].items()
        ),
    )
    print()
    refused = (row for row in rows if row["state"] == "not imported")
    print_table(("not imported", "from", "why"), ([row["name"], row["source"], row["why"]] for row in refused))


def print_table(header: tuple[str, ...], rows: Any) -> None:
    """Print a table in Markdown."""
    print("| " + " | ".join(header) + " |\n|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(str(cell).replace("|", "/") for cell in row) + " |")


def describe_left(row: dict[str, Any]) -> str:
    """Return ``3 channel, 1 mode``, and what would fold them."""
    text = ", ".join(f"{count} {kind}" for kind, count in row["left"].items()) or "none"
    remedies = ", ".join(f"{count} with `{remedy}`" for remedy, count in row["remedies"].items())
    return f"{text} ({remedies})" if remedies else text


def bits(row: dict[str, Any]) -> str:
    """Return whether the outputs are equal, or why that is unknown."""
    if row["differs"]:
        return "**differ**"
    if row["problems"]:
        return f"not compared: {row['problems'][0]}"
    if row["compared"]:
        return f"equal, {row['compared']} runs"
    return "the same module" if row["unchanged"] else "not compared"


def arrow(values: list[Any]) -> str:
    """Return ``4 -> 3``, or ``4`` if both are alike."""
    texts = ["symbolic" if value is None else str(value) for value in values]
    return " -> ".join(texts) if len(set(texts)) > 1 else "".join(texts[:1])


def mib(values: list[int | None]) -> list[Any]:
    """Return bytes in MiB."""
    return [None if value is None else f"{value / 2**20:.2f}" for value in values]


def describe_ratio(row: dict[str, Any], worth: dict[str, Any]) -> str:
    """Return the median and the quartiles."""
    if worth["ratio"] is None:
        return "the same module" if row["unchanged"] else ""
    low, median, high = worth["ratio"]
    return f"{median:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
