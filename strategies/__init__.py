"""Hypothesis strategies for cases. Each one is a plural noun, and each drawn case is valid.

@given(strategies.cases("conv2d"))
def test_my_pass(case):
    foldproof.check(case, fold=MyPass())
"""

from foldproof.strategies.axes import axes, pad_widths, paddings
from foldproof.strategies.cases import cases, foldable_cases, unfoldable_cases

__all__ = ["axes", "cases", "foldable_cases", "pad_widths", "paddings", "unfoldable_cases"]
