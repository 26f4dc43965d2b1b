"""The kill matrix: cases x mutants. Each distinct module is compiled and run once, against one reference.

    case --apply_all--> distinct modules --one batch--> programs --conclude--> kills

Invariant: a case kills a mutant if ``check(case, its pass, complete=True)`` raises a failure that blames the pass and
that the bundled pass does not have. Modules run through the fast pipeline. Where the default pipeline differs,
``check`` would raise PipelineDisagreement; tests/mutants/test_kill_matrix.py compares the two for every mutant.
"""

from collections.abc import Sequence

from foldproof.case.any_case import AnyCase
from foldproof.checking.check import conclude
from foldproof.checking.evidence import Evidence
from foldproof.checking.failures import KINDS, Failure, HarnessError, OracleDisagreement, PipelineDisagreement, failure
from foldproof.checking.graph_evidence import evidence_of
from foldproof.checking.prepare import Prepared, prepared_from
from foldproof.ir.base import Program, Target
from foldproof.ir.relax.ir import RELAX
from foldproof.mutants.distinct_modules import CaseModules, DistinctModule, Passes, apply_all
from foldproof.oracle.option_legality import NO_OPTIONS, PassOptions

BLAMING = tuple(kind for kind in KINDS if kind not in (OracleDisagreement, PipelineDisagreement, HarnessError))
"""Failures that blame the pass. Failures that blame TVM or the harness kill nothing."""

RIGHT = ""
"""The name of the bundled pass among the passes."""

Kills = dict[str, Failure]
"""Name of a mutant -> the failure of its pass."""


def kill_matrix(
    cases: Sequence[AnyCase], passes: Passes, target: Target, options: PassOptions = NO_OPTIONS
) -> list[Kills]:
    """Return the kills of each case.

    Args:
        cases: The cases or graphs.
        passes: The mutants and the bundled pass, which is called ``RIGHT``.
        target: The parsed target.
        options: The options that all these passes have.
    """
    rows = [apply_all(case, passes) for case in cases]
    evidence = {case: evidence_of(case, RELAX) for case in cases}
    ready = [
        (each, _prepare(each, evidence[each.case], options))
        for row in rows
        for each in row.distinct
        if each.failure is None and each.names
    ]
    programs = _compile([prepared for _, prepared in ready], target)
    for i, (each, prepared) in enumerate(ready):
        each.failure = _conclude(prepared, target, programs.get(i))
    return [select_kills(row) for row in rows]


def select_kills(row: CaseModules) -> Kills:
    """Return the failures that blame a pass and that the bundled pass does not have."""
    found = row.failures | {name: each.failure for each in row.distinct if each.failure for name in each.names}
    right = found.pop(RIGHT, None)
    return {
        name: failed
        for name, failed in found.items()
        if isinstance(failed, BLAMING) and (right is None or failed.fingerprint != right.fingerprint)
    }


def _prepare(each: DistinctModule, evidence: Evidence, options: PassOptions) -> Prepared:
    return prepared_from(evidence, each.unfolded, each.folded, complete=True, options=options)


def _compile(prepared: Sequence[Prepared], target: Target) -> dict[int, Program]:
    """Compile all in one batch: index -> program. Empty if one of them does not compile."""
    places = [i for i, each in enumerate(prepared) if each.modules]
    try:
        programs = RELAX.compile([prepared[i].modules for i in places], target)
    except Exception:  # noqa: BLE001, each is compiled again, alone
        return {}
    return dict(zip(places, programs, strict=True))


def _conclude(prepared: Prepared, target: Target, program: Program | None) -> Failure | None:
    try:
        conclude(prepared, target, program=program)
    except Failure as found:
        return found
    except Exception as error:  # noqa: BLE001, one case must not end the benchmark, and this blames no pass
        return failure("HarnessError", prepared.case, type(error).__name__, f"{type(error).__name__}: {error}")
    return None
