"""foldproof.fold: options of the pass, wrong options and wrong inputs."""

from dataclasses import replace

import numpy as np
import pytest
import tvm
import tvm_ffi
from tests.support.foldings import (
    assert_same_results,
    bindings_of,
    chain,
    constant,
    emitted,
    fold,
    op_names,
    pad_last_axis,
)
from tests.support.sites import (
    AVG2,
    CONV1,
    CONV2,
    CONV3,
    DECONV1,
    H12_W34,
    MAX2,
    TRANSPOSED,
    W12,
    decide,
    kept,
    pad,
    site,
)
from tvm import ir, relax, tirx

from foldproof.fold import Folded, FoldExplicitPadding, Kind, Refused, bindings, restricting
from foldproof.fold import fold as pass_module
from foldproof.fold.facts import Unary
from foldproof.fold.reader import op_name
from foldproof.fold.rewrite import fold_function

O = relax.op  # noqa: E741

CONV = site(pad(*H12_W34), CONV2)


@pytest.mark.parametrize(
    ("at", "options", "text"),
    [
        (CONV, {"allow_asymmetric": False}, "padding [1, 3, 2, 4] is asymmetric"),
        (site(pad(0, 0, (-1, -1)), CONV1), {"allow_negative": False}, "padding [-1, -1] is negative"),
        (site(pad(*W12), DECONV1), {"allow_negative": False}, "padding [-1, -2] is negative"),
    ],
)
def test_padding_that_a_backend_does_not_take_is_refused(at, options, text):
    assert isinstance(decide(at), Folded)
    outcome = decide(at, **options)
    assert isinstance(outcome, Refused)
    assert outcome.kind is Kind.OPTION
    assert text in outcome.detail


@pytest.mark.parametrize(
    ("at", "options", "padding"),
    [
        (site(pad(0, 0, (1, 1)), CONV1), {"allow_asymmetric": False}, (1, 1)),
        (site(pad(0, 0, (1, 1), (2, 2)), CONV2), {"allow_asymmetric": False}, (1, 2, 1, 2)),
        (site(pad(*W12), CONV1), {"allow_negative": False}, (1, 2)),
        (site(pad(*W12), replace(CONV1, padding=(-1, -1))), {"allow_negative": False}, (0, 1)),
    ],
)
def test_padding_that_a_backend_takes_is_folded(at, options, padding):
    assert decide(at, **options) == Folded("conv", padding)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"nonzero": "yes"}, ValueError, "unknown nonzero 'yes'; expected one of refuse, correct, correct-inexact"),
        ({"channels": True}, ValueError, "unknown channels True; expected one of keep, slice"),
        ({"allow_asymmetric": 1}, TypeError, "allow_asymmetric must be True or False, not 1"),
        ({"allow_negative": None}, TypeError, "allow_negative must be True or False, not None"),
        ({"check_input": "no"}, TypeError, "check_input must be True or False, not 'no'"),
        ({"accepts": "cudnn"}, TypeError, "accepts must be a function of a Consumer, not 'cudnn'"),
    ],
)
def test_an_option_with_a_wrong_value_is_named_with_the_choices(options, error, message):
    with pytest.raises(error, match=message):
        FoldExplicitPadding(**options)


def test_what_is_no_module_of_relax_functions_is_refused():
    @tvm.script.ir_module
    class Kernels:
        @tvm.script.tirx.prim_func
        def kernel():
            tvm.script.tirx.evaluate(0)

    with pytest.raises(ValueError, match="takes a module of Relax functions, and this one has none"):
        FoldExplicitPadding()(Kernels)
    with pytest.raises(TypeError, match="takes an IRModule, not Function"):
        FoldExplicitPadding().explain(chain()["main"])
    empty = tvm.IRModule({})
    assert FoldExplicitPadding()(empty).same_as(empty)


def not_well_formed(*, padded):
    """A module that returns a variable that nothing binds."""
    x = relax.Var("x", relax.TensorType((1, 3), "float32"))
    unbound = relax.Var("unbound", relax.TensorType((1, 3), "float32"))
    lv = relax.Var("lv", x.ty)
    pad = relax.op.nn.pad(x, (0, 0, 0, 0))
    ty_pad = ir.Call(pad.op, pad.args, pad.attrs, pad.ty_args, None, x.ty)
    blocks = [relax.BindingBlock([relax.VarBinding(lv, ty_pad)])] if padded else []
    body = relax.SeqExpr(blocks, unbound)
    return tvm.IRModule({"main": relax.Function([x], body, relax.TensorType((1, 3), "float32"))})


