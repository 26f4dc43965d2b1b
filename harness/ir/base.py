"""The protocol between checking and an IR: everything that ``check`` asks of a compiler.

    case --build--> Module --pass--> Module --compile--> Program --run--> arrays

``checking`` and everything above it import this module and no IR. The pass under test says which IR it works on:
``ir_of(pass_)`` returns its attribute ``foldproof_ir``, an ``IR``, or Relax.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from foldproof.case import Case
from foldproof.core.loading import load_attribute
from foldproof.oracle.semantics import Semantics

Module = Any
"""A module of the IR. ``checking`` hands it on, and looks inside through the IR only."""

Pass = Callable[[Module], Module]
"""A pass: any callable from module to module. It leaves the module alone that it is given."""

FAST, DEFAULT = "fast", "default"
"""Pipelines. ``default`` is the compiler's own; ``fast``, if there is one, is shorter and confirmed by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownIssue:
    """A known defect of the compiler of an IR.

    A known issue does not fail a case, and is never counted as passed either: the verdict names it.

    Args:
        name: a short constant to count by.
        text: the sentence for a person.
        matches: whether a case shows it.
        dtype_only: whether the values are right all the same.
        runs: False where running such a case can kill the process: it is drawn, folded, checked as IR and counted, but
            not executed.
        raises: what the compiler's error contains where it does not compile such a case; where it does compile, the
            case is like any other.
    """

    name: str
    text: str
    matches: Callable[[Case], bool]
    dtype_only: bool = False
    runs: bool = True
    raises: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualPads:
    """Pads that a module still has.

    Args:
        foldable: operands of convolutions and pools after a pad of a spatial axis, identity pads included.
        identity: pads of either form whose widths are all 0.
        channel: convolutions whose data is after a pad of its channels.
    """

    foldable: int
    identity: int
    channel: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a pass reports of one site: ``rule`` if it folded by one, else ``kind`` and ``detail`` of its refusal."""

    rule: str = ""
    kind: str = ""
    detail: str = ""

    @property
    def folded(self) -> bool:
        return bool(self.rule)


class Program(Protocol):
    """Compiled functions of one case. ``fallback`` says why not the pipeline that was asked for; empty if it was."""

    fallback: str

    def run(self, name: str, arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
        """Return the outputs of the function ``name`` on arrays in the order of its parameters."""


class Target(Protocol):
    """What a module is compiled for. ``notice`` says why ``pipeline`` is not the one that was asked for."""

    @property
    def name(self) -> str: ...
    @property
    def pipeline(self) -> str: ...
    @property
    def notice(self) -> str: ...
    def with_pipeline(self, pipeline: str) -> "Target":
        """Return the same target, compiled for through another pipeline."""


class IR(Protocol):
    """An intermediate representation with its compiler. Each is an object with these attributes and methods.

    ``name`` and ``compiler`` are what messages call them. ``script_writer`` names (MODULE:ATTR) the function that
    writes standalone scripts; empty if there is none.
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

    def supported(self, case: Case) -> str:
        """Return why the IR cannot express the case, in a sentence; empty if it can."""

    def build(self, case: Case, *, with_pad: bool = True) -> Module:
        """Return a well-formed module whose entry function is the case, unfolded.

        Its parameters are named and ordered as the keys of ``oracle.fills.parameters``. It returns the result, or a
        tuple with what ``case.extra_outputs`` asks for after it. ``with_pad=False`` leaves out a pad of widths 0.
        """

    def is_module(self, value: Any) -> bool:
        """Whether ``value`` is a module of this IR."""

    def clone(self, module: Module) -> Module:
        """Return a copy that no change of the module reaches."""

    def same(self, a: Any, b: Any) -> bool:
        """Whether two modules, functions or types are structurally equal."""

    def identical(self, a: Module, b: Module) -> bool:
        """Whether two modules are one object of the compiler, whatever Python wraps it in."""

    def verify(self, module: Module) -> str:
        """Return why the module is not well formed, in a line; empty if it is."""

    def entry(self, module: Module) -> Any:
        """Return the function that is run; None if the module has none."""

    def return_type(self, module: Module) -> Any:
        """Return the declared type of what the entry function returns; comparable by ``same``, readable by ``str``."""

    def residual_pads(self, module: Module) -> ResidualPads:
        """Count the pads that a module still has."""

    def parse_target(self, name: str, pipeline: str = FAST) -> Target:
        """Return the target of that name. Raises UsageError for an unknown one."""

    def compile(self, batch: Sequence[Mapping[str, Module]], target: Any) -> Sequence[Program]:
        """Compile the entry function of each module, to be called by its key; a program for each mapping.

        Raises whatever the compiler raises, for any of them.
        """

    def to_source(self, module: Module) -> str:
        """Return the module as text that a person reads."""

    def short_error(self, error: BaseException) -> str:
        """Return the type and the telling line of an error, in at most a few hundred characters."""


RELAX = "foldproof.ir.relax.ir:RELAX"


def ir_of(pass_: Any) -> IR:
    """Return the IR that a pass works on: its attribute ``foldproof_ir``, or Relax if it has none."""
    own: IR | None = getattr(pass_, "foldproof_ir", None)
    return own if own is not None else load_attribute(RELAX, "IR")


def find_known_issue(ir: IR, case: Case) -> KnownIssue | None:
    """Return the known issue that ``case`` shows whenever it is executed."""
    return next((issue for issue in ir.known_issues if not issue.raises and issue.matches(case)), None)


def find_raised_issue(ir: IR, case: Case, message: str) -> KnownIssue | None:
    """Return the known issue that keeps ``case`` from being compiled, which the compiler reports with ``message``."""
    raised = (issue for issue in ir.known_issues if issue.raises and issue.raises in message)
    found = next((issue for issue in raised if issue.matches(case)), find_known_issue(ir, case))
    return None if found is None or found.dtype_only else found


def read_outcomes(reports: Iterable[Any]) -> tuple[Outcome, ...]:
    """Return what a pass reports of its sites.

    A report has an ``outcome`` with a ``rule``, or with the ``kind`` and ``detail`` of a refusal. One of another form
    gives no outcome: explaining is a service of the pass, and no duty.
    """
    outcomes = []
    for report in reports:
        outcome: Any = getattr(report, "outcome", None)
        if hasattr(outcome, "rule"):
            outcomes.append(Outcome(rule=str(outcome.rule)))
        elif hasattr(outcome, "kind") and hasattr(outcome, "detail"):
            outcomes.append(Outcome(kind=str(outcome.kind), detail=str(outcome.detail)))
    return tuple(outcomes)
