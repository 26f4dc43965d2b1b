"""foldproof.fold: options of the pass, wrong options and wrong inputs."""

from dataclasses import replace

import numpy as np
import pytest
import tvm
import tvm_ffi
from tests.support.foldings import bindings_of, chain, emitted, pad_last_axis
from tests.support.sites import CONV1, CONV2, DECONV1, H12_W34, W12, decide, pad, site
from tvm import ir, relax

from foldproof.fold import Folded, FoldExplicitPadding, Kind, Refused, bindings
from foldproof.fold import fold as pass_module
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
