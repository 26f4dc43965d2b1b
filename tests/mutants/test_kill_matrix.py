"""foldproof.mutants.kill_matrix: the kills are those of ``check``."""

import pytest
from tests.support.mutants import failing, passes

from foldproof import Axis, Case, strategies
from foldproof.checking.failures import failure
from foldproof.generation.draw import draw
from foldproof.ir.relax.targets import parse_target
from foldproof.mutants import BY_NAME, MUTANTS
from foldproof.mutants.distinct_modules import CaseModules, DistinctModule
from foldproof.mutants.kill_matrix import RIGHT, kill_matrix, select_kills

LLVM = parse_target("llvm")


SAMPLE = (
    "value_ignored",
    "begin_end_swapped",
    "clip_not_evaluated",
    "input_mutated",
    "identity_pad_kept",
    "stale_type",
)

OF_CASES = tuple(mutant.name for mutant in MUTANTS if not mutant.structural)


@pytest.mark.parametrize(
    ("names", "count"), [(SAMPLE, 8), pytest.param(OF_CASES, 16, marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_a_kill_is_a_failure_of_check(names, count):
    cases = [*draw(strategies.cases(), count, 7), *(BY_NAME[name].witness for name in names[:count])]
    for case, found in zip(cases, kill_matrix(cases, passes(*names), LLVM), strict=True):
        right = failing(case, None)
        for name in names:
            message = failing(case, BY_NAME[name].make())
            expected = message if message != right else None
            assert (found[name].fingerprint if name in found else None) == expected, (name, case)


STRUCTURAL = (
    "memo_by_function_name",
    "writes_ignored",
    "parameter_names_lost",
    "functions_rebuilt_without_change",
)


def test_a_kill_by_a_graph_is_a_failure_of_check():
    graphs = [BY_NAME[name].witness for name in STRUCTURAL]
    for graph, found in zip(graphs, kill_matrix(graphs, passes(*STRUCTURAL), LLVM), strict=True):
        for name in STRUCTURAL:
            expected = failing(graph, BY_NAME[name].make())
            assert (found[name].fingerprint if name in found else None) == expected, (name, graph)


def test_a_failure_of_the_bundled_pass_too_kills_nothing():
    case = Case(op="conv1d", axes=(Axis(pad=(1, 0)),))
    row = CaseModules(case=case)
    for name, symptom in ((RIGHT, "values"), ("same", "values"), ("other", "shape")):
        found = failure("Miscompile", case, symptom, "")
        row.distinct.append(
            DistinctModule(case=case, unfolded=None, folded=None, changed=True, names=[name], failure=found)
        )
    assert set(select_kills(row)) == {"other"}


def test_failures_that_blame_tvm_kill_nothing():
    case = Case(op="conv1d", axes=(Axis(pad=(1, 0)),))
    row = CaseModules(case=case, failures={"a": failure("OracleDisagreement", case, "values", "")})
    assert select_kills(row) == {}
