"""Compare a model with and without a pass: the same inputs, the same bits? And if not: which site, and whose fault?

compile, run --> out                 of the whole model
compile, run --> out_folded  --> bit by bit
one site at a time  --> the site  --> cut out as a module of its own  --> the pass or TVM
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foldproof.ir.base import Pass
from foldproof.model.importing import Model
from foldproof.model.outcomes import apply_fold
from foldproof.model.running import FILLS, Array, ModelProgram, choose_lengths, make_inputs, parse_model_target
from foldproof.oracle.compare import bitwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The comparison of one fill.

    Args:
        fill: the recipe of the inputs, or ``structure`` if there is nothing to run.
        difference: the first difference, in words; empty if all bits are equal.
        outputs: the number of outputs.
        elements: the number of elements in them.
        nans: the number of NaN among them: what TVM makes of NaN in a max_pool is undefined.
    """

    fill: str
    difference: str
    outputs: int
    elements: int
    nans: int


def compare_model(
    model: Model,
    fold: Pass | None = None,
    target: str | Any = "llvm",
    *,
    fills: Sequence[str] = FILLS,
    seed: int = 0,
) -> tuple[Compared, ...]:
    """Run a model with and without a pass on the same inputs, and compare the outputs bit by bit.

    It runs in this process, which a defect of TVM can end. ``foldproof model`` runs it in a worker.

    Args:
        model: The model. Its symbolic lengths become 1 for the first axis and 64 for the others.
        fold: A pass from module to module; None is the bundled pass.
        target: A target of TVM, by name or as ``parse_model_target`` returns it.
        fills: Recipes of inputs, from ``FILLS``.
        seed: The seed of the inputs.

    Returns:
        A comparison for each fill.

    Raises:
        UsageError: If the target is unknown, or an input has no shape.
        PassFailed: If the pass raises, or returns something else than a module.
    """
    parsed = parse_model_target(target) if isinstance(target, str) else target
    folded = apply_fold(model, fold).model
    programs = [ModelProgram(each, parsed) for each in (model, folded)]
    lengths = lengths_by_name(model)
    return tuple(
        compare_programs(programs[0], programs[1], make_inputs(model.inputs, lengths, fill, seed), fill)
        for fill in fills
    )


def lengths_by_name(model: Model) -> dict[str, int]:
    """Return a number for each symbolic length, by its name."""
    return {str(variable): number for variable, number in choose_lengths(model).items()}


def compare_programs(plain: ModelProgram, folded: ModelProgram, arrays: Sequence[Array], fill: str) -> Compared:
    """Run two programs on the same arrays, and compare the outputs. Raises what TVM raises."""
    return compare_outputs(plain.run(plain.load(arrays)), folded.run(folded.load(arrays)), fill)


def compare_outputs(want: Sequence[Array], got: Sequence[Array], fill: str) -> Compared:
    """Compare the outputs of both programs."""
    return Compared(
        fill=fill,
        difference=_find_difference(want, got),
        outputs=len(want),
        elements=sum(array.size for array in want),
        nans=sum(int(np.isnan(array).sum()) for array in want if array.dtype.kind == "f"),
    )


def _find_difference(want: Sequence[Array], got: Sequence[Array]) -> str:
    if len(want) != len(got):
        return f"the folded model has {len(got)} outputs, but should have {len(want)}"
    for number, (a, b) in enumerate(zip(got, want, strict=True)):
        if difference := bitwise(a, b):
            return difference.text.replace("out", f"output {number}", 1) if len(want) > 1 else difference.text
    return ""


# --- which site ---------------------------------------------------------------------------------------

Differs = Callable[[Sequence[int]], bool]
"""Numbers of pads -> whether folding just these changes the outputs."""


def find_culprits(count: int, differs: Differs) -> tuple[int, ...]:
    """Return the pads whose folds change the outputs: one, or several that do so together only.

    Half of the pads is folded at a time, until one is left: 2 log2(count) trials instead of one for each pad.
    """
    suspects = list(range(count))
    while len(suspects) > 1:
        half = len(suspects) // 2
        parts = (suspects[:half], suspects[half:])
        guilty = next((part for part in parts if differs(part)), None)
        if guilty is None:
            return tuple(suspects)
        suspects = guilty
    return tuple(suspects)


def outputs_differ(program: ModelProgram, want: Sequence[Sequence[Array]], inputs: Sequence[Sequence[Array]]) -> bool:
    """Return whether a program computes other outputs than ``want``, from any of the inputs."""
    return any(
        bool(_find_difference(expected, program.run(program.load(arrays))))
        for expected, arrays in zip(want, inputs, strict=True)
    )
