"""Standalone Python scripts that show a failure on ONNX: the model by ``onnx.helper``, inputs, expected values.

    case, pass -> model, inputs, expected -> literals, the tool, functions of onnx_prelude.py

Invariant: a script ends with ``FAILED: ...`` and exit code 1 if the failure shows, otherwise with ``ok: ...`` and 0. A
subject is applied by the script itself. Of another pass, the script has the model that it returned.
"""

import inspect
import platform
import re
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from foldproof.case.describe import describe
from foldproof.checking.failures import Failure
from foldproof.checking.graph_evidence import evidence_of
from foldproof.checking.result import Verdict
from foldproof.core.array_source import array_source
from foldproof.ir.onnx.ir import ONNX
from foldproof.ir.onnx.model import short_error
from foldproof.ir.subjects import BY_NAME
from foldproof.repro import onnx_prelude
from foldproof.repro.onnx_tools import EMBEDDED, TOOLS
from foldproof.repro.reproducer import CannotReproduce

_RUNNING = (
    onnx_prelude.finish,
    onnx_prelude.report_error,
    onnx_prelude.run_unoptimized,
    onnx_prelude.run_reference,
    onnx_prelude.run_model,
    onnx_prelude.difference,
    onnx_prelude.first_difference,
    onnx_prelude.print_votes,
)


def write_script(case: Any, fold: Any, target: Any, result: Failure | Verdict, *, fold_name: str) -> str:
    """Return the text of a script that shows the result of a case.

    Args:
        case: the case, with or without a form.
        fold: the pass.
        target: not used: there is one target.
        result: what ``check`` returned or raised.
        fold_name: the name of the pass, which selects how a script applies it.

    Raises:
        CannotReproduce: if no script can show it.
    """
    ending, claim = _choose_ending(result, fold_name)
    model = ONNX.build(case)
    tool, after = _write_tool(fold, fold_name, model, ending)
    name = fold_name if fold_name in TOOLS else "The pass"
    parts = [
        *_write_data(case),
        f'def before_model() -> Any:\n    """Return the model without any pass."""\n    return {_write_model(model)}',
        *([after] if after else []),
        *(_copy_source(function) for function in _RUNNING),
        *([tool] if ending is not onnx_prelude.compare_baseline else []),
        _copy_source(ending),
        f'if __name__ == "__main__":\n    {ending.__name__}(before_model())',
    ]
    code = "\n\n\n".join(parts)
    header = _write_header(case, result, f"{name} {claim}", fold_name)
    return "\n\n".join([header, _select_imports(code), code]) + "\n"


_WITHOUT_SCRIPT = ("HarnessError", "MissedFold", "NotIdempotent", "PipelineDisagreement", "StructureChanged")


def _choose_ending(result: Failure | Verdict, fold_name: str) -> tuple[Callable[..., Any], str]:
    """Return the function that ends the script, and what the script shows of the tool."""
    if isinstance(result, Verdict):
        return onnx_prelude.compare_tool, "computes the expected values"
    symptom = result.symptom
    if result.kind == "OracleDisagreement" and not symptom.startswith("folded"):
        return onnx_prelude.compare_baseline, "is not needed: ONNX Runtime without optimisations is not as expected"
    if result.kind == "CompileError" and symptom.endswith("unfolded"):
        return onnx_prelude.compare_baseline, "is not needed: ONNX Runtime does not run the model without any pass"
    kinds: dict[str, tuple[Callable[..., Any], str]] = {
        "IllFormed": (onnx_prelude.check_result, "returns a model that onnx.checker rejects"),
        "InputMutated": (onnx_prelude.compare_input, "changes its argument"),
    }
    if result.kind in kinds:
        return kinds[result.kind]
    if result.kind == "WrongType" and symptom == "return type":
        return onnx_prelude.compare_signatures, "returns a model with another signature"
    if result.kind == "NotDeterministic" and symptom != "module" and not symptom.startswith("unfolded"):
        return onnx_prelude.compare_twice, "computes two results for the same inputs"
    if result.kind == "NotDeterministic" or result.kind in _WITHOUT_SCRIPT:
        raise CannotReproduce(f"no script without foldproof shows a {result.kind} of a pass on ONNX")
    return onnx_prelude.compare_tool, "does not compute the expected values"


def _write_tool(fold: Any, fold_name: str, model: onnx.ModelProto, ending: Callable[..., Any]) -> tuple[str, str]:
    """Return the source that applies the pass, and the source of the model that it returned, if the script has that."""
    if fold_name in TOOLS:
        return TOOLS[fold_name], ""
    if ending in (onnx_prelude.compare_baseline, onnx_prelude.compare_input):
        if ending is onnx_prelude.compare_input:
            raise CannotReproduce("without the pass, nothing changes the model")
        return "", ""
    try:
        after = fold(ONNX.clone(model))
    except Exception as error:
        raise CannotReproduce(f"the pass raised {short_error(error)}; without it there is nothing to run") from error
    if not isinstance(after, onnx.ModelProto):
        raise CannotReproduce("the pass returned no model that a script can have")
    text = f'def after_model() -> Any:\n    """Return what the pass returned."""\n    return {_write_model(after)}'
    return EMBEDDED, text


# --- data ---------------------------------------------------------------------------------------------


