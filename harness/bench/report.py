"""The report of ``foldproof bench``: speed per mode, CPU time per stage, and the effect of fills and workers."""

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from foldproof.bench.graphs import GraphRound
from foldproof.bench.rounds import MODES, STAGES, Race, Round, peak_megabytes


def print_bench(
    console: Console, rounds: Sequence[Round], races: Sequence[Race], graphs: Sequence[GraphRound] = ()
) -> None:
    """Print the tables.

    Args:
        console: Where to print.
        rounds: What each round took.
        races: What the campaigns with one worker and with two took; may be empty.
        graphs: What cases and graphs took in the fast pipeline; may be empty.
    """
    cases = sum(r.cases for r in rounds)
    console.print(_modes(rounds, f"CPU time per case ({cases} cases, {len(rounds)} rounds)"))
    console.print(_stages(rounds))
    console.print(f"four fills instead of one: {_percent(extra_fills(rounds))} more CPU time to build, compile and run")
    if races:
        ratios = [race.ratio for race in races]
        rates = ", ".join(
            f"{workers} {median(race.cases / seconds for race, seconds in zip(races, spent, strict=True)):.1f} cases/s"
            for workers, spent in (
                ("one worker", [race.one for race in races]),
                ("two workers", [race.two for race in races]),
            )
        )
        console.print(
            f"campaigns of {races[0].cases} cases, wall clock: {rates}; two workers are {_spread(ratios)} times as fast"
        )
    if graphs:
        console.print(_graphs(graphs))
        ratios = [each.ratio for each in graphs]
        console.print(f"a graph of three sites costs {_spread(ratios)} times as much as a case")
    own, worker = peak_megabytes()
    console.print(f"peak memory: {own:.0f} MB in this process, {worker:.0f} MB in a worker")


def summary(rounds: Sequence[Round], races: Sequence[Race], graphs: Sequence[GraphRound] = ()) -> dict[str, Any]:
    """Return the last line of ``--json``: medians over rounds.

    ``ratio_two_workers`` is None without races. ``cases_of_a_graph`` is how many cases a graph of three sites costs.
    Times are CPU milliseconds per case, memory is in MiB.
    """
    own, worker = peak_megabytes()
    return {
        "event": "summary",
        "rounds": len(rounds),
        "cases": sum(r.cases for r in rounds),
        **{f"ratio_{mode.name}": _median(r.ratio(mode.name) for r in rounds) for mode in MODES[1:]},
        "ratio_two_workers": _median(race.ratio for race in races) if races else None,
        "cases_of_a_graph": _median(each.ratio for each in graphs) if graphs else None,
        **{f"ms_{mode.name}": _median(r.ms(mode.name) for r in rounds) for mode in MODES},
        "extra_fills": round(extra_fills(rounds), 4),
        "stages_ms": {mode.name: {k: round(v, 3) for k, v in stages(rounds, mode.name).items()} for mode in MODES},
        "peak_mb": round(own, 1),
        "peak_worker_mb": round(worker, 1),
    }


def record(found: Round | Race | GraphRound) -> dict[str, Any]:
    """Return a round or a race as a line of ``--json``."""
    if isinstance(found, GraphRound):
        costs = {"cases": found.cases, "graphs": found.graphs, "three": found.three}
        parts = {name: {"sites": cost.sites, "ms": round(cost.ms, 3)} for name, cost in costs.items()}
        return {"event": "graphs", "ratio": round(found.ratio, 3), **parts}
    if isinstance(found, Race):
        return {"event": "race", "cases": found.cases, "one": round(found.one, 3), "two": round(found.two, 3)}
    return {
        "event": "round",
        "cases": found.cases,
        "ms": {mode.name: round(found.ms(mode.name), 3) for mode in MODES},
        "one_fill": round(found.one_fill, 4),
        "four_fills": round(found.four_fills, 4),
    }


def extra_fills(rounds: Sequence[Round]) -> float:
    """Return the share of CPU time that three more fills add (0.1 is 10 %), over all rounds together."""
    return sum(r.four_fills for r in rounds) / sum(r.one_fill for r in rounds) - 1


def stages(rounds: Sequence[Round], mode: str) -> dict[str, float]:
    """Return the mean CPU milliseconds per case of each stage of a mode. ``other`` is the rest."""
    cases = sum(r.cases for r in rounds)
    spent = {"draw": sum(r.drawing for r in rounds)}
    spent |= {name: sum(r.stages[mode].get(name, 0.0) for r in rounds) for name, _, _ in STAGES}
    total = sum(r.drawing + r.seconds[mode] for r in rounds)
    return {name: 1e3 * took / cases for name, took in (spent | {"other": total - sum(spent.values())}).items()}


def _modes(rounds: Sequence[Round], title: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.add_column("mode")
    for heading in ("ms per case", "times as fast as naive", "quartiles"):
        table.add_column(heading, justify="right")
    for mode in MODES:
        ratios = [r.ratio(mode.name) for r in rounds]
        low, high = _quartiles(ratios)
        table.add_row(
            mode.name,
            f"{_median(r.ms(mode.name) for r in rounds):.1f}",
            f"{median(ratios):.1f}",
            f"{low:.1f} to {high:.1f}",
        )
    return table


def _graphs(rounds: Sequence[GraphRound]) -> Table:
    title = f"CPU time of cases and graphs in batches, fast pipeline ({len(rounds)} rounds)"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.add_column("what")
    for heading in ("number", "sites", "ms each", "each per CPU second", "sites per CPU second"):
        table.add_column(heading, justify="right")
    for name, costs in (
        ("cases", [each.cases for each in rounds]),
        ("graphs", [each.graphs for each in rounds]),
        ("graphs of three sites", [each.three for each in rounds]),
    ):
        number, sites, seconds = (sum(getattr(cost, part) for cost in costs) for part in ("count", "sites", "seconds"))
        ms, rate, of_sites = 1e3 * seconds / number, number / seconds, sites / seconds
        table.add_row(name, str(number), str(sites), f"{ms:.1f}", f"{rate:.1f}", f"{of_sites:.1f}")
    return table


def _stages(rounds: Sequence[Round]) -> Table:
    title = "mean CPU ms per case, by stage"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.add_column("stage")
    by_mode = {mode.name: stages(rounds, mode.name) for mode in MODES}
    for name in by_mode:
        table.add_column(name, justify="right")
    for stage in by_mode[MODES[0].name]:
        table.add_row(stage, *(f"{spent[stage]:.2f}" if spent[stage] else "." for spent in by_mode.values()))
    return table


def _spread(ratios: Sequence[float]) -> str:
    low, high = _quartiles(ratios)
    return f"{median(ratios):.2f} ({low:.2f} to {high:.2f})"


def _quartiles(values: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(values)
    return ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]


def _median(values: Iterable[float]) -> float:
    return round(median(values), 3)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
