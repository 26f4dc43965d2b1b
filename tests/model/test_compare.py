"""Both models on the same inputs, bit by bit; and whose fault a difference is."""

import numpy as np
import pytest
from tests.support.model_files import FOLDABLE, SCRIPT, SYMBOLIC, onnx_model

from foldproof.core.errors import UsageError
from foldproof.core.loading import load_pass
from foldproof.fold import FoldExplicitPadding
from foldproof.ir.relax.module import same
from foldproof.model import Input, compare_model, import_model
from foldproof.model.blame import THE_PASS, TVM, find_blame
from foldproof.model.compare import find_culprits
from foldproof.model.cut import NotCut, cut_site
from foldproof.model.hiding import fold_only
from foldproof.model.pads import find_places, list_pads
from foldproof.model.running import ModelProgram, choose_lengths, make_inputs, parse_model_target

SWAPPED = "foldproof.mutants:begin_end_swapped"
ASYMMETRIC = (0, 0, 1, 0, 0, 0, 2, 1)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = onnx_model(tmp_path_factory.mktemp("model") / "net.onnx", pads=(FOLDABLE, ASYMMETRIC))
    return import_model(path)


def script(tmp_path, text):
    (tmp_path / "net.py").write_text(text)
    return import_model(tmp_path / "net.py")


# --- inputs -------------------------------------------------------------------------------------------


def test_inputs_have_both_signs_or_are_all_negative():
    values = [Input(name="a", shape=(50,), dtype="float32"), Input(name="b", shape=(50,), dtype="int8")]
    for mixed, negative in zip(make_inputs(values, {}, "random"), make_inputs(values, {}, "negative"), strict=True):
        assert mixed.min() < 0 < mixed.max()
        assert negative.max() < 0
        assert mixed.dtype == negative.dtype


def test_wide_integers_which_may_be_indices_are_0_or_1():
    for dtype in ("int32", "int64", "bool"):
        [array] = make_inputs([Input(name="a", shape=(50,), dtype=dtype)], {}, "negative")
        assert set(array.tolist()) == {0, 1}


def test_the_same_seed_gives_the_same_inputs():
    values = [Input(name="a", shape=("n", 4), dtype="float16")]
    one, two, other = (make_inputs(values, {"n": 3}, "random", seed)[0] for seed in (1, 1, 2))
    assert one.shape == (3, 4)
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_an_input_of_unknown_shape_asks_for_one():
    with pytest.raises(UsageError, match="input a=n,4 int8 has no shape to run it with; give one with --shape a="):
        make_inputs([Input(name="a", shape=("n", 4), dtype="int8")], {}, "random")


# --- comparison ---------------------------------------------------------------------------------------


def test_the_bundled_pass_computes_the_same_bits(model):
    compared = compare_model(model)
    assert [(each.fill, each.difference, each.nans) for each in compared] == [("random", "", 0), ("negative", "", 0)]
    assert all(each.elements > 0 for each in compared)


def test_a_wrong_pass_computes_other_bits(model):
    compared = compare_model(model, load_pass(SWAPPED))
    assert all("but should be" in each.difference for each in compared)


def test_symbolic_lengths_are_chosen(tmp_path):
    model = script(tmp_path, SYMBOLIC)
    assert list(choose_lengths(model).values()) == [1, 64, 64]
    assert [each.difference for each in compare_model(model, fills=("random",))] == [""]


def test_a_fold_saves_kernels_and_memory(model):
    target = parse_model_target("llvm")
    plain = ModelProgram(model, target).plan
    folded = ModelProgram(import_with(model, FoldExplicitPadding()), target).plan
    assert folded.kernels == plain.kernels - 2
    assert folded.memory < plain.memory


def import_with(model, fold):
    from dataclasses import replace

    return replace(model, module=fold(model.module))


# --- one site at a time -------------------------------------------------------------------------------


def test_a_hidden_pad_is_not_folded_and_stands_in_its_place_again(model):
    fold = FoldExplicitPadding()
    assert [len(list_pads(fold_only(model.module, fold, shown))) for shown in ((), (0,), (1,), (0, 1))] == [2, 1, 1, 0]
    assert same(fold_only(model.module, lambda mod: mod, ()), model.module)


def test_hidden_operator_pads_stand_in_their_place_again(tmp_path):
    model = script(tmp_path, SCRIPT)
    assert same(fold_only(model.module, FoldExplicitPadding(), ()), model.module)
    assert list_pads(fold_only(model.module, FoldExplicitPadding(), (0,))) == ()


@pytest.mark.parametrize("guilty", range(5))
def test_the_culprit_is_found_by_halves(guilty):
    trials = []

    def differs(shown):
        trials.append(tuple(shown))
        return guilty in shown

    assert find_culprits(5, differs) == (guilty,)
    assert len(trials) <= 6


def test_pads_that_differ_only_together_are_all_named():
    assert find_culprits(4, lambda shown: len(shown) == 4) == (0, 1, 2, 3)


def test_a_wrong_pass_is_at_fault_at_the_site_that_it_folds_wrong(model):
    inputs = [make_inputs(model.inputs, {}, "random")]
    found = find_blame(model, load_pass(SWAPPED), parse_model_target("llvm"), inputs)
    assert found.fault == THE_PASS
    assert found.pads == (":".join(list_pads(model.module)[1].key),)
    assert found.reason.startswith("Miscompile/conv/values: ")
    assert found.case["op"] == "conv2d"


def test_tvm_is_at_fault_where_the_site_alone_is_equal(model, monkeypatch):
    """A pass that breaks the model in another place than the site: the site alone computes the same bits."""
    from foldproof.model import blame

    monkeypatch.setattr(blame, "outputs_differ", lambda *_: True)
    inputs = [make_inputs(model.inputs, {}, "random")]
    found = find_blame(model, FoldExplicitPadding(), parse_model_target("llvm"), inputs)
    assert found.fault == TVM
    assert "the site alone computes the same bits with and without the pass" in found.reason


def test_a_site_is_cut_out_with_its_weight(model):
    place = next(iter(find_places(model.module)))
    module = cut_site(model.module, place)
    assert len(list_pads(module)) == 1
    assert FoldExplicitPadding().explain(module)[0].outcome.rule == "conv"
    assert [str(each.ty.dtype) for each in module["main"].params] == ["float32"]


def test_all_operands_that_depend_on_the_pad_are_cut_out(tmp_path):
    pad = "R.nn.pad(x, (0, 0, 0, 0, 1, 2, 1, 2))"
    product = f"p = {pad}\n            padded = R.multiply(p, R.sigmoid(p))"
    model = script(tmp_path, SCRIPT.replace(f"padded = {pad}", product))
    place = next(each for each in find_places(model.module) if each.user is not None)
    module = cut_site(model.module, place)
    assert len(module["main"].params) <= 2
    assert len(list_pads(module)) == 1


def test_a_site_of_symbolic_lengths_is_not_cut_out(tmp_path):
    model = script(tmp_path, SYMBOLIC)
    with pytest.raises(NotCut, match="it has symbolic lengths"):
        cut_site(model.module, next(iter(find_places(model.module))))
