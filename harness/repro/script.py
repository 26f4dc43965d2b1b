"""A standalone Python script that shows a failure: it needs TVM and NumPy, but neither foldproof nor the pass.

    case, pass -> modules before and after, inputs -> TVMScript, literals, functions of standalone.py

Law: the script ends with ``FAILED: ...`` and exit code 1 where the failure shows, with ``ok: ...`` and 0 where not.
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from foldproof.case import Case
from foldproof.case.describe import describe
from foldproof.checking.failures import Failure
from foldproof.checking.result import Verdict
from foldproof.core.array_source import array_source
from foldproof.ir.base import find_known_issue
from foldproof.ir.relax import module as ir
from foldproof.ir.relax.build import build
from foldproof.ir.relax.ir import RELAX
from foldproof.ir.relax.semantics import SEMANTICS
from foldproof.ir.relax.source import NotExact, NotParsed, Source, exact_source, write_source
from foldproof.ir.relax.targets import Target
from foldproof.oracle.fills import inputs, parameters
from foldproof.oracle.legality import legal_folds
from foldproof.oracle.reference import outputs
from foldproof.repro import prelude as prelude
from foldproof.repro.environment import describe_environment
from foldproof.repro.reproducer import CannotReproduce

Fold = Callable[[ir.Module], ir.Module]

_SHARED = (prelude.finish, prelude.report_errors)
_RUNNING = (*_SHARED, prelude.compile_main, prelude.run, prelude.difference)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a script shows: ``modules`` by name, and ``arguments``, go to ``ending``, a function of standalone.py.

    ``told`` says it in words; ``data`` are statements that bind what the ending reads.
    """

    claim: str
    ending: Callable[..., Any]
    modules: dict[str, ir.Module] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    functions: tuple[Callable[..., Any], ...] = _RUNNING


def write_script(case: Case, fold: Fold, target: Target, result: Failure | Verdict, *, fold_name: str) -> str:
    """The text of a script that shows ``result``, which came of ``case``, ``fold`` and ``target``. Raises NoScript."""
    if isinstance(result, Failure):
        scene = _SCENES.get(result.kind, _unshown)(case, fold, result)
    else:
        scene = _passed(case, fold)
    try:
        sources = [exact_source(module, name) for name, module in scene.modules.items()]
    except NotExact as error:
        raise CannotReproduce(str(error)) from error
    parts = [
        _settings(target),
        *scene.data,
        *(part.code(check_well_formed=scene.ending is not prelude.check_well_formed) for part in sources),
        *(_code(function) for function in (*scene.functions, scene.ending)),
        f'if __name__ == "__main__":\n    {_call(sources, scene)}',
    ]
    code = "\n\n\n".join(parts)
    return "\n\n".join([_header(case, target, result, scene, fold_name), _imports(code), code]) + "\n"


# --- what is shown, by the kind of failure ------------------------------------------------------------


def _passed(case: Case, fold: Fold) -> Scene:
    before, after = _folded(case, fold)
    known = find_known_issue(RELAX, case)
    if ir.same(before, after) or known is not None:
        return _referred(case, f"a known defect of TVM: {known.text}" if known else "the pass leaves Before as it is")
    return _compared(case, before, after, "the pass turned Before into After")


def _run(case: Case, fold: Fold, failure: Failure) -> Scene:
    """Both functions, or the only one where the pass changed nothing."""
    before, after = _folded(case, fold)
    if ir.same(before, after):
        return _referred(case, "the pass leaves Before as it is")
    return _compared(case, before, after, "the pass turned Before into After")


def _mistyped(case: Case, fold: Fold, failure: Failure) -> Scene:
    if failure.symptom != "return type":
        return _run(case, fold, failure)
    before, after = _folded(case, fold)
    modules = {"Before": before, "After": after}
    claim = "the pass turned Before into After, which should return the same type"
    return Scene(claim=claim, ending=prelude.compare_types, modules=modules, functions=_SHARED)


