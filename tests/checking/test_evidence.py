"""foldproof.checking.evidence: a case is looked at once."""

from collections import Counter

import pytest
from tests.support.blame import FOLDABLE, catch_failure

from foldproof import Pad, check, mutants
from foldproof.checking import evidence as evidence_module
from foldproof.checking.evidence import Evidence
from foldproof.ir.relax.ir import RELAX
from foldproof.oracle import legality as legality_oracle


@pytest.fixture
def calls(monkeypatch):
    """Count the calls that ``checking.evidence`` makes of the oracles, by oracle, case and fill."""
    calls = Counter()
    inputs, outputs, legality = evidence_module.inputs, evidence_module.outputs, legality_oracle.legality
    fills = {}

    def count_inputs(case, fill, semantics):
        calls["inputs", case, fill] += 1
        arrays = inputs(case, fill, semantics)
        fills[id(arrays)] = (fill, arrays)  # kept, so that no other object gets the same id
        return arrays

    def count_outputs(case, arrays, semantics):
        calls["outputs", case, fills[id(arrays)][0]] += 1
        return outputs(case, arrays, semantics)

    def count_legality(case, semantics):
        calls["legality", case, ""] += 1
        return legality(case, semantics)

    monkeypatch.setattr(evidence_module, "inputs", count_inputs)
    monkeypatch.setattr(evidence_module, "outputs", count_outputs)
    monkeypatch.setattr(evidence_module.legality_oracle, "legality", count_legality)
    return calls


def test_a_wrong_fold_through_both_pipelines_looks_at_its_case_once(calls):
    caught = catch_failure(FOLDABLE, fold=mutants.begin_end_swapped(), sample=1.0)
    assert caught.fingerprint == "Miscompile/conv/values"  # so the default pipeline has confirmed it
    # Each pipeline stops at the first fill, whose difference it reports, but the evidence has all fills.
    expected = {(oracle, FOLDABLE, fill) for oracle in ("inputs", "outputs") for fill in FOLDABLE.fills}
    assert calls == dict.fromkeys(expected, 1)


def test_a_missed_fold_through_both_pipelines_looks_at_its_case_once(calls):
    def fold_nothing(module):
        return module

    assert catch_failure(FOLDABLE, fold=fold_nothing, complete=True, sample=1.0).kind == "MissedFold"
    expected = {(oracle, FOLDABLE, fill) for oracle in ("inputs", "outputs") for fill in FOLDABLE.fills}
    assert calls == dict.fromkeys(expected | {("legality", FOLDABLE, "")}, 1)


def test_legality_is_computed_only_if_a_pad_is_left(calls):
    assert check(FOLDABLE, sample=1.0).folded
    assert not any(oracle == "legality" for oracle, _, _ in calls)


def test_evidence_keeps_what_it_computed(calls):
    evidence = Evidence(FOLDABLE, RELAX)
    assert not calls
    for _ in range(2):
        assert set(evidence.inputs) == set(evidence.reference) == set(FOLDABLE.fills)
        assert evidence.legality == "legal"
    assert set(calls.values()) == {1}


def test_a_case_with_a_known_issue_is_not_executed_and_its_inputs_are_never_made(calls, monkeypatch):
    monkeypatch.setattr(evidence_module, "find_known_issue", lambda ir, case: RELAX.known_issues[0])
    assert not RELAX.known_issues[0].runs
    issue = RELAX.known_issues[0].name
    assert check(FOLDABLE).known_issues == check(FOLDABLE, lambda module: module).known_issues == (issue,)
    assert {oracle for oracle, _, _ in calls} == {"legality"}


def test_every_pad_value_has_evidence_of_its_own(calls):
    for value in (0.0, 1.0):
        check(type(FOLDABLE)(op="conv1d", axes=FOLDABLE.axes, pad=Pad(value=value)))
    assert set(calls.values()) == {1}
