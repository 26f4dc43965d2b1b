"""foldproof.mutants: each mutant fails on its witness, where the right pass passes."""

import subprocess
import sys
from functools import cache

import pytest

from foldproof import check, mutants
from foldproof.checking.failures import Failure
from foldproof.mutants import BY_NAME, MUTANTS

RAISING = {
    "groups_lost",
    "nonconstant_dereferenced",
    "raises_on_groups",
    "reshape_target_stale",
    "symbolic_bound_taken_for_a_number",
    "varying_operand_moved",
    "varying_parameters_moved",
    "wide_pad_asserted",
}
"""Mutants whose defect is an exception. If another one raises, something else is wrong with it."""


def test_there_are_as_many_mutants_of_each_sort_as_the_pages_say():
    assert len(MUTANTS) == len(BY_NAME) >= 60
    assert sum(mutant.looked_at for mutant in MUTANTS) == 10
    assert not any(mutant.looked_at and mutant.held_out for mutant in MUTANTS)
    assert sum(mutant.held_out and not mutant.structural for mutant in MUTANTS) == 10
    assert sum(mutant.held_out and mutant.structural for mutant in MUTANTS) == 11
    assert all(mutant.text.endswith(".") for mutant in MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fails_on_its_witness_where_the_right_pass_passes(mutant):
    with pytest.raises(Failure) as caught:
        check(mutant.witness, fold=mutant.make(), complete=True)
    assert (caught.value.kind == "CompileError") == (mutant.name in RAISING), caught.value
    check_right(mutant.witness, mutant.right)


@cache
def check_right(witness, right):
    check(witness)
    check(witness, fold=right(), complete=True)


def test_thirty_mutants_are_of_structure_and_their_witnesses_are_small():
    graphs = [mutant.witness for mutant in MUTANTS if mutant.structural]
    assert len(graphs) >= 30
    assert max(len(graph.sites) for graph in graphs) <= 3


def test_a_mutant_is_an_attribute_that_makes_the_pass():
    assert mutants.value_ignored is BY_NAME["value_ignored"].make
    with pytest.raises(AttributeError, match="no_such_mutant"):
        mutants.no_such_mutant  # noqa: B018


def test_nothing_that_users_import_imports_the_mutants():
    code = "import sys, foldproof, foldproof.cli.main, foldproof.checking.check, foldproof.pytest_plugin\n"
    code += "import foldproof.campaign.campaign, foldproof.workers.worker\n"
    code += "foldproof.FoldExplicitPadding\n"
    code += "assert not [name for name in sys.modules if name.startswith('foldproof.mutants')]"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
