"""The fast pipeline: the same bits as TVM's own for every module that it supports, and a reason for all others."""

import gc
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import tvm
import tvm_ffi
from tests.support.relax import inputs
from tvm import relax, tirx
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tirx as T

from foldproof import Axis, Case, Pad
from foldproof.case import ops
from foldproof.fold import FoldExplicitPadding
from foldproof.generation.draw import draw, strategy_of
from foldproof.ir.base import find_known_issue, find_raised_issue
from foldproof.ir.relax.build import build
from foldproof.ir.relax.ir import RELAX
from foldproof.ir.relax.targets import compile_batch, compile_functions, parse_target
from foldproof.ir.relax.targets.fast import elf_loader, kernels, object_loader, pipeline
from foldproof.ir.relax.targets.fast.buffers import Buffer
from foldproof.ir.relax.targets.fast.elf_loader import NeedsLinker, load_elf
from foldproof.ir.relax.targets.fast.legalize import Legalizer
from foldproof.ir.relax.targets.fast.structural_cache import StructuralCache
from foldproof.oracle.compare import bitwise
from foldproof.oracle.fills import parameters

FAST, DEFAULT = parse_target("llvm", "fast"), parse_target("llvm", "default")
CASES_PER_OP = 20


def modules_of(case):
    unfolded = build(case)
    return {"unfolded": unfolded, "folded": FoldExplicitPadding()(unfolded)}


def bits(outputs):
    return [(output.shape, output.dtype, output.tobytes()) for output in outputs]


def check_both(modules, arrays):
    """Return the outputs by function. Both pipelines must agree, and the fast one must not have fallen back."""
    program, reference = compile_functions(modules, FAST), compile_functions(modules, DEFAULT)
    assert program.fallback == ""
    for name in modules:
        for got, want in zip(program.run(name, arrays), reference.run(name, arrays), strict=True):
            difference = bitwise(got, want)  # all NaNs compare equal
            assert difference is None, (name, difference)
    return {name: program.run(name, arrays) for name in modules}


def compile_error(modules):
    """Return the message of TVM's own pipeline if it does not compile the modules, else None."""
    try:
        compile_functions(modules, DEFAULT)
    except Exception as error:
        return str(error)
    return None


@pytest.mark.slow
@pytest.mark.parametrize("op", ops.NAMES)
def test_both_pipelines_give_the_same_bits_on_random_cases(op):
    for case in draw(strategy_of((op,), "cases"), CASES_PER_OP, seed=4):
        known_issue = find_known_issue(RELAX, case)
        if known_issue is not None and not known_issue.runs:
            continue
        modules = modules_of(case)
        if (problem := compile_error(modules)) is not None:
            assert find_raised_issue(RELAX, case, problem) is not None, (case, problem)
            continue
        for fill in case.fills:
            check_both(modules, parameters(case, inputs(case, fill)))


# --- supported modules --------------------------------------------------------------------------------


@I.ir_module
class Symbolic:
    @R.function
    def main(x: R.Tensor(("n * 2", 3, "h"), "float32"), y: R.Tensor(("n",), "float32")):
        n = T.int64()
        h = T.int64()
        with R.dataflow():
            padded = R.nn.pad(x, (0, 0, 0, 0, 1, 2))
            flat = R.reshape(padded, (n * 6 * (h + 3),))
            ones = R.full(R.shape([h, n]), R.const(1.5, "float32"), "float32")
            shifted = R.add(ones, y)
            R.output(flat, shifted)
        return flat, shifted


@I.ir_module
class Constants:
    @R.function
    def main(x: R.Tensor((2, 3), "float32")):
        with R.dataflow():
            a = R.multiply(x, R.const(0.5, "float32"))
            b = R.add(a, R.const(np.arange(3, dtype="float32")))
            c = R.astype(b, "float16")
            pair = (c, R.const(np.int8([1, 2])))
            first = pair[0]
            second = pair[1]
            alias = first
            R.output(alias, second)
        return alias, second


@I.ir_module
class Functions:
    @R.function
    def double(x: R.Tensor((2, 3), "float32")) -> R.Tensor((2, 3), "float32"):
        return R.add(x, x)

    @R.function
    def main(x: R.Tensor((2, 3), "float32"), large: R.Tensor((), "bool")):
        cls = Functions
        y = cls.double(x)
        if large:  # noqa: SIM108, TVMScript has no conditional expression
            z = cls.double(y)
        else:
            z = R.negative(y)
        return z


@I.ir_module
class Casts:
    @R.function
    def main(x: R.Tensor(ndim=2, dtype="float32")):
        n = T.int64()
        y = R.match_cast(x, R.Tensor((n, 3), "float32"))
        return R.concat((y, R.zeros(R.shape([n, 3]), "float32")), axis=0)


