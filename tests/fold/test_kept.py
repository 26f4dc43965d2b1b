"""foldproof.fold: what the pass keeps: the input module, names, places in a source file."""

# ruff: noqa: RET504, SIM108 - this is TVMScript: a binding is named, and a branch is an `if`.

import pytest
import tvm
from tests.support.foldings import assert_kept, bindings_of, fold, outcomes
from tvm import ir, relax
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tirx as T

from foldproof.fold import FoldExplicitPadding


def test_a_module_without_anything_to_fold_is_returned_itself():
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                lv = R.nn.relu(x)
                gv = R.nn.conv1d(lv, w, padding=(1, 1))
                R.output(gv)
            return gv

    assert_kept(Before)
    assert outcomes(Before) == []


def test_the_input_module_is_left_untouched():
    def source():
        @I.ir_module
        class Before:
            @R.function
            def main(x: R.Tensor((1, 3, 8), "float32"), w: R.Tensor((4, 3, 3), "float32")):
                with R.dataflow():
                    lv = R.nn.pad(x, (0, 0, 0, 0, 0, 0))
                    lv1 = R.nn.pad(lv, (0, 0, 0, 0, 1, 2))
                    gv = R.nn.conv1d(lv1, w)
                    R.output(gv)
                return gv

        return Before

    module, function = source(), None
    function = module["main"]
    out = FoldExplicitPadding()(module)
    assert not out.same_as(module)
    assert module["main"].same_as(function)
    tvm.ir.assert_structural_equal(module, source())


