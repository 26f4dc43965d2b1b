"""Mutants: scales and zero points."""

from dataclasses import replace
from typing import Any

from foldproof.case import Step as CaseStep
from foldproof.fold import Kind, Outcome
from foldproof.fold.facts import Operand, Quantization, Site, Step
from foldproof.fold.rules import decide
from foldproof.ir.base import Pass
from foldproof.mutants.mutant import BARE, Mutant, quantized_witness, witness_case
from foldproof.mutants.operators import drop_preconditions, misread_site, replace_decision, with_zero_points


def quantized_value_ignored() -> Pass:
    """The pass folds any pad value before a quantized consumer."""
    return drop_preconditions(Kind.QUANTIZATION)


def zero_instead_of_zero_point() -> Pass:
    """The pass compares the value before a dequantize with 0."""
    return misread_site(lambda site: with_zero_points(site, lambda points: (0.0,) * len(points)))


def first_zero_point_only() -> Pass:
    """The pass reads only the first of the per-channel zero points."""
    return misread_site(lambda site: with_zero_points(site, lambda points: points[:1]))


def zero_point_wrong_sign() -> Pass:
    """The pass compares value and zero point as bytes: 255 equals -1."""

    def as_bytes(site: Site) -> Site:
        value = site.pad.value
        return with_zero_points(site, lambda points: tuple(value if (p - value) % 256 == 0 else p for p in points))

    return misread_site(as_bytes)


def absent_value_taken_as_match() -> Pass:
    """The pass takes a zero point that is not constant for the pad value."""

    def assumed(site: Site) -> Site:
        def known(step: Any) -> Any:
            if not isinstance(step, Quantization) or step.zero_point.flat is not None:
                return step
            shape = (1,) * len(site.pad.widths or ())
            one, match = Operand(shape=shape, flat=(1.0,)), Operand(shape=shape, flat=(int(site.pad.value),))
            return replace(step, scale=one, zero_point=match)

        return replace(site, steps=tuple(map(known, site.steps)))

    return misread_site(assumed)


def nonconstant_dereferenced() -> Pass:
    """The pass reads a zero point that is a parameter of the function like a constant."""

    def careless(site: Site) -> Outcome:
        for step in site.steps:
            if isinstance(step, Quantization):
                max(step.zero_point.flat)  # type: ignore[arg-type]  # the defect
        return decide(site)

    return replace_decision(careless)


def varying_parameters_moved() -> Pass:
    """The pass moves a dequantize before the pad although its parameters vary along a padded axis."""

    def uniform(site: Site) -> Site:
        def first(operand: Operand) -> Operand:
            return Operand(shape=(1,) * len(operand.shape or ()), flat=operand.flat and operand.flat[:1])

        def flattened(step: Any) -> Any:
            if not isinstance(step, Quantization):
                return step
            return replace(step, scale=first(step.scale), zero_point=first(step.zero_point))

        return replace(site, steps=tuple(map(flattened, site.steps)))

    return misread_site(uniform)


def quantize_dequantize_taken_for_identity() -> Pass:
    """The pass cancels a quantize and the dequantize after it, whatever their zero points are."""

    def cancelled(site: Site) -> Site:
        kept: list[Step] = []
        for step in site.steps:
            if kept and (kept[-1].op, step.op) == ("quantize", "dequantize"):
                kept.pop()
            else:
                kept.append(step)
        return replace(site, steps=tuple(kept))

    return misread_site(cancelled)


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        kind="quantization",
        upstream="apache/tvm#11127",
        make=quantized_value_ignored,
        witness=quantized_witness(value=3.0, zero_point=(4,)),
    ),
    Mutant(kind="quantization", make=zero_instead_of_zero_point, witness=quantized_witness(value=0.0, zero_point=(3,))),
    Mutant(
        kind="quantization",
        make=first_zero_point_only,
        witness=quantized_witness(value=3.0, zero_point=(3, 4), channels=2),
    ),
    Mutant(
        kind="quantization",
        upstream="google/XNNPACK#8647",
        make=zero_point_wrong_sign,
        witness=quantized_witness(value=255.0, dtype="uint8", zero_point=(-1,), zero_point_dtype="int8"),
    ),
    Mutant(
        kind="quantization",
        make=absent_value_taken_as_match,
        witness=quantized_witness(value=0.0, zero_point=(3,), constant=False),
    ),
    Mutant(
        kind="quantization",
        upstream="apache/tvm#14445",
        make=nonconstant_dereferenced,
        witness=quantized_witness(value=3.0, zero_point=(3,), constant=False),
    ),
    Mutant(
        kind="quantization",
        make=varying_parameters_moved,
        witness=quantized_witness(value=3.0, zero_point=(3,), scale=(1.0, 0.5, 2.0, 1.0, 0.5, 2.0, 1.0), axis="W"),
    ),
    Mutant(
        kind="quantization",
        make=quantize_dequantize_taken_for_identity,
        witness=witness_case(
            "conv1d",
            BARE,
            steps=(
                CaseStep(kind="quantize", zero_point=(3,), out_dtype="int8"),
                CaseStep(kind="dequantize", zero_point=(4,)),
            ),
        ),
    ),
)
"""The mutants of this module."""
