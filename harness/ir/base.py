"""The protocol between checking and an IR: everything that ``check`` needs of a compiler.

    case --build--> Module --pass--> Module --compile--> Program --run--> arrays

Invariant: ``checking`` and everything above it import this module and no IR. The pass under test names its IR:
``ir_of(pass_)`` returns its attribute ``foldproof_ir``, or Relax.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from foldproof.case import Case
from foldproof.case.any_case import AnyCase
from foldproof.case.graph import Graph
from foldproof.core.errors import UsageError
from foldproof.core.loading import load_attribute
from foldproof.oracle.semantics import Semantics

Module = Any
"""A module of the IR. ``checking`` passes it on, and looks inside through the IR only."""

Pass = Callable[[Module], Module]
"""A pass: any callable from module to module. It must not change its argument."""

FAST, DEFAULT = "fast", "default"
"""Pipelines. ``default`` is the compiler's own. ``fast``, if there is one, is shorter, and ``default`` confirms it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownIssue:
    """A known defect of the compiler of an IR.

    A case with a known issue does not fail, and is not counted as passed either: the verdict names the issue.

    Args:
        name: a short constant to count by.
        text: a description for a person.
        changes: exactly which elements, dtypes or shapes it may change. What else differs is blamed.
        matches: whether a case shows the issue.
        dtype_only: whether only the dtype of the result is wrong, and the values are right.
        runs: False if running such a case can kill the process. It is then built, folded, checked and counted, but not
            executed.
        raises: a part of the compiler's error message, if the compiler may fail to compile such a case. A case that
            does compile is like any other. Empty if the issue is of another kind.
    """

    name: str
    text: str
    changes: str
    matches: Callable[[Case], bool]
    dtype_only: bool = False
    runs: bool = True
    raises: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDefect:
    """A known defect of a pass, which excuses exactly the failures that it describes.

    Args:
        name: a short constant to count by.
        text: a description for a person.
        kinds: the kinds of the failures that it causes, such as "Miscompile".
        matches: whether a case shows the defect.
        case: a minimal case that shows it.
        without: returns the nearest case without what triggers it, or None if there is none. The defect excuses a
            failure only if that case passes. None where the message tells enough.
        becomes: returns the cases that the defect may take a case for. The defect excuses a failure only if the result
            of the pass is right for one of them. None where that is not known.
        message: a part of the detail of the failure; empty for any.
        upstream: where it is reported; empty if it is not.
        version: the version of the pass in which it was seen.
        silent: whether the result is wrong without an error.
    """

    name: str
    text: str
    kinds: tuple[str, ...]
    matches: Callable[[Any], bool]
    case: AnyCase | None = None
    without: Callable[[Any], Any] | None = None
    becomes: Callable[[Any], Sequence[Any]] | None = None
    message: str = ""
    upstream: str = ""
    version: str = ""
    silent: bool = True

    def excuses(self, failure: Any) -> bool:
        """Whether this defect explains a failure: its kind, its message and its case."""
        of_kind = failure.kind in self.kinds and self.message in failure.detail
        return of_kind and self.matches(failure.case)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualPads:
    """How many pads a module still has.

    Args:
        foldable: the operands of convolutions and pools that are after a pad of a spatial axis, plus ``identity``.
        identity: the pads whose widths are all 0, wherever they are.
        consumers: the op of each convolution or pool with a padded operand, once for each operand.
    """

    foldable: int
    identity: int
    consumers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureChange:
    """What a pass changed beside its folds.

    Args:
        symptom: a short constant to count by.
        detail: what changed, in a sentence.
    """

    symptom: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a pass reports of one site.

    Args:
        rule: the rule by which it folded; empty if it refused.
        kind: a constant to count refusals by.
        detail: the reason of the refusal, in a sentence.
    """

    rule: str = ""
    kind: str = ""
    detail: str = ""

    @property
    def folded(self) -> bool:
        return bool(self.rule)


class Program(Protocol):
    """The compiled functions of one case.

    ``fallback`` is the reason why another pipeline than the requested one compiled them; empty if there is none.
    """

    fallback: str

    def run(self, name: str, arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
        """Run the function ``name`` on arrays in the order of its parameters, and return its outputs."""


class Target(Protocol):
    """What a module is compiled for.

    ``notice`` is the reason why ``pipeline`` is not the requested one; empty if it is. ``description`` says in short
    what the compiler compiles for; empty for its default.
    """

    @property
    def name(self) -> str: ...
    @property
    def pipeline(self) -> str: ...
    @property
    def notice(self) -> str: ...
    @property
    def description(self) -> str: ...
    def with_pipeline(self, pipeline: str) -> "Target":
        """Return the same target with another pipeline."""


class IR(Protocol):
    """An intermediate representation with its compiler. Each is an object with these attributes and methods.

    - ``name`` and ``compiler`` are the names of the IR and its compiler in messages.
    - ``semantics`` are the choices that the NumPy reference needs.
    - ``known_issues`` are defects of the compiler that do not fail a case.
    - ``script_writer`` names the function that writes standalone scripts (MODULE:ATTR); empty if there is none.
    - ``module_name`` is what a module is called, with its article.
    - ``strategy`` names the strategy of its cases (MODULE:ATTR), of which ops are an argument.
    - ``needs_two_opinions`` is whether a pass is blamed only if two implementations agree against it.
    - ``counts_missed_folds`` is whether missed folds are counted for passes that do not claim to make every legal fold.
      That costs more than all other checks of a case.
    """

    @property
    def name(self) -> str: ...
    @property
    def compiler(self) -> str: ...
    @property
    def semantics(self) -> Semantics: ...
    @property
    def known_issues(self) -> Sequence[KnownIssue]: ...
    @property
    def script_writer(self) -> str: ...
    @property
    def module_name(self) -> str: ...
    @property
    def strategy(self) -> str: ...
    @property
    def needs_two_opinions(self) -> bool: ...
    @property
    def counts_missed_folds(self) -> bool: ...

    def supported(self, case: AnyCase) -> str:
        """Return why the IR cannot express the case, in a sentence; empty if it can."""

    def build(self, case: AnyCase, *, with_pad: bool = True) -> Module:
        """Return a well-formed module whose entry function is the case, unfolded.

        The parameters are named and ordered as the keys of ``oracle.fills.parameters``. The function returns the
        consumer's result, or a tuple of it and the tensors of ``case.extra_outputs``.

        Args:
            case: the case.
            with_pad: False to leave out a pad whose widths are all 0.
        """

    def is_module(self, value: Any) -> bool:
        """Whether ``value`` is a module of this IR."""

    def clone(self, module: Module) -> Module:
        """Return a copy that does not change with the module."""

    def digest(self, module: Module) -> int:
        """Return a number that differs for modules that are not the same, the contents of their constants included."""

    def same(self, a: Any, b: Any) -> bool:
        """Whether two modules, functions or types are structurally equal."""

    def identical(self, a: Module, b: Module) -> bool:
        """Whether two modules are the same object of the compiler."""

    def verify(self, module: Module) -> str:
        """Return why the module is not well formed, in one line; empty if it is."""

    def entry(self, module: Module) -> Any:
        """Return the function that ``compile`` compiles; None if the module has none."""

    def first_output(self, module: Module) -> Any:
        """Return the entry function with its first output alone, and only with what that output needs.

        Two modules that compute it in the same way give equal functions by ``same``, whatever else they return.
        """

    def return_type(self, module: Module) -> Any:
        """Return the declared type of what the entry function returns; comparable by ``same``, readable by ``str``."""

    def find_structure_change(self, before: Module, after: Module, *, copies: int | None) -> StructureChange | None:
        """Return what changed beside the folds; None if nothing did.

        The public functions stay, with their parameters, types, names and attributes. Every function that is called is
        there. The calls with effects stay, in their order. A function that is structurally equal is the same object.
        There are no more pads than before.

        Args:
            before: the unfolded module.
            after: the folded module.
            copies: how many elementwise calls the pass may add: a fold past a step that something else reads needs a
                copy of it. None accepts any number of calls and pads, and equal functions that are other objects.
        """

    def residual_pads(self, module: Module) -> ResidualPads:
        """Count the pads that a module still has."""

    def channel_pads(self, module: Module) -> int:
        """Count the convolutions whose data is after a pad of its channels."""

    def parse_target(self, name: str, pipeline: str = FAST) -> Target:
        """Return the target of that name.

        Raises:
            UsageError: if the target is unknown.
        """

    def compile(self, batch: Sequence[Mapping[str, Module]], target: Any) -> Sequence[Program]:
        """Compile the entry functions of many modules at once.

        Args:
            batch: for each program, its modules by the name under which their entry functions are run.
            target: the target.

        Returns:
            A program for each mapping, in order.

        Raises:
            Exception: whatever the compiler raises for any of them.
        """

    def second_opinion(self, module: Module, arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...] | None:
        """Return what another implementation computes, to decide where two disagree; None if there is none."""

    def second_refuses(self, module: Module, arrays: Mapping[str, np.ndarray]) -> bool:
        """Whether another implementation, if it may be asked about a module, does not run it."""

    def quote_specification(self, case: AnyCase) -> tuple[str, ...]:
        """Return what a specification says of the expected values of a case; empty if there is none."""

    def can_be_asked(self, module: Module) -> bool:
        """Whether a second implementation may run a module: not if a pass compiled it."""

    def to_source(self, module: Module) -> str:
        """Return the module as text for a person."""

    def short_error(self, error: BaseException) -> str:
        """Return the type and the most useful line of an error, in at most a few hundred characters."""


RELAX = "foldproof.ir.relax.ir:RELAX"
IRS = {"relax": RELAX, "onnx": "foldproof.ir.onnx.ir:ONNX"}
"""The IRs by name, as ``MODULE:ATTR``."""

RELAX_STRATEGY = "foldproof.strategies:cases"


def ir_of(pass_: Any) -> IR:
    """Return the IR that a pass works on: its attribute ``foldproof_ir``, an IR or its name, or Relax if it has none.

    Raises:
        UsageError: if there is no IR of that name.
    """
    own: IR | str | None = getattr(pass_, "foldproof_ir", None)
    if own is None or isinstance(own, str):
        name = own or "relax"
        if name not in IRS:
            raise UsageError(f"unknown foldproof_ir {name!r} of the pass; expected one of {', '.join(IRS)}")
        found: IR = load_attribute(IRS[name], "IR")
        return found
    return own


def find_known_issue(ir: IR, case: AnyCase) -> KnownIssue | None:
    """Return the known issue that a case shows whenever it is executed; None if there is none."""
    return next((issue for issue in ir.known_issues if not issue.raises and _shows(case, issue)), None)


def _shows(case: Any, issue: KnownIssue) -> bool:
    """Whether a case, or a site of a graph, shows an issue."""
    return any(map(issue.matches, case.cases)) if isinstance(case, Graph) else issue.matches(case)


def find_raised_issue(ir: IR, case: AnyCase, message: str) -> KnownIssue | None:
    """Return the known issue that prevents compiling a case, if the compiler failed with ``message``; else None."""
    raised = (issue for issue in ir.known_issues if issue.raises and issue.raises in message)
    issue = next((issue for issue in raised if _shows(case, issue)), find_known_issue(ir, case))
    return None if issue is None or issue.dtype_only else issue


def read_outcomes(reports: Iterable[Any]) -> tuple[Outcome, ...]:
    """Return the outcomes that a pass reports of its sites.

    A report has an ``outcome`` with a ``rule``, or with the ``kind`` and ``detail`` of a refusal. The reason of a
    refusal may also be a string, which is both, or a pair (kind, detail) of strings. A report of another form is
    ignored, since a pass does not have to explain.
    """
    outcomes = []
    for report in reports:
        outcome: Any = getattr(report, "outcome", None)
        if isinstance(report, str):
            outcomes.append(Outcome(kind=report, detail=report))
        elif isinstance(report, tuple) and len(report) == 2 and all(isinstance(part, str) for part in report):
            outcomes.append(Outcome(kind=report[0], detail=report[1]))
        elif hasattr(outcome, "rule"):
            outcomes.append(Outcome(rule=str(outcome.rule)))
        elif hasattr(outcome, "kind") and hasattr(outcome, "detail"):
            outcomes.append(Outcome(kind=str(outcome.kind), detail=str(outcome.detail)))
    return tuple(outcomes)
