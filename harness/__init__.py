"""foldproof: test passes that fold explicit padding into convolutions and pools.

    from foldproof import Case, FoldExplicitPadding, check, strategies

Names are imported on first use, so ``foldproof --help`` and the pytest plugin start without TVM and Hypothesis.
"""

import importlib
from typing import TYPE_CHECKING, Any

if __name__ != "foldproof":
    raise ImportError(
        f"this package is 'foldproof', but it was imported as {__name__!r}; write `import foldproof`: under two names "
        "each class would exist twice"
    )

if TYPE_CHECKING:
    from foldproof import fold, model, strategies
    from foldproof.campaign.shrinker import shrink
    from foldproof.case import Axis, Case, Pad, Step
    from foldproof.case.describe import describe
    from foldproof.case.form import Form
    from foldproof.case.graph import Function, Graph, Join, Site
    from foldproof.case.onnx_case import OnnxCase
    from foldproof.checking import failures
    from foldproof.checking.check import check
    from foldproof.checking.failures import Failure
    from foldproof.checking.result import Verdict
    from foldproof.corpus.entry import load_case, save_case
    from foldproof.fold import FoldExplicitPadding
    from foldproof.repro.script import reproduce_script

__version__ = "0.1.0"

__all__ = [
    "Axis",
    "Case",
    "Failure",
    "FoldExplicitPadding",
    "Form",
    "Function",
    "Graph",
    "Join",
    "OnnxCase",
    "Pad",
    "Site",
    "Step",
    "Verdict",
    "__version__",
    "check",
    "describe",
    "failures",
    "fold",
    "load_case",
    "model",
    "reproduce_script",
    "save_case",
    "shrink",
    "strategies",
]

_HOMES = {
    "Axis": "foldproof.case",
    "Case": "foldproof.case",
    "Failure": "foldproof.checking.failures",
    "FoldExplicitPadding": "foldproof.fold",
    "Form": "foldproof.case.form",
    "Function": "foldproof.case.graph",
    "Graph": "foldproof.case.graph",
    "Join": "foldproof.case.graph",
    "OnnxCase": "foldproof.case.onnx_case",
    "Pad": "foldproof.case",
    "Site": "foldproof.case.graph",
    "Step": "foldproof.case",
    "Verdict": "foldproof.checking.result",
    "check": "foldproof.checking.check",
    "describe": "foldproof.case.describe",
    "load_case": "foldproof.corpus.entry",
    "reproduce_script": "foldproof.repro.script",
    "save_case": "foldproof.corpus.entry",
    "shrink": "foldproof.campaign.shrinker",
}
_MODULES = {
    "failures": "foldproof.checking.failures",
    "fold": "foldproof.fold",
    "model": "foldproof.model",
    "strategies": "foldproof.strategies",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name not in _HOMES:
        raise AttributeError(f"module 'foldproof' has no attribute {name!r}; expected one of {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