def _ill_formed(case: Case, fold: Fold, failure: Failure) -> Scene:
    _, after = _folded(case, fold)
    claim = "the pass returned After, which is not well formed"
    try:
        exact_source(after, "After")
    except NotParsed:
        return _unparsed(write_source(after, "After"), claim)
    return Scene(claim=claim, ending=prelude.check_well_formed, modules={"After": after}, functions=_SHARED)


def _unparsed(after: Source, claim: str) -> Scene:
    lengths = "".join(f', "{name}": TypeVar("{name}")' for name in after.lengths)
    data = (f'NAMES = {{"metadata": {after.metadata}{lengths}}}', f"AFTER = {_quoted(after.class_text)}")
    return Scene(claim=claim, ending=prelude.check_parses, arguments=("AFTER",), data=data, functions=_SHARED)


def _quoted(text: str) -> str:
    """A string over several lines; TVMScript has neither backslashes nor triple quotes, or it is no pretty text."""
    return repr(text) if "\\" in text or '"""' in text else f'"""\\\n{text}\n"""'


def _mutated(case: Case, fold: Fold, failure: Failure) -> Scene:
    given = build(case)
    fold(given)
    modules = {"Before": build(case), "After": given}
    claim = "the pass was given Before, and left After in its place"
    return Scene(claim=claim, ending=prelude.compare_modules, modules=modules, functions=_SHARED)


def _repeated(case: Case, fold: Fold, failure: Failure) -> Scene:
    once = fold(build(case))
    modules = {"Before": once, "After": fold(once.clone())}
    claim = "the pass returned Before, and turned that into After when applied again"
    return Scene(claim=claim, ending=prelude.compare_modules, modules=modules, functions=_SHARED)


def _missed(case: Case, fold: Fold, failure: Failure) -> Scene:
    _, after = _folded(case, fold)
    claim = "the pass left After, which has a pad that can be folded for every input"
    for right in islice(legal_folds(case, SEMANTICS), 1):
        modules = {"After": after, "Folded": build(right, with_pad=False)}
        return Scene(claim=claim, ending=prelude.compare_missed, modules=modules, data=(_inputs(case),))
    return _only_shown({"After": after}, claim, failure)


def _uncompiled(case: Case, fold: Fold, failure: Failure) -> Scene:
    if failure.symptom == "pass":
        return _only_shown(
            {"Before": build(case)}, "the pass raised, or returned no module, when given Before", failure
        )
    if failure.symptom.endswith("unfolded"):
        return _referred(case, "TVM raises on Before, which the pass has not seen")
    return _run(case, fold, failure)


def _disagreed(case: Case, fold: Fold, failure: Failure) -> Scene:
    if failure.symptom.startswith("folded"):
        before, after = _folded(case, fold)
        return _compared(case, before, after, "After is the right fold of Before, and TVM executes one of them wrongly")
    return _referred(case, "TVM and the NumPy reference disagree on Before, which the pass has not seen")


def _unshown(case: Case, fold: Fold, failure: Failure) -> Scene:
    raise CannotReproduce(f"a {failure.kind} is one of foldproof itself, which no script without it shows")


_SCENES: dict[str, Callable[[Case, Fold, Failure], Scene]] = {
    "Miscompile": _run,
    "WrongType": _mistyped,
    "IllFormed": _ill_formed,
    "InputMutated": _mutated,
    "NotIdempotent": _repeated,
    "MissedFold": _missed,
    "CompileError": _uncompiled,
    "TargetCrashed": _run,
    "TargetTimeout": _run,
    "OracleDisagreement": _disagreed,
}


def _folded(case: Case, fold: Fold) -> tuple[ir.Module, ir.Module]:
    return build(case), fold(build(case))


def _compared(case: Case, before: ir.Module, after: ir.Module, claim: str) -> Scene:
    data = (_inputs(case), _opened(case))
    return Scene(claim=claim, ending=prelude.compare, modules={"Before": before, "After": after}, data=data)


def _referred(case: Case, claim: str) -> Scene:
    ending, modules = prelude.compare_with_reference, {"Before": build(case)}
    return Scene(claim=claim, ending=ending, modules=modules, data=(_inputs(case), _expected(case)))


