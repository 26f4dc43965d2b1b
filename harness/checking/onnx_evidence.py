"""Evidence of a case in a form: that of the case, with a result that the form may quantize."""

from functools import cached_property
from typing import Any

from foldproof.case.onnx_case import OnnxCase
from foldproof.checking.evidence import Arrays, Evidence
from foldproof.oracle.error_bounds import Reference
from foldproof.oracle.legality import Legality
from foldproof.oracle.option_legality import PassOptions
from foldproof.oracle.requantize import spelled_outputs


class OnnxEvidence(Evidence):
    """A case and its form with what the oracles make of them. A fold is legal whatever the form is."""

    case: OnnxCase

    @cached_property
    def plain(self) -> Evidence:
        """The evidence of the case alone."""
        return Evidence(self.case.case, self.ir)

    @cached_property
    def inputs(self) -> dict[str, Arrays]:
        """The input tensors of each run, by name."""
        return self.plain.inputs

    @cached_property
    def reference(self) -> dict[str, tuple[Reference, ...]]:
        """The reference results of each run, as the form rounds them."""
        return {run: spelled_outputs(self.case, arrays, self.ir.semantics) for run, arrays in self.inputs.items()}

    def arguments(self, run: str) -> Arrays:
        """Return the arrays that the model takes in one run, in the order of its inputs."""
        return self.plain.arguments(run)

    def locate(self, run: str) -> str:
        """Return where an output is from, for messages."""
        return self.plain.locate(run)

    @cached_property
    def legality(self) -> Legality:
        """Whether the spatial widths of the pads may become padding of the consumer."""
        return self.plain.legality

    @cached_property
    def legal_folds(self) -> tuple[Any, ...]:
        """The folds that mean the same as the case."""
        return self.plain.legal_folds

    @cached_property
    def is_unproved_copy(self) -> bool:
        """Whether the pad only copies, but the compiler cannot prove that."""
        return self.plain.is_unproved_copy

    def find_unused_option(self, options: PassOptions, *, spatial: bool, channels: bool) -> str:
        """Return why an option of the pass should have removed a pad that is left; empty if no option should have."""
        return self.plain.find_unused_option(options, spatial=spatial, channels=channels)
