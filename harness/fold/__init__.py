"""FoldExplicitPadding: fold ``nn.pad`` into the padding of the convolution or pool that consumes it.

    x -> nn.pad -> conv2d(padding=p)      becomes      x -> conv2d(padding=p + widths)

``site`` reads the IR into ``facts``, ``rules`` decide (pure Python), ``rewrite`` edits. Nothing here needs the rest of
the harness.
"""

from typing import Any

import tvm
from tvm import relax

from harness.fold.facts import Folded, Kind, Outcome, Refused
from harness.fold.rewrite import Report, fold_function

__all__ = ["FoldExplicitPadding", "Folded", "Kind", "Outcome", "Refused", "Report"]


@tvm.transform.module_pass(opt_level=0, name="FoldExplicitPadding")
class FoldExplicitPadding:
    """Fold explicit pads into the ``padding`` of their consumers, exactly, in every Relax function of a module.

    Folds (the rules, with their preconditions, are the classes of ``harness.fold.rules``):

    =========================  ====================================================================================
    identity                   ``nn.pad`` with widths all 0: deleted, whatever its mode, value and consumer
    conv                       ``conv1d/2d/3d(nn.pad(x, 0), w, padding=p)`` to ``conv(x, w, padding=p + widths)``
    conv_transpose             ``conv1d/2d/3d_transpose(nn.pad(x, 0), w, padding=p)`` to
                               ``conv_transpose(x, w, padding=p - widths * strides)``, negative results included
    max_pool                   pad value at most the lowest finite value of the dtype (bfloat16: -inf), TVM's own
    avg_pool                   pad value 0; counted (``count_include_pad``), or no own padding and then counted
    dequantize-conv, ...       a pad of the zero point in front of a dequantize, which maps it to exactly 0.0
    =========================  ====================================================================================

    Negative widths crop. They fold where nothing is padded again behind them (own padding <= 0), and become negative
    padding, which TVM 0.27 executes though nothing documents it.

    Everything else is refused with a reason, see ``explain``. A pad goes when nothing reads it any more; one with
    further readers stays for them.

    Guarantee: the folded function returns bit for bit what the unfolded one returns, for every input, on targets that
    execute ops as TVM 0.27 defines them. Outside the guarantee, since TVM leaves it undefined: NaN in the data of a
    max_pool (tests/corpus/undefined-nan-max_pool.case.json).

    The input module is left untouched. Time is linear in the number of bindings.
    """

    def transform_module(self, mod: tvm.IRModule, _ctx: Any) -> tvm.IRModule:
        """Called by TVM: the module with every foldable pad folded; ``mod`` itself if there is none."""
        folded = {}
        for global_var, function in mod.functions_items():
            if isinstance(function, relax.Function):
                new, _ = fold_function(global_var.name_hint, function)
                if not new.same_as(function):
                    folded[global_var] = new
        if not folded:
            return mod
        out = mod.clone()
        for global_var, function in folded.items():
            out.update_func(global_var, function)
        return out

    def explain(self, mod: tvm.IRModule) -> tuple[Report, ...]:
        """What the pass does with each site of ``mod``, and why: a ``Report`` for each operand that a pad is.

        Function by function, those that fold first.

        ``str(report)`` is a line to read; ``report.outcome`` is ``Folded`` or ``Refused(kind, detail)``.
        """
        reports: list[Report] = []
        for global_var, function in mod.functions_items():
            if isinstance(function, relax.Function):
                reports += fold_function(global_var.name_hint, function)[1]
        return tuple(reports)
