"""Is the fold of a case legal? Asked of the NumPy meaning, never of the pass's rules.

    does  op(x, padding + pad)  equal  op(pad(x), padding)  on adversarial inputs?

Legality quantifies over all inputs and geometries, so a single geometry is not enough: a trailing pad that no window
reads makes an illegal fold look right. So the same case is asked again in geometries that read everything.
"""

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from itertools import product

from harness.case import MODES, Axis, Case, Pad
from harness.compare import bitwise
from harness.inputs import inputs
from harness.reference import reference

ADVERSARIAL = ("negative", "integers", "specials", "extremes")
"""Fills that are exact and show padding. Real values add rounding, NaN hides differences."""

SEEDS = (0, 1)


class Legality(StrEnum):
    """``VACUOUS``: no window reads the border. ``GEOMETRY``: equal here, but not in every geometry.

    ``UNKNOWN_MODE``: TVM takes an unknown mode string for ``constant``, but nobody has to rely on that.
    """

    LEGAL = "legal"
    VACUOUS = "vacuous"
    GEOMETRY = "legal by geometry"
    UNKNOWN_MODE = "unknown mode"
    ILLEGAL = "illegal"


def legality(case: Case) -> Legality:
    """Whether the pad of ``case`` may become padding of its consumer."""
    if is_identity(case):
        return Legality.LEGAL
    if case.pad.mode not in MODES:
        return Legality.UNKNOWN_MODE
    if not border_is_read(case):
        return Legality.VACUOUS
    if not all(step.constant for step in case.steps):
        return Legality.ILLEGAL  # it quantifies over the parameters too, and another zero point than this breaks it
    if not any(True for _ in right_folds(case)):
        return Legality.ILLEGAL
    if case.ceil_mode and any(min(*axis.pad, *axis.padding) < 0 for axis in case.axes):
        return Legality.GEOMETRY  # a last window may reach what is cropped, or not
    for dense in _denser(case):
        if not any(True for _ in right_folds(dense)):
            return Legality.GEOMETRY
    return Legality.LEGAL


def right_folds(case: Case) -> Iterator[Case]:
    """The cases whose pad went into the padding, and which mean the same as ``case``."""
    return (folded for folded in merged(case) if _agree(case, folded))


def is_identity(case: Case) -> bool:
    """Whether the pad does nothing."""
    return all(widths == (0, 0) for widths in case.pad_widths.values())


def border_is_read(case: Case) -> bool:
    """Whether a window reads an element that the pad added, or would have read one that it cropped."""
    if case.pads_weight or any(case.pad.batch) or any(case.pad.channel):
        return True
    if any(width < 0 for axis in case.axes for width in axis.pad) or case.spec.transposed:
        return True
    return any(_reads_border(case, letter, axis) for letter, axis in case.lettered_axes)


def _reads_border(case: Case, letter: str, axis: Axis) -> bool:
    first, last = axis.pad[0], axis.pad[0] + axis.size
    for window, tap in product(range(case.result_dims[letter]), range(axis.kernel)):
        at = window * axis.stride + tap * axis.dilation - axis.padding[0]
        if 0 <= at < first or last <= at < last + axis.pad[1]:
            return True
    return False


def merged(case: Case) -> Iterator[Case]:
    """The case with its pad in the padding, in each way that could be right; none if no padding attribute says it."""
    if case.pads_weight or any(case.pad.batch) or any(case.pad.channel):
        return
    counted = (True, False) if case.spec.family == "avg_pool" else (False,)
    for flag in counted:
        try:
            axes = tuple(_merged_axis(axis, transposed=case.spec.transposed) for axis in case.axes)
            yield replace(case, axes=axes, pad=Pad(), uses=(), count_include_pad=flag)
        except ValueError:  # negative padding, or no window fits: no attribute says this
            return


def _merged_axis(axis: Axis, *, transposed: bool) -> Axis:
    scale = -axis.stride if transposed else 1
    before, after = (own + width * scale for own, width in zip(axis.padding, axis.pad, strict=True))
    return replace(axis, pad=(0, 0), padding=(before, after))


def _denser(case: Case) -> Iterator[Case]:
    """The same case in geometries that read everything: stride and dilation 1, no ceil_mode, three kernels.

    A kernel of 1 reads the border alone, one of 2 with a neighbour only (a mirrored border goes unnoticed in a max_pool
    whose windows hold what it mirrors), and the widest reaches from own padding over the explicit border into the data.
    """
    for widen in (lambda _: 1, lambda _: 2, lambda axis: 2 + max(0, *axis.pad, *axis.padding)):
        axes = tuple(replace(a, stride=1, dilation=1, output_padding=0, kernel=widen(a)) for a in case.axes)
        # A transposed convolution crops its result by its padding, so that it needs more data to show anything.
        more = [sum(a.padding) if case.spec.transposed else 0 for a in axes]
        longer = tuple(replace(a, size=max(a.size, a.kernel) + n) for a, n in zip(axes, more, strict=True))
        kept = tuple(replace(new, kernel=old.kernel) for new, old in zip(axes, case.axes, strict=True))
        for candidate in (longer, kept):
            try:
                yield replace(case, axes=candidate, ceil_mode=False)
                break
            except ValueError:  # the parameters of a dequantize follow a spatial axis, which keeps its length
                continue


def _agree(case: Case, folded: Case) -> bool:
    """Whether both mean the same on every adversarial input, compared bit by bit.

    Where a value is open (a sum that may overflow), it has to be open in both, and one input must leave nothing open:
    what could not be compared is no agreement.
    """
    if folded.result_dims != case.result_dims:
        return False
    compared = False
    for fill, seed in product(ADVERSARIAL, SEEDS):
        arrays = inputs(replace(case, seed=seed), fill)
        want, got = reference(case, arrays), reference(folded, arrays)
        if (want.defined != got.defined).any():
            return False
        if bitwise(got.value[want.defined], want.value[want.defined]) is not None:
            return False
        compared = compared or bool(want.defined.all())
    return compared
