"""The strategy of campaigns: cases and graphs together, by a weight."""

from hypothesis import strategies as st

from foldproof.case.any_case import AnyCase
from foldproof.strategies.cases import cases, check_names
from foldproof.strategies.graphs import graphs

CASES_PER_GRAPH = 4
"""Cases for each graph. A graph costs as much as two cases, and finds what no case can."""


def cases_and_graphs(*names: str) -> st.SearchStrategy[AnyCase]:
    """Draw cases, and a graph for about every ``CASES_PER_GRAPH`` of them.

    Args:
        names: Ops of cases and sites, for example ``"conv2d"`` (default: all).

    Raises:
        ValueError: For an unknown op.
    """
    chosen = check_names(names)
    kinds = (cases(*chosen), graphs(*chosen))
    return st.sampled_from([0] * CASES_PER_GRAPH + [1]).flatmap(lambda kind: kinds[kind])
