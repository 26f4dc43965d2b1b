"""Whether an option of the pass allows a fold, decided by the NumPy meaning, never by the rules of the pass.

    nonzero="correct"    op(pad(x), w) - op(x, w, padding + pads)   does not depend on x: a term corrects the border
    channels="slice"     op(pad(x), w)   does not depend on the elements of w that meet the channels of the pad

Invariant: where that holds for all adversarial inputs, in this shape and in denser ones, the pass has to fold.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from foldproof.case import Case, dtypes
from foldproof.oracle.adversarial import SEEDS, adversarial_inputs
from foldproof.oracle.fills import inputs
from foldproof.oracle.fold_candidates import denser_shapes, fold_candidates, spatial_widths
from foldproof.oracle.legality import Legality, leaves_another_pad, legality
from foldproof.oracle.portability import is_target_dependent
from foldproof.oracle.reference import Arrays, reference
from foldproof.oracle.semantics import Semantics


@dataclass(frozen=True, slots=True, kw_only=True)
class PassOptions:
    """What a pass does beyond legal folds.

    Args:
        corrects: it folds a border that is not zero into a convolution of integers, and adds a term that corrects it.
        slices: it removes channels that a pad adds, with the weights that meet them.
    """

    corrects: bool = False
    slices: bool = False


NO_OPTIONS = PassOptions()


def find_unused_option(case: Case, options: PassOptions, semantics: Semantics, *, spatial: bool, channels: bool) -> str:
    """Return why an option should have removed a pad that is left, in a sentence; empty if no option should have.

    Args:
        case: the case.
        options: the options of the pass.
        semantics: the choices of the IR.
        spatial: whether a pad of spatial axes is left.
        channels: whether a pad of channels is left.
    """
    shared = leaves_another_pad(case, kept="N" if options.slices and is_sliceable(case, semantics) else "NC")
    if shared:
        return ""
    if spatial and options.corrects and is_correctable(case, semantics):
        return "a term that does not depend on the data can correct the border"
    if channels and options.slices and is_sliceable(case, semantics):
        return "the channels that the pad adds do not change the result"
    return ""


def is_correctable(case: Case, semantics: Semantics) -> bool:
    """Whether a term that does not depend on the data can correct the border of a convolution of integers.

    False for what the option excludes: symbolic lengths other than the batch, a border that varies along the batch or a
    spatial axis, and layouts whose spatial letters are out of order.
    """
    used = (case.operand_dtype, case.kernel_dtype, case.result_dtype)
    if not _pads_data(case) or not all(dtype in dtypes.INTEGERS for dtype in used):
        return False
    if set(case.symbolic) - {"N"} or not case.spatial_in_order or _varies(case, "N" + case.spec.spatial):
        return False
    if is_target_dependent(case, semantics):
        return False
    return all(_is_independent_of_data(each, semantics) for each in (case, *denser_shapes(case)))


def is_sliceable(case: Case, semantics: Semantics) -> bool:
    """Whether the channels that the pads add change nothing, whatever weights they meet.

    False for what the option excludes: grouped convolutions, weights that could hold an infinity (0 * inf is NaN), and
    operands that vary along the channels, which would have to be sliced as well.
    """
    if not _pads_data(case) or case.groups != 1 or _varies(case, "C"):
        return False
    if case.kernel_dtype not in dtypes.INTEGERS and not _is_finite(case, semantics):
        return False
    pads = [case.pad.channel, *((b, a) for step in case.steps for letter, b, a in step.widths if letter == "C")]
    before, after = (sum(sides) for sides in zip(*pads, strict=True))
    if before + after == 0 or any(min(sides) < 0 for sides in pads):
        return False
    spatial = any(any(sides) for widths in spatial_widths(case).values() for sides in widths)
    if spatial and legality(replace(case, extra_outputs=()), semantics) is not Legality.LEGAL:
        return False
    return not is_target_dependent(case, semantics) and all(
        _is_independent_of_weights(each, semantics, before, after) for each in (case, *denser_shapes(case))
    )


# --- conditions ---------------------------------------------------------------------------------------


def _pads_data(case: Case) -> bool:
    """Whether a constant pad stands before the data of a convolution. A mirrored border is never folded."""
    return case.spec.family == "conv" and not case.pads_weight and case.pad.mode == "constant"


def _varies(case: Case, letters: str) -> bool:
    """Whether an operand of a step after the pad follows one of these axes, or is known at run time only."""
    return any((step.follows_axis and step.axis in letters) or not step.constant for step in case.steps)


def _is_finite(case: Case, semantics: Semantics) -> bool:
    """Whether the weight is a constant without infinities in the dtype of the result."""
    if not case.constant_weight or case.result_dtype not in dtypes.FLOATS:
        return False
    with np.errstate(over="ignore"):
        weight = inputs(case, case.fills[0], semantics)["w"].astype(np.dtype(case.result_dtype))
    return bool(np.isfinite(weight.astype(np.float64)).all())


def _input_pairs(case: Case, semantics: Semantics) -> Iterator[tuple[Arrays, Arrays]]:
    """Yield adversarial inputs, each with other inputs of the same fill."""
    others = adversarial_inputs(case, semantics, seeds=[seed + len(SEEDS) for seed in SEEDS])
    yield from zip(adversarial_inputs(case, semantics), others, strict=True)


def _is_independent_of_data(case: Case, semantics: Semantics) -> bool:
    """Whether unfolded minus folded result is the same term for all data."""
    folds = list(fold_candidates(case))
    if len(folds) != 1 or folds[0].result_dims != case.result_dims:
        return False
    compared = False
    for arrays, others in _input_pairs(case, semantics):
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


def _is_independent_of_weights(case: Case, semantics: Semantics, before: int, after: int) -> bool:
    """Whether other weights for the first ``before`` and the last ``after`` channels give the same result."""
    axis = case.weight_layout.index("I")
    compared = False
    for arrays, others in _input_pairs(case, semantics):
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
