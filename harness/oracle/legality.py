"""Whether the fold of a case is legal, decided by the NumPy meaning, never by the rules of a pass.

    does  op(steps(x), padding + pads)  equal  op(steps(pad(x)), padding)  on adversarial inputs?

The fold takes the spatial widths of all pads of the data. Their batch and channel widths stay in pads. Legality
quantifies over all inputs and shapes, so one shape is not enough: a trailing pad that no window reads makes an illegal
fold look right. So the same question is asked again in denser shapes, whose windows read every element.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import chain

from foldproof.case import MIRRORED_MODES, MODES, Case, dtypes
from foldproof.case.step import CROPS
from foldproof.oracle.adversarial import MORE_SEEDS, SEEDS, adversarial_inputs, uniform_inputs
from foldproof.oracle.compare import bitwise
from foldproof.oracle.fold_candidates import denser_shapes, fold_candidates, other_lengths, spatial_widths
from foldproof.oracle.observability import drowns_data, loses_data, reads_border
from foldproof.oracle.pools import has_padding
from foldproof.oracle.portability import computes_with_nan, leaves_unspecified, needs_no_fma, wraps_border
from foldproof.oracle.reference import reference
from foldproof.oracle.semantics import Semantics
from foldproof.oracle.window_data import reads_same_data
from foldproof.oracle.zeros import keeps_zeros


class Legality(StrEnum):
    """Whether the spatial widths of the pads may become padding of the consumer.

    Where several answers apply, ``legality`` returns the one that it decides first. ``MissedFold`` is raised for
    ``LEGAL`` only: every other answer means that a pass may leave the pad.
    """

    LEGAL = "legal"
    """The fold returns the same bits for every input, in this shape and in every denser one.

    Example: a pad with 0 before a convolution, or with -inf before a max_pool. Pads of widths 0 are legal too.

    A pool over a symbolic length is legal too if the fold is equal for every length, with the windows as they are.
    Example: relu, a pad of 1 with 0, a max_pool of kernel 3, on an axis of unknown length. No window is without data.
    """

    UNOBSERVABLE = "unobservable"
    """Nothing of the border reaches the result, so the fold is neither right nor wrong.

    Either no window reads the border, or the result hides it: the steps leave one number, or nothing finite, of all
    data, or a remaining pad makes every result NaN or infinite.

    Example: a trailing pad of 1 after 4 elements, before a max_pool of kernel 2 and stride 2. Its windows read the
    elements 0 and 1, then 2 and 3, and never the border.
    """

    THIS_SHAPE_ONLY = "legal for this shape only"
    """The fold is equal in this shape, but another shape with the same widths would show a difference.

    It is decided in one of three ways:

    - Denser shapes: the case is evaluated again with stride 1, dilation 1, no ``ceil_mode`` and three kernels: 1, 2,
      and one that reaches from own padding over the border into the data. In one of these shapes no fold is equal.
    - ``ceil_mode`` with a crop, or with a symbolic spatial length of which some value shows a difference: it depends on
      the length whether a last window starts, and what it reads.
    - An average of integers that is summed in a wider dtype as soon as the pool pads: a sum of few small elements wraps
      in neither dtype, a sum of many wraps in one.

    Example: relu, a pad of 1 with 0, a max_pool of kernel 3 and stride 2. Every window holds data, which is at least 0,
    so neither 0 nor the lowest value changes a maximum. With a kernel of 1, a window reads the border alone: 0 before
    the fold, the lowest value after it.
    """

    UNKNOWN_MODE = "unknown mode"
    """The pad mode does not say what the border holds, or the compiler cannot prove that a mirroring pad only copies.

    Example: ``mode="edge"``. An implementation may take an unknown string for ``constant``, but no pass has to rely on
    that. The other example is a mirroring ``call_tir`` kernel with symbolic lengths.
    """

    NEEDS_NO_FMA = "legal without fused multiply-add"
    """Equal if every operation rounds, but a target may contract a product and a sum to one rounding.

    Example: a pad with 0.1f, then multiply by 0.1f and subtract 0.010000000707805157. The rounded product minus that
    number is exactly 0, which a convolution pads with. A fused multiply-add leaves about -4e-10.
    """

    UNSPECIFIED = "legal where specified"
    """Equal wherever the values are specified on every target, but not beyond.

    Either the steps leave some data unspecified, or a step computes with a border of NaN, or it makes an integer of the
    border that wraps. Or copies before a max_pool change the order of elements, of which 0.0 and -0.0 are equal.

    Example: a cast of float32 to int8 between pad and consumer, since data of 300.0 has no specified value in int8. Or
    relu of a border of NaN, which may be 0 on one target and NaN on another.
    """

    STRUCTURE = "legal, but out of sight"
    """Legal for a site alone, but a pass need not see through what stands around it in a graph.

    Example: the pad in one function and its consumer in another, or a packed function between them.
    """

    SHARED = "legal, but another pad would stay"
    """Legal, but the graph would have more pads than before: others read the pad, and a smaller one has to stay.

    Example: a pad of the batch and of the length before a convolution, which the function also returns. The convolution
    pads the length itself, and needs a pad of the batch alone. The first pad stays for the return.
    """

    ILLEGAL = "illegal"
    """Some input shows a difference, or no padding attribute can express the fold.

    Example: a pad with 1 before a convolution, which pads with 0.
    """


def legality(case: Case, semantics: Semantics) -> Legality:
    """Return whether the spatial widths of the pads of a case may become padding of its consumer.

    Args:
        case: the case. Its fills and its seed do not matter, since legality quantifies over inputs and weights.
        semantics: the choices of the IR.

    Returns:
        The first answer that applies. What takes longest is asked last.
    """
    case = replace(case, constant_weight=False)  # legality quantifies over the weights too
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
    if loses_data(folds[0], semantics) or drowns_data(folds[0], semantics):
        return Legality.UNOBSERVABLE
    is_open = bool(set(case.symbolic) & set(case.spec.spatial))
    if case.ceil_mode and (_crops(case) or (is_open and not _keeps_windows(case, semantics))):
        return Legality.THIS_SHAPE_ONLY  # a last window may read what is cropped, or start after the data, or not
    if all(_widens_sum(case, semantics) != _widens_sum(folded, semantics) for folded in folds):
        return Legality.THIS_SHAPE_ONLY  # a sum of few small elements wraps in neither dtype, a sum of many in one
    if needs_no_fma(case, semantics):
        return Legality.NEEDS_NO_FMA
    if _mirrors(case) and is_unread_kernel(case, semantics):
        return Legality.UNKNOWN_MODE
    if _mirrors(case) and not keeps_zeros(case, semantics):
        return Legality.UNSPECIFIED
    if leaves_unspecified(case, semantics) or computes_with_nan(case, semantics) or wraps_border(case, semantics):
        return Legality.UNSPECIFIED
    for dense in denser_shapes(case):  # late, since it takes long: large kernels on all adversarial inputs
        dense_folds = legal_folds(dense, semantics)
        if not dense_folds:
            if is_open and _is_legal_by_windows(case, semantics):
                break
            return Legality.THIS_SHAPE_ONLY
        if drowns_data(dense_folds[0], semantics):
            return Legality.UNOBSERVABLE
    # A few inputs may all hide one element, after a weight of 0 or a quotient: once in 246,000 cases they did.
    confirmed = any(_agree(case, folded, semantics, seeds=MORE_SEEDS) for folded in folds)
    if not confirmed:
        return Legality.ILLEGAL
    return Legality.SHARED if leaves_another_pad(case) else Legality.LEGAL


def legal_folds(case: Case, semantics: Semantics) -> tuple[Case, ...]:
    """Return the folds that mean the same as the case.

    Which elements of the data a max_pool reads is decided exactly. All else is compared on adversarial inputs.

    Args:
        case: the case.
        semantics: the choices of the IR.

    Returns:
        Cases without spatial pads, whose widths are in the padding: none, one, or two for an average pool.
    """
    return tuple(folded for folded in fold_candidates(case) if _is_legal(case, folded, semantics))


def is_identity(case: Case) -> bool:
    """Whether all widths of all pads are 0."""
    identity = all(widths == (0, 0) for widths in case.pad_widths.values())
    return identity and all(not any(width[1:]) for step in case.steps for width in step.widths)


def leaves_another_pad(case: Case, *, kept: str = "NC") -> bool:
    """Whether a fold leaves a smaller pad beside the one that others read.

    Args:
        case: the case.
        kept: the letters of the axes whose widths do not fold.
    """
    if not case.extra_outputs or case.pads_weight:
        return False
    if any(any(width) for letter, width in (("N", case.pad.batch), ("C", case.pad.channel)) if letter in kept):
        return True
    if crops_border(case):
        return True
    shown = case.steps[0] if "step" in case.extra_outputs and case.steps else None
    return shown is not None and any(letter in kept and any(sides) for letter, *sides in shown.widths)


def crops_border(case: Case) -> bool:
    """Whether a step crops a part of what the pad adds, so that a pad or a crop is left of both.

    Where others read the pad, one of both may be one more pad than before: always if the step is a slice, and else if
    something is left of the pad and of the step.
    """
    for step in case.steps:
        if step.kind != "pad" or not any(min(sides) < 0 for _, *sides in step.widths):
            continue
        cropped = {letter: sides for letter, *sides in step.widths}
        pads, crops = False, False
        for letter, added in case.pad_widths.items():
            for more, less in zip(added, cropped.get(letter, (0, 0)), strict=True):
                both = max(0, min(more, -less))
                pads, crops = pads or more != both, crops or less != -both
        if (pads and crops) or (step.form in CROPS and (pads or crops)):
            return True
    return False


def is_unproved_copy(case: Case, semantics: Semantics) -> bool:
    """Whether the pad is a mirroring kernel that only copies, which the compiler cannot prove of symbolic lengths."""
    if semantics.proves_symbolic_copies:
        return False
    mirrored = case.pad.form == "call_tir" and case.pad.mode != "constant"
    return mirrored and bool(case.symbolic) and all(widths == (0, 0) for widths in case.pad_widths.values())


def is_unread_kernel(case: Case, semantics: Semantics) -> bool:
    """Whether the pad is a kernel that does not say what it copies, so that no pass has to know.

    That is so for symbolic lengths, where the compiler proves nothing. And where several widths copy the same: an axis
    of one element, or one that is repeated whole.
    """
    if case.pad.form != "call_tir":
        return False
    several = any(axis.size == 1 or sum(axis.pad) >= axis.size for axis in case.axes if any(axis.pad))
    return several or (bool(case.symbolic) and not semantics.proves_symbolic_copies)


# --- conditions ---------------------------------------------------------------------------------------


def _mirrors(case: Case) -> bool:
    """Whether the pad copies elements before a max_pool, which may read them anyway."""
    return case.spec.family == "max_pool" and case.pad.mode in MIRRORED_MODES


def _parameter_meets_border(case: Case) -> bool:
    """Whether a step computes with the border and a value that is known at run time only."""
    adds = any(width > 0 for axis in case.axes for width in axis.pad)
    for step in case.steps:
        if adds and not step.constant:
            return True
        widths = [width for letter, *sides in step.widths if letter in case.spec.spatial for width in sides]
        adds = adds or any(width > 0 for width in widths)
    return False


def _is_legal_by_windows(case: Case, semantics: Semantics) -> bool:
    """Whether a fold into a max_pool is equal for every length, though a window of 1 would show the border.

    Only a maximum is asked: an average of zeros hides its divisor. Under ``ceil_mode`` the last window may be wider
    than the axis, which no case expresses. A mirrored border repeats data, so that its values depend on the length. A
    crop may leave no data of a short axis.
    """
    asked = case.spec.family == "max_pool" and case.pad.mode == "constant"
    return asked and not case.ceil_mode and not _crops(case) and _agrees_for_every_length(case, semantics)


def _keeps_windows(case: Case, semantics: Semantics) -> bool:
    """Whether a fold under ``ceil_mode`` is equal for every length, which a compiler can prove of plain variables."""
    return case.input_stride == 1 and _agrees_for_every_length(case, semantics)


def _agrees_for_every_length(case: Case, semantics: Semantics) -> bool:
    """Whether the same fold is equal for every length of the spatial axes."""
    flags = {True, False}
    for other in other_lengths(case):
        flags &= {folded.count_include_pad for folded in legal_folds(other, semantics)}
        if not flags:
            return False
    return True


def _crops(case: Case) -> bool:
    """Whether a pad, or the padding of the consumer, removes elements."""
    own = [axis.padding for axis in case.axes]
    return any(min(sides) < 0 for sides in (*own, *(w for pads in spatial_widths(case).values() for w in pads)))


def _widens_sum(case: Case, semantics: Semantics) -> bool:
    """Whether an average of integers is summed in a wider dtype because the pool pads."""
    dtype = case.operand_dtype
    if case.spec.family != "avg_pool" or dtype not in dtypes.INTEGERS:
        return False
    if semantics.average_sum_dtype(dtype, True) == semantics.average_sum_dtype(dtype, False):
        return False
    return has_padding(case)


def _is_legal(case: Case, folded: Case, semantics: Semantics) -> bool:
    """Whether a fold means the same as the case.

    A max_pool hides an element in every window with a larger one, so few inputs may never show one that it lacks.
    """
    if folded.result_dims != case.result_dims:
        return False
    exact = case.spec.family == "max_pool" and not reads_same_data(case, folded)
    return (not exact or loses_data(folded, semantics)) and _agree(case, folded, semantics)


def _agree(case: Case, folded: Case, semantics: Semantics, *, seeds: Sequence[int] = SEEDS) -> bool:
    """Whether two cases mean the same on every adversarial input, bit by bit.

    An element that is undefined in one (a sum that may overflow) has to be undefined in both. One input has to define
    all elements, since two meanings that were never compared do not agree.
    """
    if folded.result_dims != case.result_dims:
        return False
    compared = False
    for arrays in chain(adversarial_inputs(case, semantics, seeds=seeds), uniform_inputs(case, semantics)):
        want, got = reference(case, arrays, semantics), reference(folded, arrays, semantics)
        if (want.defined != got.defined).any():
            return False
        if bitwise(got.value[want.defined], want.value[want.defined]) is not None:
            return False
        compared = compared or bool(want.defined.all())
    return compared
