"""The pass: options, and what it does to a module."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import tvm
import tvm_ffi
from tvm import ir, relax, tirx

from foldproof.fold.facts import Consumer, Options, PadFacts
from foldproof.fold.primfunc import read_prim_pad
from foldproof.fold.rewrite import Folding, Report, fold_function

NONZERO = ("refuse", "correct", "correct-inexact")
CHANNELS = ("keep", "slice")


@tvm.transform.module_pass(opt_level=0, name="FoldExplicitPadding")
class FoldExplicitPadding:
    """Fold explicit pads into the ``padding`` of their consumers, exactly, in every Relax function of a module.

    The rules, with their preconditions, are the classes of ``foldproof.fold.rules``; how a pad passes an op is
    ``foldproof.fold.propagation``. ``p`` is the consumer's own padding, ``w`` are the widths of the pad:

    =========== ===================================================== ==========================================
    rule        before                                                after
    =========== ===================================================== ==========================================
    identity    ``pad(x, 0 everywhere)``, any mode, value, consumer   ``x``
    nested      ``pad(pad(x, v, c), w, c)``                           ``pad(x, v + w, c)``
    cancelled   ``pad(f(pad(x, w, c)), -w)``, any mode and value      ``f(x)``; of other widths what is left of both
    conv        ``conv(pad(x, w, 0), k, padding=p)``, 1d to 3d        ``conv(x, k, padding=p + w)``
    transposed  ``conv_transpose(pad(x, w, 0), k, padding=p)``        ``conv_transpose(x, k, padding=p - w * stride)``
    max_pool    ``max_pool(pad(x, w, lowest), padding=p)``            ``max_pool(x, padding=p + w)``
    bounded     ``max_pool(pad(relu(x), w, 0), padding=p)``           ``max_pool(relu(x), padding=p + w)``
    avg_pool    ``avg_pool(pad(x, w, 0), padding=p)``, counted, or    ``avg_pool(x, padding=p + w,
                without own padding                                   count_include_pad=True)``
    chain       ``op(f(pad(x, w, c)))``                               what the rule of op says of
                                                                      ``op(pad(f(x), w, f(c)))``
    partial     ``op(pad(x, w), padding=p)``, w on channels, too      ``op(pad(x, w of channels), padding=p + ...)``
    corrected   ``conv(pad(x, w, c), k)`` of integers, c not 0        ``conv(x, k, padding=w) + conv(border of c, k)``
    slice       ``conv(pad(x, zero channels), k)``                    ``conv(x, k[of the real channels])``
    =========== ===================================================== ==========================================

    f is any sequence of up to 64 of: ``dequantize``, ``quantize``, ``astype``, ``clip``, ``relu``, ``leakyrelu``,
    ``negative``, ``abs``, ``sign``, ``round``, ``floor``, ``ceil``, ``trunc``, ``sqrt``, ``square``; ``add``,
    ``subtract``, ``multiply``, ``divide``, ``maximum``, ``minimum`` with a constant; functions with f(0) = 0 at 0
    (``tanh``, ``gelu``, ``silu``, ``erf``, ``sin``, ...); ``permute_dims``, ``expand_dims``, ``squeeze``, ``reshape``
    of unit axes; pads of other axes. Per-channel operands are fine, operands that vary along a padded axis are not. A
    step that others read too is computed a second time, on the tensor that is not padded.

    Both forms of a pad are read: ``relax.nn.pad``, and the ``call_tir`` to a private PrimFunc that the ONNX frontend
    emits, whose body is proved to be a pad (``foldproof.fold.primfunc``); the PrimFunc goes with its last call.

    Negative widths crop. They fold where nothing is padded again after them (own padding <= 0), and become negative
    padding, which TVM 0.27 executes though nothing documents it. Symbolic lengths fold if TVM's analyzer proves that
    the result keeps its shape, and never under ceil_mode. Everything else is refused with a reason, see ``explain``:
    a pad that cannot fold in the end stays where it was.

    **Guarantee.** The folded function returns bit for bit what the unfolded one returns, for every input, on targets
    that execute ops as TVM 0.27 defines them, for float16, float32, float64, bfloat16, int8 to int64 and uint8 (all
    others are refused). Not so by ``nonzero="correct-inexact"``, which rounds. Outside the guarantee, since TVM
    leaves it undefined: NaN in the data of a max_pool (tests/data/corpus/undefined-nan-max_pool.case.json).

    **Options**, all keyword-only; a wrong value raises ValueError or TypeError:

    - ``nonzero``: what becomes of a border that is not zero before a convolution. "refuse" (default); "correct"
      adds a term that makes up for it, exactly, where data and result are integers; "correct-inexact" also where they
      are floats. With a constant weight the term is a constant of the size of the result (of batch 1), else a
      convolution of batch 1 at run time: it pays for large batches, or where the pad costs more memory traffic than
      an addition, which later passes fuse into the convolution's epilogue.
    - ``channels``: "keep" (default) leaves pads of channels, which are often put there for alignment; "slice" removes
      zero channels before an ungrouped convolution by slicing its weight (integers, or constants that are
      finite).
    - ``allow_asymmetric``, ``allow_negative``: False refuses what a backend does not take. TVM's own kernels take
      both; its cuDNN conv2d reads two of the four numbers and checks nothing, so say ``allow_asymmetric=False`` in
      front of it.
    - ``accepts``: a function of the ``Consumer`` with its new padding; False refuses.
    - ``check_input``: whether ``well_formed`` is asked first (default), which costs more than the pass itself.

    **Where in a pipeline.** Before LegalizeOps, which leaves no ``nn.pad`` to see; after FoldConstant (constant
    operands), ConvertLayout and ToMixedPrecision (what they put in between is seen through); before passes that match
    pad and consumer into composite functions. TVM's default pipeline legalizes first thing, so put the pass before it
    of it.

    **Complexity.** Linear in the number of bindings, about 90 us for each (benchmarks/fold_time.py), without pads a
    single walk. The input module is left untouched. Raises TypeError for what is no IRModule, ValueError for one
    without Relax functions or that is not well formed.

    **Sources.** Convolutions pad with 0 and sum from +0.0: topi/nn/conv2d.py. max_pool starts from the lowest finite
    value, avg_pool's divisors and sums: include/tvm/topi/nn/pooling.h. The windows of ceil_mode: InferTypePool2D in
    src/relax/op/nn/pooling.cc. Quantization: relax/transform/legalize_ops/qdq.py. All of TVM 0.27, and executed by
    tests/fold/test_values.py and the fuzzing harness.
    """

    def __init__(
        self,
        *,
        nonzero: str = "refuse",
        channels: str = "keep",
        allow_asymmetric: bool = True,
        allow_negative: bool = True,
        accepts: Callable[[Consumer], bool] | None = None,
        check_input: bool = True,
    ) -> None:
        _choose("nonzero", nonzero, NONZERO)
        _choose("channels", channels, CHANNELS)
        flags = {"allow_asymmetric": allow_asymmetric, "allow_negative": allow_negative, "check_input": check_input}
        for name, value in flags.items():
            if not isinstance(value, bool):
                raise TypeError(f"{name} must be True or False, not {value!r}")
        if accepts is not None and not callable(accepts):
            raise TypeError(f"accepts must be a function of a Consumer, not {accepts!r}")
        self.options = Options(
            nonzero=nonzero, channels=channels, allow_asymmetric=allow_asymmetric, allow_negative=allow_negative
        )
        self.accepts, self.check_input = accepts, check_input

    if TYPE_CHECKING:  # mypy does not see that the decorator makes this a tvm.transform.Pass

        def __call__(self, mod: tvm.IRModule) -> tvm.IRModule: ...

    @property
    def complete(self) -> bool:
        """Whether every legal fold is made: no option excludes any."""
        return self.options.allow_asymmetric and self.options.allow_negative and self.accepts is None

    def transform_module(self, mod: tvm.IRModule, _ctx: Any) -> tvm.IRModule:
        """Called by TVM: the module with every foldable pad folded; ``mod`` itself if there is none."""
        return self._run(mod, explain=False, check_input=self.check_input)[0]

    def explain(self, mod: tvm.IRModule, *, check_input: bool | None = None) -> tuple[Report, ...]:
        """What the pass does with each site of ``mod``, and why: a ``Report`` for each operand that a pad is.

        Function by function, those that fold first, pads that a fold has made last. ``str(report)`` is a line to read;
        ``report.outcome`` is ``Folded`` or ``Refused(kind, detail)``. Raises what the pass raises.
        ``check_input`` is the pass's own unless it is given.
        """
        return self.fold_and_explain(mod, check_input=check_input)[1]

    def fold_and_explain(
        self, mod: tvm.IRModule, *, check_input: bool | None = None
    ) -> tuple[tvm.IRModule, tuple[Report, ...]]:
        """What the pass makes of ``mod``, and what ``explain`` says of it, in one go: to log what was done.

        The module is ``mod`` itself if nothing folds. Raises what the pass raises.
        """
        return self._run(mod, explain=True, check_input=self.check_input if check_input is None else check_input)

    def _run(self, mod: tvm.IRModule, *, explain: bool, check_input: bool) -> tuple[tvm.IRModule, tuple[Report, ...]]:
        self._require(mod, check_input=check_input)
        pads = _PrimPads(mod)
        folded: dict[ir.GlobalVar, relax.Function] = {}
        reports: list[Report] = []
        for global_var, function in mod.functions_items():
            if isinstance(function, relax.Function):
                new, message = fold_function(self._folding(global_var, pads), function, explain=explain)
                reports += message
                if not new.same_as(function):
                    folded[global_var] = new
        if not folded:
            return mod, tuple(reports)
        out = mod.clone()
        for global_var, function in folded.items():
            out.update_func(global_var, function)
        return _without_unused(out, pads), tuple(reports)

    def _folding(self, global_var: ir.GlobalVar, pads: "_PrimPads") -> Folding:
        return Folding(name=global_var.name_hint, prim_pads=pads, options=self.options, accepts=self.accepts)

    def _require(self, mod: Any, *, check_input: bool) -> None:
        if not isinstance(mod, tvm.IRModule):
            raise TypeError(f"FoldExplicitPadding takes an IRModule, not {type(mod).__name__}")
        functions = list(mod.functions.values())
        if functions and not any(isinstance(function, relax.Function) for function in functions):
            raise ValueError("FoldExplicitPadding takes a module of Relax functions, and this one has none")
        if check_input:
            try:
                relax.analysis.well_formed(mod)
            except Exception as error:
                message = [line.strip() for line in str(error).splitlines() if line.strip()]
                raise ValueError(f"the module is not well formed: {message[-1] if message else error}") from error


def _choose(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} {value!r} is none of {', '.join(choices)}")


class _PrimPads:
    """The PrimFuncs of a module that are pads, each read once. ``read`` are those that were asked for."""

    def __init__(self, mod: tvm.IRModule) -> None:
        self._mod = mod
        self.read: dict[ir.GlobalVar, PadFacts | None] = {}

    def __call__(self, global_var: ir.GlobalVar) -> PadFacts | None:
        if global_var not in self.read:
            function = self._mod.functions.get(global_var)
            facts = read_prim_pad(function) if isinstance(function, tirx.PrimFunc) else None
            self.read[global_var] = facts if facts is not None and _fits_nn_pad(facts) else None
        return self.read[global_var]


def _fits_nn_pad(facts: PadFacts) -> bool:
    """Whether ``nn.pad``, which has its value as a double, can say what the kernel does: an int64 may be too long."""
    return isinstance(facts.value, float) or float(facts.value) == facts.value


def _without_unused(mod: tvm.IRModule, pads: _PrimPads) -> tvm.IRModule:
    """Without the private pad PrimFuncs that nothing calls any more."""
    candidates = [
        global_var
        for global_var, facts in pads.read.items()
        if facts is not None and "global_symbol" not in (mod[global_var].attrs or {})
    ]
    if not candidates:
        return mod
    called = {name for function in mod.functions.values() for name in _called(function)}
    for global_var in candidates:
        if global_var not in called:
            del mod[global_var]
    return mod


def _called(function: Any) -> list[Any]:
    """The functions of the module that a function, of Relax or TIR, names."""
    found: list[Any] = []
    tvm_ffi.structural_walk(function, (ir.GlobalVar, found.append))
    return found
