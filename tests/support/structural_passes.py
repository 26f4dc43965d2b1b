"""Passes that fold right, but forget one thing about the structure of a module."""

from typing import Any

import tvm
from tvm import ir, relax

from foldproof.fold import FoldExplicitPadding

CONVS = {name: getattr(relax.op.nn, name) for name in ("conv1d", "conv2d", "conv3d")}
POOLS = {name: getattr(relax.op.nn, name) for name in ("max_pool1d", "max_pool2d", "max_pool3d")}


def _values(function) -> dict[Any, Any]:
    """Variable -> value, of all blocks and branches."""
    found: dict[Any, Any] = {}

    def visit(sequence):
        for block in sequence.blocks:
            for binding in block.bindings:
                value = getattr(binding, "value", None)
                found[binding.var] = value
                if isinstance(value, relax.If):
                    visit(value.true_branch)
                    visit(value.false_branch)

    visit(function.body)
    return found


def _widths(pad, layout, neutral) -> list[int] | None:
    """The widths of a pad of spatial axes with the neutral value, as a padding; None for another pad."""
    is_pad = isinstance(pad, ir.Call) and isinstance(pad.op, ir.Op) and pad.op.name == "relax.nn.pad"
    if not is_pad or pad.attrs.pad_mode != "constant" or float(pad.attrs.pad_value) != neutral:
        return None
    flat = [int(width) for width in pad.attrs.pad_width]
    sides = {letter: flat[2 * i : 2 * i + 2] for i, letter in enumerate(layout)}
    if any(sides.pop("N") + sides.pop("C")) or any(width < 0 for pair in sides.values() for width in pair):
        return None
    return [sides[x][side] for side in (0, 1) for x in sorted(sides, key="DHW".index)]


def _fold(call, data, widths) -> Any:
    """The convolution of other data, with a larger padding."""
    attrs = call.attrs
    rank = len(attrs.strides)
    own = [int(width) for width in attrs.padding]
    padding = [a + b for a, b in zip(own, widths, strict=True)] if len(own) == 2 * rank else None
    if padding is None:
        return None
    name = call.op.name.removeprefix("relax.nn.")
    if name in POOLS:
        names = ("pool_size", "strides", "dilation", "ceil_mode", "layout")
        return POOLS[name](data, padding=padding, **{each: getattr(attrs, each) for each in names})
    names = ("strides", "dilation", "groups", "data_layout", "kernel_layout")
    named = {each: getattr(attrs, each) for each in names}
    return CONVS[name](data, call.args[1], padding=padding, out_dtype=attrs.out_dtype or None, **named)


class Folder:
    """A pass that folds pads with 0 into convolutions. Subclasses forget something."""

    def __call__(self, module):
        changed = {}
        for var, function in sorted(module.functions.items(), key=lambda item: item[0].name_hint):
            new = function
            if isinstance(function, relax.Function):
                new = self.rewrite(module, function)
            changed[var] = new
        return (
            tvm.IRModule(changed, module.attrs) if any(not changed[v].same_as(module[v]) for v in changed) else module
        )

    def pad_of(self, var, values) -> Any:
        """What a variable is bound to, as far as the pass knows."""
        return values.get(var)

    def may_read(self, data) -> bool:
        """Whether the consumer, wherever it stands, may read the data of a pad."""
        return not isinstance(data, relax.DataflowVar)

    def rewrite(self, module, function):
        values, outer = _values(function), self
        folded: list[Any] = []

        @relax.expr_functor.mutator
        class Rewrite(relax.PyExprMutator):
            def visit_call_(self, call):
                name = call.op.name.removeprefix("relax.nn.") if isinstance(call.op, ir.Op) else ""
                if name in CONVS or name in POOLS:
                    pad = outer.pad_of(call.args[0], values)
                    layout = str(call.attrs.data_layout if name in CONVS else call.attrs.layout)
                    neutral = 0.0 if name in CONVS else -float("inf")
                    widths = _widths(pad, layout, neutral) if pad is not None else None
                    same = pad is not None and widths is not None and outer.may_read(pad.args[0])
                    if same and (new := _fold(call, pad.args[0], widths)) is not None:
                        folded.append(call.args[0])
                        return self.visit_expr_post_order(new)
                return self.visit_expr_post_order(call)

        new = Rewrite(module).visit_expr(function)
        return outer.finish(new, folded) if folded else function

    def finish(self, function, folded):
        return relax.analysis.remove_all_unused(function)


class IgnoringScopes(Folder):
    """Lets a consumer read the data of its pad across blocks, branches and calls."""

    def may_read(self, data) -> bool:
        return True


class FirstFunctionOnly:
    """Folds every legal pad of the entry function."""

    def __call__(self, module):
        folded = {var.name_hint: function for var, function in FoldExplicitPadding()(module).functions.items()}
        kept = {v: folded[v.name_hint] if v.name_hint == "main" else f for v, f in module.functions.items()}
        return tvm.IRModule(kept, module.attrs) if any(not kept[v].same_as(module[v]) for v in kept) else module


class MemoByName(Folder):
    """Remembers pads by the names of their variables."""

    def __init__(self):
        self._memo: dict[str, Any] = {}

    def __call__(self, module):
        self._memo = {}
        return super().__call__(module)

    def pad_of(self, var, values):
        if not isinstance(var, relax.Var):
            return None
        found = values.get(var)
        return self._memo.setdefault(var.name, found) if found is not None else None


class DroppingSharedPads(Folder):
    """Gives every reader of a pad that it folded the data before the pad."""

    def finish(self, function, folded):
        values = _values(function)
        gone = {var: values[var].args[0] for var in folded if var in values and isinstance(var, relax.Var)}

        @relax.expr_functor.mutator
        class Forward(relax.PyExprMutator):
            def visit_var_(self, var):
                return super().visit_var_(gone.get(var, var))

            def visit_dataflow_var_(self, var):
                return super().visit_dataflow_var_(gone.get(var, var))

        return relax.analysis.remove_all_unused(Forward().visit_expr(function))
