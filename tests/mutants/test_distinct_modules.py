"""foldproof.mutants.distinct_modules: what many passes make of a case, each module once."""

import pytest
from tests.support.mutants import passes

from foldproof import mutants, strategies
from foldproof.generation.draw import draw
from foldproof.mutants import BY_NAME
from foldproof.mutants.distinct_modules import Passes, apply_all
from foldproof.mutants.kill_matrix import RIGHT
from foldproof.mutants.patched_pass import PatchedPass


@pytest.mark.slow
def test_passes_that_share_a_run_return_what_they_return_alone():
    names = tuple(BY_NAME)
    alone = Passes({RIGHT: mutants.mutant.BUNDLED(), **{name: hidden(BY_NAME[name].make()) for name in names}})
    for case in draw(strategies.cases(), 12, 3):
        assert partition(apply_all(case, passes(*names))) == partition(apply_all(case, alone))


def hidden(fold):
    """The same pass as a plain function, so that its patches are not known."""
    return (lambda module: fold(module)) if isinstance(fold, PatchedPass) else fold


def partition(row):
    return {frozenset(each.names) for each in row.distinct if each.names}, {
        name: found.fingerprint for name, found in row.failures.items()
    }
