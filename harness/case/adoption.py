"""The data of a site that comes from another site: the case that has exactly that data.

own      a parameter of the function
same     the data of the other site
padded   the padded tensor of the other site, so its pad too
result   the result of the other site
"""

from dataclasses import replace
from typing import Any

from foldproof.case.case import Case
from foldproof.case.records import require
from foldproof.case.step import STRUCTURAL

OWN, SAME, PADDED, RESULT = "own", "same", "padded", "result"
LINKS = (OWN, SAME, PADDED, RESULT)


def adopt(case: Case, source: Case, link: str) -> Case:
    """Return the case with the data that it gets from another one.

    Args:
        case: the case that reads.
        source: the case that is read.
        link: what is read, one of ``LINKS``.

    Raises:
        ValueError: if there is no such case: the consumer cannot read that data, or no window fits.
    """
    if link == OWN:
        return case
    require(case.spec.rank == source.spec.rank, f"{case.op} cannot read the data of {source.op}")
    if link == RESULT:
        return _adopt_result(case, source)
    change: dict[str, Any] = {
        "dtype": source.dtype,
        "batch": source.batch,
        "channels": source.channels,
        "symbolic": source.symbolic,
        "input_stride": source.input_stride,
        "axes": tuple(replace(a, size=b.size) for a, b in zip(case.axes, source.axes, strict=True)),
    }
    if link == PADDED:
        require(not source.pads_weight, "the padded tensor must be data, not a weight")
        change |= {"producers": source.producers, "pad": source.pad}
        change["axes"] = tuple(replace(a, pad=b.pad) for a, b in zip(change["axes"], source.axes, strict=True))
    return _with_layout(case, source.input_layout, change)


def _adopt_result(case: Case, source: Case) -> Case:
    dims = source.result_dims
    change: dict[str, Any] = {
        "dtype": source.result_dtype,
        "batch": dims["N"],
        "channels": dims["C"],
        "symbolic": source.symbolic,
        "input_stride": 1,
        "axes": tuple(replace(axis, size=dims[letter]) for letter, axis in case.lettered_axes),
    }
    return _with_layout(case, source.operand_layout, change)


def _with_layout(case: Case, layout: str, change: dict[str, Any]) -> Case:
    """Return the changed case, whose data has this layout."""
    if case.input_layout != layout:
        moved = any(step.kind in STRUCTURAL for step in case.steps)
        require(not moved, f"steps read the layout {case.input_layout}, not {layout}")
        change["data_layout"] = layout
    return replace(case, **change)
