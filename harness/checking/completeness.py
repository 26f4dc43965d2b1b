"""The pads that a pass left: could they have been folded, and should they have been?"""

from foldproof.case.graph import Graph
from foldproof.checking.evidence import Evidence
from foldproof.checking.failures import failure
from foldproof.checking.graph_evidence import GraphEvidence
from foldproof.checking.prepare import Prepared
from foldproof.ir.base import ResidualPads
from foldproof.oracle.legality import Legality
from foldproof.oracle.option_legality import NO_OPTIONS


def judge_residual_pads(prepared: Prepared) -> tuple[ResidualPads, ResidualPads, Legality | None]:
    """Return the pads before the pass, the pads after it, and whether the latter could be folded; None if none is left.

    Legality is computed only if a pad is left, and if the pass claims to leave none or the IR counts missed folds.
    """
    ir = prepared.evidence.ir
    after = ir.residual_pads(prepared.folded)
    unchanged = ir.identical(prepared.folded, prepared.unfolded)
    before = after if unchanged else ir.residual_pads(prepared.unfolded)
    judged = prepared.complete or ir.counts_missed_folds
    return before, after, _judge_legality(prepared.evidence, after) if judged else None


def _judge_legality(evidence: Evidence, pads: ResidualPads) -> Legality | None:
    if isinstance(evidence, GraphEvidence):
        return evidence.judge(pads)
    if pads.identity > 0 and not evidence.is_unproved_copy:
        return Legality.LEGAL
    return evidence.legality if pads.foldable else None


def _declined(prepared: Prepared, pads: ResidualPads) -> tuple[str, ...]:
    """Return the declared kinds by which the pass may leave all legal folds that it missed; empty if it may not.

    A pass that gives reasons needs one for each pad that it left, and one of a declared kind for each missed fold.
    """
    evidence = prepared.evidence
    groups = evidence.missed(pads) if isinstance(evidence, GraphEvidence) else (((prepared.case,), 1),)
    kinds: dict[str, None] = {}
    for cases, count in groups:
        declined = [found for case in cases if (found := prepared.scope.declined(case, prepared.outcomes))]
        if len(declined) < count:
            return ()
        kinds.update(dict.fromkeys(kind for found in declined for kind in found))
    refused = [outcome.kind for outcome in prepared.outcomes if not outcome.folded]
    missed = sum(count for _, count in groups)
    enough = sum(kind in kinds for kind in refused) >= missed and len(refused) >= _count_pads_left(prepared, pads)
    return tuple(kinds) if enough or not prepared.scope.explains else ()


def _count_pads_left(prepared: Prepared, pads: ResidualPads) -> int:
    """Return for how many pads a pass has to give a reason: one for each that some consumer still reads."""
    if not isinstance(prepared.case, Graph):
        return 1
    made = {prepared.case.pad_owner(index) for index in range(len(prepared.case.sites))}
    return min(len(made), len(pads.consumers))


def require_complete(prepared: Prepared, pads: ResidualPads, legality: Legality | None) -> tuple[str, ...]:
    """Require that no pad is left that is legal to fold, or that an option of the pass should have removed.

    A pad may be left if the pass declares that it does not fold it (``foldproof.checking.scope``).

    Args:
        prepared: the case.
        pads: the pads that the pass left.
        legality: whether they could be folded.

    Returns:
        The kinds of refusals by which the pass declared that it would leave a legal fold; empty if there is none.

    Raises:
        Failure: MissedFold.
    """
    issue = prepared.evidence.known_issue
    if issue is not None and not (
        issue.dtype_only and not isinstance(prepared.case, Graph)
    ):  # the compiler executes the case wrongly: no pass has to fold it
        return ()
    reasons = "; ".join(outcome.detail for outcome in prepared.outcomes if not outcome.folded) or "no reason given"
    if legality is Legality.LEGAL:
        if declined := _declined(prepared, pads):
            return declined
        message = f"the pad could be folded for every input, but was not: {reasons}"
        raise failure("MissedFold", prepared.case, "pad left", message)
    if prepared.options == NO_OPTIONS:
        return ()
    evidence = prepared.evidence
    spatial, channels = pads.foldable > 0, evidence.ir.channel_pads(prepared.folded) > 0
    if unused := evidence.find_unused_option(prepared.options, spatial=spatial, channels=channels):
        message = f"{unused}, but the pad was not folded: {reasons}"
        raise failure("MissedFold", prepared.case, "option unused", message)
    return ()
