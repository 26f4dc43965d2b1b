"""Hypothesis strategies for cases and graphs. Each one is a plural noun, and each drawn value is valid.

from foldproof import check, strategies

@given(strategies.cases("conv2d"))
def test_my_pass(case):
    check(case, fold=MyPass())
"""

if __name__ != "foldproof.strategies":
    raise ImportError(
        f"this package is 'foldproof.strategies', not {__name__!r}: write `from foldproof import strategies`"
    )

from foldproof.strategies.axes import axes, pad_widths, paddings
from foldproof.strategies.cases import cases, foldable_cases, unfoldable_cases
from foldproof.strategies.graphs import foldable_graphs, graphs, unfoldable_graphs
from foldproof.strategies.mixture import cases_and_graphs

__all__ = [
    "axes",
    "cases",
    "cases_and_graphs",
    "foldable_cases",
    "foldable_graphs",
    "graphs",
    "pad_widths",
    "paddings",
    "unfoldable_cases",
    "unfoldable_graphs",
]
