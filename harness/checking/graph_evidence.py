"""Evidence of a graph: that of its sites, and what the oracles make of all of them together."""

from collections import Counter
from functools import cached_property
from typing import Any

import numpy as np

from foldproof.case import Case
from foldproof.case.graph import Graph, Site
from foldproof.case.onnx_case import OnnxCase
from foldproof.checking.evidence import Arrays, Evidence
from foldproof.checking.onnx_evidence import OnnxEvidence
from foldproof.ir.base import IR, KnownIssue, ResidualPads
from foldproof.oracle import graphs
from foldproof.oracle.error_bounds import Reference
from foldproof.oracle.legality import Legality, crops_border
from foldproof.oracle.option_legality import PassOptions

FOLDED_PLACES = ("block", "behind", "next block", "branch", "branches", "inside", "local")
"""Places in which a complete pass makes every legal fold. A pad in both branches before one consumer may stay."""

CROSSING = ("behind", "next block", "branch", "branches")
"""Places behind the dataflow block of the pad."""

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

        It may if the fold is not legal for every input, if the site stands where a pass need not see through, or if
        another pad would stay beside the one that others read. Where anything is overwritten, or a call is not pure, a
        pass may be cautious everywhere.
        """
        alone = self._stays_alone(index)
        outer, crops = any(map(any, self._outer_widths(index))), crops_border(self.case.sites[index].case)
        if alone is not None or not (outer or crops):
            return alone
        owner = self.case.pad_owner(index)
        readers = [i for i in range(len(self.case.sites)) if i != index and self.case.pad_owner(i) == owner]
        extra = set(self.case.sites[owner].case.extra_outputs)
        if extra or (crops and readers) or any(self._stays_alone(i) is not None for i in readers):
            return Legality.SHARED
        return None

    def _outer_widths(self, index: int) -> tuple[tuple[int, int], ...]:
        """Return the widths of the pad of a site that no padding has: of batch and channels."""
        pad = self.case.sites[index].case.pad
        return pad.batch, pad.channel

    def _stays_alone(self, index: int) -> Legality | None:
        """Return why the pad of a site may stay, whoever else reads it."""
        graph, site = self.case, self.case.sites[index]
        if (answer := self.sites[index].legality) is not Legality.LEGAL:
            return answer
        owner = self.case.pad_owner(index)
        known = site.place in FOLDED_PLACES and site.carrier in FOLDED_CARRIERS
        visible = known and not graph.sites[owner].local_data
        if site.place == "local" and site.case.producers:
            return Legality.STRUCTURE  # a local function does not know what its argument holds
        if owner != index and self._is_local(owner, index):
            return Legality.STRUCTURE
        if site.place in CROSSING and any(step.kind == "pad" for step in site.case.steps):
            return Legality.STRUCTURE  # what a pad between pads is local to its block
        near = graph.sites[owner].function == site.function
        return None if visible and near and self.is_quiet else Legality.STRUCTURE

    def _is_local(self, owner: int, index: int) -> bool:
        """Whether the data of a shared pad may be local to its dataflow block, where another consumer is not.

        A pass would have to let a variable out of its block, for a fold that leaves the pad to others.
        """
        case, between = self.case.sites[owner].case, self.case.sites[owner : index + 1]
        computed = bool(case.producers) or case.input_stride > 1
        return computed and any(site.place != "block" for site in between)

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
        if self.missed(left):
            return Legality.LEGAL
        counts = Counter(left.consumers)
        sites = range(len(self.case.sites))
        return next((self.stays(i) for i in sites if self.case.cases[i].op in counts and self.stays(i)), None)

    def missed(self, left: ResidualPads) -> tuple[tuple[tuple[Case, ...], int], ...]:
        """Return what was missed: (sites, number), of which so many folds are legal and were not made.

        Equal consumers cannot be told apart in a module, so that the sites of an op are counted together.
        """
        found: list[tuple[tuple[Case, ...], int]] = []
        if left.identity > 0 and not self.is_unproved_copy and self.is_quiet:
            found.append((self.case.cases, min(left.identity, len(self.case.cases))))
        for op, count in Counter(left.consumers).items():
            of_op = [i for i, case in enumerate(self.case.cases) if case.op == op]
            staying = sum(count_consumers(self.case.sites[i]) for i in of_op if self.stays(i))
            if count > staying:
                found.append((tuple(self.case.cases[i] for i in of_op if not self.stays(i)), count - staying))
        return tuple(found)


def count_consumers(site: Site) -> int:
    """Return how many consumers a site has: one in each branch."""
    return 2 if site.place == "branches" else 1


def count_terms(site: Site) -> int:
    """Return how many terms may correct borders of a site: one for each pad before each convolution."""
    pads = 1 + sum(step.kind == "pad" for step in site.case.steps)
    return count_consumers(site) * pads if site.case.spec.family == "conv" else 0


def evidence_of(case: Any, ir: IR) -> Evidence:
    """Return the evidence of a case, of a case in a form, or of a graph."""
    if isinstance(case, OnnxCase):
        return OnnxEvidence(case, ir)
    return GraphEvidence(case, ir) if isinstance(case, Graph) else Evidence(case, ir)
