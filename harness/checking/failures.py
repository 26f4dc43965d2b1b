"""The kinds of failures: a class for each thing that can be wrong.

Invariant: failures are one defect if and only if they have one ``fingerprint``. Hypothesis distinguishes exceptions by
type and raising line, so ``failure`` returns an instance of a subclass of its own for each fingerprint.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from foldproof.case.any_case import AnyCase


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckArguments:
    """The pass, the parsed target and ``complete`` that ``check`` checked a case with."""

    fold: Any
    target: Any
    complete: bool


class Failure(AssertionError):  # noqa: N818, the field says failure, and a failure is not an error of the harness
    """Base of all failures.

    Args:
        case: the case that fails.
        symptom: a short constant to count by.
        detail: a sentence with what is wrong, where, and what was expected.

    Attributes:
        checked_with: the arguments of the ``check`` that raised it; None if another process or function did.
    """

    checked_with: CheckArguments | None = None

    def __init__(self, case: AnyCase, symptom: str, detail: str) -> None:
        self.case, self.symptom, self.detail = case, symptom, detail
        super().__init__(str(self))

    def add_detail(self, text: str) -> None:
        """Append to the detail, once."""
        if text not in self.detail:
            self.detail += text
            self.args = (str(self),)

    @property
    def kind(self) -> str:
        """The name of the failure class, such as "Miscompile"."""
        return next(cls.__name__ for cls in type(self).__mro__ if cls in KINDS)

    @property
    def fingerprint(self) -> str:
        """What counts as one defect: class, op family, symptom."""
        return f"{self.kind}/{self.case.spec.family}/{self.symptom}"

    def __str__(self) -> str:
        return f"{self.detail}\n  case: {self.case!r}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (failure, (self.kind, self.case, self.symptom, self.detail))


class Miscompile(Failure):
    """The folded function returns other values than the unfolded one, which agrees with the NumPy reference."""


class WrongType(Failure):
    """The folded function declares or returns another shape or dtype than the unfolded one."""


class IllFormed(Failure):
    """The pass returned a module that the compiler rejects as not well formed."""


class StructureChanged(Failure):
    """The pass changed a signature, an attribute or a function beside its folds, or left more pads or steps."""


class InputMutated(Failure):
    """The pass changed the module that it was given."""


class NotIdempotent(Failure):
    """The pass applied to its own result changes it again."""


class NotDeterministic(Failure):
    """The pass returns two modules for equal ones, or a function two values for the same inputs."""


class MissedFold(Failure):
    """The pass left a pad whose fold is legal for every input and shape."""


class CompileError(Failure):
    """The pass raised, or the compiler raised on what the pass returned; ``symptom`` names the stage."""


class TargetCrashed(Failure):
    """The process that compiled and ran the case died."""


class TargetTimeout(Failure):
    """The process that compiled and ran the case did not end in time."""


class OracleDisagreement(Failure):
    """The unfolded function and the NumPy reference differ: the compiler or the reference is wrong, not the pass."""


class PipelineDisagreement(Failure):
    """The fast and the default pipeline differ: in the bits of an output, or in the result of the case."""


class HarnessError(Failure):
    """The harness itself raised on this case: a defect of foldproof."""


KINDS: tuple[type[Failure], ...] = (
    Miscompile,
    WrongType,
    IllFormed,
    StructureChanged,
    InputMutated,
    NotIdempotent,
    NotDeterministic,
    MissedFold,
    CompileError,
    TargetCrashed,
    TargetTimeout,
    OracleDisagreement,
    PipelineDisagreement,
    HarnessError,
)

_BY_NAME = {kind.__name__: kind for kind in KINDS}


def failure(kind: str, case: AnyCase, symptom: str, detail: str) -> Failure:
    """Return a failure to raise, of a class that belongs to its fingerprint alone.

    Args:
        kind: the name of one of ``KINDS``.
        case: the case that fails.
        symptom: a short constant to count by.
        detail: a sentence with what is wrong, where, and what was expected.
    """
    return _subclass(kind, case.spec.family, symptom)(case, symptom, detail)


@cache
def _subclass(kind: str, family: str, symptom: str) -> type[Failure]:
    base = _BY_NAME[kind]
    name = "_".join([kind, family, *symptom.split()])
    return type(name, (base,), {"__doc__": base.__doc__, "__module__": __name__})
