"""foldproof.checking.apply_pass: what a pass may do to a module, and what it reports."""

import pytest
from tests.support.blame import FOLDABLE, catch_failure

from foldproof import Axis, Case, Step, check
from foldproof.case import ops
from foldproof.checking.apply_pass import check_form
from foldproof.checking.failures import WrongType
from foldproof.fold import FoldExplicitPadding
from foldproof.generation.draw import draw, strategy_of
from foldproof.ir.relax import module as ir
from foldproof.ir.relax.build import build

CAST = Step(kind="astype", out_dtype="int8")


def test_a_pass_that_exits_fails_the_case():
    def exits(_mod):
        raise SystemExit(0)

    assert catch_failure(FOLDABLE, fold=exits).fingerprint == "CompileError/conv/pass"


def test_reports_of_another_form_are_ignored():
    class Pass:
        def __call__(self, mod):
            return mod

        def explain(self, _mod):
            return [7, ("kind", 7), ("a", "b", "c"), object()]

    assert check(FOLDABLE, fold=Pass()).reasons == ()


def test_the_bundled_pass_returns_the_same_whether_it_explains_or_not():
    pass_ = FoldExplicitPadding(check_input=False)
    for case in draw(strategy_of(ops.NAMES, "cases"), 60, seed=11):
        module = build(case)
        folded, reports = pass_.fold_and_explain(module)
        assert ir.same(pass_(module), folded)
        assert list(map(str, pass_.explain(module))) == list(map(str, reports))


class LongTypes:
    """An IR whose modules are their types."""

    def verify(self, module):
        return ""

    def entry(self, module):
        return module

    def return_type(self, module):
        return module

    def same(self, a, b):
        return a == b


def test_long_types_are_shortened_and_their_difference_is_kept():
    tensors = [f"Tensor(({n}, 2), float32)" for n in range(30)]
    want, got = ", ".join(tensors), ", ".join([*tensors[:20], "Tensor((20, 3), float32)", *tensors[21:]])
    with pytest.raises(WrongType, match=r"returns \.\.\..*\(20, 3\).*, but should return \.\.\..*\(20, 2\)") as raised:
        check_form(Case(op="conv1d", axes=(Axis(),)), want, got, LongTypes())
    assert len(raised.value.detail) < 300