@I.ir_module
class Kernels:
    @T.prim_func(private=True, s_tir=True)
    def shift(
        x: T.Buffer((T.int64(2), T.int64(3)), "float32"), k: T.int64, y: T.Buffer((T.int64(2), T.int64(3)), "float32")
    ):
        for i, j in T.grid(T.int64(2), T.int64(3)):
            with T.sblock("shift"):
                v_i, v_j = T.axis.remap("SS", [i, j])
                y[v_i, v_j] = x[v_i, v_j] + T.Cast("float32", k)

    @T.prim_func(private=True, s_tir=True)
    def split(
        x: T.Buffer((T.int64(2), T.int64(3)), "float32"),
        y: T.Buffer((T.int64(3),), "float32"),
        z: T.Buffer((T.int64(3),), "float32"),
    ):
        for j in range(T.int64(3)):
            with T.sblock("split"):
                v_j = T.axis.spatial(T.int64(3), j)
                y[v_j] = x[T.int64(0), v_j]
                z[v_j] = x[T.int64(1), v_j]

    @T.prim_func(private=True, s_tir=True)
    def parallel(x: T.Buffer((3,), "float32"), y: T.Buffer((3,), "float32")):
        for j in T.parallel(3):
            with T.sblock("parallel"):
                v_j = T.axis.spatial(3, j)
                y[v_j] = x[v_j] * T.float32(2)

    @R.function
    def main(x: R.Tensor((2, 3), "float32")):
        cls = Kernels
        with R.dataflow():
            shifted = R.call_tir(cls.shift, (x, 7), out_ty=R.Tensor((2, 3), "float32"))
            pair = R.call_tir(cls.split, (shifted,), out_ty=[R.Tensor((3,), "float32"), R.Tensor((3,), "float32")])
            first = pair[0]
            last = R.call_tir(cls.parallel, (first,), out_ty=R.Tensor((3,), "float32"))
            R.output(pair, last)
        return pair[1], last


@I.ir_module
class MathCalls:
    @R.function
    def main(x: R.Tensor((2, 3), "float32"), y: R.Tensor((2, 3), "float16")):
        with R.dataflow():
            a = R.tanh(R.exp(R.round(x)))
            b = R.multiply(R.sqrt(R.abs(y)), y)
            c = R.floor_mod(x, R.const(0.7, "float32"))
            R.output(a, b, c)
        return a, b, c


X = np.array([[-1.5, 2.5, 0.0], [3.0, -4.0, 0.25]], "float32")


