"""What the harness draws, checks, shrinks, saves and replays: a case, a case in an ONNX form, or a graph of cases."""

from foldproof.case.case import Case
from foldproof.case.graph import Graph
from foldproof.case.onnx_case import OnnxCase

AnyCase = Case | Graph | OnnxCase


def from_json(value: object) -> AnyCase:
    """Return the case, case in a form, or graph that ``to_json`` wrote, in any format.

    Raises:
        ValueError: if it is another value; the message names what is wrong.
    """
    if isinstance(value, dict) and "form" in value:
        return OnnxCase.from_json(value)
    kind = Graph if isinstance(value, dict) and "sites" in value else Case
    return kind.from_json(value)
