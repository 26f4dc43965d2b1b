"""The pass: options, and what it does to a module."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import tvm
from tvm import ir, relax

from foldproof.fold.bindings import has_pads
from foldproof.fold.effects import Effects
from foldproof.fold.facts import Consumer, Kind, Options, PadFacts
from foldproof.fold.pad_kernels import PadKernels, remove_unused
from foldproof.fold.report import Report
from foldproof.fold.rewrite import Folding, fold_function

NONZERO = ("refuse", "correct", "correct-inexact")
CHANNELS = ("keep", "slice")


@tvm.transform.module_pass(opt_level=0, name="FoldExplicitPadding")
class FoldExplicitPadding:
    """Fold explicit pads into the ``padding`` of their consumers, exactly, in every Relax function of a module.

    The rules, with their preconditions, are the classes of ``foldproof.fold.rules``. How a pad passes an op is
    ``foldproof.fold.propagation``. ``p`` is the consumer's own padding, ``w`` are the widths of the pad:

    =========== ===================================================== ==========================================
    rule        before                                                after
    =========== ===================================================== ==========================================
    identity    ``pad(x, 0 everywhere)``, any mode, value, consumer   ``x``
    nested      ``pad(pad(x, v, c), w, c)``                           ``pad(x, v + w, c)``
    cancelled   ``pad(f(pad(x, w, c)), -w)``, any mode and value      ``f(x)``; of other widths what is left of both
    joined      ``add(pad(x, w, a), pad(y, w, b))``, also concat      ``pad(add(x, y), w, a + b)``
    conv        ``conv(pad(x, w, 0), k, padding=p)``, 1d to 3d        ``conv(x, k, padding=p + w)``
    transposed  ``conv_transpose(pad(x, w, 0), k, padding=p)``        ``conv_transpose(x, k, padding=p - w * stride)``
    max_pool    ``max_pool(pad(x, w, lowest), padding=p)``            ``max_pool(x, padding=p + w)``
    bounded     ``max_pool(pad(relu(x), w, 0), padding=p)``           ``max_pool(relu(x), padding=p + w)``
    mirrored    ``max_pool(pad(x, w, mode), padding=p)``, whose       ``max_pool(x, padding=p + w)``
                windows hold the elements that the pad copies
    avg_pool    ``avg_pool(pad(x, w, 0), padding=p)``, counted, or    ``avg_pool(x, padding=p + w,
                without own padding                                   count_include_pad=True)``
    chain       ``op(f(pad(x, w, c)))``                               what the rule of op makes of
                                                                      ``op(pad(f(x), w, f(c)))``
    partial     ``op(pad(x, w), padding=p)``, w on channels, too      ``op(pad(x, w of channels), padding=p + ...)``
    corrected   ``conv(pad(x, w, c), k)`` of integers, c not 0        ``conv(x, k, padding=w) + conv(border of c, k)``
    slice       ``conv(pad(x, zero channels), k)``                    ``conv(x, k[of the real channels])``
    =========== ===================================================== ==========================================

    f is a sequence of up to 64 ops:

    - ``dequantize``, ``quantize``, ``astype``, ``clip``, ``relu``, ``leakyrelu``, ``negative``, ``abs``, ``sign``,
      ``round``, ``floor``, ``ceil``, ``trunc``, ``sqrt``, ``square``;
    - ``add``, ``subtract``, ``multiply``, ``divide``, ``maximum``, ``minimum``, ``power``, ``prelu``, comparisons and
      bitwise ops with a constant, ``where``, ``isfinite``, ``logical_not``, ...;
    - functions at the points where they are known, such as 0: ``tanh``, ``gelu``, ``silu``, ``erf``, ``sigmoid``,
      ``exp``, ...;
    - ops whose operands come from the same pad: ``x * sigmoid(x)``, hardswish, softsign, elu;
    - ``permute_dims``, ``expand_dims``, ``squeeze``, ``reshape`` of unit axes;
    - pads of other axes.

    They may also be elementwise PrimFuncs, as the ONNX frontend emits for a Clip (``foldproof.fold.kernels``).

    An operand may vary per channel, but not along a padded axis. A step with other readers is computed a second time,
    on the tensor that is not padded.

    Two forms of a pad are read: ``relax.nn.pad``, and the ``call_tir`` to a private PrimFunc that the ONNX frontend
    emits. The body of the PrimFunc is proved to be a pad (``foldproof.fold.primfunc``). It goes with its last call.
    After a strided layer the PrimFunc takes symbolic lengths as scalars, which have to be those of the types. A pad of
    either form that is not understood is refused with a reason.
    Other spellings are read, too (``foldproof.fold.spellings``): a ``concat`` of one tensor and constants of one value
    as a pad; after a pad, ``strided_slice``, a piece of ``split`` and ``take`` of a range as a crop. A ``match_cast``
    to the type that its operand has is another name for it.

    Negative widths crop. They fold where own padding does not pad again (it is <= 0), and become negative padding.
    TVM 0.27 executes negative padding, though nothing documents it. Symbolic lengths fold if TVM's analyzer proves that
    the result keeps its shape, and if no length changes what the windows of a pool hold. Everything else is refused
    with a reason, see ``explain``: a pad that cannot fold in the end stays in its place.

    No fold leaves more pads than before: where others read a pad, and a smaller one would stay for this consumer, it is
    refused (``foldproof.fold.shared_pads``).

    No fold crosses a call that may write into what it reads later: in place, in a callee, or unknown
    (``foldproof.fold.effects``).

    **Guarantee.** The folded function returns bit for bit what the unfolded one returns, for every input, on targets
    that execute ops as TVM 0.27 defines them. This holds for float16, float32, float64, bfloat16, int8 to int64 and
    uint8; all other dtypes are refused. It does not hold for ``nonzero="correct-inexact"``, which rounds. Outside the
    guarantee, since TVM leaves it undefined: NaN in the data of a max_pool
    (tests/data/corpus/undefined-nan-max_pool.case.json). A symbolic length is at least 1.

    **Where in a pipeline.** Before LegalizeOps, after which there is no ``nn.pad``. After FoldConstant (constant
    operands), ConvertLayout and ToMixedPrecision, whose ops a pad passes. Before passes that match pad and consumer
    into composite functions. TVM's default pipeline legalizes first, so put the pass before it.

    **Complexity.** Linear in the number of bindings, about 90 us for each (benchmarks/fold_time.py). A module without
    pads costs a single walk, and ``well_formed`` is not asked. The input module is not changed.

    **Sources.** All of TVM 0.27, executed by tests/fold/test_values.py and the fuzzing harness. Convolutions pad with 0
    and sum from +0.0: topi/nn/conv2d.py. max_pool starts from the lowest finite value; avg_pool's divisors and sums:
    include/tvm/topi/nn/pooling.h. The windows of ceil_mode: InferTypePool2D in src/relax/op/nn/pooling.cc.
    Quantization: relax/transform/legalize_ops/qdq.py.

    Args:
        nonzero: What to do with a border that is not zero before a convolution. "refuse" (default) keeps the pad.
            "correct" adds a term, exactly, where data and result are integers. "correct-inexact" adds it where they
            are floats, too. With a constant weight the term is a constant of the size of the result (of batch 1), else
            a convolution of batch 1 at run time. It pays for large batches, or where the pad costs more memory traffic
            than an addition, which later passes fuse into the convolution's epilogue.
        channels: What to do with pads of channels. "keep" (default) leaves them: they are often there for alignment.
            "slice" removes zero channels before an ungrouped convolution by slicing its weight (integers, or a finite
            constant).
        allow_asymmetric: Whether padding may differ between the sides of an axis. TVM's own kernels accept it. Its
            cuDNN conv2d reads two of the four numbers and does not check them, so use False before it. The axes whose
            padding would differ stay in a smaller pad, and the other axes fold.
        allow_negative: Whether padding may be negative. TVM's own kernels accept it. Excluded axes stay likewise.
        accepts: A function that gets a ``Consumer`` as it would be after the fold, and returns whether a backend
            accepts it: padding, count_include_pad, sizes, channels, kernel, dtypes. If it rejects the whole fold, it is
            asked about folds of fewer axes, those of most axes first. None (default) accepts everything.
        check_input: Whether ``well_formed`` checks a module that has pads first (default). It costs more than the pass
            itself. A module without pads is returned unchecked.

    Returns:
        A ``tvm.transform.Pass``. Applied to a module, it returns the folded module, or the same module if nothing
        folds.

    Raises:
        ValueError: If an option has an unknown value, the module has no Relax functions, or it has pads and is not well
            formed.
        TypeError: If an option has a wrong type, or the input is not an IRModule.
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

    @property
    def out_of_scope(self) -> tuple[str, ...]:
        """The kinds of refusals of legal folds that an option asks for: none if the pass is complete."""
        return () if self.complete else (Kind.OPTION.value,)

    def transform_module(self, mod: tvm.IRModule, _ctx: Any) -> tvm.IRModule:
        """Return the module with every foldable pad folded, or ``mod`` itself if there is none. TVM calls this."""
        return self._run(mod, explain=False, check_input=self.check_input)[0]

    def explain(self, mod: tvm.IRModule, *, check_input: bool | None = None) -> tuple[Report, ...]:
        """Return the outcome of each site of ``mod``, and its reason.

        Args:
            mod: A module, which is not changed.
            check_input: Whether ``well_formed`` checks the module; None (default) means as the pass does.

        Returns:
            A ``Report`` for each reader of a pad: function by function, folds first, pads that a fold has made last. It
            names the pad by variable, mode, shape, widths and value. ``str(report)`` is a line to read.
            ``report.outcome`` is ``Folded`` or ``Refused(kind, detail)``. ``foldproof.fold.summary`` counts them.

        Raises:
            ValueError: As the pass does.
            TypeError: As the pass does.
        """
        return self.fold_and_explain(mod, check_input=check_input)[1]

    def fold_and_explain(
        self, mod: tvm.IRModule, *, check_input: bool | None = None
    ) -> tuple[tvm.IRModule, tuple[Report, ...]]:
        """Return the folded module together with what ``explain`` returns, from one run.

        Args:
            mod: A module, which is not changed.
            check_input: Whether ``well_formed`` checks the module; None (default) means as the pass does.

        Returns:
            The folded module, or ``mod`` itself if nothing folds, and the reports.

        Raises:
            ValueError: As the pass does.
            TypeError: As the pass does.
        """
        return self._run(mod, explain=True, check_input=self.check_input if check_input is None else check_input)

    def _run(self, mod: tvm.IRModule, *, explain: bool, check_input: bool) -> tuple[tvm.IRModule, tuple[Report, ...]]:
        _require_functions(mod)
        pads = PadKernels(mod)
        padded = [
            (global_var, function)
            for global_var, function in mod.functions_items()
            if isinstance(function, relax.Function) and has_pads(function.body, pads)
        ]
        if padded and check_input:  # only then: the check costs a hundred times as much as the search for pads
            _require_well_formed(mod)
        effects = Effects(mod, lambda call: isinstance(pads(call), PadFacts))
        folded: dict[ir.GlobalVar, relax.Function] = {}
        reports: list[Report] = []
        for global_var, function in padded:
            new, message = fold_function(self._folding(global_var, pads, effects), function, explain=explain)
            reports += message
            if not new.same_as(function):
                folded[global_var] = new
        if not folded:
            return mod, tuple(reports)
        out = mod.clone()
        for global_var, function in folded.items():
            out.update_func(global_var, function)
        return remove_unused(out, pads), tuple(reports)

    def _folding(self, global_var: ir.GlobalVar, pads: PadKernels, effects: Effects) -> Folding:
        return Folding(
            name=global_var.name_hint,
            prim_pads=pads,
            kernels=pads.elementwise,
            options=self.options,
            accepts=self.accepts,
            effects=effects,
        )


def _require_functions(mod: Any) -> None:
    if not isinstance(mod, tvm.IRModule):
        raise TypeError(f"FoldExplicitPadding takes an IRModule, not {type(mod).__name__}")
    functions = list(mod.functions.values())
    if functions and not any(isinstance(function, relax.Function) for function in functions):
        raise ValueError("FoldExplicitPadding takes a module of Relax functions, and this one has none")


def _require_well_formed(mod: tvm.IRModule) -> None:
    try:
        relax.analysis.well_formed(mod)
    except Exception as error:
        message = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ValueError(f"the module is not well formed: {message[-1] if message else error}") from error


def _choose(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"unknown {name} {value!r}; expected one of {', '.join(choices)}")