def _write_data(case: Any) -> tuple[str, str]:
    """Return INPUTS: fill -> arrays by name, and EXPECTED: fill -> (value, comparable elements, error bound)."""
    evidence = evidence_of(case, ONNX)
    inputs, expected = ["INPUTS = {"], ["EXPECTED = {"]
    for run in evidence.inputs:
        inputs.append(f"    {run!r}: {{")
        inputs += [f"        {name!r}: {array_source(array)}," for name, array in evidence.arguments(run).items()]
        inputs.append("    },")
        expected.append(f"    {run!r}: [")
        for want in evidence.reference[run]:
            comparable = "True" if want.defined.all() else array_source(want.defined)
            bound = array_source(want.bound) if want.bound.any() else "0.0"
            expected.append(f"        ({array_source(want.value)}, {comparable}, {bound}),")
        expected.append("    ],")
    return "\n".join([*inputs, "}"]), "\n".join([*expected, "}"])


def _write_model(model: onnx.ModelProto) -> str:
    """Return an expression of ``onnx.helper`` that makes the model."""
    graph = model.graph
    lines = ["helper.make_model(", "        helper.make_graph(", "            ["]
    lines += [f"                {_write_node(node)}," for node in graph.node]
    lines += ["            ],", f"            {graph.name!r},"]
    for values in (graph.input, graph.output):
        lines += ["            [", *(f"                {_write_type(value)}," for value in values), "            ],"]
    lines += ["            ["]
    lines += [f"                {_write_tensor(tensor)}," for tensor in graph.initializer]
    lines += ["            ],"]
    if graph.value_info:
        lines += ["            value_info=["]
        lines += [f"                {_write_type(value)}," for value in graph.value_info]
        lines += ["            ],"]
    imports = ", ".join(f"helper.make_opsetid({each.domain!r}, {each.version})" for each in model.opset_import)
    lines += ["        ),", f"        opset_imports=[{imports}],", f"        ir_version={model.ir_version},", "    )"]
    return "\n".join(lines)


def _write_node(node: onnx.NodeProto) -> str:
    attributes = []
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        if isinstance(value, onnx.TensorProto):
            text = _write_tensor(value)
        elif isinstance(value, bytes):
            text = repr(value.decode())
        elif isinstance(value, float) and not np.isfinite(value):
            text = f'float("{value}")'
        else:
            text = repr(list(value) if not isinstance(value, int | float | str) else value)
        attributes.append(f"{attribute.name}={text}")
    named = [f"name={node.name!r}"] if node.name else []
    domain = [f"domain={node.domain!r}"] if node.domain else []
    parts = [repr(node.op_type), repr(list(node.input)), repr(list(node.output)), *named, *domain, *attributes]
    return f"helper.make_node({', '.join(parts)})"


def _write_type(value: onnx.ValueInfoProto) -> str:
    tensor = value.type.tensor_type
    kind = f"TensorProto.{onnx.TensorProto.DataType.Name(tensor.elem_type)}"
    if not tensor.HasField("shape"):
        return f"helper.make_tensor_value_info({value.name!r}, {kind}, None)"
    dims = [d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in tensor.shape.dim]
    return f"helper.make_tensor_value_info({value.name!r}, {kind}, {dims!r})"


def _write_tensor(tensor: onnx.TensorProto) -> str:
    return f"numpy_helper.from_array({array_source(numpy_helper.to_array(tensor))}, {tensor.name!r})"


# --- text ---------------------------------------------------------------------------------------------


def _write_header(case: Any, result: Failure | Verdict, claim: str, fold_name: str) -> str:
    title = f"{result.fingerprint}: {result.detail}" if isinstance(result, Failure) else "no failure"
    packages = BY_NAME[fold_name].packages if fold_name in BY_NAME else ("onnx", "onnxruntime")
    needed = dict.fromkeys(("onnx", "onnxruntime", *packages, "numpy"))
    lines = [
        *title.splitlines(),
        "",
        f"{claim}.",
        "The last line is FAILED, with exit code 1, if the failure shows; otherwise it is ok, with exit code 0.",
        f"The script needs {', '.join(needed)}. It does not need foldproof.",
        "",
        f"pass {fold_name}",
        *describe(case).splitlines(),
        repr(case),
        "",
        "Written with",
        f"  {', '.join(f'{name} {_version(name)}' for name in ('foldproof', *needed))}",
        f"  Python {platform.python_version()}, {platform.system()} {platform.release()}, {platform.machine()}",
    ]
    return "\n".join(f"# {line}".rstrip() for line in lines)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


_IMPORTS = (
    "import base64",
    "import sys",
    "import zlib",
    "from typing import Any",
    "from typing import NoReturn",
    "",
    "import ml_dtypes",
    "import numpy as np",
    "import onnx",
    "import onnx.checker",
    "import onnx.printer",
    "import onnx.reference",
    "import onnxruntime",
    "from numpy import inf",
    "from numpy import nan",
    "from onnx import TensorProto",
    "from onnx import helper",
    "from onnx import numpy_helper",
)


def _select_imports(code: str) -> str:
    """Return the imports whose name is read in ``code``."""
    named = code.replace("bfloat16", "ml_dtypes")
    return "\n".join(line for line in _IMPORTS if not line or re.search(rf"\b{re.escape(line.split()[-1])}\b", named))


def _copy_source(function: Callable[..., Any]) -> str:
    return re.sub(r"  # noqa: .*", "", inspect.getsource(function).strip())
