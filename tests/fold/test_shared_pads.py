"""foldproof.fold.shared_pads: no fold leaves more pads than before."""

import re
from dataclasses import replace

import numpy as np
import pytest
from tests.support.foldings import assert_same_results, fold, op_names, refusals
from tvm import relax

from foldproof import Axis, Case, FoldExplicitPadding, Pad, Step, check
from foldproof.case.adoption import PADDED, adopt
from foldproof.case.graph import Function, Graph, Site
from foldproof.checking.failures import Failure
from foldproof.fold import Kind, rewrite
from foldproof.oracle.legality import Legality

O = relax.op  # noqa: E741

RNG = np.random.default_rng(0)
X = RNG.integers(-9, 10, (1, 3, 8)).astype("float32")
WEIGHT = RNG.integers(-9, 10, (4, 3, 3)).astype("float32")

WIDE = (1, 0, 0, 0, 1, 2)


def model(body):
    """A function of what ``body(emit, x, w)`` returns."""
    builder = relax.BlockBuilder()
    x, w = (relax.Var(name, relax.TensorType(shape, "float32")) for name, shape in (("x", (1, 3, 8)), ("w", (4, 3, 3))))
    with builder.function("main", [x, w]):
        with builder.dataflow():
            result = builder.emit_output(body(builder.emit, x, w))
        builder.emit_func_output(result)
    return builder.get()


def _two_readers(emit, x, w):
    padded = emit(O.nn.pad(x, WIDE))
    return O.add(emit(O.nn.conv1d(padded, w)), emit(O.nn.conv1d(emit(O.nn.relu(padded)), w)))


def _one_refused(emit, x, w):
    padded = emit(O.nn.pad(x, WIDE))
    return O.concat([emit(O.nn.conv1d(padded, w)), emit(O.nn.max_pool1d(padded, 3))], axis=1)


def _step_read_twice(emit, x, w):
    step = emit(O.negative(emit(O.nn.pad(x, WIDE))))
    return O.concat([emit(O.nn.conv1d(step, w)), emit(O.nn.max_pool1d(step, 3))], axis=1)


def _other_pad_read_twice(emit, x, w):
    step = emit(O.nn.relu(emit(O.nn.pad(x, (0, 0, 0, 0, 1, 2), pad_value=-1.0))))
    padded = emit(O.nn.pad(step, (1, 0, 0, 0, 0, 0)))
    return O.concat(
        [emit(O.nn.conv1d(padded, w)), emit(O.nn.avg_pool1d(padded, 5, padding=(1, 1), count_include_pad=False))],
        axis=1,
    )


def test_one_smaller_pad_takes_the_place_of_a_pad_whose_readers_all_fold():
    module = model(_two_readers)
    text = fold(module).script()
    assert text.count("padding=[1, 2]") == 2
    assert text.count("R.nn.pad(") == text.count("pad_width=[1, 0, 0, 0, 0, 0]") == 1
    assert_same_results(module, X, WEIGHT)


@pytest.mark.parametrize("body", [_one_refused, _step_read_twice, _other_pad_read_twice])
def test_a_fold_that_would_leave_another_pad_is_refused(body):
    module = model(body)
    assert fold(module).same_as(module)
    assert Kind.SHARED in {kind for _, kind in refusals(module)}


def test_a_fold_of_all_widths_is_not_refused():
    module = model(
        lambda emit, x, w: O.concat(
            [emit(O.nn.conv1d(p := emit(O.nn.pad(x, (0, 0, 0, 0, 1, 1))), w)), emit(O.nn.max_pool1d(p, 3))], axis=1
        )
    )
    assert "padding=[1, 1]" in fold(module).script()
    assert_same_results(module, X, WEIGHT)


def test_a_pad_folds_once_its_other_reader_is_gone():
    """The inner pad passes the other one only for the first reader, until that folds its own."""

    def body(emit, x, w):
        padded = emit(O.nn.pad(x, WIDE))
        mirrored = emit(O.nn.pad(padded, (0, 0, 0, 0, 0, 0), pad_mode="reflect"))
        return O.add(emit(O.nn.conv1d(mirrored, w)), emit(O.nn.conv1d(padded, w)))

    module = model(body)
    text = fold(module).script()
    assert text.count("padding=[1, 2]") == 2
    assert text.count("R.nn.pad(") == text.count("pad_width=[1, 0, 0, 0, 0, 0]") == 1
    assert_same_results(module, X, WEIGHT)


CROPPED = {
    "a slice of one end": lambda padded: O.strided_slice(padded, [2], [1], [11]),
    "a crop that pads with another value at the other end": lambda padded: O.nn.pad(
        padded, (0, 0, 0, 0, -2, 1), pad_value=3.0
    ),
}


