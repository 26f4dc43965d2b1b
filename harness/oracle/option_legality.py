"""What the options of the bundled pass promise: asked of the NumPy meaning, never of the pass's rules.

    nonzero="correct"    op(pad(x), w) - op(x, w, padding + pads)   knows nothing of x: a term makes up for the border
    channels="slice"     op(pad(x), w)   knows nothing of the elements of w that meet the channels which the pad adds

Where that holds for all adversarial inputs, and in geometries that read everything, the pass has to fold.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from foldproof.case import Case, dtypes
from foldproof.oracle.fills import inputs
from foldproof.oracle.legality import (
    ADVERSARIAL,
    SEEDS,
    Legality,
    denser_shapes,
    fold_candidates,
    is_target_dependent,
    legality,
    spatial_widths,
)
from foldproof.oracle.reference import reference
from foldproof.oracle.semantics import Semantics

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassOptions:
    """What a pass says that it does beyond legal folds."""

    corrects: bool = False
    slices: bool = False


NO_OPTIONS = PassOptions()


def find_unused_option(case: Case, options: PassOptions, semantics: Semantics, *, spatial: bool, channels: bool) -> str:
    """What a pass should have done that left a pad of ``spatial`` axes, or of ``channels``; empty if nothing."""
    if spatial and options.corrects and is_correctable(case, semantics):
        return "a term that knows nothing of the data makes up for the border"
    if channels and options.slices and is_sliceable(case, semantics):
        return "nothing that the pad adds along the channels changes the result"
    return ""


def is_correctable(case: Case, semantics: Semantics) -> bool:
    """Whether a term makes up for the border in a convolution of integers.

    Not asked of what the option leaves out: lengths that are unknown (but the batch), a border that varies along the
    batch or a spatial axis, and layouts whose spatial letters are out of order.
    """
    read = (case.operand_dtype, case.kernel_dtype, case.result_dtype)
    if not _is_of_data(case) or not all(dtype in dtypes.INTEGERS for dtype in read):
        return False
    if set(case.symbolic) - {"N"} or not case.in_order or _varies(case, "N" + case.spec.spatial):
        return False
    if is_target_dependent(case, semantics):
        return False
    return all(_knows_nothing_of_the_data(each, semantics) for each in (case, *denser_shapes(case)))


def is_sliceable(case: Case, semantics: Semantics) -> bool:
    """Whether the channels that the pads add meet elements of the weight that change nothing.

    Not asked of grouped convolutions, of weights that could hold an infinity (0 * inf is NaN), and of operands that
    vary along the channels, which would have to be sliced as well.
    """
    if not _is_of_data(case) or case.groups != 1 or _varies(case, "C"):
        return False
    if case.kernel_dtype not in dtypes.INTEGERS and not _is_finite(case, semantics):
        return False
    pads = [case.pad.channel, *((b, a) for step in case.steps for letter, b, a in step.widths if letter == "C")]
    before, after = (sum(sides) for sides in zip(*pads, strict=True))
    if before + after == 0 or any(min(sides) < 0 for sides in pads):
        return False
    spatial = any(any(sides) for widths in spatial_widths(case).values() for sides in widths)
    if spatial and legality(case, semantics) is not Legality.LEGAL:
        return False
    return not is_target_dependent(case, semantics) and all(
        _ignores_weights(each, semantics, before, after) for each in (case, *denser_shapes(case))
    )


# --- conditions ---------------------------------------------------------------------------------------


def _is_of_data(case: Case) -> bool:
    """Whether a constant pad stands before the data of a convolution: no mirror folds, whatever becomes of it."""
    return case.spec.family == "conv" and not case.pads_weight and case.pad.mode == "constant"


def _varies(case: Case, letters: str) -> bool:
    """Whether an operand of a step after the pad follows one of these axes, or is known at run time only."""
    return any((step.follows_axis and step.axis in letters) or not step.constant for step in case.steps)


def _is_finite(case: Case, semantics: Semantics) -> bool:
    """Whether the weight is a constant without infinities, as the convolution sees it."""
    if not case.constant_weight or case.result_dtype not in dtypes.FLOATS:
        return False
    with np.errstate(over="ignore"):
        weight = inputs(case, case.fills[0], semantics)["w"].astype(np.dtype(case.result_dtype))
    return bool(np.isfinite(weight.astype(np.float64)).all())


def _given(case: Case, semantics: Semantics) -> Iterator[tuple[Arrays, Arrays]]:
    """Adversarial inputs, each with other ones of the same fill."""
    for fill, seed in product(ADVERSARIAL, SEEDS):
        yield inputs(case, fill, semantics, seed=seed), inputs(case, fill, semantics, seed=seed + len(SEEDS))


def _knows_nothing_of_the_data(case: Case, semantics: Semantics) -> bool:
    folds = list(fold_candidates(case))
    if len(folds) != 1 or folds[0].result_dims != case.result_dims:
        return False
    compared = False
    for arrays, others in _given(case, semantics):
        terms = []
        for x in (arrays["x"], others["x"], np.zeros_like(arrays["x"])):
            want, got = (reference(each, arrays | {"x": x}, semantics) for each in (case, folds[0]))
            if want.defined.all() and got.defined.all():
                with np.errstate(over="ignore"):
                    terms.append(want.value - got.value)
        if any((term != terms[0]).any() for term in terms):
            return False
        compared = compared or len(terms) > 1
    return compared


def _ignores_weights(case: Case, semantics: Semantics, before: int, after: int) -> bool:
    axis = case.kernel_order.index("I")
    compared = False
    for arrays, others in _given(case, semantics):
        weight = np.moveaxis(arrays["w"].copy(), axis, 0)
        other = np.moveaxis(others["w"], axis, 0)
        for part in (slice(0, before), slice(len(weight) - after, None)):
            weight[part] = other[part] + other.dtype.type(1)
        want, got = (reference(case, arrays | {"w": w}, semantics) for w in (arrays["w"], np.moveaxis(weight, 0, axis)))
        defined = want.defined & got.defined
        if (want.value != got.value)[defined].any():
            return False
        compared = compared or bool(defined.all())
    return compared
