"""What the harness draws, checks, shrinks, saves and replays: a case, or a graph of cases."""

from foldproof.case.case import Case
from foldproof.case.graph import Graph

AnyCase = Case | Graph


def from_json(value: object) -> AnyCase:
    """Return the case or graph that ``to_json`` wrote, in any format.

    Raises:
        ValueError: if it is neither; the message names what is wrong.
    """
    kind = Graph if isinstance(value, dict) and "sites" in value else Case
    return kind.from_json(value)
