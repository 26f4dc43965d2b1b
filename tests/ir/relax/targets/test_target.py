"""Targets: `native` is this CPU, and a target on which TVM or LLVM would fall back is refused in one line."""

import os
import subprocess
import sys

import pytest
import tvm

from foldproof.case import ops
from foldproof.checking.batch import check_batch
from foldproof.fold import FoldExplicitPadding
from foldproof.generation.draw import draw, strategy_of
from foldproof.ir.relax.targets import TargetError, llvm, parse_target
from foldproof.ir.relax.targets.llvm import captured_stderr

SYSTEM_CPU = tvm.get_global_func("target.llvm_get_system_cpu")
FEATURES = tvm.get_global_func("target.llvm_get_cpu_features")
HOST_FEATURES = tvm.get_global_func("tvm.codegen.llvm.GetHostCPUFeatures")

CASES_PER_OP = 3


def test_native_is_this_cpu_with_exactly_its_features():
    target = parse_target("native")
    assert target.tvm_target.attrs["mcpu"] == SYSTEM_CPU()
    compiled = {str(name) for name in FEATURES(target.tvm_target)}
    host = {str(name): bool(has) for name, has in HOST_FEATURES().items()}
    assert compiled & set(host) == {name for name, has in host.items() if has}
    assert parse_target("native", "default").spec == target.spec


@pytest.mark.slow
def test_both_pipelines_get_the_same_bits_for_native():
    target = parse_target("native", "fast")
    assert target.pipeline == "fast"
    cases = [case for op in ops.NAMES for case in draw(strategy_of((op,), "cases"), CASES_PER_OP, 3)]
    results = check_batch(cases, FoldExplicitPadding(), target, complete=False, sample=1.0)
    failed = [result for result in results if isinstance(result, Exception)]
    assert failed == []
    assert sum(result.sampled for result in results) >= 24


def test_the_description_names_what_llvm_compiles_for():
    described = parse_target('{"kind": "llvm", "mcpu": "haswell", "opt-level": 2}').description
    assert described == "CPU haswell, opt-level 2, avx2, fma, f16c"
    assert parse_target('{"kind": "llvm", "opt-level": 3}').description == "CPU generic, opt-level 3"
    assert SYSTEM_CPU() in parse_target("native").description
    assert parse_target("llvm").description == parse_target("c").description == ""


REFUSED = {
    '{"kind": "llvm", "mcpu": "native"}': r"does not know the mcpu 'native' for .*; expected one of .*`native`",
    '{"kind": "llvm", "mcpu": "haswel"}': r"does not know the mcpu 'haswel' for .*; expected one of .*haswell, ",
    '{"kind": "llvm", "mattr": ["+avx2", "+foo"]}': r"the feature '\+foo' in mattr; expected .* one of .*avx2, ",
    '{"kind": "llvm", "mattr": ["-foo"]}': r"the feature '-foo' in mattr; expected .* one of .*avx2, ",
    '{"kind": "llvm", "mattr": ["avx2"]}': r"unknown feature 'avx2' in mattr; expected \+ or - before its name",
    '{"kind": "llvm", "mtriple": "foo-bar"}': r"the mtriple 'foo-bar'; expected one that begins with one of .*x86_64",
    '{"kind": "llvm", "mtriple": "aarch64-linux-gnu", "mcpu": "haswell"}': r"mcpu 'haswell' for aarch64.*cortex-a72",
    '{"tag": "raspberry-pi/4b-aarch64", "mcpu": "foo"}': r"mcpu 'foo' for aarch64",
    '{"kind": "llvm", "cl-opt": ["-foo-bar"]}': r'"foo-bar" is not an LLVM option, option ignored$',
    '{"kind": "llvm", "cl-opt": ["-unroll-threshold=100"]}': r"invalid boolean value \"100\"$",
    '{"kind": "llvm", "jit": "foo"}': r"invalid jit option foo",
    '{"kind": "llvm", "opt-level": 9}': r"unknown opt-level 9; expected one of 0, 1, 2, 3$",
    '{"kind": "c", "mcpu": "haswell"}': r"mcpu has no effect for the kind c; omit it$",
}


@pytest.mark.skipif("x86_64" not in str(tvm.target.Target("llvm").attrs["mtriple"]), reason="names of x86-64")
@pytest.mark.parametrize("name", REFUSED)
def test_a_target_on_which_llvm_would_fall_back_is_refused_in_one_line(name):
    with captured_stderr() as lines, pytest.raises(TargetError, match=REFUSED[name]) as raised:
        parse_target(name)
    assert str(raised.value).startswith(f"target {name!r}: ")
    assert len(str(raised.value).splitlines()) == 1
    assert lines == []


@pytest.mark.parametrize(
    "name",
    [
        "llvm",
        "c",
        '{"kind": "llvm", "mcpu": "haswell"}',
        '{"kind": "llvm", "mattr": ["+avx2", "-sse4.1"]}',
        '{"kind": "llvm", "cl-opt": ["-unroll-threshold:uint=100"]}',
        '{"kind": "llvm", "mtriple": "aarch64-linux-gnu", "mcpu": "cortex-a72"}',
    ],
)
def test_targets_that_llvm_knows_are_accepted(name):
    assert parse_target(name).name == name


def test_the_report_names_the_cpu_and_a_fallback_is_a_usage_error(tmp_path):
    def fuzz(target):
        command = [sys.executable, "-m", "foldproof", "fuzz", "--target", target, "--examples", "1", "--ops", "conv1d"]
        command += ["--seed", "1", "--workers", "1", "--no-save", "--sample", "0"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)

    native = fuzz("native")
    first, second, *_ = native.stdout.splitlines()
    assert (first, second.split(",")[0]) == ("seed 1, 1 workers, target native", f"target: CPU {SYSTEM_CPU()}")
    assert native.returncode == 0
    refused = fuzz('{"kind": "llvm", "mcpu": "native"}')
    [line] = refused.stderr.splitlines()
    assert refused.returncode == 2
    assert "LLVM does not know the mcpu 'native'" in line


def test_a_warning_of_relax_is_no_problem_of_the_target(monkeypatch):
    """Garbage is collected at any time, and a BlockBuilder that goes says so on stderr."""

    def features(target):
        os.write(2, b"[06:10:27] /project/src/relax/ir/block_builder.cc:67: Warning: BlockBuilder destroyed\n")
        return []

    monkeypatch.setattr(llvm, "_features", features)
    assert parse_target("llvm").name == "llvm"
