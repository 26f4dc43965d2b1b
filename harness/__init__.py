"""foldproof: prove that folding explicit padding in Apache TVM is right.

    from harness import Case, FoldExplicitPadding, check

Names are imported on first use, so that ``foldproof --help`` and the pytest plugin start without TVM.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.case import Axis, Case, Pad, Step
    from harness.check import check
    from harness.failures import Failure
    from harness.fold import FoldExplicitPadding
    from harness.verdict import Verdict

__version__ = "0.1.0"

__all__ = ["Axis", "Case", "Failure", "FoldExplicitPadding", "Pad", "Step", "Verdict", "__version__", "check"]

_HOMES = {
    "Axis": "harness.case",
    "Case": "harness.case",
    "Failure": "harness.failures",
    "FoldExplicitPadding": "harness.fold",
    "Pad": "harness.case",
    "Step": "harness.case",
    "Verdict": "harness.verdict",
    "check": "harness.check",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
