"""Standalone Python scripts that show a failure. They need TVM and NumPy, but neither foldproof nor the pass.

    case, pass -> modules before and after, inputs -> TVMScript, literals, functions of prelude.py

Invariant: a script ends with ``FAILED: ...`` and exit code 1 if the failure shows, otherwise with ``ok: ...`` and 0.
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from foldproof.case.any_case import AnyCase
from foldproof.case.describe import describe
from foldproof.case.graph import Graph
from foldproof.checking.evidence import Evidence
from foldproof.checking.failures import Failure
from foldproof.checking.graph_evidence import evidence_of
from foldproof.checking.result import Verdict
from foldproof.core.array_source import array_source
from foldproof.core.loading import BUNDLED, load_pass
from foldproof.ir.base import Pass
from foldproof.ir.relax import module as ir
from foldproof.ir.relax.ir import RELAX
from foldproof.ir.relax.source import NotExact, NotParsed, Source, exact_source, write_source
from foldproof.ir.relax.targets import Target, parse_target
from foldproof.ir.relax.targets.memory_plan import PLANNER
from foldproof.repro import prelude
from foldproof.repro.environment import describe_environment
from foldproof.repro.reproducer import CannotReproduce

_SHARED = (prelude.finish, prelude.report_errors)
_RUNNING = (*_SHARED, prelude.compile_main, prelude.run, prelude.flatten, prelude.difference)


_OF_FORM = (prelude.check_well_formed, prelude.compare_functions)
"""Endings about modules that TVM's parser may refuse: they are parsed without that check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a script shows: ``ending``, a function of prelude.py, gets ``modules`` by name and ``arguments``.

    ``claim`` describes it in a sentence. ``data`` are statements that bind what the ending reads.
    """

    claim: str
    ending: Callable[..., Any]
    modules: dict[str, ir.Module] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    functions: tuple[Callable[..., Any], ...] = _RUNNING


def write_script(case: AnyCase, fold: Pass, target: Target, result: Failure | Verdict, *, fold_name: str) -> str:
    """Return the text of a script that shows the result of a case.

    Args:
        case: The case.
        fold: The pass.
        target: The target that the result is from.
        result: What ``check`` returned or raised.
        fold_name: The name of the pass, for the header.

    Raises:
        CannotReproduce: If no script can show it.
    """
    try:
        if isinstance(result, Failure):
            scene = _SCENES.get(result.kind, _refuse)(case, fold, result)
        else:
            scene = _show_passed(case, fold)
        sources = [exact_source(module, name) for name, module in scene.modules.items()]
    except NotExact as error:
        raise CannotReproduce(str(error)) from error
    parts = [
        _write_settings(case, target),
        *scene.data,
        *(part.code(check_well_formed=scene.ending not in _OF_FORM) for part in sources),
        *(_copy_source(function) for function in (*scene.functions, scene.ending)),
        f'if __name__ == "__main__":\n    {_write_call(sources, scene)}',
    ]
    code = "\n\n\n".join(parts)
    return "\n\n".join([_write_header(case, target, result, scene, fold_name), _select_imports(code), code]) + "\n"


# --- what is shown, by the kind of failure ------------------------------------------------------------


def _show_passed(case: AnyCase, fold: Pass) -> Scene:
    before, after = _apply(case, fold)
    known = evidence_of(case, RELAX).known_issue
    if ir.same(before, after) or known is not None:
        return _compare_with_reference(
            case, f"a known issue of TVM: {known.text}" if known else "the pass does not change Before"
        )
    return _compare(case, before, after, "the pass turned Before into After")


def _show_run(case: AnyCase, fold: Pass, failure: Failure) -> Scene:
    """Compare both functions, or run the only one if the pass changed nothing."""
    before, after = _apply(case, fold)
    if ir.same(before, after):
        return _compare_with_reference(case, "the pass does not change Before")
    return _compare(case, before, after, "the pass turned Before into After")


def _show_wrong_type(case: AnyCase, fold: Pass, failure: Failure) -> Scene:
    if failure.symptom != "return type":
        return _show_run(case, fold, failure)
    before, after = _apply(case, fold)
    modules = {"Before": before, "After": after}
    claim = "the pass turned Before into After, which should return the same type"
    return Scene(claim=claim, ending=prelude.compare_types, modules=modules, functions=_SHARED)


def _show_ill_formed(case: AnyCase, fold: Pass, failure: Failure) -> Scene:
    _, after = _apply(case, fold)
    claim = "the pass returned After, which is not well formed"
    try:
        exact_source(after, "After")
    except NotParsed:
        return _show_unparsed(write_source(after, "After"), claim)
    return Scene(claim=claim, ending=prelude.check_well_formed, modules={"After": after}, functions=_SHARED)


def _show_unparsed(after: Source, claim: str) -> Scene:
    lengths = "".join(f', "{name}": TypeVar("{name}")' for name in after.lengths)
    data = (f'NAMES = {{"metadata": {after.metadata}{lengths}}}', f"AFTER = {_quote(after.class_text)}")
    return Scene(claim=claim, ending=prelude.check_parses, arguments=("AFTER",), data=data, functions=_SHARED)


def _quote(text: str) -> str:
    """Return the source of a string, over several lines if it has no backslashes and no triple quotes."""
    return repr(text) if "\\" in text or '"""' in text else f'"""\\\n{text}\n"""'


