"""Is the fold of a case legal? Asked of the NumPy meaning, never of the pass's rules.

    does  op(steps(x), padding + pads)  equal  op(steps(pad(x)), padding)  on adversarial inputs?

The fold takes the spatial widths of all pads of the data; their batch and channel widths stay in pads. Legality
quantifies over all inputs and geometries, so a single geometry is not enough: a trailing pad that no window reads
makes an illegal fold look right. So the same case is asked again in geometries that read everything.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise, product
from typing import Any

import numpy as np

from foldproof.case import MODES, Axis, Case, Pad, Place, Step, Widths, dtypes
from foldproof.case.parameters import Parameters
from foldproof.case.step import ELEMENTWISE
from foldproof.oracle.compare import bitwise
from foldproof.oracle.fills import inputs
from foldproof.oracle.preimage import border_trace, pad_images
from foldproof.oracle.reference import evaluate_steps, reference
from foldproof.oracle.semantics import Semantics

ADVERSARIAL = ("negative", "integers", "specials", "extremes")
"""Fills that are exact and show padding. Real values add rounding, NaN hides differences."""

SEEDS = (0, 1)
MORE_SEEDS = tuple(range(2, 10))
"""Of the inputs that confirm what is about to be called legal."""


class Legality(StrEnum):
    """The answers. Where several apply it is the one that is asked first: what takes longest is asked last.

    - ``LEGAL``: for every input and every shape.
    - ``UNOBSERVABLE``: no window reads the border, or the steps leave nothing of the data.
    - ``THIS_SHAPE_ONLY``: equal here, but not for every shape.
    - ``UNKNOWN_MODE``: an implementation may take an unknown mode string for ``constant``, but nobody has to rely on
      that; or a mirroring kernel of symbolic lengths with all widths 0 is a copy that the compiler cannot prove.
    - ``NEEDS_NO_FMA``: a target that contracts a product and a sum to one operation gives the border another value.
    - ``UNSPECIFIED``: equal but for what is unspecified in the data itself, and may differ next to a border; or a step
      computes with a border of NaN, or makes an integer of it that wraps, which not every target does alike.
    - ``ILLEGAL``: not equal.
    """

    LEGAL = "legal"
    UNOBSERVABLE = "unobservable"
    THIS_SHAPE_ONLY = "legal for this shape only"
    UNKNOWN_MODE = "unknown mode"
    NEEDS_NO_FMA = "legal without fused multiply-add"
    UNSPECIFIED = "legal where specified"
    ILLEGAL = "illegal"


def legality(case: Case, semantics: Semantics) -> Legality:
    """Whether the spatial widths of the pads of ``case`` may become padding of its consumer."""
    case = replace(case, constant_weight=False)  # it quantifies over the weights too
    if is_unproved_copy(case, semantics):
        return Legality.UNKNOWN_MODE
    if is_identity(case):
        return Legality.LEGAL
    if case.pad.mode not in MODES and any(width != (0, 0) for width in case.pad_widths.values()):
        return Legality.UNKNOWN_MODE
    if not reads_border(case):
        return Legality.UNOBSERVABLE
    if _parameter_meets_border(case):
        return Legality.ILLEGAL
    folds = legal_folds(case, semantics)
    if not folds:
        return Legality.ILLEGAL
    if _loses_data(folds[0], semantics) or _drowns(folds[0], semantics):
        return Legality.UNOBSERVABLE
    if case.ceil_mode and (_crops(case) or set(case.symbolic) & set(case.spec.spatial)):
        return Legality.THIS_SHAPE_ONLY  # a last window may reach what is cropped, or start after the data, or not
    if all(_widens_sum(case, semantics) != _widens_sum(folded, semantics) for folded in folds):
        return Legality.THIS_SHAPE_ONLY  # a sum of few bounded elements wraps in no dtype, one of many does
    if _needs_no_fma(case, semantics):
        return Legality.NEEDS_NO_FMA
    if _leaves_unspecified(case, semantics) or _computes_with_nan(case, semantics) or _wraps(case, semantics):
        return Legality.UNSPECIFIED
    for dense in denser_shapes(case):  # last, since it takes longest: large kernels on all adversarial inputs
        right = legal_folds(dense, semantics)
        if not right:
            return Legality.THIS_SHAPE_ONLY
        if _drowns(right[0], semantics):
            return Legality.UNOBSERVABLE
    # A few inputs may all hide one element, after a weight of 0 or a quotient: once in 246,000 cases they did.
    stands = any(_agree(case, folded, semantics, seeds=MORE_SEEDS) for folded in folds)
    return Legality.LEGAL if stands else Legality.ILLEGAL


def legal_folds(case: Case, semantics: Semantics) -> tuple[Case, ...]:
    """The cases whose pads went into the padding, and which mean the same as ``case``."""
    return tuple(folded for folded in fold_candidates(case) if _agree(case, folded, semantics))


def is_target_dependent(case: Case, semantics: Semantics) -> bool:
    """Whether a border has another value on another target, so that nobody has to fold it."""
    return (
        _needs_no_fma(case, semantics)
        or _leaves_unspecified(case, semantics)
        or _computes_with_nan(case, semantics)
        or _wraps(case, semantics)
    )


def is_identity(case: Case) -> bool:
    """Whether no pad does anything."""
    idle = all(widths == (0, 0) for widths in case.pad_widths.values())
    return idle and all(not any(width[1:]) for step in case.steps for width in step.widths)


def is_unproved_copy(case: Case, semantics: Semantics) -> bool:
    """Whether the pad is a mirroring kernel that only copies, which is not proved where lengths are symbolic."""
    if semantics.proves_symbolic_copies:
        return False
    mirrored = case.pad.form == "call_tir" and case.pad.mode != "constant"
    return mirrored and bool(case.symbolic) and all(widths == (0, 0) for widths in case.pad_widths.values())


def spatial_widths(case: Case) -> dict[str, list[Widths]]:
    """The widths of all pads of the data along each spatial axis, in their order."""
    found = {letter: [axis.pad] for letter, axis in case.lettered_axes}
    for step in case.steps:
        for letter, before, after in step.widths:
            if letter in found:
                found[letter].append((before, after))
    return found


def _crops(case: Case) -> bool:
    """Whether a pad, or the own padding, takes elements away."""
    own = [axis.padding for axis in case.axes]
    return any(min(sides) < 0 for sides in (*own, *(w for pads in spatial_widths(case).values() for w in pads)))


def _widens_sum(case: Case, semantics: Semantics) -> bool:
    """Whether an average of integers is summed in a wider dtype because the pool pads (``reference``)."""
    dtype = case.operand_dtype
    if case.spec.family != "avg_pool" or dtype not in dtypes.INTEGERS:
        return False
    if semantics.average_sum_dtype(dtype, True) == semantics.average_sum_dtype(dtype, False):
        return False
    overhangs = [axis.stride - 1 if case.ceil_mode else 0 for axis in case.axes]
    return any(a.padding[0] or a.padding[1] + more for a, more in zip(case.axes, overhangs, strict=True))


# --- the border ---------------------------------------------------------------------------------------


def reads_border(case: Case) -> bool:
    """Whether a window reads an element that a pad added along a spatial axis, or would have read a cropped one."""
    widths = spatial_widths(case)
    if case.pads_weight:
        return True
    if any(width < 0 for pads in widths.values() for sides in pads for width in sides):
        return True
    added = {letter: (sum(b for b, _ in pads), sum(a for _, a in pads)) for letter, pads in widths.items()}
    if not any(any(sides) for sides in added.values()):
        return True  # nothing to fold: that is no matter of windows
    reads = _spreads if case.spec.transposed else _reads
    return any(reads(case, letter, axis, added[letter]) for letter, axis in case.lettered_axes)


def _spreads(case: Case, letter: str, axis: Axis, added: Widths) -> bool:
    """Whether a transposed convolution spreads an element of the border to a place that its padding does not crop."""
    length = added[0] + axis.size + added[1]
    border = (*range(added[0]), *range(length - added[1], length))
    places = (at * axis.stride + tap * axis.dilation for at, tap in product(border, range(axis.kernel)))
    return any(0 <= place - axis.padding[0] < case.result_dims[letter] for place in places)


def _reads(case: Case, letter: str, axis: Axis, added: Widths) -> bool:
    first, last = added[0], added[0] + axis.size
    for window, tap in product(range(case.result_dims[letter]), range(axis.kernel)):
        at = window * axis.stride + tap * axis.dilation - axis.padding[0]
        if 0 <= at < first or last <= at < last + added[1]:
            return True
    return False


def _parameter_meets_border(case: Case) -> bool:
    """Whether a value that only the run knows is computed with a border: another value than this would break it."""
    adds = any(width > 0 for axis in case.axes for width in axis.pad)
    for step in case.steps:
        if adds and not step.constant:
            return True
        adds = adds or any(
            width > 0 for letter, *sides in step.widths if letter in case.spec.spatial for width in sides
        )
    return False


def _loses_data(folded: Case, semantics: Semantics) -> bool:
    """Whether the steps make the same number of all data, so that a border of that number goes unnoticed anywhere.

    Or nothing finite of any data: sums of infinities of both signs are NaN whatever the border holds.
    """
    numbers: set[float] = set()
    for fill, seed in product(ADVERSARIAL, SEEDS):
        operand = evaluate_steps(folded, inputs(folded, fill, semantics, seed=seed), semantics)[-1].value.astype(
            np.float64
        )
        numbers |= set(operand.reshape(-1).tolist())
    return len(numbers) == 1 or not any(map(math.isfinite, numbers))


def _drowns(folded: Case, semantics: Semantics) -> bool:
    """Whether a pad that stays, of batch or channels, makes NaN or an infinity of every result, whatever the data."""
    if all(map(math.isfinite, pad_images(folded, semantics))):
        return False
    results = (
        reference(folded, inputs(folded, fill, semantics, seed=seed), semantics)
        for fill, seed in product(ADVERSARIAL, SEEDS)
    )
    return not any(np.isfinite(result.value.astype(np.float64)).any() for result in results)


# --- the fold -----------------------------------------------------------------------------------------


def fold_candidates(case: Case) -> Iterator[Case]:
    """The case with all spatial widths in the padding, in each way that could be right.

    None if there are none, or if no padding attribute says them. Batch and channel widths stay in their pads.
    """
    widths = spatial_widths(case)
    if case.pads_weight or not any(any(sides) for pads in widths.values() for sides in pads):
        return
    left = Pad() if case.pad.batch == case.pad.channel == (0, 0) else case.pad
    steps = tuple(kept for step in case.steps if (kept := _without_spatial(case, step)) is not None)
    for flag in (True, False) if case.spec.family == "avg_pool" else (False,):
        try:
            axes = tuple(
                _merged_axis(axis, widths[letter], transposed=case.spec.transposed)
                for letter, axis in case.lettered_axes
            )
            yield replace(case, axes=axes, pad=left, steps=steps, extra_outputs=(), count_include_pad=flag)
        except ValueError:  # no window fits, or a parameter follows what was padded: no attribute says this
            return


def _merged_axis(axis: Axis, pads: list[Widths], *, transposed: bool) -> Axis:
    scale = -axis.stride if transposed else 1
    before, after = (own + scale * sum(sides) for own, sides in zip(axis.padding, zip(*pads, strict=True), strict=True))
    return replace(axis, pad=(0, 0), padding=(before, after))


def _without_spatial(case: Case, step: Step) -> Step | None:
    """A pad without its spatial widths, None if none are left; any other step as it is."""
    if step.kind != "pad":
        return step
    kept = tuple(width for width in step.widths if width[0] not in case.spec.spatial and any(width[1:]))
    return replace(step, widths=kept) if kept else None


def denser_shapes(case: Case) -> Iterator[Case]:
    """The same case in geometries that read everything: stride and dilation 1, no ceil_mode, three kernels.

    A kernel of 1 reads the border alone, one of 2 with a neighbour only (a mirrored border goes unnoticed in a max_pool
    whose windows hold what it mirrors), and the widest reaches from own padding over the explicit border into the data.
    An axis whose length the steps fix keeps it.
    """
    widths = spatial_widths(case)
    fixed = {step.axis for step in (*case.producers, *case.steps) if step.follows_axis}
    fixed |= set(case.spec.spatial) - set(case.pad_order)
    for kernel in (1, 2, 0):
        axes = []
        for letter, axis in case.lettered_axes:
            widest = 2 + max(0, *axis.padding, *(sum(sides) for sides in zip(*widths[letter], strict=True)))
            axes.append(_dense(case, axis, widths[letter], kernel or widest, fixed=letter in fixed))
        try:
            yield replace(case, axes=tuple(axes), ceil_mode=False)
        except ValueError:  # padding that takes everything away from so little
            continue


def _dense(case: Case, axis: Axis, pads: list[Widths], kernel: int, *, fixed: bool) -> Axis:
    """One axis with another kernel, and data as long as that; where its length is fixed, a kernel that fits."""
    dense = replace(axis, stride=1, dilation=1, output_padding=0)
    if fixed:
        most = axis.size + sum(map(sum, pads)) + (0 if case.spec.transposed else sum(axis.padding))
        return replace(dense, kernel=max(1, min(kernel, most)))
    # A transposed convolution crops its result by its padding, so that it needs more data to show anything.
    more = sum(axis.padding) if case.spec.transposed else 0
    return replace(dense, kernel=kernel, size=max(axis.size, kernel) + more)


def _agree(case: Case, folded: Case, semantics: Semantics, *, seeds: Sequence[int] = SEEDS) -> bool:
    """Whether both mean the same on every adversarial input, compared bit by bit.

    Where a value is open (a sum that may overflow), it has to be open in both, and one input must leave nothing open:
    what could not be compared is no agreement.
    """
    if folded.result_dims != case.result_dims:
        return False
    compared = False
    for fill, seed in product(ADVERSARIAL, seeds):
        arrays = inputs(case, fill, semantics, seed=seed)
        want, got = reference(case, arrays, semantics), reference(folded, arrays, semantics)
        if (want.defined != got.defined).any():
            return False
        if bitwise(got.value[want.defined], want.value[want.defined]) is not None:
            return False
        compared = compared or bool(want.defined.all())
    return compared


# --- what nobody has to fold --------------------------------------------------------------------------

_EXTREME_INTEGERS = (0, 1)
_EXTREME_FLOATS = (0.0, 0.5, 1e3, -1e3, math.inf, -math.inf, math.nan)


def _needs_no_fma(case: Case, semantics: Semantics) -> bool:
    """Whether a border's value is a rounded product to which the next step adds: a fused operation rounds once."""
    if not semantics.contracts_products:
        return False
    computing = [place for place in case.step_places if place.step.kind in ELEMENTWISE]
    following = {place.index: after for place, after in pairwise(computing)}
    for place, parameters, read, made in border_trace(case, semantics):
        after = following.get(place.index)
        if after is None or after.step.kind not in ("add", "subtract") or after.dtype not in dtypes.FLOATS:
            continue
        if any(_rounds(place, parameters, i, read[i], made[i]) for i in range(len(read))):
            return True
    return False


