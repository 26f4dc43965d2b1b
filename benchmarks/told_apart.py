"""Are ten planted defects told apart? One campaign against a pass that has all of them, and which failure shows which.

    python benchmarks/told_apart.py --examples 3000 --time 10m --seed 1

A failure shows a planted defect if its shrunk case passes as soon as that defect alone is mended. The script matches
failures with defects, one to one, and exits with code 1 if a defect has no failure of its own.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.several_defects import PLANTED, planted  # noqa: E402

from foldproof import check  # noqa: E402
from foldproof.case.any_case import AnyCase, from_json  # noqa: E402
from foldproof.checking.failures import Failure  # noqa: E402


def shown_by(case: AnyCase) -> list[str]:
    """Return the planted defects without each of which the case passes."""
    return [name for name in PLANTED if passes(case, planted(*(other for other in PLANTED if other != name)))]


def passes(case: AnyCase, fold: object) -> bool:
    """Return whether a pass does not fail on the case."""
    try:
        check(case, fold=fold)
    except Failure:
        return False
    return True


def match(candidates: dict[str, list[int]]) -> dict[str, int]:
    """Return a failure of its own for as many defects as possible: a maximum matching, by augmenting paths."""
    owner: dict[int, str] = {}

    def assign(name: str, seen: set[int]) -> bool:
        for failure in candidates[name]:
            if failure not in seen:
                seen.add(failure)
                if failure not in owner or assign(owner[failure], seen):
                    owner[failure] = name
                    return True
        return False

    for name in candidates:
        assign(name, set())
    return {name: failure for failure, name in owner.items()}


@click.command()
@click.option("--examples", default=3000, show_default=True, help="Number of cases.")
@click.option("--time", "budget", default="10m", show_default=True, help="Budget of the campaign.")
@click.option("--seed", default=1, show_default=True)
def main(examples: int, budget: str, seed: int) -> None:
    """Run the campaign, and print a row for each distinct failure."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.jsonl"
        spec = "tests.support.several_defects:ten_defects"
        command = [sys.executable, "-m", "foldproof", "fuzz", "--pass", spec, "--examples", str(examples)]
        options = ["--time", budget, "--seed", str(seed), "--json", str(log), "--corpus", str(Path(folder) / "found")]
        print(" ".join(["foldproof", *command[3:], *options[:4]]), flush=True)
        subprocess.run([*command, *options], cwd=ROOT, check=False)  # noqa: S603, ourselves
        summary = json.loads(log.read_text(encoding="utf-8").splitlines()[-1])
    failures = summary["failures"]
    shown = [shown_by(from_json(each["case"])) for each in failures]
    own = match({name: [i for i, names in enumerate(shown) if name in names] for name in PLANTED})
    names = {failure: name for name, failure in own.items()}
    table = Table(box=None, pad_edge=False)
    for title in ("failure", "cause", "cases", "1-minimal", "planted defect"):
        table.add_column(title)
    for i, each in enumerate(failures):
        cause, minimal = ", ".join(each["cause"] or ()), "yes" if each["minimal"] else "no"
        others = f"(of {' + '.join(shown[i])})" if shown[i] else "(of several)"
        table.add_row(each["fingerprint"], cause, str(each["count"]), minimal, names.get(i, others))
    console = Console(width=160)
    console.print(table)
    minimal = sum(failures[failure]["minimal"] for failure in own.values())
    phases = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in summary["phase_seconds"].items())
    console.print(
        f"{len(own)} of {len(PLANTED)} planted defects have a failure of their own, {minimal} of them 1-minimal; "
        f"{len(failures)} distinct failures, {summary['executed']} cases; {phases}"
    )
    sys.exit(0 if len(own) == minimal == len(PLANTED) else 1)


if __name__ == "__main__":
    main()
