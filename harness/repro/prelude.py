"""The functions of a reproducer: ``foldproof.repro.script`` copies them, so they import only TVM and NumPy.

Invariant: each script ends with the line ``FAILED: ...`` and exit code 1, or ``ok: ...`` and exit code 0.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np
import tvm
import tvm_ffi
from tvm import relax

TARGET: Any = "llvm"
DEVICE: Any = "cpu"
LEFT_OUT: Any = []
INPUTS: Any = {}
UNSPECIFIED: Any = {}
EXPECTED: Any = {}
NAMES: Any = {}


def finish(failed: str = "", ok: str = "") -> NoReturn:
    """Print the last line, and exit with its exit code."""
    print(f"FAILED: {failed}" if failed else f"ok: {ok}", flush=True)
    sys.exit(1 if failed else 0)


@contextmanager
def report_errors(stage: str) -> Iterator[None]:
    """Report an exception of TVM in this stage as the failure."""
    try:
        yield
    except Exception as error:  # noqa: BLE001, TVM raises errors of many kinds, all of which are shown
        print(error)
        lines = [line.strip() for line in str(error).splitlines() if line.strip(" |^")]
        message = next((line for line in lines if "Check failed" in line), lines[-1] if lines else "")
        finish(failed=f"{stage} raised {type(error).__name__}: {message}")


def compile_main(name: str, module: Any) -> Any:
    """Return the function ``main`` of a module, compiled by TVM's default pipeline, which takes no local functions."""
    config = {"tirx.disable_assert": True}
    with (
        report_errors(f"compiling {name}"),
        tvm.transform.PassContext(opt_level=3, disabled_pass=LEFT_OUT, config=config),
    ):
        module = relax.transform.LambdaLift()(module)
        executable = tvm.compile(module, target=tvm.target.Target(TARGET))
        return relax.VirtualMachine(executable, tvm.device(DEVICE))["main"]


def run(name: str, function: Any, arrays: Any) -> list[Any]:
    """Return the outputs as arrays."""
    with report_errors(f"running {name}"):
        out = function(*(tvm.runtime.tensor(array, tvm.device(DEVICE)) for array in arrays))
        return flatten(out)


def flatten(out: Any) -> list[Any]:
    """Return the tensors in a tensor, a tuple, or a tuple of tuples."""
    if isinstance(out, tvm.runtime.Tensor):
        return [out.numpy()]
    return [array for part in out for array in flatten(part)]


def difference(got: Any, want: Any, comparable: Any = True, bound: Any = 0.0) -> str:
    """Describe how an output differs, bit by bit; empty if it does not. Any NaN equals any other.

    Only ``comparable`` elements count; TVM leaves the others unspecified. ``bound`` is the proven error of a sum.
    """
    if got.shape != want.shape:
        return f"out has shape {got.shape}, but should have {want.shape}"
    if got.dtype != want.dtype:
        return f"out has dtype {got.dtype}, but should have {want.dtype}"
    if got.dtype.kind in "iu":
        same = got == want
    else:
        a, b = got.astype("float64"), want.astype("float64")
        same = ((a == b) & (np.signbit(a) == np.signbit(b))) | (np.isnan(a) & np.isnan(b))
        with np.errstate(all="ignore"):
            same |= (np.asarray(bound) > 0) & (np.abs(a - b) <= bound)
    wrong = ~same & comparable
    if not wrong.any():
        return ""
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = ",".join(map(str, index))
    return f"out[{place}] = {got[index]}, but should be {want[index]} ({wrong.sum()} of {wrong.size} elements)"


def compare(before: Any, after: Any) -> NoReturn:
    """Run both functions on the same inputs, and compare."""
    first, second = compile_main("Before", before), compile_main("After", after)
    for fill, arrays in INPUTS.items():
        wants, gots = run("Before", first, arrays), run("After", second, arrays)
        if len(gots) != len(wants):
            finish(failed=f"After returns {len(gots)} tensors, Before {len(wants)}")
        for i, (got, want) in enumerate(zip(gots, wants, strict=True)):
            unspecified = UNSPECIFIED.get((fill, i))
            message = difference(got, want, True if unspecified is None else ~unspecified)
            if message:
                print(f"inputs {fill!r}, output {i}\nBefore:\n{want}\nAfter:\n{got}")
                finish(failed=f"After, {message}")
    finish(ok="Before and After return the same bits")