def _rounds(place: Place, parameters: Parameters, i: int, read: Any, made: Any) -> bool:
    """Whether element ``i`` of what a step makes is a product, or a quotient, that was rounded."""
    if not (math.isfinite(read) and math.isfinite(made)):
        return False
    step, x = place.step, Fraction(float(read))
    factors = {name: float(values[i % len(values)]) for name, values in parameters.items()}
    if not all(map(math.isfinite, factors.values())):
        return False
    if step.kind == "multiply":
        exact = x * Fraction(factors["operand"])
    elif step.kind == "divide":
        above, below = (Fraction(factors["operand"]), x) if step.swapped else (x, Fraction(factors["operand"]))
        exact = above / below if below else Fraction(float(made))
    elif step.kind == "square":
        exact = x * x
    elif step.kind == "leakyrelu" and x < 0:
        exact = x * Fraction(float(np.array(step.alpha).astype(read.dtype)))
    elif step.kind == "dequantize":
        exact = (x - Fraction(factors["zero_point"])) * Fraction(factors["scale"])
    else:
        return False
    return exact != Fraction(float(made))


def _computes_with_nan(case: Case, semantics: Semantics) -> bool:
    """Whether an elementwise step reads NaN from the border, which not every target computes alike."""
    if semantics.computes_nan_portably:
        return False
    elementwise = (read for place, _, read, _ in border_trace(case, semantics) if place.step.kind in ELEMENTWISE)
    return any(math.isnan(value) for read in elementwise for value in read)