@pytest.mark.parametrize(
    ("module", "arrays"),
    [
        (Symbolic, {"x": np.arange(24, dtype="float32").reshape(4, 3, 2), "y": np.float32([5, 6])}),
        (Constants, {"x": X}),
        (Functions, {"x": X, "large": np.array(True)}),
        (Functions, {"x": X, "large": np.array(False)}),
        (Casts, {"x": X}),
        (Kernels, {"x": X}),
        (MathCalls, {"x": X, "y": X.astype("float16")}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_both_pipelines_give_the_same_bits_on_every_kind_of_module(module, arrays):
    assert check_both({"unfolded": module}, arrays)["unfolded"]


# --- unsupported modules ------------------------------------------------------------------------------


@I.ir_module
class Packed:
    @R.function
    def main(x: R.Tensor((2, 3), "float32")):
        return R.call_pure_packed("vm.builtin.reshape", x, R.shape([2, 3]), ty_args=R.Tensor((2, 3), "float32"))


@I.ir_module
class Sorted:
    @R.function
    def main(x: R.Tensor((2, 3), "float32")):
        return R.sort(x)


@I.ir_module
class Strided:
    @T.prim_func(private=True, s_tir=True)
    def copy(x: T.Buffer((2, 3), "float32", strides=(3, 1)), y: T.Buffer((2, 3), "float32")):
        for i, j in T.grid(2, 3):
            with T.sblock("copy"):
                v_i, v_j = T.axis.remap("SS", [i, j])
                y[v_i, v_j] = x[v_i, v_j]

    @R.function
    def main(x: R.Tensor((2, 3), "float32")):
        return R.call_tir(Strided.copy, (x,), out_ty=R.Tensor((2, 3), "float32"))


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (Packed, "a call of the packed function vm.builtin.reshape"),
        (Sorted, "a call of relax.sort"),
        (Strided, "a PrimFunc with a buffer that has strides or an offset"),
    ],
    ids=["call_pure_packed", "sort", "strides"],
)
def test_an_unsupported_module_is_compiled_by_the_default_pipeline_with_a_reason(module, reason):
    program = compile_functions({"unfolded": module}, FAST)
    assert program.fallback == reason
    want = compile_functions({"unfolded": module}, DEFAULT).run("unfolded", {"x": X})
    assert bits(program.run("unfolded", {"x": X})) == bits(want)


def test_one_unsupported_module_does_not_affect_the_rest_of_the_batch():
    first, second, third = compile_batch([{"unfolded": module} for module in (Constants, Packed, Kernels)], FAST)
    assert [bool(program.fallback) for program in (first, second, third)] == [False, True, False]
    for program, module in ((first, Constants), (second, Packed), (third, Kernels)):
        want = compile_functions({"unfolded": module}, DEFAULT).run("unfolded", {"x": X})
        assert bits(program.run("unfolded", {"x": X})) == bits(want)


@pytest.mark.filterwarnings("ignore:Tag 'injective,pad'")  # as an error, the warning would leave the tag
def test_a_module_that_tvm_does_not_compile_is_an_error_in_both_pipelines():
    @I.ir_module
    class OutOfRange:
        @R.function
        def main(x: R.Tensor((2, 3), "uint8")):
            return R.nn.pad(x, (0, 1, 0, 0), "constant", 300)

    for target in (FAST, DEFAULT):
        with pytest.raises(Exception, match="300"):
            compile_functions({"unfolded": OutOfRange}, target)


def test_both_pipelines_reject_arrays_of_another_shape():
    for module, shape in ((Constants, (2, 4)), (Constants, (2, 3, 1)), (Casts, (2, 4))):
        for target in (FAST, DEFAULT):
            with pytest.raises(Exception, match=r"(?i)shape|tensor|length"):
                compile_functions({"unfolded": module}, target).run("unfolded", {"x": np.zeros(shape, "float32")})
    wrong_symbols = {"x": np.zeros((5, 3, 2), "float32"), "y": np.zeros(2, "float32")}
    with pytest.raises(TypeError, match=r"the length .* must be 4, not 5"):
        compile_functions({"unfolded": Symbolic}, FAST).run("unfolded", wrong_symbols)


@pytest.mark.parametrize("target", ["c", '{"kind": "llvm", "mtriple": "aarch64-linux-gnu"}'])
def test_a_target_that_is_not_llvm_on_this_cpu_gets_the_default_pipeline_and_a_notice(target):
    parsed = parse_target(target, "fast")
    assert parsed.pipeline == "default"
    assert "using the default one" in parsed.notice
    assert parse_target(target, "default").notice == ""


def test_options_of_the_target_reach_llvm():
    modules = {"unfolded": Constants}
    target = parse_target('{"kind": "llvm", "opt-level": 3, "mcpu": "x86-64-v2"}', "fast")
    assert target.pipeline == "fast"
    assert bits(compile_functions(modules, target).run("unfolded", {"x": X})) == bits(
        compile_functions(modules, DEFAULT).run("unfolded", {"x": X})
    )


# --- kernels ------------------------------------------------------------------------------------------


@I.ir_module
class Lazy:
    @T.prim_func(private=True, s_tir=True)
    def first_row(x: T.Buffer((2, 3), "float32"), y: T.Buffer((2, 3), "float32")):
        for j in range(3):
            with T.sblock("first_row"):
                v_j = T.axis.spatial(3, j)
                y[0, v_j] = x[0, v_j]

    @R.function
    def main(x: R.Tensor((2, 3), "float32")):
        return R.call_tir(Lazy.first_row, (x,), out_ty=R.Tensor((2, 3), "float32"))


def test_unwritten_elements_differ_between_the_functions_of_a_program():
    program = compile_functions({"unfolded": Lazy, "folded": Lazy}, FAST)
    [unfolded], [folded] = (program.run(name, {"x": X}) for name in ("unfolded", "folded"))
    assert (unfolded[0] == X[0]).all()
    assert (folded[0] == X[0]).all()
    assert set(unfolded[1].tobytes()) == {0xA5}
    assert set(folded[1].tobytes()) == {0x5A}


@pytest.mark.parametrize("shape", [(), (1,), (3, 5)])
def test_buffers_are_aligned_as_tvm_guarantees_it_to_kernels(shape):
    for dtype in ("int8", "bfloat16", "float64"):
        buffer = Buffer(shape, dtype, 0xFF)
        assert buffer.address % 64 == 0
        assert buffer.address == buffer.array.__array_interface__["data"][0]
        assert set(buffer.array.tobytes()) <= {0xFF}


@pytest.fixture
def compiled(monkeypatch):
    """The number of kernels of each compilation, on a target whose cache is empty."""
    counts = []
    compile_kernels = pipeline.compile_kernels

    def counting(functions, target):
        counts.append(len(functions))
        return compile_kernels(functions, target)

    monkeypatch.setattr(pipeline, "compile_kernels", counting)
    pipeline._compiler.cache_clear()
    return counts


def test_equal_kernels_are_compiled_once_within_a_batch_and_after_it(compiled):
    programs = compile_batch([{"unfolded": Kernels}, {"unfolded": Kernels, "folded": Lazy}], FAST)
    programs += compile_batch([{"unfolded": Lazy}, {"unfolded": Kernels}], FAST)
    assert compiled == [4, 0]
    first, second, _, last = (bits(program.run("unfolded", {"x": X})) for program in programs)
    assert first == second == last


def test_kernels_that_differ_in_a_sign_of_zero_are_both_compiled(compiled):
    def padded(value):
        case = Case(op="conv1d", axes=(Axis(size=2, pad=(1, 0)),), pad=Pad(value=value), extra_outputs=("returned",))
        return build(case)

    arrays = {"x": np.ones((1, 1, 2), "float32"), "w": np.ones((1, 1, 1), "float32")}
    zero, minus = compile_batch([{"main": padded(0.0)}, {"main": padded(-0.0)}], FAST)
    assert compiled == [3]
    assert not np.signbit(zero.run("main", arrays)[1]).any()
    assert np.signbit(minus.run("main", arrays)[1][0, 0, 0])


def test_a_failed_compilation_is_not_cached(compiled, monkeypatch):
    counting = pipeline.compile_kernels

    def raises(functions, target):
        raise RuntimeError("boom")

    monkeypatch.setattr(pipeline, "compile_kernels", raises)
    with pytest.raises(RuntimeError, match="boom"):
        compile_functions({"unfolded": Lazy}, FAST)
    monkeypatch.setattr(pipeline, "compile_kernels", counting)
    compile_functions({"unfolded": Lazy}, FAST)
    assert compiled == [1]


# --- caches -------------------------------------------------------------------------------------------


def test_cached_functions_equal_those_of_legalize_ops():
    legalizer, plain = Legalizer(FAST.tvm_target), relax.transform.LegalizeOps()
    cases = [case for case in draw(strategy_of((), "cases"), 40, seed=5) if find_known_issue(RELAX, case) is None]
    modules = [module for case in cases for module in modules_of(case).values()]
    modules += [Symbolic, Constants, Functions, Casts, Kernels, MathCalls]
    for module in modules + modules:
        got, want = legalizer(module), plain(module)
        assert tvm_ffi.structural_equal(got["main"], want["main"], map_free_vars=True)
        assert hashes(got) == hashes(want)
    assert legalizer.cache.hits >= len(modules)
    assert legalizer.differing == ()


def hashes(module):
    return sorted(tvm_ffi.structural_hash(function, map_free_vars=True) for function in module.functions.values())


def test_a_structural_cache_keeps_the_most_recently_used_values():
    def call(length):
        x = relax.Var("x", relax.TensorType((length,), "float32"))
        return relax.op.add(x, x)

    known = StructuralCache(2)
    known.put(call(1), "one")
    known.put(call(2), "two")
    assert known.get(call(1)) == "one"
    known.put(call(3), "three")
    assert [known.get(call(length)) for length in (1, 2, 3)] == ["one", None, "three"]
    known.forget(call(3))
    assert known.get(call(3)) is None
    assert len(known) == 1


# --- loading code -------------------------------------------------------------------------------------


def require_linker(content, symbols):
    raise NeedsLinker("not in this test")


def test_linked_code_gives_the_same_bits_as_mapped_code(monkeypatch):
    mapped = compile_functions({"unfolded": MathCalls}, FAST)
    monkeypatch.setattr(object_loader, "load_elf", require_linker)
    linked = compile_functions({"unfolded": MathCalls}, FAST)
    arrays = {"x": X, "y": X.astype("float16")}
    assert linked.fallback == mapped.fallback == ""
    assert bits(linked.run("unfolded", arrays)) == bits(mapped.run("unfolded", arrays))


def test_the_object_is_that_of_tvm_without_debug_information(tmp_path):
    functions = [function for module in (Kernels, MathCalls) for function in prim_funcs(module)]
    symbols = [f"kernel{i}" for i in range(len(functions))]
    sections = []
    for generate in (tvm.get_global_func("target.build.llvm"), lambda module, _: kernels.generate(module, FAST)):
        path = tmp_path / "kernels.o"
        generate(kernels.lower(dict(zip(symbols, functions, strict=True)), FAST), FAST.tvm_target).write_to_file(
            str(path), "o"
        )
        sections.append(elf_sections(path.read_bytes()))
    theirs, ours = sections
    assert theirs[".text"] == ours[".text"] != b""
    assert ours.keys() < theirs.keys()
    assert {name for name in theirs if "debug" in name} == theirs.keys() - ours.keys()


def prim_funcs(module):
    return [function for _, function in module.functions_items() if isinstance(function, tirx.PrimFunc)]


def elf_sections(content):
    image = elf_loader._Image(content)
    return {section.name: content[section.offset :][: section.size] for section in image._sections}


def test_code_that_calls_c_functions_needs_no_linker(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert compile_functions({"unfolded": MathCalls}, FAST).fallback == ""


def test_kernels_with_large_temporaries_need_no_linker(monkeypatch):
    """TVM allocates temporaries of more than a kilobyte, here the padded data, through its runtime."""
    monkeypatch.setenv("PATH", "")
    case = Case(op="conv2d", axes=(Axis(size=40, kernel=3, padding=(1, 1)),) * 2)
    arrays = parameters(case, inputs(case, "integers"))
    program = compile_functions({"unfolded": build(case)}, FAST)
    assert program.fallback == ""
    want = compile_functions({"unfolded": build(case)}, DEFAULT).run("unfolded", arrays)
    assert bits(program.run("unfolded", arrays)) == bits(want)


def test_code_that_needs_a_missing_linker_is_compiled_by_the_default_pipeline_with_a_reason(monkeypatch):
    monkeypatch.setenv("PATH", "")
    new = replace(FAST, name="a target with an empty cache")
    program = compile_functions({"unfolded": Kernels}, new)  # its parallel loop needs TVM's thread pool
    assert program.fallback == "no linker 'ld' on PATH"
    want = compile_functions({"unfolded": Kernels}, DEFAULT).run("unfolded", {"x": X})
    assert bits(program.run("unfolded", {"x": X})) == bits(want)


@pytest.mark.parametrize("content", [b"", b"no object at all", b"\x7fELF\x01\x01" + bytes(64)])
def test_content_that_is_not_an_object_of_this_machine_is_rejected(content):
    with pytest.raises(NeedsLinker):
        load_elf(content, [])


@pytest.mark.parametrize("how", ["mapped", "linked"])
def test_programs_leave_no_mapping_and_no_file_open(how, monkeypatch):
    if how == "linked":
        monkeypatch.setattr(object_loader, "load_elf", require_linker)
    counts = []
    for _ in range(3):
        for _ in range(20):
            compile_functions({"unfolded": Constants}, FAST).run("unfolded", {"x": X})
        gc.collect()
        with open("/proc/self/maps") as maps:
            executable = sum(" r-x" in line for line in maps)
        counts.append((executable, len(os.listdir("/proc/self/fd"))))
    assert counts[0] == counts[1] == counts[2]


def test_a_kernel_outlives_the_program_that_it_came_from():
    outputs = compile_functions({"unfolded": Constants}, FAST).run("unfolded", {"x": X})
    gc.collect()
    compile_functions({"unfolded": Kernels}, FAST)
    assert bits(outputs) == bits(compile_functions({"unfolded": Constants}, DEFAULT).run("unfolded", {"x": X}))


ENDLESS = """
import sys
from tests.ir.relax.targets import test_fast
from foldproof.ir.relax.targets import compile_functions
from foldproof.ir.relax.targets.fast import object_loader
if sys.argv[1] == "linked":
    object_loader.load_elf = test_fast.require_linker
print("started", flush=True)
while True:
    compile_functions({"unfolded": test_fast.Constants}, test_fast.FAST)
"""


@pytest.mark.parametrize(
    ("how", "end"),
    [
        pytest.param("mapped", signal.SIGKILL, marks=pytest.mark.slow),
        ("linked", signal.SIGTERM),
        pytest.param("mapped", signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param("linked", signal.SIGKILL, marks=pytest.mark.slow),
    ],
)
def test_no_file_is_left_however_the_process_ends(how, end, tmp_path):
    before = shared_memory()
    env = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", ENDLESS, how]
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "started\n"
        time.sleep(1.0)  # some fifty compilations, so the signal comes at an arbitrary point of one
        process.send_signal(end)
    assert process.returncode == -end
    assert list(tmp_path.iterdir()) == []
    assert shared_memory() <= before


def shared_memory():
    return {name for name in os.listdir("/dev/shm") if "foldproof" in name or "fp_" in name}
