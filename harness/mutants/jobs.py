"""The jobs of a worker process: a few cases through the kill matrix, or through a baseline."""

from functools import cache
from typing import Any

from foldproof.case import Case
from foldproof.case.any_case import AnyCase
from foldproof.ir.relax.targets import parse_target
from foldproof.mutants import BY_NAME
from foldproof.mutants.baselines import BY_BASELINE, find_kills
from foldproof.mutants.distinct_modules import Passes
from foldproof.mutants.kill_matrix import RIGHT, Kills, kill_matrix
from foldproof.mutants.mutant import BUNDLED


def kill(cases: list[AnyCase], names: tuple[str, ...]) -> list[Kills]:
    """Return the kills of each case by the harness."""
    return kill_matrix(cases, _passes(names), _target())


def kill_by_baseline(baseline: str, cases: list[Case], names: tuple[str, ...], seed: int) -> list[Kills]:
    """Return the kills of each case by a baseline."""
    return find_kills(BY_BASELINE[baseline], cases, _passes(names), _target(), seed)


@cache
def _passes(names: tuple[str, ...]) -> Passes:
    return Passes({RIGHT: BUNDLED(), **{name: BY_NAME[name].make() for name in names}})


@cache
def _target() -> Any:
    return parse_target("llvm")
