"""The sites of a model: each pad with its widths, reader, outcome and reason; and what would fold the rest."""

import pytest
from tests.support.model_files import SCRIPT, SYMBOLIC, onnx_model

from foldproof.fold import FoldExplicitPadding
from foldproof.model import PassFailed, apply_fold, import_model, sites
from foldproof.model.outcomes import FOLDED, LEFT, UNEXPLAINED, add_remedies
from foldproof.model.running import choose_lengths


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return import_model(onnx_model(tmp_path_factory.mktemp("model") / "net.onnx"))


def script(tmp_path, text):
    (tmp_path / "net.py").write_text(text)
    return import_model(tmp_path / "net.py")


def test_a_row_names_widths_mode_value_shape_consumer_outcome_and_reason(model):
    folded, left = sites(model)
    assert (folded.outcome, folded.kind, folded.consumer.split()[0]) == (FOLDED, "conv", "conv2d")
    assert folded.pad.widths == ((0, 0), (0, 0), (1, 1), (1, 1))
    assert (folded.pad.mode, folded.pad.value, folded.pad.shape, folded.pad.dtype) == (
        *("constant", 0.0, "1,3,16,16", "float32"),
    )
    assert folded.pad.widths_text == "1,1 on axis 2; 1,1 on axis 3"
    assert (left.outcome, left.kind) == (LEFT, "channel")
    assert "channel" in left.reason


def test_totals_count_by_outcome_and_kind(model):
    folding = apply_fold(model)
    assert folding.totals == ((FOLDED, "conv", 1), (LEFT, "channel", 1))
    assert (folding.before, folding.after) == (2, 1)


def test_the_pads_that_are_left_name_what_would_fold_them(model):
    rows, notice = add_remedies(model, sites(model), {})
    assert [row.remedy for row in rows] == ["", 'channels="slice"']
    assert notice == ""


def test_static_shapes_are_a_remedy(tmp_path):
    pool = "avg_pool2d(padded, (2, 2), strides=2, count_include_pad=True, ceil_mode=True)"
    model = script(tmp_path, SYMBOLIC.replace("conv2d(padded, k)", pool))
    [row] = sites(model)
    [tried], notice = add_remedies(model, [row], choose_lengths(model))
    assert (row.outcome, row.kind, tried.remedy, notice) == (LEFT, "ceil-mode", "static shapes", "")


def test_a_pass_without_reasons_is_counted_before_and_after(model):
    folding = apply_fold(model, lambda mod: FoldExplicitPadding()(mod))
    assert [(row.outcome, row.reason) for row in folding.sites] == [(FOLDED, "the pad is gone"), (UNEXPLAINED, "")]
    assert (folding.before, folding.after) == (2, 1)


def test_a_pass_that_raises_or_returns_something_else_is_a_failure_of_the_pass(model):
    def raises(mod):
        raise ValueError("no")

    with pytest.raises(PassFailed, match="the pass raised ValueError: no"):
        apply_fold(model, raises)
    with pytest.raises(PassFailed, match="the pass returned NoneType; expected an IRModule"):
        apply_fold(model, lambda mod: None)


def test_a_model_without_pads_has_no_rows(tmp_path):
    model = script(tmp_path, SCRIPT.replace("R.nn.pad(x, (0, 0, 0, 0, 1, 2, 1, 2))", "R.nn.relu(x)"))
    folding = apply_fold(model)
    assert (folding.sites, folding.totals, folding.before, folding.after) == ((), (), 0, 0)
    assert folding.model.module.same_as(model.module)
