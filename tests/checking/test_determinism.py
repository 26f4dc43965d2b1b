"""A pass that returns two results for equal modules, and a function that returns two values for the same inputs."""

import itertools

import numpy as np
import pytest
from tests.support.blame import FOLDABLE, catch_failure

from foldproof import Axis, Case, Pad, check, failures
from foldproof.case.onnx_case import OnnxCase
from foldproof.checking.comparison import first_difference
from foldproof.fold import FoldExplicitPadding
from foldproof.ir.onnx.ir import ONNX
from foldproof.ir.onnx.runtimes import Compiled, open_session, session_function, unoptimized
from foldproof.ir.relax.ir import RELAX
from foldproof.repro import script
from foldproof.repro.reproducer import CannotReproduce

ONNX_FOLDABLE = OnnxCase(case=Case(op="conv1d", axes=(Axis(size=4, pad=(1, 1), kernel=2),), constant_weight=True))


def fold_the_first():
    """Return a pass that folds the first module only: it keeps a count."""
    calls = itertools.count()
    return lambda mod: FoldExplicitPadding()(mod) if next(calls) == 0 else mod


def counting(model):
    """Compile a model so that each run adds one to its result."""
    run, count = session_function(open_session(model, unoptimized())), itertools.count()
    return Compiled(run=lambda arrays: tuple(out + np.float32(next(count)) for out in run(arrays)), model=model)


counting.foldproof_ir, counting.idempotent = ONNX, False


def test_a_pass_that_keeps_something_of_the_last_module_is_not_deterministic():
    failure = catch_failure(FOLDABLE, fold=fold_the_first(), sample=1.0)
    assert failure.fingerprint == "NotDeterministic/conv/module"
    assert "another result than before" in failure.detail


def test_only_the_sample_is_folded_a_second_time():
    assert check(FOLDABLE, fold=fold_the_first(), sample=0.0).folded


def test_a_function_that_returns_two_values_is_not_deterministic():
    failure = catch_failure(ONNX_FOLDABLE, fold=counting)
    assert failure.fingerprint == "NotDeterministic/conv/folded values"
    assert failure.detail.startswith("the folded function, run a second time, ")


def test_a_mask_of_another_shape_hides_no_element():
    got, want, mask = np.zeros((2, 1)), np.zeros((2, 1)), np.ones((2, 2), bool)
    assert first_difference((got,), (want,), (mask,)) is None
    assert first_difference((got + 1,), (want,), (mask,)).symptom == "values"


def test_a_script_shows_the_two_modules_if_there_are_two_this_time():
    failure = failures.failure("NotDeterministic", FOLDABLE, "module", "two results")
    target = RELAX.parse_target("llvm")
    text = script.write_script(FOLDABLE, fold_the_first(), target, failure, fold_name="mine:fold")
    assert "Before and After should be the same module" in text
    with pytest.raises(CannotReproduce, match="the same module twice"):
        script.write_script(FOLDABLE, FoldExplicitPadding(), target, failure, fold_name="mine:fold")


def test_a_kernel_whose_lengths_are_numbered_in_any_order_blames_no_pass():
    """TVM orders the lengths h, d and w of this kernel as it meets them, which differs from build to build."""
    case = Case(
        op="max_pool3d",
        axes=(Axis(), Axis(stride=2, dilation=2), Axis(pad=(1, 0), kernel=2, padding=(0, 1))),
        dtype="int16",
        pad=Pad(value=1.0, form="call_tir"),
        channels=3,
        data_layout="CHNWD",
        symbolic=("N", "D", "H", "W"),
        input_stride=2,
        extra_outputs=("read",),
        fills=("negative",),
    )
    for _ in range(4):
        assert not check(case, sample=1.0).folded