def test_a_module_that_is_not_well_formed_is_refused_and_left_alone():
    module = not_well_formed(padded=True)
    before = tvm_ffi.structural_hash(module)
    with pytest.raises(ValueError, match=r"the module is not well formed: .*unbound"):
        FoldExplicitPadding()(module)
    assert tvm_ffi.structural_hash(module) == before
    assert not FoldExplicitPadding(check_input=False)(module).same_as(module)


def test_a_module_without_pads_is_not_checked():
    module = not_well_formed(padded=False)
    assert FoldExplicitPadding()(module).same_as(module)
    assert FoldExplicitPadding().explain(module) == ()


def test_a_module_without_pads_costs_one_look_at_each_binding_and_no_check(monkeypatch):
    def fail(*args, **options):
        raise AssertionError("nothing but the search for pads may run")

    looks = []
    monkeypatch.setattr(relax.analysis, "well_formed", fail)
    monkeypatch.setattr(pass_module, "fold_function", fail)
    monkeypatch.setattr(bindings, "op_name", lambda value: looks.append(value) or op_name(value))
    module = emitted([((1, 3, 8), "float32")], *[O.nn.relu, O.exp] * 20)
    FoldExplicitPadding()(module)
    assert len(looks) == len(bindings_of(module)) == 40


def test_the_functions_without_pads_of_a_module_are_left_out(monkeypatch):
    module, asked = chain(), []
    module["other"] = emitted([((1, 3, 8), "float32")], O.nn.relu, O.exp)["main"].with_attr("global_symbol", "other")
    monkeypatch.setattr(
        pass_module,
        "fold_function",
        lambda folding, function, explain: (
            asked.append(folding.name) or fold_function(folding, function, explain=explain)
        ),
    )
    assert not FoldExplicitPadding()(module).same_as(module)
    assert asked == ["main"]


def test_a_backend_is_asked_about_what_is_known_of_the_consumer():
    seen = []
    module = emitted(
        [((1, 3, 8), "float32")],
        pad_last_axis(1, 2),
        lambda x: O.nn.conv1d(x, relax.const(np.ones((4, 3, 3)), "float32")),
    )
    FoldExplicitPadding(accepts=seen.append)(module)
    [consumer] = seen
    assert (consumer.op, consumer.padding, consumer.weight) == ("conv1d", (1, 2), "")


# --- axis by axis ---------------------------------------------------------------------------------------

CONV3D = site(pad(0, 0, (2, 0), (1, 1), (-1, -1)), CONV3)


@pytest.mark.parametrize(
    ("at", "options", "padding", "stays"),
    [
        (CONV3D, {"allow_asymmetric": False}, (0, 1, -1, 0, 1, -1), kept(0, 0, (2, 0), 0, 0)),
        (CONV3D, {"allow_negative": False}, (2, 1, 0, 0, 1, 0), kept(0, 0, 0, 0, (-1, -1))),
        (
            CONV3D,
            {"allow_negative": False, "allow_asymmetric": False},
            (0, 1, 0, 0, 1, 0),
            kept(0, 0, (2, 0), 0, (-1, -1)),
        ),
        # the batch stays, too
        (
            site(pad((0, 1), 0, (2, 0), (1, 1)), CONV2),
            {"allow_asymmetric": False},
            (0, 1, 0, 1),
            kept((0, 1), 0, (2, 0), 0),
        ),
        # an axis that is not padded may be asymmetric: the fold does not make it so
        (
            site(pad(0, 0, (1, 1), 0), replace(CONV2, padding=(0, 2, 0, 1))),
            {"allow_asymmetric": False},
            (1, 2, 1, 1),
            None,
        ),
        (
            site(pad(0, 0, (1, 2), (1, 1)), TRANSPOSED),
            {"allow_asymmetric": False},
            (0, -1, 0, -1),
            kept(0, 0, (1, 2), 0),
        ),
    ],
)
def test_what_an_option_excludes_stays_and_the_other_axes_fold(at, options, padding, stays):
    outcome = decide(at, **options)
    assert isinstance(outcome, Folded)
    assert (outcome.padding, outcome.kept) == (padding, stays)


