"""The kill matrix: a case through all defects, each distinct module compiled and run once against the one reference.

    case --through--> distinct modules --one batch--> programs --conclude--> kills

Law: a defect is killed by a case if ``check(case, its pass, complete=True)`` raises a failure of the pass, another one
than the bundled pass gets. What runs goes through the fast pipeline; where the default one differs, ``check`` would
call it a PipelineDisagreement (tests/mutants/test_mutants.py compares the two on every defect).
"""

from collections.abc import Sequence

from foldproof.case import Case
from foldproof.checking.check import conclude
from foldproof.checking.evidence import Evidence
from foldproof.checking.failures import KINDS, Failure, HarnessError, OracleDisagreement, PipelineDisagreement, failure
from foldproof.checking.prepare import Prepared, prepared_from
from foldproof.ir.base import Program, Target
from foldproof.ir.relax.ir import RELAX
from foldproof.mutants.through import Distinct, Folded, Passes, fold_all
from foldproof.oracle.option_legality import NO_OPTIONS, PassOptions

BLAMING = tuple(kind for kind in KINDS if kind not in (OracleDisagreement, PipelineDisagreement, HarnessError))
"""Failures that blame the pass. Those that blame TVM or the harness kill nothing."""

RIGHT = ""
"""The name of the bundled pass among those that are wrong."""

Kills = dict[str, Failure]
"""Name of a defect -> the failure of its pass."""


def kill_matrix(
    cases: Sequence[Case], passes: Passes, target: Target, options: PassOptions = NO_OPTIONS
) -> list[Kills]:
    """The kills of each case. ``RIGHT`` is one of the passes, all of which make these ``promises``."""
    through = [fold_all(case, passes) for case in cases]
    evidence = {case: Evidence(case, RELAX) for case in cases}
    ready = [
        (each, _prepared(each, evidence[each.case], options))
        for row in through
        for each in row.distinct
        if each.failure is None and each.names
    ]
    programs = _compiled([prepared for _, prepared in ready], target)
    for i, (each, prepared) in enumerate(ready):
        each.failure = _concluded(prepared, target, programs.get(i))
    return [kills_of(row) for row in through]


def kills_of(row: Folded) -> Kills:
    """The failures that blame a pass, and which the bundled one does not have."""
    found = row.failures | {name: each.failure for each in row.distinct if each.failure for name in each.names}
    right = found.pop(RIGHT, None)
    return {
        name: failed
        for name, failed in found.items()
        if isinstance(failed, BLAMING) and (right is None or failed.fingerprint != right.fingerprint)
    }


def _prepared(each: Distinct, evidence: Evidence, options: PassOptions) -> Prepared:
    return prepared_from(evidence, each.unfolded, each.folded, complete=True, options=options)


def _compiled(prepared: Sequence[Prepared], target: Target) -> dict[int, Program]:
    """The program of each, by its place; none if one of them does not compile, which then shows alone."""
    places = [i for i, each in enumerate(prepared) if each.modules]
    try:
        programs = RELAX.compile([prepared[i].modules for i in places], target)
    except Exception:  # noqa: BLE001, each is compiled again, alone
        return {}
    return dict(zip(places, programs, strict=True))


def _concluded(prepared: Prepared, target: Target, program: Program | None) -> Failure | None:
    try:
        conclude(prepared, target, program=program)
    except Failure as found:
        return found
    except Exception as error:  # noqa: BLE001, one case must not end the benchmark, and this blames no pass
        return failure("HarnessError", prepared.case, type(error).__name__, f"{type(error).__name__}: {error}")
    return None