def test_variables_keep_their_names_and_the_consumer_its_very_variable():
    @I.ir_module
    class Before:
        @R.function
        def main(data: R.Tensor((1, 3, 8), "int8"), weight: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                padded = R.nn.pad(data, (0, 0, 0, 0, 1, 2), pad_value=5.0)
                real = R.dequantize(padded, R.const(0.5, "float32"), R.const(5, "int8"))
                convolved = R.nn.conv1d(real, weight)
                result = R.nn.relu(convolved)
                R.output(result)
            return result

    old, new = Before["main"], fold(Before)["main"]
    assert all(a.same_as(b) for a, b in zip(old.params, new.params, strict=True))
    bindings = {binding.var.name: binding for binding in old.body.blocks[0].bindings}
    assert [b.var.name for b in new.body.blocks[0].bindings] == ["real", "convolved", "result"]
    assert new.body.blocks[0].bindings[1].var.same_as(bindings["convolved"].var)
    assert new.body.blocks[0].bindings[2].same_as(bindings["result"])


def span(line):
    return ir.Span(ir.SourceName("model.py"), line, line, 1, 9)


def build_with_spans(pad_widths):
    """main(x, w): pad, conv1d and relu, with lines 10, 11, 12 as spans of the bindings, 20, 21, 22 of the calls."""
    builder = relax.BlockBuilder()
    x, w = (
        relax.Var("x", relax.TensorType((1, 3, 8), "float32")),
        relax.Var("w", relax.TensorType((4, 3, 3), "float32")),
    )

    def bind(name, call, line):
        call = builder.normalize(ir.Call(call.op, call.args, call.attrs, call.ty_args, span(line + 10)))
        var = relax.Var(name, call.ty)
        return relax.VarBinding(var, call, span(line))

    pad = bind("lv", relax.op.nn.pad(x, pad_widths), 10)
    conv = bind("lv1", relax.op.nn.conv1d(pad.var, w), 11)
    relu = bind("lv2", relax.op.nn.relu(conv.var), 12)
    body = relax.SeqExpr([relax.BindingBlock([pad, conv, relu], span(13))], relu.var, span(14))
    relax.expr._update_type(body, relu.var.ty)
    function = relax.Function([x, w], body, relu.var.ty, True, None, span(15))
    return tvm.IRModule({"main": function.with_attr("global_symbol", "main")})


def lines(function):
    """Lines of the function, of its blocks, of its bindings, and of their values."""
    blocks = list(function.body.blocks)
    bindings = [binding for block in blocks for binding in block.bindings]
    nodes = [function, function.body, *blocks, *bindings, *(binding.value for binding in bindings)]
    return [None if node.span is None else int(node.span.line) for node in nodes]


def test_spans_are_kept_where_a_pad_folds():
    module = build_with_spans([0, 0, 0, 0, 1, 1])
    assert lines(module["main"])[1:] == [14, 13, 10, 11, 12, 20, 21, 22]
    assert lines(fold(module)["main"])[1:] == [14, 13, 11, 12, 21, 22]


def test_spans_are_kept_where_a_pad_of_zero_widths_goes():
    assert lines(fold(build_with_spans([0, 0, 0, 0, 0, 0]))["main"])[1:] == [14, 13, 11, 12, 21, 22]


@I.ir_module
class AllShapes:
    """Whatever a function can consist of, around pads that go, in part or with a correction."""

    @R.function
    def main(x: R.Tensor((1, 3, 8), "int8"), w: R.Tensor((4, 4, 3), "int8"), c: R.Tensor((), "bool")):
        n = T.int64()

        @R.function
        def inner(y: R.Tensor((1, 3, 8), "int8")) -> R.Tensor((1, 3, 8), "int8"):
            unpadded = R.nn.pad(y, (0, 0, 0, 0, 0, 0))
            gv1 = R.nn.relu(unpadded)
            return gv1

        copy = R.nn.pad(x, (0, 0, 0, 0, 0, 0))
        other: R.Tensor((1, 3, n), "int8") = R.match_cast(copy, R.Tensor((1, 3, n), "int8"))
        pair = (copy, w)
        first = pair[0]
        if c:
            chosen = R.nn.relu(copy)
        else:
            chosen = R.abs(copy)
        called = inner(chosen)
        with R.dataflow():
            lv = R.nn.pad(called, (0, 0, 0, 1, 1, 1), "constant", 5.0)
            lv1 = R.nn.relu(lv)
            gv = R.nn.conv1d(lv1, w, out_dtype="int32")
            lv2 = R.nn.pad(called, (0, 0, 0, 1, 1, 1))
            lv3 = R.nn.relu(lv2)
            gv2 = R.nn.conv1d(lv3, w, out_dtype="int32")
            lv4 = R.nn.pad(called, (0, 0, 0, 0, 2, 1))
            lv5 = R.nn.relu(lv4)
            gv3 = R.nn.pad(lv5, (0, 0, 0, 0, -1, 0))
            R.output(gv, gv2, gv3)
        return (gv, gv2, gv3, first, other)


SPAN = ir.Span(ir.SourceName("model.py"), 1, 1, 1, 9)


def spanned(node):
    """The same, each node with a place in a source file."""
    if isinstance(node, relax.Function):
        return relax.Function(node.params, spanned(node.body), node.ret_ty, node.is_pure, node.attrs, SPAN)
    if isinstance(node, relax.BindingBlock):
        return type(node)([spanned(binding) for binding in node.bindings], SPAN)
    if isinstance(node, relax.MatchCast):
        return relax.MatchCast(node.var, node.value, node.ty, SPAN)
    if isinstance(node, relax.VarBinding):
        return relax.VarBinding(node.var, spanned(node.value), SPAN)
    if isinstance(node, ir.Call):
        return ir.Call(node.op, list(node.args), node.attrs, node.ty_args, SPAN, node.ty)
    if isinstance(node, relax.Tuple):
        return relax.Tuple(list(node.fields), SPAN)
    if isinstance(node, relax.TupleGetItem):
        return relax.TupleGetItem(node.tuple_value, node.index, SPAN)
    if isinstance(node, relax.SeqExpr):
        new = relax.SeqExpr([spanned(block) for block in node.blocks], spanned(node.body), SPAN)
    elif isinstance(node, relax.If):
        new = relax.If(node.cond, spanned(node.true_branch), spanned(node.false_branch), SPAN)
    else:
        return node
    relax.expr._update_type(new, node.ty)
    return new


def within(node):
    """The node and all that it consists of but variables and constants."""
    if isinstance(node, relax.Var | ir.GenericConst):
        return
    yield node
    for part in ("body", "value", "true_branch", "false_branch"):
        if getattr(node, part, None) is not None:
            yield from within(getattr(node, part))
    for parts in ("blocks", "bindings"):
        for part in getattr(node, parts, ()):
            yield from within(part)


@pytest.mark.parametrize("channels", ["keep", "slice"])
def test_the_place_in_a_source_file_is_kept_whatever_changes(channels):
    module = tvm.IRModule({"main": spanned(AllShapes["main"])})
    assert all(node.span is not None for node in within(module["main"]))
    folded = fold(module, nonzero="correct", channels=channels)
    kinds = {type(node).__name__ for node in within(folded["main"])}
    assert {"If", "Tuple", "MatchCast", "VarBinding", "Function", "TupleGetItem", "DataflowBlock", "Call"} <= kinds
    assert all(node.span is not None for node in within(folded["main"]))
    names = [
        b.var.name for b in bindings_of(folded) if getattr(b.value, "op", None) == ir.Op.get("relax.strided_slice")
    ]
    assert names == ([] if channels == "keep" else ["weight"])
