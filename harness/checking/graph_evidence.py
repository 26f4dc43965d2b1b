"""Evidence of a graph: that of its sites, and what the oracles make of all of them together."""

from collections import Counter
from functools import cached_property
from typing import Any

import numpy as np

from foldproof.case.adoption import PADDED
from foldproof.case.graph import Graph, Site
from foldproof.checking.evidence import Arrays, Evidence
from foldproof.ir.base import IR, KnownIssue, ResidualPads
from foldproof.oracle import graphs
from foldproof.oracle.error_bounds import Reference
from foldproof.oracle.legality import Legality
from foldproof.oracle.option_legality import PassOptions

FOLDED_PLACES = ("block", "behind", "next block", "branch", "branches", "inside", "local")
"""Places in which a complete pass makes every legal fold. A pad in both branches before one consumer may stay."""

FOLDED_CARRIERS = ("", "alias", "match_cast")
"""Carriers through which a complete pass makes every legal fold."""


class GraphEvidence(Evidence):
    """A graph with what the oracles make of it by the semantics of its IR."""

    case: Graph

    @cached_property
    def sites(self) -> tuple[Evidence, ...]:
        """The evidence of the case of each site."""
        return tuple(Evidence(case, self.ir) for case in self.case.cases)

    @cached_property
    def known_issue(self) -> KnownIssue | None:
        """The first known issue of the compiler that a site shows. Such a graph is not executed."""
        return next((site.known_issue for site in self.sites if site.known_issue is not None), None)

    @cached_property
    def inputs(self) -> dict[str, Arrays]:
        """The input tensors of each run, by name (``oracle.graphs.inputs``); the condition is the last one."""
        made = {}
        for fill, condition in graphs.runs(self.case):
            arrays = graphs.inputs(self.case, fill, self.ir.semantics)
            if condition is None:
                made[fill] = arrays
            else:
                made[f"{fill}, condition {condition}"] = arrays | {graphs.CONDITION: np.array(condition)}
        return made

    @cached_property
    def reference(self) -> dict[str, tuple[Reference, ...]]:
        """The reference results of each run: one for each output of the entry function."""
        return {run: graphs.outputs(self.case, arrays, self.ir.semantics) for run, arrays in self.inputs.items()}

    def arguments(self, run: str) -> Arrays:
        """Return the arrays that the entry function takes in one run, in the order of its parameters."""
        return graphs.parameters(self.case, self.inputs[run])

    def locate(self, run: str) -> str:
        """Return where an output is from, for messages."""
        ops = ", ".join(case.op for case in self.case.cases)
        return f"graph of {ops}, fill {run!r}"

    @cached_property
    def legality(self) -> Legality:
        """``LEGAL`` if every site is legal, else the answer for the first one that is not."""
        answers = [site.legality for site in self.sites]
        return next((answer for answer in answers if answer is not Legality.LEGAL), Legality.LEGAL)

    @cached_property
    def legal_folds(self) -> tuple[Any, ...]:
        """No fold of a graph is made by the harness, so that none excuses a difference."""
        return ()

    @cached_property
    def is_unproved_copy(self) -> bool:
        """Whether the pad of a site only copies, but the compiler cannot prove that."""
        return any(site.is_unproved_copy for site in self.sites)

    def find_unused_option(self, options: PassOptions, *, spatial: bool, channels: bool) -> str:
        """Return an empty string: what an option should remove is judged for cases, not for graphs."""
        return ""

    def stays(self, index: int) -> Legality | None:
        """Return why a complete pass may leave the pad of a site; None if it may not.

        It may if the fold is not legal for every input, or if the site stands where a pass need not see through. Where
        anything is overwritten, or a call is not pure, a pass may be cautious everywhere.
        """
        graph, site = self.case, self.case.sites[index]
        if (answer := self.sites[index].legality) is not Legality.LEGAL:
            return answer
        owner = index
        while graph.sites[owner].data == PADDED:
            owner = graph.sites[owner].of
        visible = not graph.sites[owner].local_data and site.place in FOLDED_PLACES and site.carrier in FOLDED_CARRIERS
        near = graph.sites[owner].function == site.function
        return None if visible and near and self.is_quiet else Legality.STRUCTURE

    @property
    def is_quiet(self) -> bool:
        """Whether nothing in the graph is overwritten, and every call is pure."""
        return not any(site.written or site.place == "past call" for site in self.case.sites)

    def judge(self, left: ResidualPads) -> Legality | None:
        """Return the legality of the pads that a pass left: ``LEGAL`` if it left more than may stay, None for none.

        Args:
            left: the pads of the folded module.
        """
        if left.identity > 0 and not self.is_unproved_copy:
            return Legality.LEGAL if self.is_quiet else Legality.STRUCTURE
        counts = Counter(left.consumers)
        sites = range(len(self.case.sites))
        for op in counts:
            staying = sum(_copies(self.case.sites[i]) for i in sites if self.case.cases[i].op == op and self.stays(i))
            if counts[op] > staying:
                return Legality.LEGAL
        return next((self.stays(i) for i in sites if self.case.cases[i].op in counts and self.stays(i)), None)


def _copies(site: Site) -> int:
    """Return how many consumers a site has: one in each branch."""
    return 2 if site.place == "branches" else 1


def evidence_of(case: Any, ir: IR) -> Evidence:
    """Return the evidence of a case or a graph."""
    return GraphEvidence(case, ir) if isinstance(case, Graph) else Evidence(case, ir)