def _show_mutated_input(case: AnyCase, fold: Pass, failure: Failure) -> Scene:
    given = RELAX.build(case)
    fold(given)
    modules = {"Before": RELAX.build(case), "After": given}
    claim = "the pass changed its input, which was Before, to After"
    return Scene(claim=claim, ending=prelude.compare_modules, modules=modules, functions=_SHARED)


def _show_second_run(case: AnyCase, fold: Pass, failure: Failure) -> Scene:
    once = fold(RELAX.build(case))
    modules = {"Before": once, "After": fold(once.clone())}
    claim = "the pass returned Before; applied to Before, it returned After"
    return Scene(claim=claim, ending=prelude.compare_modules, modules=modules, functions=_SHARED)


def _show_two_results(case: AnyCase, fold: Pass, failure: Failure) -> Scene:
    if failure.symptom != "module":
        name = failure.symptom.partition(" ")[0]
        module = RELAX.build(case) if name == "unfolded" else fold(RELAX.build(case))
        data = (_write_inputs(evidence_of(case, RELAX)),)
        claim = "After, compiled once and run twice on the same inputs, returns two results"
        return Scene(claim=claim, ending=prelude.compare_twice, modules={"After": module}, data=data)
    modules = {"Before": fold(RELAX.build(case)), "After": fold(RELAX.build(case))}
    if RELAX.same(*modules.values()):
        raise CannotReproduce("the pass returned the same module twice this time")
    claim = "the pass returned Before for a module, and After for an equal one"
    return Scene(claim=claim, ending=prelude.compare_modules, modules=modules, functions=_SHARED)


def _show_missed_fold(case: AnyCase, fold: Pass, failure: Failure) -> Scene:
    _, after = _apply(case, fold)
    claim = "the pass left After, which has a pad that can be folded for every input"
    evidence = evidence_of(case, RELAX)
    for right in islice(evidence.legal_folds, 1):
        return _compare_missed(evidence, after, RELAX.build(right, with_pad=False), claim, outputs="1")
    if isinstance(case, Graph):
        folded = load_pass(None)(RELAX.build(case))
        if len(RELAX.residual_pads(folded).consumers) < len(RELAX.residual_pads(after).consumers):
            return _compare_missed(evidence, after, folded, f"{claim}; {BUNDLED} makes Folded", outputs="None")
    return _show_module({"After": after}, claim, failure)


def _compare_missed(evidence: Evidence, after: ir.Module, folded: ir.Module, claim: str, *, outputs: str) -> Scene:
    modules, data = {"After": after, "Folded": folded}, (_write_inputs(evidence),)
    return Scene(claim=claim, ending=prelude.compare_missed, modules=modules, arguments=(outputs,), data=data)


def _show_structure(case: AnyCase, fold: Pass, failure: Failure) -> Scene:
    before, after = _apply(case, fold)
    modules = {"Before": before, "After": after}
    if failure.symptom in ("function lost", "signature", "attributes"):
        claim = "the pass turned Before into After, whose public functions should be those of Before"
        return Scene(claim=claim, ending=prelude.compare_functions, modules=modules, functions=_SHARED)
    if failure.symptom == "dangling call":
        return _show_ill_formed(case, fold, failure)
    claim = f"the pass turned Before into After: {failure.symptom}"
    return _show_module(modules, claim, failure)