def test_the_zeros_of_an_average_that_stay_are_data():
    """The divisor counts them before and after, so that the flag is set for the axis that folds."""
    outcome = decide(site(pad(0, 0, (1, 0), (1, 1)), AVG2), allow_asymmetric=False)
    assert outcome == Folded("avg_pool", (0, 1, 0, 1), count_include_pad=True, kept=kept(0, 0, (1, 0), 0))


def test_the_border_of_the_axis_that_stays_may_win():
    """Without bounds below the border, no part of it folds."""
    relu = Unary(op="nn.relu", dtype="float32")
    at = replace(site(pad(0, 0, (1, 0), (1, 1)), MAX2), producers=(relu,))
    assert isinstance(decide(at, allow_asymmetric=False), Folded)
    above = replace(at, pad=replace(at.pad, value=1.0))
    assert decide(above, allow_asymmetric=False).kind is Kind.VALUE


def module_of(*widths, consumer=O.nn.conv2d, value=0.0, **attributes):
    """main(x): the consumer of pads, the first one next to x."""
    pads = [lambda x, flat=flat: O.nn.pad(x, flat, pad_value=value) for flat in widths]
    weights = () if consumer is not O.nn.conv2d else (constant(*range(108), shape=(4, 3, 3, 3)),)
    return emitted([((1, 3, 9, 9), "float32")], *pads, lambda x: consumer(x, *weights, **attributes))


W10, W11, W01, H11 = (
    (0, 0, 0, 0, 0, 0, 1, 0),
    (0, 0, 0, 0, 0, 0, 1, 1),
    (0, 0, 0, 0, 0, 0, 0, 1),
    (0, 0, 0, 0, 1, 1, 0, 0),
)


@pytest.mark.parametrize(
    ("pads", "options", "paddings", "left"),
    [
        ((W10, W11), {"allow_asymmetric": False}, [[0, 1, 0, 1]], 1),
        ((W10, W01), {"allow_asymmetric": False}, [[0, 1, 0, 1]], 0),  # alone, neither would fold
        ((W10, H11), {"allow_asymmetric": False}, [[1, 0, 1, 0]], 1),
        ((H11, W10), {"allow_asymmetric": False}, [[1, 0, 1, 0]], 1),
        ((W10, W11, H11), {"allow_asymmetric": False}, [[1, 0, 1, 0], [1, 1, 1, 1]], 1),
        ((W11, W11), {"accepts": lambda consumer: max(consumer.padding) < 2}, [[0, 1, 0, 1]], 1),
        ((W11, W11), {"accepts": lambda consumer: max(consumer.padding) < 3}, [[0, 2, 0, 2]], 0),
        ((W11, W11), {}, [[0, 2, 0, 2]], 0),
    ],
)
def test_merging_loses_no_fold_that_a_pad_had_alone(pads, options, paddings, left):
    module = module_of(*pads)
    reports = FoldExplicitPadding(**options).explain(module)
    folds = [list(r.outcome.padding) for r in reports if isinstance(r.outcome, Folded) and r.outcome.padding]
    assert folds == paddings
    folded = fold(module, **options)
    assert op_names(folded).count("nn.pad") == left
    x = np.random.default_rng(0).integers(-9, 9, (1, 3, 9, 9)).astype("float32")
    assert_same_results(module, x, **options)


def test_a_rule_that_refuses_the_one_pad_may_fold_the_nearer_one():
    """With ceil_mode, both pads together change the number of windows."""
    module = module_of(
        (0, 0, 0, 0, 0, 0, 0, 2),
        W01,
        consumer=O.nn.max_pool2d,
        value=float("-inf"),
        pool_size=(2, 2),
        strides=(2, 2),
        ceil_mode=True,
    )
    assert op_names(fold(module)).count("nn.pad") == 1
    assert_same_results(module, np.random.default_rng(0).normal(size=(1, 3, 9, 9)).astype("float32"))


def test_what_a_crop_takes_from_a_pad_is_merged_first():
    module = module_of((0, 0, 0, 0, 0, 0, 2, 1), (0, 0, 0, 0, 0, 0, -1, -1))
    assert [b.value.attrs.pad_width[6:] for b in bindings_of(fold(module, allow_asymmetric=False))[:1]] == [[1, 0]]


