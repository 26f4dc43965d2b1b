"""Known defects of TVM 0.27 that foldproof found.

Invariant: each has a pinned case in ``tests/data/corpus``, and says what it may change. A wrong fold that changes
something else is blamed (tests/ir/relax/test_known_issues.py).
"""

from foldproof.case import Case, dtypes
from foldproof.ir.base import KnownIssue


def _has_axes_out_of_order(case: Case) -> bool:
    spec = case.spec
    return spec.family == "conv" and not case.spatial_in_order


def _is_integer_average(case: Case) -> bool:
    return case.spec.family == "avg_pool" and case.operand_dtype in dtypes.INTEGERS


def _divides_by_nothing(case: Case) -> bool:
    """Whether the divisor of some window is 0 or less, by the arithmetic of pool_impl_nd in topi/nn/pooling.h."""
    if case.spec.family != "avg_pool" or not (case.ceil_mode and case.count_include_pad):
        return False
    for letter, axis in case.lettered_axes:
        last = case.operand_dims[letter] + axis.padding[1] - 1
        for index in range(case.result_dims[letter]):
            start = index * axis.stride - axis.padding[0]
            if min(start + (axis.kernel - 1) * axis.dilation, last) < start:
                return True
    return False


def _reads_strided_symbolic_length(case: Case) -> bool:
    """Whether the data of the pad is a strided slice of a symbolic length."""
    return case.input_stride > 1 and bool(set(case.symbolic) & set(case.spec.spatial))


def _pads_symbolic_length(case: Case) -> bool:
    """Whether a tensor that a step or the consumer reads has a length like ``w + 3`` or ``w // 2`` in its type."""
    if _reads_strided_symbolic_length(case):
        return True
    read = case.step_dims[: len(case.steps)]
    return any(dims[letter] != case.data_dims[letter] for dims in read for letter in case.symbolic)


KNOWN_ISSUES = (
    KnownIssue(
        name="avg_pool-divides-by-nothing",
        text="avg_pool with ceil_mode, count_include_pad and negative padding: a last window after what is cropped "
        "counts no element or a negative number of them; integers die of SIGFPE, floats become infinite or change sign",
        changes="all elements of the result, since such a case is never executed; its form and its type are checked",
        matches=_divides_by_nothing,
        runs=False,
    ),
    KnownIssue(
        name="conv-axes-out-of-order",
        text="conv2d/conv3d with a layout whose spatial letters are not in the order D, H, W (NCWH, OIWH): type "
        "inference reads strides, padding and dilation by letter, the kernel by position, and pairs the n-th spatial "
        "axis of the data with the n-th of the weight; shape and values are wrong",
        changes="shape and elements of the unfolded result against the reference; not the folded result against "
        "the unfolded one, unless the fold is legal",
        matches=_has_axes_out_of_order,
    ),
    KnownIssue(
        name="integer-avg_pool-dtype",
        text="avg_pool of integers is annotated with the dtype of its input, but its kernel returns int64",
        changes="the dtype of the result (int64); no shape and no element",
        matches=_is_integer_average,
        dtype_only=True,
    ),
    KnownIssue(
        name="symbolic-copy",
        text="a kernel that only moves or copies a tensor whose symbolic length was padded (w + 3): the pass "
        "RewriteDataflowReshape asks whether it is a reshape, and gets an internal error instead of no",
        changes="whether the default pipeline compiles the case; no dtype, shape or element. The fast pipeline "
        "compares the case",
        matches=_pads_symbolic_length,
        raises="RewriteDataflowReshape",
    ),
    KnownIssue(
        name="strided-length-reshaped",
        text="a reshape of a tensor whose length is that of a strided slice and a pad, (w + 1) // 2 + 2, does not "
        "compile: LegalizeOps writes (max(w, 0) + 1) // 2 + 2, and iter_affine_map.cc fails to divide by it",
        changes="whether the case compiles; no dtype, shape or element",
        matches=_reads_strided_symbolic_length,
        raises="CanProveDivisible",
    ),
    KnownIssue(
        name="strided-length-of-a-branch",
        text="an op that reads the result of an If whose branches have the length of a strided slice, (w + 2) // 3: "
        "LegalizeOps writes (max(w, 0) + 2) // 3 in one branch, so the If has no shape any more, and the op after it "
        "is not legalized",
        changes="whether the graph compiles, and only where the same graph, with each pad as an op and without the "
        "pass, does not compile either; no dtype, shape or element",
        matches=_reads_strided_symbolic_length,
        raises="cannot emit this Relax operator directly",
    ),
)