def _show_compile_error(case: AnyCase, fold: Pass, failure: Failure) -> Scene:
    if failure.symptom == "pass":
        return _show_module(
            {"Before": RELAX.build(case)}, "the pass raised on Before, or did not return a module", failure
        )
    if failure.symptom.endswith("unfolded"):
        return _compare_with_reference(case, "TVM raises on Before, the module without any pass")
    return _show_run(case, fold, failure)


def _show_disagreement(case: AnyCase, fold: Pass, failure: Failure) -> Scene:
    if failure.symptom.startswith("folded"):
        before, after = _apply(case, fold)
        return _compare(case, before, after, "After is the right fold of Before, but TVM executes one of them wrongly")
    return _compare_with_reference(case, "TVM and the NumPy reference disagree on Before, the module without any pass")


def _refuse(case: AnyCase, fold: Pass, failure: Failure) -> Scene:
    raise CannotReproduce(
        f"a {failure.kind} is a failure of foldproof itself; a script without foldproof cannot show it"
    )


_SCENES: dict[str, Callable[[AnyCase, Pass, Failure], Scene]] = {
    "Miscompile": _show_run,
    "WrongType": _show_wrong_type,
    "IllFormed": _show_ill_formed,
    "InputMutated": _show_mutated_input,
    "NotIdempotent": _show_second_run,
    "NotDeterministic": _show_two_results,
    "MissedFold": _show_missed_fold,
    "StructureChanged": _show_structure,
    "CompileError": _show_compile_error,
    "TargetCrashed": _show_run,
    "TargetTimeout": _show_run,
    "OracleDisagreement": _show_disagreement,
}


def _apply(case: AnyCase, fold: Pass) -> tuple[ir.Module, ir.Module]:
    return RELAX.build(case), fold(RELAX.build(case))


def _compare(case: AnyCase, before: ir.Module, after: ir.Module, claim: str) -> Scene:
    evidence = evidence_of(case, RELAX)
    data = (_write_inputs(evidence), _write_unspecified(evidence))
    return Scene(claim=claim, ending=prelude.compare, modules={"Before": before, "After": after}, data=data)


def _compare_with_reference(case: AnyCase, claim: str) -> Scene:
    ending, modules = prelude.compare_with_reference, {"Before": RELAX.build(case)}
    evidence = evidence_of(case, RELAX)
    data = (_write_inputs(evidence), _write_expected(evidence))
    return Scene(claim=claim, ending=ending, modules=modules, data=data)


def _show_module(modules: dict[str, ir.Module], claim: str, failure: Failure) -> Scene:
    message = " ".join(failure.detail.split())
    arguments = (f"message={message!r}",)
    return Scene(claim=claim, ending=prelude.show, modules=modules, arguments=arguments, functions=_SHARED)


# --- data ---------------------------------------------------------------------------------------------


def _write_inputs(evidence: Evidence) -> str:
    """Return INPUTS: run -> the arguments, in order."""
    lines = ["INPUTS = {"]
    for run in evidence.inputs:
        lines.append(f"    {run!r}: [")
        for name, array in evidence.arguments(run).items():
            lines += [f"        # {name}", f"        {array_source(array)},"]
        lines.append("    ],")
    return "\n".join([*lines, "}"])


def _write_unspecified(evidence: Evidence) -> str:
    """Return UNSPECIFIED: (run, output) -> the elements that TVM leaves unspecified, if any."""
    lines = [
        f"    ({run!r}, {i}): {array_source(want.unspecified)},"
        for run, wants in evidence.reference.items()
        for i, want in enumerate(wants)
        if want.unspecified is not None and want.unspecified.any()
    ]
    return "\n".join(["UNSPECIFIED = {", *lines, "}"]) if lines else "UNSPECIFIED: Any = {}"


