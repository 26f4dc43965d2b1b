"""The oracles with the semantics of Relax, which most tests are about."""

from foldproof.ir.relax.ir import RELAX
from foldproof.oracle import elementwise as _elementwise
from foldproof.oracle import fills as _fills
from foldproof.oracle import legality as _legality
from foldproof.oracle import option_legality as _option_legality
from foldproof.oracle import reference as _reference

SEMANTICS = RELAX.semantics


def inputs(case, fill, *, seed=None):
    return _fills.inputs(case, fill, SEMANTICS, seed=seed)


def apply(step, tensor, parameters):
    return _elementwise.apply(step, tensor, parameters, SEMANTICS)


def reference(case, arrays):
    return _reference.reference(case, arrays, SEMANTICS)


def evaluate_steps(case, arrays):
    return _reference.evaluate_steps(case, arrays, SEMANTICS)


def evaluate_pad(case, arrays):
    return _reference.evaluate_pad(case, arrays, SEMANTICS)


def legality(case):
    return _legality.legality(case, SEMANTICS)


def legal_folds(case):
    return _legality.legal_folds(case, SEMANTICS)


def is_correctable(case):
    return _option_legality.is_correctable(case, SEMANTICS)


def is_sliceable(case):
    return _option_legality.is_sliceable(case, SEMANTICS)
