"""Evidence: everything that is known of a case without the pass and the compiler.

Invariant: a case is looked at once. Inputs, reference results and legality are computed at most once for each
``Evidence``, and whoever needs them reads them there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from foldproof.checking.failures import Failure
from foldproof.ir.base import IR, KnownIssue, find_known_issue
from foldproof.oracle import legality as legality_oracle
from foldproof.oracle.compare import overlap
from foldproof.oracle.error_bounds import Reference
from foldproof.oracle.fills import inputs, parameters
from foldproof.oracle.legality import Legality
from foldproof.oracle.option_legality import PassOptions, find_unused_option
from foldproof.oracle.reference import outputs, reference

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Evidence:
    """A case with what the oracles make of it by the semantics of its IR.

    Each part is computed when it is first read, and kept. A run is what is executed once: the name of a fill, and for a
    graph with a condition its value.
    """

    case: Any
    ir: IR

    @cached_property
    def unsupported(self) -> str:
        """Why the IR cannot express the case; empty if it can."""
        return self.ir.supported(self.case)

    @cached_property
    def known_issue(self) -> KnownIssue | None:
        """The known issue of the compiler that the case shows whenever it is executed; None if there is none."""
        return find_known_issue(self.ir, self.case)

    @contextmanager
    def naming_known_issue(self) -> Iterator[None]:
        """Name the known issue in the detail of a failure that it does not excuse, since it may be behind it."""
        try:
            yield
        except Failure as failure:
            if (issue := self.known_issue) is not None:
                text = f"the case shows the known issue {issue.name} of {self.ir.compiler}, which may be behind it"
                failure.add_detail(f"; {text}")
            raise

    @cached_property
    def inputs(self) -> dict[str, Arrays]:
        """The input tensors of each run, by name (``oracle.fills.inputs``)."""
        return {fill: inputs(self.case, fill, self.ir.semantics) for fill in self.case.fills}

    @cached_property
    def reference(self) -> dict[str, tuple[Reference, ...]]:
        """The reference results of each run: one for each output of the function."""
        return {fill: outputs(self.case, arrays, self.ir.semantics) for fill, arrays in self.inputs.items()}

    def arguments(self, run: str) -> Arrays:
        """Return the arrays that the entry function takes in one run, in the order of its parameters."""
        return parameters(self.case, self.inputs[run])

    def locate(self, run: str) -> str:
        """Return where an output is from, for messages: op, layouts, dtype and fill."""
        case = self.case
        layouts = "/".join(filter(None, (case.operand_layout, case.weight_layout)))
        return f"{case.op} {layouts} {case.dtype}, fill {run!r}"

    @cached_property
    def legality(self) -> Legality:
        """Whether the spatial widths of the pads may become padding of the consumer."""
        return legality_oracle.legality(self.case, self.ir.semantics)

    @cached_property
    def legal_folds(self) -> tuple[Any, ...]:
        """The folds that mean the same as the case, on the inputs of its own fills too."""
        folds = legality_oracle.legal_folds(self.case, self.ir.semantics)
        return tuple(folded for folded in folds if self._agrees_on_all_fills(folded))

    def _agrees_on_all_fills(self, folded: Any) -> bool:
        """Whether the reference of a fold may equal that of the case on every fill: both within their bounds.

        Adversarial inputs are few. A fold that differs on the inputs at hand is not legal, whatever they showed.
        """
        pairs = (
            (self.reference[fill][0], reference(folded, self.inputs[fill], self.ir.semantics)) for fill in self.inputs
        )
        return all(overlap(want, got) for want, got in pairs)

    @cached_property
    def is_unproved_copy(self) -> bool:
        """Whether the pad only copies, but the compiler cannot prove that."""
        return legality_oracle.is_unproved_copy(self.case, self.ir.semantics)

    def find_unused_option(self, options: PassOptions, *, spatial: bool, channels: bool) -> str:
        """Return why an option of the pass should have removed a pad that is left; empty if no option should have."""
        return find_unused_option(self.case, options, self.ir.semantics, spatial=spatial, channels=channels)
