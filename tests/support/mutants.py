"""Helpers of tests of mutants: passes by name, and the failure of a pass on a case."""

from foldproof import check, mutants
from foldproof.checking.failures import Failure
from foldproof.mutants import BY_NAME
from foldproof.mutants.distinct_modules import Passes
from foldproof.mutants.kill_matrix import RIGHT


def passes(*names):
    """The bundled pass and these mutants."""
    return Passes({RIGHT: mutants.mutant.BUNDLED(), **{name: BY_NAME[name].make() for name in names}})


def failing(case, fold):
    """The fingerprint of the failure, None if the case passes."""
    try:
        check(case, fold=fold, complete=True, sample=0.0)
    except Failure as found:
        return found.fingerprint
    return None
