"""A known issue of TVM excuses what it may change, and no more. A wrong fold of its case or beside it is blamed."""

from dataclasses import replace
from pathlib import Path

import pytest
import tvm
from tests.support.blame import catch_failure, change_pad_value
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from foldproof import Axis, check
from foldproof.case.any_case import without_kernels
from foldproof.corpus.entry import load_case
from foldproof.fold.reader import op_name
from foldproof.ir.relax.known_issues import KNOWN_ISSUES

CORPUS = Path(__file__).parents[2] / "data" / "corpus"

CASES = {
    "avg_pool-divides-by-nothing": "avg_pool1d-ceil-mode-divides-by-zero",
    "conv-axes-out-of-order": "conv2d-axes-out-of-order",
    "integer-avg_pool-dtype": "avg_pool1d-int32-sum",
    "symbolic-copy": "max_pool1d-symbolic-copy",
    "strided-length-of-a-branch": "graph-strided-length-of-a-branch",
    "strided-length-reshaped": "avg_pool1d-strided-length-reshaped",
}

BESIDE = {
    "avg_pool-divides-by-nothing": {"axes": (Axis(size=3, pad=(1, 0), stride=2, padding=(0, -1)),)},
    "conv-axes-out-of-order": {"data_layout": "NCHW"},
    "integer-avg_pool-dtype": {"dtype": "float32"},
    "symbolic-copy": {"symbolic": ()},
    "strided-length-of-a-branch": {"input_stride": 1},
    "strided-length-reshaped": {"input_stride": 1},
}
"""The smallest change of each case that does not show the issue any more."""


NOT_COMPILED = ("strided-length-reshaped",)
"""Issues of cases that no pipeline compiles."""


def case_of(name):
    [case, *_] = without_kernels(load_case(CORPUS / f"{CASES[name]}.case.json")).cases
    return case


def drop_result(mod):
    """Return a module whose function returns its first parameter: another type."""
    main = mod["main"]
    block = relax.BlockBuilder()
    with block.function("main", main.params):
        block.emit_func_output(main.params[0])
    return tvm.IRModule({"main": block.get()["main"]})


@tvm.transform.module_pass(opt_level=0, name="ForgetShape")
def forget_shape(mod, _ctx):
    """Let each max_pool read a tensor of unknown shape, which TVM does not legalize."""

    @mutator
    class Forget(PyExprMutator):
        def visit_call_(self, call):
            call = super().visit_call_(call)
            if op_name(call) != "relax.nn.max_pool1d" or call.args[0].ty.shape is None:
                return call
            loose = self.builder_.match_cast(call.args[0], relax.TensorType(dtype="float32", ndim=3))
            pool = self.builder_.emit(relax.op.nn.max_pool1d(loose))
            return self.builder_.match_cast(pool, call.ty)

    out = mod.clone()
    for name, function in mod.functions_items():
        if isinstance(function, relax.Function):
            out.update_func(name, Forget(mod).visit_expr(function))
    return out


def test_each_known_issue_has_a_case_and_says_what_it_changes():
    assert {issue.name for issue in KNOWN_ISSUES} == set(CASES) == set(BESIDE)
    for issue in KNOWN_ISSUES:
        assert issue.matches(case_of(issue.name))
        assert not issue.matches(replace(case_of(issue.name), **BESIDE[issue.name]))
        assert issue.changes


@pytest.mark.parametrize("issue", KNOWN_ISSUES, ids=lambda issue: issue.name)
def test_a_wrong_value_is_blamed_in_each_case_that_is_executed(issue):
    case = case_of(issue.name)
    if not issue.runs or issue.name in NOT_COMPILED:
        assert check(case, fold=change_pad_value).known_issues == (issue.name,)
        return
    assert catch_failure(case, fold=change_pad_value).fingerprint == f"Miscompile/{case.spec.family}/values"


@pytest.mark.parametrize("issue", KNOWN_ISSUES, ids=lambda issue: issue.name)
def test_a_wrong_type_is_blamed_in_each_case(issue):
    assert catch_failure(case_of(issue.name), fold=drop_result).kind == "WrongType"


@pytest.mark.parametrize("issue", KNOWN_ISSUES, ids=lambda issue: issue.name)
def test_a_wrong_value_is_blamed_beside_each_case(issue):
    case = replace(case_of(issue.name), **BESIDE[issue.name])
    assert catch_failure(case, fold=change_pad_value).fingerprint == f"Miscompile/{case.spec.family}/values"


def test_a_right_fold_that_does_not_compile_is_excused_if_the_graph_does_not_without_the_pass():
    graph = load_case(CORPUS / "graph-strided-length-of-a-branch.case.json")
    assert check(graph).known_issues == ("strided-length-of-a-branch",)
    assert check(without_kernels(graph)).known_issues == ("strided-length-of-a-branch",)
    assert check(graph, fold=lambda mod: mod).known_issues == ()
    assert catch_failure(graph, fold=change_pad_value).kind == "Miscompile"


def test_what_the_compiler_refuses_only_after_the_pass_is_blamed_on_the_pass():
    """The same error, of a graph that compiles without the pass also where its pads are ops."""
    graph = load_case(CORPUS / "graph-strided-length-of-a-branch.case.json")
    compiled = replace(graph, sites=(replace(graph.sites[0], place="block"), graph.sites[1]))
    assert check(without_kernels(compiled)).known_issues == ()
    assert catch_failure(compiled, fold=forget_shape).fingerprint == "CompileError/graph/folded"
