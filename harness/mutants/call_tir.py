"""Mutants: how a pad that is a call_tir of a PrimFunc is read."""

from dataclasses import replace
from typing import Any

import tvm
from tvm import tirx

from foldproof.case import Pad
from foldproof.case import Step as CaseStep
from foldproof.fold import Refused, kernel_calls, kernels, pad_kernels, primfunc
from foldproof.fold import fold as pass_module
from foldproof.fold.facts import Binary, PadFacts, Step, Unary, Widths
from foldproof.ir.base import Pass
from foldproof.mutants.mutant import BARE, Mutant, witness_case
from foldproof.mutants.operators import patch_pass, retype


def prim_widths_swapped() -> Pass:
    """The pass swaps the widths before and after in the condition of the PrimFunc."""

    def swapped(*args: Any) -> tuple[Widths, ...] | None:
        widths = _widths(*args)
        return None if widths is None else tuple((after, before) for before, after in widths)

    _widths = primfunc._solve_widths
    return retype(patch_pass(primfunc, _solve_widths=swapped))


def prim_value_taken_for_zero() -> Pass:
    """The pass does not read the fill value of the PrimFunc."""

    def zero(function: Any) -> PadFacts | None:
        facts = _read(function)
        return None if facts is None else replace(facts, value=0)

    _read = primfunc.read_prim_pad
    return retype(patch_pass(pad_kernels, read_prim_pad=zero))


def prim_func_removed_while_called() -> Pass:
    """The pass removes the PrimFunc of a folded pad, although another call of it remains."""

    def without(mod: tvm.IRModule, pads: Any) -> tvm.IRModule:
        for global_var, facts in pads.read.items():
            if facts is not None:
                del mod[global_var]
        return mod

    return patch_pass(pass_module, remove_unused=without)


def call_tir_ignored() -> Pass:
    """The pass recognizes only ``relax.nn.pad`` as a pad."""
    return patch_pass(pad_kernels, read_prim_pad=lambda function: None)


def prim_mirror_taken_for_constant() -> Pass:
    """The pass reads a mirroring PrimFunc as a pad with 0, half of the difference on each side."""

    def constant(function: Any) -> PadFacts | None:
        facts = _read(function)
        if facts is None or facts.mode == "constant":
            return facts
        if facts.widths is not None:
            return replace(facts, mode="constant")
        source, target = (function.params[i].ty.shape for i in (0, -1))
        more = [int(b) - int(a) for a, b in zip(source, target, strict=True)]
        return replace(facts, mode="constant", widths=tuple((n // 2, n - n // 2) for n in more))

    _read = primfunc.read_prim_pad
    return retype(patch_pass(pad_kernels, read_prim_pad=constant))


def maximum_kernel_read_as_minimum() -> Pass:
    """The pass takes a kernel of a maximum for one of a minimum."""
    return retype(patch_pass(kernels, _BINARY={**kernels._BINARY, tirx.Max: "minimum"}))


def kernel_not_evaluated() -> Pass:
    """The pass does not evaluate what an elementwise kernel makes of the border."""

    def node(*args: Any) -> Step | None:
        found = _node(*args)
        return Unary(op="nn.relu", dtype=found.dtype) if isinstance(found, Binary) else found

    _node = kernel_calls._read_node
    return retype(patch_pass(kernel_calls, _read_node=node))


def prim_scalars_passed_over() -> Pass:
    """The pass does not read a call that passes lengths as scalars. It was so once, and reported nothing."""

    def without(call: Any, function: Any) -> str:
        return "the call passes scalars" if len(call.args[1].fields) > 1 else _compare(call, function)

    _compare = pad_kernels._find_other_lengths
    return patch_pass(pad_kernels, _find_other_lengths=without)


def prim_scalar_pad_all_after() -> Pass:
    """The pass takes the widths of a call with scalars from the lengths alone: all of them after the data."""

    def after(self: Any, call: Any, given: PadFacts) -> PadFacts | Refused:
        facts = _read(self, call, given)
        if not isinstance(facts, PadFacts) or facts.widths is None or len(call.args[1].fields) == 1:
            return facts
        return replace(facts, widths=tuple((0, sum(sides)) for sides in facts.widths))

    _read = pad_kernels.PadKernels._read_call
    return retype(patch_pass(pad_kernels.PadKernels, _read_call=after))


_MAXIMUM = CaseStep(kind="maximum", operand=(2.0,), form="call_tir")
_STRIDED = witness_case("conv1d", BARE, pad=Pad(form="call_tir"), symbolic=("W",), input_stride=2)

MUTANTS: tuple[Mutant, ...] = (
    Mutant(kind="call_tir", make=prim_widths_swapped, witness=witness_case("conv1d", BARE, pad=Pad(form="call_tir"))),
    Mutant(
        kind="call_tir",
        make=prim_value_taken_for_zero,
        witness=witness_case("conv1d", BARE, pad=Pad(form="call_tir", value=3.0)),
    ),
    Mutant(
        kind="call_tir",
        make=prim_func_removed_while_called,
        witness=witness_case("conv1d", BARE, pad=Pad(form="call_tir"), extra_outputs=("returned",)),
    ),
    Mutant(kind="call_tir", make=call_tir_ignored, witness=witness_case("conv1d", BARE, pad=Pad(form="call_tir"))),
    Mutant(kind="call_tir", make=prim_scalars_passed_over, witness=_STRIDED),
    Mutant(kind="call_tir", make=prim_scalar_pad_all_after, witness=_STRIDED),
    Mutant(
        kind="call_tir",
        make=prim_mirror_taken_for_constant,
        witness=witness_case("conv1d", BARE, pad=Pad(mode="reflect", form="call_tir")),
    ),
    Mutant(
        kind="call_tir",
        make=maximum_kernel_read_as_minimum,
        witness=witness_case("conv1d", BARE, steps=(CaseStep(kind="maximum", operand=(0.0,), form="call_tir"),)),
    ),
    Mutant(kind="call_tir", make=kernel_not_evaluated, witness=witness_case("conv1d", BARE, steps=(_MAXIMUM,))),
)
"""The mutants of this module."""