def _write_expected(evidence: Evidence) -> str:
    """Return EXPECTED: run -> (value, mask of comparable elements, absolute error bound) of each output."""
    lines = ["EXPECTED = {"]
    for run, wants in evidence.reference.items():
        lines.append(f"    {run!r}: [")
        for want in wants:
            comparable = "True" if want.defined.all() else array_source(want.defined)
            bound = array_source(want.bound) if want.bound.any() else "0.0"
            lines.append(f"        ({array_source(want.value)}, {comparable}, {bound}),")
        lines.append("    ],")
    return "\n".join([*lines, "}"])


# --- text ---------------------------------------------------------------------------------------------


def _write_header(case: AnyCase, target: Target, result: Failure | Verdict, scene: Scene, fold_name: str) -> str:
    title = f"{result.fingerprint}: {result.detail}" if isinstance(result, Failure) else "no failure"
    lines = [
        *title.splitlines(),
        "",
        f"{scene.claim[0].upper()}{scene.claim[1:]}.",
        "The last line is FAILED, with exit code 1, if the failure shows; otherwise it is ok, with exit code 0.",
        "The script needs apache-tvm and numpy, and for bfloat16 ml_dtypes, which apache-tvm installs. It needs",
        "neither foldproof nor the pass.",
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


def _select_imports(code: str) -> str:
    """Return the imports whose name is read in ``code``."""
    named = code.replace("bfloat16", "ml_dtypes")
    first = f"{_POSTPONED}\n\n" if _SYMBOLIC_BUFFER.search(code) else ""
    return first + "\n".join(line for line in _IMPORTS if not line or re.search(rf"\b{line.split()[-1]}\b", named))


_POSTPONED = "from __future__ import annotations"
"""Python then leaves annotations to TVM's parser."""

_SYMBOLIC_BUFFER = re.compile(r'T\.Buffer\(\((?:[^"()]|\([^()]*\))*"')
"""A buffer of which TVMScript prints a length as text, which only its parser reads."""


def _write_settings(case: AnyCase, target: Target) -> str:
    """Return what is compiled for. A graph is compiled without a plan of memory, which may be unsound."""
    kind = target.tvm_target.kind.name
    left_out = [PLANNER] if isinstance(case, Graph) else []
    device = "cpu" if kind in ("llvm", "c") else kind
    return f"TARGET = {target.spec!r}\nDEVICE = {device!r}\nLEFT_OUT: Any = {left_out!r}"


def _copy_source(function: Callable[..., Any]) -> str:
    return re.sub(r"  # noqa: .*", "", inspect.getsource(function).strip())


def _write_call(sources: list[Source], scene: Scene) -> str:
    arguments = [*(part.name for part in sources), *scene.arguments]
    return f"{scene.ending.__name__}({', '.join(arguments)})"


# --- for users ----------------------------------------------------------------------------------------


def reproduce_script(found: AnyCase | Failure, fold: Pass | str | None = None, target: str = "llvm") -> str:
    """Return a Python script that reproduces a result without foldproof and without the pass.

    The script needs TVM and NumPy. Its last line is ``FAILED: ...`` with exit code 1 if the failure shows, else
    ``ok: ...`` with exit code 0. A case is checked first, in this process.

    Args:
        found: a failure, a case or a graph.
        fold: the pass, as ``check`` takes it, or as ``MODULE:ATTR``; None is the bundled pass.
        target: the TVM target: kind, tag or JSON.

    Returns:
        The text of the script.

    Raises:
        CannotReproduce: if no script can show the result; the message tells why.
        UsageError: for an unusable pass or target.
    """
    loaded = load_pass(fold) if fold is None or isinstance(fold, str) else fold
    name = fold if isinstance(fold, str) else BUNDLED if fold is None else _name_of(fold)
    result = found if isinstance(found, Failure) else _check(found, loaded, target)
    case = found.case if isinstance(found, Failure) else found
    return write_script(case, loaded, parse_target(target), result, fold_name=name)


def _check(case: AnyCase, fold: Pass, target: str) -> Failure | Verdict:
    from foldproof.checking.check import check

    try:
        return check(case, fold, target)
    except Failure as failure:
        return failure


def _name_of(fold: Pass) -> str:
    """Return ``MODULE:ATTR`` of a function or class, or of the class of another object."""
    named = fold if hasattr(fold, "__qualname__") else type(fold)
    return f"{named.__module__}:{named.__qualname__}"
