"""Mutants of structure written in place of those that became known kinds.

Invariant: nothing is ever tuned to them, so that they show the effect of tuning. Their author did not read
``strategies``.
"""

from weakref import WeakKeyDictionary

from tvm import relax

from foldproof.fold import Folded, paths, rewrite
from foldproof.fold.bindings import Bindings
from foldproof.fold.paths import Path
from foldproof.fold.rewrite import Folding
from foldproof.fold.varmap import VarMap
from foldproof.ir.base import Pass
from foldproof.mutants.edits import edit_folded
from foldproof.mutants.mutant import POOL, C, Mutant, graph_witness, site_witness
from foldproof.mutants.operators import patch_pass


def rest_left_after_a_refusal() -> Pass:
    """The pass leaves the rest of a function after the first consumer whose pad it refuses."""
    met: WeakKeyDictionary[Bindings, VarMap[bool]] = WeakKeyDictionary()  # each consumer, and whether it folded

    def find(folding: Folding, bindings: Bindings, consumer: relax.Var) -> tuple[Path, Folded] | None:
        known = met.setdefault(bindings, VarMap())
        if not all(folded for _, folded in known.items()):
            return None
        found = _find(folding, bindings, consumer)
        padded = next(paths.find_paths(bindings, bindings.values[consumer].args[0]), None) is not None
        if padded and consumer not in known:  # the search goes on after a fold until nothing more folds
            known[consumer] = found is not None
        return found

    _find = rewrite._find_fold
    return patch_pass(rewrite, _find_fold=find)


def functions_become_pure() -> Pass:
    """A function that changes is said to be pure, also if it calls what is not pure."""

    def pure(function: relax.Function) -> relax.Function:
        if function.is_pure:
            return function
        return relax.Function(function.params, function.body, function.ret_ty, True, function.attrs, function.span)

    return edit_folded(pure)


# --- the table ----------------------------------------------------------------------------------------

MUTANTS: tuple[Mutant, ...] = (
    Mutant(held_out=True, kind="structure: memo", make=rest_left_after_a_refusal, witness=graph_witness(POOL, C)),
    Mutant(
        held_out=True,
        kind="structure: effects",
        make=functions_become_pure,
        witness=graph_witness(site_witness(C, place="past call"), C),
    ),
)
"""The mutants of this module."""