_WHOLE: dict[str, Callable[[int, int], int]] = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "negative": lambda x, _: -x,
    "abs": lambda x, _: abs(x),
    "square": lambda x, _: x * x,
}


def _wraps(case: Case, semantics: Semantics) -> bool:
    """Whether an integer that a step makes of the border does not fit its dtype, which not every target wraps alike."""
    if semantics.wraps_portably:
        return False
    for place, parameters, read, made in border_trace(case, semantics):
        whole = _WHOLE.get(place.step.kind)
        if whole is None or place.dtype not in dtypes.INTEGERS:
            continue
        operands = parameters.get("operand", np.zeros(1, np.int64))
        for i, (x, result) in enumerate(zip(read.tolist(), made.tolist(), strict=True)):
            pair = x, int(operands[i % len(operands)])
            if whole(*(reversed(pair) if place.step.swapped else pair)) != result:
                return True
    return False


def _leaves_unspecified(case: Case, semantics: Semantics) -> bool:
    """Whether the steps after the pad make something unspecified of some value of the data."""
    if case.dtype in dtypes.INTEGERS:
        values: tuple[Any, ...] = (*_EXTREME_INTEGERS, *dtypes.int_range(case.dtype))
    else:
        values = (*_EXTREME_FLOATS, dtypes.HIGHEST[case.dtype], -dtypes.HIGHEST[case.dtype])
    arrays = inputs(case, case.fills[0], semantics)
    for value in values:
        made = evaluate_steps(
            case, arrays | {"x": np.full(arrays["x"].shape, value).astype(arrays["x"].dtype)}, semantics
        )
        if made[-1].unspecified.any() and not made[0].unspecified.any():
            return True
    return False
