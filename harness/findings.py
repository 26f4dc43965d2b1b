"""What is known to be wrong: defects of TVM that the harness met.

A known defect does not fail a case, and is never counted as passed either: the verdict names it and the summary
counts it. Each has a pinned case in ``tests/corpus`` and a row in the README's "Defects found".
"""

from collections.abc import Callable
from dataclasses import dataclass

from harness import ops
from harness.case import Case


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A defect of TVM 0.27: ``matches`` the cases that show it; ``dtype_only`` if the values are right all the same."""

    name: str
    text: str
    matches: Callable[[Case], bool]
    dtype_only: bool = False


def _axes_out_of_order(case: Case) -> bool:
    spec = case.spec
    orders = {spec.spatial_order(case.data_order), spec.spatial_order(case.kernel_order)}
    return spec.family == "conv" and orders != {spec.spatial}


def _integer_average(case: Case) -> bool:
    return case.spec.family == "avg_pool" and case.operand_dtype in ops.INTEGERS


FINDINGS = (
    Finding(
        name="conv-axes-out-of-order",
        text="conv2d/conv3d with a layout whose spatial letters are not in the order D, H, W (NCWH, OIWH): type "
        "inference reads strides, padding and dilation by letter, the kernel by position, and pairs the n-th spatial "
        "axis of the data with the n-th of the weight; shape and values are wrong",
        matches=_axes_out_of_order,
    ),
    Finding(
        name="integer-avg_pool-dtype",
        text="avg_pool of integers is annotated with the dtype of its input, but its kernel returns int64",
        matches=_integer_average,
        dtype_only=True,
    ),
)


def finding_of(case: Case) -> Finding | None:
    """The defect of TVM that ``case`` shows, if it is a known one."""
    return next((finding for finding in FINDINGS if finding.matches(case)), None)