@pytest.mark.parametrize("crop", CROPPED.values(), ids=list(CROPPED))
def test_a_crop_of_a_pad_that_others_read_makes_no_pad(crop):
    def body(emit, x, w):
        padded = emit(O.nn.pad(x, (0, 0, 0, 0, 1, 2), pad_value=2.0))
        return O.add(emit(O.sum(emit(crop(padded)))), emit(O.sum(padded)))

    module = model(body)
    assert fold(module).same_as(module)


WIDTHS_LEFT = {
    "a slice of one end": ["0, 2"],  # (1, 2), and the crop takes the first
    "a crop that pads with another value at the other end": ["0, 2", "-1, 1"],  # of the two, one is left to crop
}


@pytest.mark.parametrize("name", CROPPED)
def test_a_crop_that_is_the_only_reader_cancels(name):
    """A relu reads the result, so that the function returns no pad itself."""
    module = model(
        lambda emit, x, w: O.nn.relu(emit(CROPPED[name](emit(O.nn.pad(x, (0, 0, 0, 0, 1, 2), pad_value=2.0)))))
    )
    assert re.findall(r"pad_width=\[0, 0, 0, 0, ([-0-9, ]*)\]", fold(module).script()) == WIDTHS_LEFT[name]
    assert "strided_slice" not in op_names(fold(module))
    assert_same_results(module, X, WEIGHT)


def test_a_crop_cancels_once_the_other_reader_is_gone():
    def body(emit, x, w):
        padded = emit(O.nn.pad(x, (0, 0, 0, 0, 1, 2)))
        cropped = emit(O.strided_slice(emit(O.exp(padded)), [2], [1], [11]))
        return O.add(emit(O.sum(emit(O.nn.conv1d(padded, w)))), cropped)

    module = model(body)
    assert "strided_slice" not in op_names(fold(module))


def test_the_work_for_many_readers_is_linear(monkeypatch):
    """Each reader is asked for itself, and again for what would stay if all fold."""
    asked = []
    alone = rewrite._decide_alone
    monkeypatch.setattr(rewrite, "_decide_alone", lambda *args: asked.append(1) or alone(*args))
    counts = []
    for readers in (10, 20, 40):

        def body(emit, x, w, readers=readers):
            padded = emit(O.nn.pad(x, WIDE))
            results = [emit(O.nn.conv1d(padded, w)) for _ in range(readers)]
            return O.add(emit(O.concat(results, axis=1)), emit(O.sum(padded)))

        asked.clear()
        FoldExplicitPadding()(model(body))
        counts.append(len(asked))
    assert counts == [2 * readers + 1 for readers in (10, 20, 40)]


# --- the oracles ------------------------------------------------------------------------------------------

OUTER = Case(op="conv1d", axes=(Axis(size=4, pad=(1, 1), kernel=2),), pad=Pad(batch=(1, 0)))
SECOND = adopt(replace(OUTER, op="avg_pool1d", count_include_pad=True), OUTER, PADDED)


@pytest.mark.parametrize("output", ["returned", "read", "step"])
def test_a_case_whose_pad_others_read_may_keep_it(output):
    case = replace(OUTER, steps=(Step(kind="relu"),), extra_outputs=(output,))
    assert check(case).legality is Legality.SHARED
    assert check(case, fold=lambda module: module, complete=True).legality is Legality.SHARED


GRAPHS = {
    "all readers fold": (Graph(sites=(Site(case=OUTER), Site(case=SECOND, data=PADDED))), None),
    "a reader cannot": (
        Graph(sites=(Site(case=OUTER), Site(case=adopt(replace(OUTER, op="max_pool1d"), OUTER, PADDED), data=PADDED))),
        Legality.SHARED,
    ),
    "a function reads it": (
        Graph(sites=(Site(case=OUTER), Site(case=SECOND, data=PADDED, function=1)), functions=(Function(),)),
        Legality.SHARED,
    ),
    "returned": (
        Graph(sites=(Site(case=replace(OUTER, extra_outputs=("returned",))), Site(case=SECOND, data=PADDED))),
        Legality.SHARED,
    ),
}


@pytest.mark.parametrize(("graph", "expected"), GRAPHS.values(), ids=list(GRAPHS))
def test_a_graph_has_no_more_pads_than_before(graph, expected):
    assert check(graph, complete=True).legality == expected


def test_a_graph_all_of_whose_readers_fold_must_fold():
    with pytest.raises(Failure, match="could be folded"):
        check(GRAPHS["all readers fold"][0], fold=lambda module: module, complete=True)
