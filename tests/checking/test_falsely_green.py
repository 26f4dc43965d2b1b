"""Wrong passes that were once excused, or blamed on somebody else: each is a failure that blames the pass."""

import ctypes

import numpy as np
import onnx
import pytest
import tvm_ffi
from tests.support.blame import catch_failure
from tvm import ir, relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from foldproof import Axis, Case, FoldExplicitPadding, Pad, check
from foldproof.case.graph import Graph, Site
from foldproof.case.onnx_case import OnnxCase
from foldproof.checking.batch import check_batch
from foldproof.fold.reader import PAD, op_name
from foldproof.ir.onnx import runtimes
from foldproof.ir.onnx.ir import ONNX
from foldproof.ir.relax.ir import RELAX

WIDE = Axis(size=4, pad=(1, 1), kernel=3)
CONV = Case(op="conv1d", axes=(WIDE,))
ONES = Case(op="conv1d", axes=(WIDE,), pad=Pad(value=1.0))
BUNDLED = FoldExplicitPadding()


def on_onnx(apply):
    apply.foldproof_ir, apply.idempotent = ONNX, False
    return apply


# --- two opinions -------------------------------------------------------------------------------------


@on_onnx
def unknown_operator(model):
    """Replace the convolution by an operator that nobody has. ``onnx.checker`` accepts other domains."""
    changed = ONNX.clone(model)
    [node] = [node for node in changed.graph.node if node.op_type == "Conv"]
    node.op_type, node.domain = "PadConv", "com.example"
    changed.opset_import.append(onnx.helper.make_opsetid("com.example", 1))
    return changed


def test_a_model_that_both_implementations_refuse_is_blamed_on_the_pass():
    assert catch_failure(OnnxCase(case=CONV), fold=unknown_operator).fingerprint == "CompileError/conv/folded"


@on_onnx
def raises(model):
    raise IndexError("list index out of range")


@pytest.mark.parametrize(("op", "dtype"), [("max_pool1d", "bfloat16"), ("avg_pool1d", "float64")])
def test_a_pass_that_raises_is_blamed_where_onnxruntime_has_no_kernel(op, dtype):
    case = OnnxCase(case=Case(op=op, axes=(WIDE,), dtype=dtype))
    assert catch_failure(case, fold=raises).symptom == "pass"


@on_onnx
def clip_at_40(model):
    """Return the smaller of each result and 40, which the results of some fills are below."""
    changed = ONNX.clone(model)
    [output] = changed.graph.output
    name, output.name = output.name, "clipped"
    limit = onnx.numpy_helper.from_array(np.array(40.0, np.float32), "limit")
    changed.graph.initializer.append(limit)
    changed.graph.node.append(onnx.helper.make_node("Min", [name, "limit"], ["clipped"]))
    node = next(node for node in changed.graph.node if name in node.output)
    node.output[0], changed.graph.node[-1].input[0], output.name = "unclipped", "unclipped", name
    changed.graph.node[-1].output[0] = name
    return changed


def test_a_kernel_that_is_wrong_on_one_fill_does_not_hide_a_pass_that_is_wrong_on_another(monkeypatch):
    case = OnnxCase(case=Case(op="conv1d", axes=(WIDE,), fills=("integers", "negative")))
    assert catch_failure(case, fold=clip_at_40).kind == "Miscompile"
    run, ran = runtimes.session_function, []

    def lie(session):
        """Answer a little wrongly for the first inputs of the second model, the folded one."""
        ran.append(session)
        honest, folded, calls = run(session), len(ran) == 2, []

        def answer(arrays):
            calls.append(1)
            return tuple(out + (folded and len(calls) <= 2) for out in honest(arrays))

        return answer

    monkeypatch.setattr(runtimes, "session_function", lie)
    assert catch_failure(case, fold=clip_at_40).kind == "Miscompile"


# --- the pass itself ----------------------------------------------------------------------------------


class RightIfExplained:
    """A pass that folds rightly where it is asked for reasons, and loses the border of 1 where it is not."""

    def __call__(self, mod):
        return BUNDLED(RELAX.build(CONV)) if RELAX.same(mod, RELAX.build(ONES)) else mod

    def fold_and_explain(self, mod):
        return BUNDLED.fold_and_explain(mod)


def test_the_pass_that_users_call_is_compared_with_what_explains_itself():
    assert catch_failure(ONES, fold=RightIfExplained(), sample=1.0).fingerprint == "NotDeterministic/conv/module"


class Stale:
    """A pass that takes the second of two modules for the first one."""

    idempotent = False

    def __init__(self):
        self.seen = False

    def __call__(self, mod):
        seen, self.seen = self.seen, False
        if RELAX.same(mod, RELAX.build(CONV)):
            self.seen = True
            return BUNDLED(mod)
        return BUNDLED(RELAX.build(CONV)) if seen else mod


def test_what_a_pass_keeps_of_another_module_is_blamed_on_the_pass():
    first, second = check_batch([CONV, ONES], Stale(), RELAX.parse_target("llvm"), complete=False, sample=0.0)
    assert first.folded
    assert second.fingerprint == "NotDeterministic/conv/module"


def clear_constants(mod):
    """Overwrite the memory of each constant."""
    found = []
    relax.analysis.post_order_visit(
        mod["main"].body, lambda expr: found.append(expr) if isinstance(expr, ir.GenericConst) else None
    )
    for constant in found:
        array = np.from_dlpack(constant.value)
        ctypes.memset(array.ctypes.data, 0, array.nbytes)
    return mod


def test_a_pass_that_overwrites_a_constant_changes_its_input():
    case = Case(op="conv1d", axes=(WIDE,), constant_weight=True, fills=("negative",))
    assert catch_failure(case, fold=clear_constants).fingerprint == "InputMutated/conv/module"


# --- completeness -------------------------------------------------------------------------------------


@mutator
class _Concat(PyExprMutator):
    """Writes each pad of one element at both ends as a concat with zeros that are bound to a variable."""

    def visit_call_(self, call):
        call = super().visit_call_(call)
        if op_name(call) != PAD:
            return call
        zeros = self.builder_.emit(relax.op.zeros((1, 1, 1), "float32"))
        return relax.op.concat([zeros, call.args[0], zeros], axis=2)


class HidesPads:
    complete = True

    def __call__(self, mod):
        changed = _Concat(mod).visit_expr(mod["main"])
        if tvm_ffi.structural_equal(changed, mod["main"]):
            return mod
        out = mod.clone()
        out[out.get_global_var("main")] = changed
        return out


def test_a_pad_that_is_written_otherwise_is_still_there():
    assert catch_failure(CONV, fold=HidesPads()).kind == "MissedFold"


class GivesOneReason:
    complete = True
    out_of_scope = ("on purpose",)

    def __call__(self, mod):
        return mod

    def reasons(self, mod):
        return [("on purpose", "declared")]


def test_a_reason_excuses_one_pad_and_not_every_pad_of_a_graph():
    assert check(CONV, fold=GivesOneReason()).declined == ("on purpose",)
    for other in (CONV, ONES):
        graph = Graph(sites=(Site(case=other), Site(case=CONV)))
        assert catch_failure(graph, fold=GivesOneReason()).kind == "MissedFold"