def compare_with_reference(before: Any) -> NoReturn:
    """Run the function, and compare with the values of the NumPy reference."""
    function = compile_main("Before", before)
    for fill, arrays in INPUTS.items():
        for i, (got, (want, comparable, bound)) in enumerate(
            zip(run("Before", function, arrays), EXPECTED[fill], strict=True)
        ):
            message = difference(got, want, comparable, bound)
            if message:
                print(f"inputs {fill!r}, output {i}\nNumPy:\n{want}\nBefore:\n{got}")
                finish(failed=f"Before, {message}")
    finish(ok="Before returns the values of the NumPy reference")


def compare_twice(after: Any) -> NoReturn:
    """Run the function twice on the same inputs, and compare."""
    function = compile_main("After", after)
    for fill, arrays in INPUTS.items():
        for i, (want, got) in enumerate(zip(*(run("After", function, arrays) for _ in range(2)), strict=True)):
            if message := difference(got, want):
                print(f"inputs {fill!r}, output {i}\nfirst run:\n{want}\nsecond run:\n{got}")
                finish(failed=f"After, run a second time, {message}")
    finish(ok="After returns the same bits twice")


def compare_types(before: Any, after: Any) -> NoReturn:
    """Compare the return types of both functions."""
    want, got = before["main"].ret_ty, after["main"].ret_ty
    if not tvm_ffi.structural_equal(want, got):
        finish(failed=f"After returns {got}, but should return {want}")
    finish(ok="Before and After return the same type")


def compare_modules(before: Any, after: Any) -> NoReturn:
    """Compare both modules."""
    if not tvm_ffi.structural_equal(before, after):
        print(before, after, sep="\n\n")
        finish(failed="Before and After should be the same module")
    finish(ok="Before and After are the same module")


def check_well_formed(after: Any) -> NoReturn:
    """Report what TVM rejects in the module."""
    with report_errors("well_formed(After)"):
        relax.analysis.well_formed(after)
    if "main" not in after:
        finish(failed="After has no function 'main'")
    finish(ok="After is well formed")


def check_parses(text: str) -> NoReturn:
    """Report that TVM cannot parse the text that it prints for the module."""
    print(text)
    names = {"I": tvm.script.ir, "R": tvm.script.relax, "T": tvm.script.tirx, "inf": np.inf, "nan": np.nan, **NAMES}
    with report_errors("parsing After"):
        tvm.script.from_source(text, extra_vars=names, check_well_formed=False)
    finish(ok="After is well formed")


def compare_functions(before: Any, after: Any) -> NoReturn:
    """Compare the names of all public functions, and the parameters, types and attributes of all functions."""
    print(before, after, sep="\n\n")
    kept = {var.name_hint: function for var, function in after.functions.items()}
    for var, want in before.functions.items():
        name, got = var.name_hint, kept.get(var.name_hint)
        is_public = want.attrs is not None and "global_symbol" in want.attrs
        if got is None and is_public:
            finish(failed=f"After has no function {name}")
        if got is None or not isinstance(want, relax.Function):
            continue
        names = [[param.name for param in function.params] for function in (got, want)]
        if names[0] != names[1] or not tvm_ffi.structural_equal(got.ty, want.ty):
            finish(failed=f"{name} of After has other parameters or another type")
        if not tvm_ffi.structural_equal(got.attrs, want.attrs):
            finish(failed=f"{name} of After has the attributes {got.attrs}, but should have {want.attrs}")
    finish(ok="the functions of After are those of Before")


def compare_missed(after: Any, folded: Any, outputs: int | None) -> NoReturn:
    """Compare the first outputs of the result of the pass, or all, with those of a legal fold of it."""
    print(after, folded, sep="\n\n")
    first, second = compile_main("After", after), compile_main("Folded", folded)
    for arrays in INPUTS.values():
        pairs = zip(run("Folded", second, arrays)[:outputs], run("After", first, arrays)[:outputs], strict=True)
        message = next(filter(None, (difference(got, want) for got, want in pairs)), "")
        if message:
            finish(ok=f"Folded, {message}; the pass missed no fold")
    finish(failed="After has a pad, Folded does without it, and their results have the same bits")


def show(*modules: Any, message: str) -> NoReturn:
    """Print the modules and the recorded message: there is nothing to run."""
    print(*modules, sep="\n\n")
    finish(failed=f"{message} (recorded: there is nothing to run without the pass)")
