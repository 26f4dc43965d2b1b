"""The functions of a reproducer on ONNX: ``foldproof.repro.onnx_script`` copies them.

They import onnx, ONNX Runtime and NumPy only.

Invariant: each script ends with the line ``FAILED: ...`` and exit code 1, or ``ok: ...`` and exit code 0.
"""

import sys
from typing import Any, NoReturn

import numpy as np
import onnx
import onnxruntime

INPUTS: Any = {}
EXPECTED: Any = {}


def finish(failed: str = "", ok: str = "") -> NoReturn:
    """Print the last line, and exit with its exit code."""
    print(f"FAILED: {failed}" if failed else f"ok: {ok}", flush=True)
    sys.exit(1 if failed else 0)


def report_error(stage: str, error: Exception) -> NoReturn:
    """Report an exception as the failure."""
    print(error)
    finish(failed=f"{stage} raised {type(error).__name__}: {' '.join(str(error).split())[:300]}")


def run_unoptimized(model: Any, inputs: Any) -> list[Any]:
    """Return the outputs of ONNX Runtime without optimisations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, inputs))


def run_reference(model: Any, inputs: Any) -> Any:
    """Return the outputs of the reference evaluator of onnx; None if it cannot run the model."""
    try:
        return onnx.reference.ReferenceEvaluator(model).run(None, inputs)
    except Exception:  # noqa: BLE001, it lacks operators of older opsets
        return None


def run_model(model: Any, inputs: Any) -> Any:
    """Return the outputs of ONNX Runtime without optimisations; of onnx.reference if that raises."""
    try:
        return run_unoptimized(model, inputs)
    except Exception as error:
        print(f"ONNX Runtime refuses After: {' '.join(str(error).split())[:300]}")
        outputs = run_reference(model, inputs)
        if outputs is None:
            raise
        return outputs


def difference(got: Any, want: Any, comparable: Any = True, bound: Any = 0.0) -> str:
    """Describe how an output differs; empty if it does not. Zeros of two signs are equal, and NaN equals NaN.

    ``bound`` is the proven error of a sum. Only ``comparable`` elements count.
    """
    got = np.asarray(got)
    if got.shape != want.shape:
        return f"out has shape {got.shape}, but should have {want.shape}"
    if got.dtype != want.dtype:
        return f"out has dtype {got.dtype}, but should have {want.dtype}"
    a, b = got.astype("float64"), want.astype("float64")
    with np.errstate(all="ignore"):
        same = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= bound)
    wrong = ~same & comparable
    if not wrong.any():
        return ""
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = ",".join(map(str, index))
    return f"out[{place}] = {got[index]}, but should be {want[index]} ({wrong.sum()} of {wrong.size} elements)"


def first_difference(outputs: Any, fill: str) -> str:
    """Describe the first difference from what is expected; empty if there is none."""
    if len(outputs) != len(EXPECTED[fill]):
        return f"{len(outputs)} outputs, but should be {len(EXPECTED[fill])}"
    pairs = zip(outputs, EXPECTED[fill], strict=True)
    return next(filter(None, (difference(got, *want) for got, want in pairs)), "")


def print_votes(model: Any) -> None:
    """Print who agrees with the expected values: ONNX Runtime without optimisations, and onnx.reference."""
    for name, run in (("ONNX Runtime without optimisations", run_unoptimized), ("onnx.reference", run_reference)):
        for fill, inputs in INPUTS.items():
            try:
                outputs = run(model, inputs)
            except Exception as error:  # noqa: BLE001
                vote = f"raised {type(error).__name__}"
            else:
                vote = "cannot run it" if outputs is None else first_difference(outputs, fill) or "as expected"
            print(f"{name}, inputs {fill!r}: {vote}")


def compare_tool(model: Any) -> NoReturn:
    """Apply the tool, run what it returns on the inputs, and compare with the expected values."""
    print_votes(model)
    try:
        run = apply_tool(model)
    except Exception as error:  # noqa: BLE001, a tool can raise anything
        report_error("compiling After", error)
    for fill, inputs in INPUTS.items():
        try:
            outputs = run(inputs)
        except Exception as error:  # noqa: BLE001
            report_error("running After", error)
        if message := first_difference(outputs, fill):
            print(f"inputs {fill!r}\nexpected:\n{[want for want, *_ in EXPECTED[fill]]}\ngot:\n{outputs}")
            finish(failed=f"After, {message}")
    finish(ok="After returns the expected values")


def compare_twice(model: Any) -> NoReturn:
    """Apply the tool, run what it returns twice on the same inputs, and compare."""
    run = apply_tool(model)
    for fill, inputs in INPUTS.items():
        for want, got in zip(run(inputs), run(inputs), strict=True):
            if message := difference(got, want):
                print(f"inputs {fill!r}\nfirst run:\n{want}\nsecond run:\n{got}")
                finish(failed=f"After, run a second time, {message}")
    finish(ok="After returns the same values twice")


def compare_baseline(model: Any) -> NoReturn:
    """Compare ONNX Runtime without optimisations with the expected values."""
    print_votes(model)
    for fill, inputs in INPUTS.items():
        try:
            outputs = run_unoptimized(model, inputs)
        except Exception as error:  # noqa: BLE001
            report_error("running Before", error)
        if message := first_difference(outputs, fill):
            finish(failed=f"Before, {message}")
    finish(ok="Before returns the expected values")


def check_result(model: Any) -> NoReturn:
    """Apply the tool, and have onnx.checker judge what it returns."""
    try:
        after = transform(model)
    except Exception as error:  # noqa: BLE001
        report_error("compiling After", error)
    print(onnx.printer.to_text(after))
    try:
        onnx.checker.check_model(after, full_check=True)
    except Exception as error:  # noqa: BLE001
        report_error("well_formed(After)", error)
    for node in after.graph.node:
        names = {attribute.name: attribute for attribute in node.attribute}
        auto = names["auto_pad"].s.decode() if "auto_pad" in names else "NOTSET"
        if auto != "NOTSET" and "pads" in names and any(names["pads"].ints):
            finish(failed=f"well_formed(After): {node.op_type} has pads and auto_pad {auto}, which exclude each other")
    finish(ok="After is well formed")


def compare_signatures(model: Any) -> NoReturn:
    """Apply the tool, and compare the names, dtypes and lengths of inputs and outputs."""
    try:
        after = transform(model)
    except Exception as error:  # noqa: BLE001
        report_error("compiling After", error)
    constants = {tensor.name for tensor in (*model.graph.initializer, *after.graph.initializer)}
    for kind in ("input", "output"):
        want, got = ([v for v in getattr(m.graph, kind) if v.name not in constants] for m in (model, after))
        print(kind, "before:", want, "after:", got, sep="\n")
        if len(want) != len(got):
            finish(failed=f"After has {len(got)} {kind}s, but should have {len(want)}")
        for a, b in zip(want, got, strict=True):
            before, now = a.type.tensor_type, b.type.tensor_type
            dims = zip(before.shape.dim, now.shape.dim, strict=False)
            wrong = any(x.dim_value != y.dim_value for x, y in dims if x.dim_value and y.dim_value)
            rank = now.HasField("shape") and len(before.shape.dim) != len(now.shape.dim)
            if a.name != b.name or before.elem_type != now.elem_type or wrong or rank:
                finish(failed=f"After has another {kind} than Before: {b.name}, but should have {a.name}")
    finish(ok="After has the inputs and outputs of Before")


def compare_input(model: Any) -> NoReturn:
    """Apply the tool, and compare its argument with what it was before."""
    before = model.SerializeToString(deterministic=True)
    transform(model)
    if model.SerializeToString(deterministic=True) != before:
        finish(failed="the tool changed the model that it was given")
    finish(ok="the tool left its argument as it was")


# --- replaced by the tool of the script ----------------------------------------------------------------


def transform(model: Any) -> Any:
    """Return what the tool makes of a model."""
    return model


def apply_tool(model: Any) -> Any:
    """Return the function from inputs to outputs of what the tool returns."""
    after = transform(model)
    print(onnx.printer.to_text(after))
    return lambda inputs: run_model(after, inputs)