def _only_shown(modules: dict[str, ir.Module], claim: str, failure: Failure) -> Scene:
    message = " ".join(failure.detail.split())
    return Scene(claim=claim, ending=prelude.show, modules=modules, arguments=(repr(message),), functions=_SHARED)


# --- data ---------------------------------------------------------------------------------------------


def _inputs(case: Case) -> str:
    """INPUTS: fill -> the arguments, in order."""
    lines = ["INPUTS = {"]
    for fill in case.fills:
        lines.append(f"    {fill!r}: [")
        for name, array in parameters(case, inputs(case, fill, SEMANTICS)).items():
            lines += [f"        # {name}", f"        {array_source(array)},"]
        lines.append("    ],")
    return "\n".join([*lines, "}"])


def _opened(case: Case) -> str:
    """UNSPECIFIED: (fill, output) -> the elements that TVM leaves open, where there are any."""
    lines = [
        f"    ({fill!r}, {i}): {array_source(want.unspecified)},"
        for fill in case.fills
        for i, want in enumerate(outputs(case, inputs(case, fill, SEMANTICS), SEMANTICS))
        if want.unspecified is not None and want.unspecified.any()
    ]
    return "\n".join(["UNSPECIFIED = {", *lines, "}"]) if lines else "UNSPECIFIED: Any = {}"


def _expected(case: Case) -> str:
    """EXPECTED: fill -> (value, which elements are judged, error bound) of each output."""
    lines = ["EXPECTED = {"]
    for fill in case.fills:
        lines.append(f"    {fill!r}: [")
        for want in outputs(case, inputs(case, fill, SEMANTICS), SEMANTICS):
            judged = "True" if want.defined.all() else array_source(want.defined)
            bound = array_source(want.bound) if want.bound.any() else "0.0"
            lines.append(f"        ({array_source(want.value)}, {judged}, {bound}),")
        lines.append("    ],")
    return "\n".join([*lines, "}"])


# --- text ---------------------------------------------------------------------------------------------


def _header(case: Case, target: Target, result: Failure | Verdict, scene: Scene, fold_name: str) -> str:
    title = f"{result.fingerprint}: {result.detail}" if isinstance(result, Failure) else "no failure"
    lines = [
        *title.splitlines(),
        "",
        f"{scene.claim[0].upper()}{scene.claim[1:]}.",
        "The last line says FAILED with exit code 1 if that shows to be wrong, or ok with 0 if not. This needs",
        "apache-tvm and numpy (for bfloat16 ml_dtypes, which apache-tvm brings along), neither foldproof nor the pass.",
        "",
        f"pass {fold_name}, target {target.name}",
        *describe(case).splitlines(),
        repr(case),
        "",
        "Written with",
        *(f"  {line}" for line in describe_environment(target.tvm_target)),
    ]
    return "\n".join(f"# {line}".rstrip() for line in lines)


_IMPORTS = (
    "import base64",
    "import sys",
    "import zlib",
    "from collections.abc import Iterator",
    "from contextlib import contextmanager",
    "from typing import Any",
    "from typing import NoReturn",
    "from typing import TypeVar",
    "",
    "import ml_dtypes",
    "import numpy as np",
    "import tvm",
    "import tvm_ffi",
    "from numpy import inf",
    "from numpy import nan",
    "from tvm import relax",
    "from tvm.script import ir as I",
    "from tvm.script import relax as R",
    "from tvm.script import tirx as T",
)


def _imports(code: str) -> str:
    """Those whose name is read in ``code``."""
    named = code.replace("bfloat16", "ml_dtypes")
    return "\n".join(line for line in _IMPORTS if not line or re.search(rf"\b{line.split()[-1]}\b", named))


def _settings(target: Target) -> str:
    kind = target.tvm_target.kind.name
    return f"TARGET = {target.spec!r}\nDEVICE = {'cpu' if kind in ('llvm', 'c') else kind!r}"


def _code(function: Callable[..., Any]) -> str:
    return re.sub(r"  # noqa: .*", "", inspect.getsource(function).strip())


def _call(sources: list[Source], scene: Scene) -> str:
    arguments = [*(part.name for part in sources), *scene.arguments]
    return f"{scene.ending.__name__}({', '.join(arguments)})"
