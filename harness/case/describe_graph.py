"""The structure of a graph as a few lines of text for a person to read.

graph of 2 sites
  main    x0 -> pad0 -> conv2d -> result0
  part1   pad0 -> max_pool2d in the true branch of an If -> result1
"""

from foldproof.case.adoption import PADDED, RESULT, SAME
from foldproof.case.graph import MAIN, Graph, Site

_PLACES = {
    "block": "",
    "behind": "after the dataflow block",
    "next block": "in the next dataflow block",
    "past call": "in another dataflow block, past a call that is not pure",
    "branch": "in the true branch of an If, whose false branch is zeros",
    "branches": "in both branches of an If",
    "inside": "with its pad in the true branch of an If, whose false branch is zeros",
    "padded branch": "after an If, whose false branch pads with 1",
    "local": "with its pad in a local function",
}


def describe_structure(graph: Graph) -> str:
    """Return one line for each site: the function, and the way from the data through the pad to the result."""
    count = len(graph.sites)
    lines = [f"graph of {count} site{'s' if count > 1 else ''}"]
    lines += [f"  {_function(site):<8}{_way(graph, index)}" for index, site in enumerate(graph.sites)]
    lines += [f"  {join.kind} of result{join.left} and result{join.right}" for join in graph.joins]
    for number, function in enumerate(graph.functions, 1):
        words = ["private" if function.private else "public", *(["composite"] if function.composite else [])]
        caller = "main" if function.caller == MAIN else f"part{function.caller}"
        lines.append(f"  part{number} is {' and '.join(words)}, called by {caller}")
    options = {
        "equal_names": "all variables have one name",
        "nested_outputs": "main returns a tuple for each site",
        "bound_constants": "constants are bound to variables",
    }
    lines += [f"  {text}" for name, text in options.items() if getattr(graph, name)]
    return "\n".join(lines)


def _function(site: Site) -> str:
    return "main" if site.function == MAIN else f"part{site.function}"


def _way(graph: Graph, index: int) -> str:
    site = graph.sites[index]
    case = site.case
    start = {SAME: f"data{site.of}", PADDED: f"pad{site.of}", RESULT: f"result{site.of}"}.get(site.data, f"x{index}")
    parts = [start]
    if case.producers:
        parts.append(f"data{index}" + (" (local to its block)" if site.local_data else ""))
    if site.data != PADDED:
        parts.append(f"pad{index}" + (" (and again, unread)" if site.unread else ""))
    parts += [step.kind for step in case.steps]
    if site.carrier:
        parts.append(site.carrier)
    weight = f" with the weight of site {site.weight_of}" if site.weight_of >= 0 else ""
    place = f" {_PLACES[site.place]}" if site.place != "block" else ""
    parts.append(f"{case.op}{weight}{place}")
    written = {"data": ", data overwritten in place", "callee": ", data overwritten by a callee"}
    return " -> ".join([*parts, f"result{index}"]) + written.get(site.written, "")
