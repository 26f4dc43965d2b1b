"""Apply many passes to a case: the distinct modules that they return, and the failures of passes that raise.

    unfolded --base pass, traced--> Trace: the result of every pass that agrees with it
             --each other pass--> modules, equal ones once

Passes are functions of the module. For a module equal to the input, a pass returns what it returned for the input.
Equal modules can differ in the names of parameters, and in functions that were built anew. So the structure of each
module of a graph is checked, and its form once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from foldproof.case.any_case import AnyCase
from foldproof.case.graph import Graph
from foldproof.checking.apply_pass import apply_pass, check_again, check_form, check_structure
from foldproof.checking.failures import Failure
from foldproof.ir.base import Pass
from foldproof.ir.relax import module as ir
from foldproof.ir.relax.ir import RELAX
from foldproof.mutants.patched_pass import PatchedPass, Trace, patched_places, trace


class Passes:
    """Passes by name, and the functions of the bundled pass that they replace."""

    def __init__(self, folds: Mapping[str, Pass]) -> None:
        self.folds = folds
        self.places = patched_places(folds.values())


@dataclass(slots=True, kw_only=True)
class DistinctModule:
    """A module and the names of the passes that returned it; ``failure`` is its failure, if any."""

    case: AnyCase
    unfolded: ir.Module
    folded: ir.Module
    changed: bool
    names: list[str] = field(default_factory=list)
    failure: Failure | None = None


@dataclass(slots=True, kw_only=True)
class CaseModules:
    """The distinct modules and the failures of one case."""

    case: AnyCase
    distinct: list[DistinctModule] = field(default_factory=list)
    failures: dict[str, Failure] = field(default_factory=dict)


def apply_all(case: AnyCase, passes: Passes, *, form: bool = True) -> CaseModules:
    """Apply every pass to the case.

    Args:
        case: The case.
        passes: The passes by name.
        form: Whether to check each module's form and idempotence, as ``check`` does before it runs anything.
    """
    applier = _Applier(case, passes, form)
    for name, fold in passes.folds.items():
        try:
            applier.apply(fold).names.append(name)
        except Failure as found:
            applier.row.failures[name] = found
    return applier.row


@dataclass(slots=True, kw_only=True)
class _Shared:
    """The result of every pass that agrees with its base, in ``run`` and in ``again``, a run on the first result."""

    run: Trace
    again: Trace
    each: DistinctModule
    idempotent: bool


class _Applier:
    """Applies passes to one case."""

    def __init__(self, case: AnyCase, passes: Passes, form: bool) -> None:
        self.row = CaseModules(case=case)
        self._case, self._passes, self._form = case, passes, form
        self._unfolded = RELAX.build(case)
        self._shared: dict[Any, _Shared | None] = {}
        self._runs: dict[int, Trace] = {}

    def apply(self, fold: Pass) -> DistinctModule:
        """Return the module of a pass. Raises ``Failure``."""
        shared = self._find_shared(fold) if isinstance(fold, PatchedPass) else None
        if shared is None or not isinstance(fold, PatchedPass) or not fold.agrees_with(shared.run):
            each = self._add(apply_pass(self._case, fold, self._unfolded.clone(), RELAX))
        elif shared.idempotent and fold.agrees_with(shared.again):
            return shared.each
        else:
            each = shared.each
        if self._form and each.failure is None and each.changed:
            check_again(self._case, fold, each.folded, RELAX)
        return each

    def _find_shared(self, fold: PatchedPass) -> _Shared | None:
        key = (id(fold.base), fold.after)
        if key not in self._shared:
            self._shared[key] = self._share(fold)
        return self._shared[key]

    def _share(self, fold: PatchedPass) -> _Shared | None:
        """Trace the base. None if it raises: each pass then raises by itself."""
        try:
            run, folded = self._trace(fold, self._unfolded)
            again, twice = self._trace(fold, folded)
        except Exception:  # noqa: BLE001, each pass shows it alone
            return None
        return _Shared(run=run, again=again, each=self._add(folded), idempotent=ir.same(folded, twice))

    def _trace(self, fold: PatchedPass, module: ir.Module) -> tuple[Trace, ir.Module]:
        """Run the base of a pass, once on the unfolded module, and return the run and the result of the pass."""
        key = id(fold.base)
        run = self._runs.get(key) if module is self._unfolded else None
        if run is None:
            run = trace(fold.base, module.clone(), self._passes.places)
            if module is self._unfolded:
                self._runs[key] = run
        return run, run.folded if fold.after is None else fold.after(run.folded, module)

    def _add(self, folded: ir.Module) -> DistinctModule:
        """Return the entry of an equal module, or add one."""
        known = next((each for each in self.row.distinct if ir.same(each.folded, folded)), None)
        each = self._add_distinct(folded) if known is None else known
        if self._form and each.failure is None and isinstance(self._case, Graph):
            check_structure(self._case, self._unfolded, folded, RELAX)
        return each

    def _add_distinct(self, folded: ir.Module) -> DistinctModule:
        changed = not ir.same(folded, self._unfolded)
        each = DistinctModule(case=self._case, unfolded=self._unfolded, folded=folded, changed=changed)
        self.row.distinct.append(each)
        if self._form:
            try:
                check_form(self._case, self._unfolded, folded, RELAX)
            except Failure as found:
                each.failure = found
        return each