@pytest.mark.parametrize("dims", [(1, 2), (2, 1), (1, 1)])
def test_a_backend_is_asked_about_fewer_axes(dims):
    asked = []

    def accepts(consumer):
        asked.append(consumer.padding)
        return consumer.padding[:2] == (dims[0] if dims[0] == 1 else 0, dims[1] if dims[1] == 1 else 0)

    module = module_of((0, 0, 0, 0, dims[0], dims[0], dims[1], dims[1]))
    FoldExplicitPadding(accepts=accepts)(module)
    assert asked[0] == (*dims, *dims)
    [padding] = [b.value.attrs.padding for b in bindings_of(fold(module, accepts=accepts)) if "conv" in b.value.op.name]
    assert list(padding[:2]) == [n if n == 1 else 0 for n in dims]


# --- what a backend is told -----------------------------------------------------------------------------


def told(module, **options):
    """What ``accepts`` is asked about, when it accepts everything."""
    seen = []
    FoldExplicitPadding(accepts=lambda consumer: seen.append(consumer) or True, **options)(module)
    return seen


def test_a_backend_is_told_what_a_convolution_will_read():
    [consumer] = told(module_of((0, 0, 0, 0, 1, 2, 3, 4), strides=(2, 1), padding=(1, 0, 0, 0)))
    assert (consumer.padding, consumer.sizes, consumer.channels) == ((2, 3, 2, 4), (9, 9), 3)
    assert (consumer.kernel, consumer.dtype, consumer.weight_dtype) == ((3, 3), "float32", "float32")


def test_a_backend_is_told_which_channels_are_left():
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 8, 3), "int8"))
    with builder.function("main", [x]):
        y = builder.emit(O.nn.pad(x, [0, 0, 1, 1, 0, 1]))
        weight = constant(*range(24), dtype="int8", shape=(3, 4, 2))
        builder.emit_func_output(
            builder.emit(O.nn.conv1d(y, weight, data_layout="NWC", kernel_layout="WIO", out_dtype="int32"))
        )
    [consumer] = told(builder.get(), channels="slice")
    assert (consumer.channels, consumer.sizes, consumer.kernel, consumer.weight_dtype) == (3, (8,), (3,), "int8")
    [consumer] = told(builder.get())
    assert consumer.channels == 4


def test_a_backend_is_told_what_a_transposed_convolution_will_read():
    weight = constant(*range(36), shape=(3, 4, 3))
    module = emitted(
        [((1, 3, 8), "float32")],
        pad_last_axis(1, 2),
        lambda x: O.nn.conv1d_transpose(x, weight, strides=2, padding=(5, 5)),
    )
    [consumer] = told(module)
    assert (consumer.padding, consumer.sizes, consumer.kernel) == ((3, 1), (8,), (3,))


@pytest.mark.parametrize("given", [False, True])
def test_a_backend_is_told_whether_padding_will_be_counted(given):
    module = module_of(W11, consumer=O.nn.avg_pool2d, pool_size=(3, 3), count_include_pad=given)
    [consumer] = told(module)
    assert (consumer.count_include_pad, consumer.sizes, consumer.kernel) == (True, (9, 9), (3, 3))
    crop = module_of((0, 0, 0, 0, -1, -1, 0, 0), consumer=O.nn.avg_pool2d, pool_size=(3, 3), count_include_pad=given)
    [consumer] = told(crop)
    assert (consumer.count_include_pad, consumer.sizes) == (given, (9, 9))


def test_symbolic_lengths_are_told_as_none():
    n = tirx.Var("n", "int64")
    weight = relax.Var("w", relax.TensorType((4, 3, n), "float32"))
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 3, tirx.Var("m", "int64")), "float32"))
    with builder.function("main", [x, weight]):
        y = builder.emit(O.nn.pad(x, [0, 0, 0, 0, 1, 1]))
        builder.emit_func_output(builder.emit(O.nn.conv1d(y, weight)))
    [consumer] = told(builder.get())
    assert (consumer.sizes, consumer.kernel, consumer.channels) == ((None,), (), 3)


def test_what_an_option_leaves_is_out_of_scope():
    assert FoldExplicitPadding().out_of_scope == ()
    assert FoldExplicitPadding(nonzero="correct").out_of_scope == ()
    assert restricting().out_of_scope == ("option",)
    assert FoldExplicitPadding(accepts=bool).out_of_scope == ("option",)
