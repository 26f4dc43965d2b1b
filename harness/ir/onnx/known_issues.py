"""Known defects and limits of unoptimised ONNX Runtime 1.32, which runs the unfolded models."""

from typing import Any

from foldproof.ir.base import KnownIssue


def _pads_as_wide_as_kernel(case: Any) -> bool:
    """Whether a pool has padding that is as wide as its kernel."""
    return case.spec.pools and any(max(axis.padding) >= axis.kernel for axis in case.axes)


def _uses_bfloat16(case: Any) -> bool:
    return "bfloat16" in (*case.producer_dtypes, *case.step_dtypes, case.kernel_dtype, case.result_dtype)


def _any(case: Any) -> bool:
    return True


KNOWN_ISSUES = (
    KnownIssue(
        name="no-kernel",
        text="ONNX Runtime has no kernel on CPU for an operator of this dtype and opset",
        changes="whether the case is executed; its form and its type are checked",
        matches=_any,
        raises="NOT_IMPLEMENTED",
    ),
    KnownIssue(
        name="no-bfloat16-functions",
        text="ONNX Runtime expands an operator of bfloat16 to others that it does not have, such as Clip to Where",
        changes="whether the case is executed; its form and its type are checked",
        matches=_uses_bfloat16,
        raises="tensor(bfloat16)",
    ),
    KnownIssue(
        name="no-bfloat16-arrays",
        text="ONNX Runtime reads and returns no bfloat16 arrays from Python",
        changes="whether the case is executed; its form and its type are checked",
        matches=_any,
        raises="Numpy_type",
    ),
    KnownIssue(
        name="pool-padding-as-wide-as-kernel",
        text="ONNX Runtime rejects a pool whose padding is as wide as its kernel (pool_attributes.h); the "
        "specification has no such limit",
        changes="whether the case is executed",
        matches=_pads_as_wide_as_kernel,
        raises="pool_attributes.h",
    ),
)
