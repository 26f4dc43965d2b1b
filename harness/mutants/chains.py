"""Mutants: how steps change the border, and where they put axes."""

from dataclasses import replace
from typing import Any

from tvm import ir

from foldproof.case import Axis, Case, Pad
from foldproof.case import Step as CaseStep
from foldproof.fold import Refused, moves, values
from foldproof.fold import propagation as steps
from foldproof.fold import reader as site
from foldproof.fold.bounds import bound_result
from foldproof.fold.facts import Binary, Joined, Operand, Quantization, Rearranged, Site, Step
from foldproof.fold.propagation import Border
from foldproof.fold.values import INTEGER_BITS, int_range
from foldproof.fold.varmap import VarMap
from foldproof.ir.base import Pass
from foldproof.mutants.mutant import BARE, H, Mutant, W, witness_case
from foldproof.mutants.operators import misread_site, patch_pass, retype, with_steps

# --- values -------------------------------------------------------------------------------------------


def border_not_evaluated() -> Pass:
    """The pass ignores what elementwise steps make of the pad value."""

    def evaluated(border: Border, step: Step) -> Border | Refused:
        return replace(border, dtype=step.dtype, bounds=bound_result(border.bounds, border.dtype, step), fusible=False)

    return retype(patch_pass(steps, _evaluate=evaluated))


def clip_not_evaluated() -> Pass:
    """The pass ignores the bounds of a clip."""
    return retype(patch_pass(values, clip=lambda value, low, high, dtype: value))


def relu_not_evaluated() -> Pass:
    """The pass ignores that a relu changes a negative pad value."""
    return retype(patch_pass(values, UNARY={**values.UNARY, "nn.relu": lambda value, dtype: value}))


def step_rounding_ignored() -> Pass:
    """The pass computes the border in double precision and ignores the rounding of each step."""

    def exact(value: float, dtype: str) -> float | None:
        if dtype not in INTEGER_BITS:
            return None if value != value else value
        low, high = int_range(dtype)
        return value if low <= value <= high else None

    return retype(patch_pass(values, _result=exact))


def join_not_evaluated() -> Pass:
    """The pass takes ``x * f(x)`` for ``x``."""

    def joined(border: Border, step: Joined) -> Border:
        return replace(border, dtype=step.dtype, bounds=None, fusible=False)

    return retype(patch_pass(steps, _pass_joined=joined))


def gate_stays_padded() -> Pass:
    """Of ``x * f(x)``, the pass moves the product, but not ``f``."""

    def again(bindings: Any, var: Any, operand: Any, ty: Any, moving: list[bool], moved: dict[Any, Any]) -> ir.Call:
        new: VarMap[Any] = VarMap()
        new[bindings.join(var).source] = operand
        return moves._substitute(bindings, bindings.values[var], new, ty)

    return patch_pass(moves, _repeat_join=again)


# --- operands -----------------------------------------------------------------------------------------


def first_operand_only() -> Pass:
    """The pass reads only the first number of a per-channel operand."""

    def first(step: Step) -> Step:
        if not isinstance(step, Binary) or not step.other.flat:
            return step
        return replace(step, other=replace(step.other, flat=step.other.flat[:1] * len(step.other.flat)))

    return misread_site(lambda site: with_steps(site, first))


_NEUTRAL = {"multiply": 1.0, "divide": 1.0, "add": 0.0, "subtract": 0.0, "maximum": float("-inf")}


def runtime_operand_ignored() -> Pass:
    """The pass ignores an operand known only at run time."""

    def assumed(step: Step) -> Step:
        if not isinstance(step, Binary) or step.other.flat is not None or step.other.shape is None:
            return step
        neutral = _NEUTRAL.get(step.op, float("inf"))
        return replace(step, other=Operand(shape=(1,) * len(step.other.shape), flat=(neutral,)))

    return misread_site(lambda site: with_steps(site, assumed))


def varying_operand_moved() -> Pass:
    """The pass takes an operand that varies along a padded axis for a uniform one."""

    def uniform(site: Site) -> Site:
        padded = {axis for axis, sides in enumerate(site.pad.widths or ()) if any(sides)}

        def first(step: Step) -> Step:
            if not isinstance(step, Binary) or not step.other.flat:
                return step
            shape = step.other.shape or ()
            varies = any(length != 1 and axis in padded for axis, length in enumerate(shape))
            one = Operand(shape=(1,) * len(shape), flat=step.other.flat[:1])
            return replace(step, other=one) if varies else step

        return with_steps(site, first)

    return misread_site(uniform)


# --- axes ---------------------------------------------------------------------------------------------


def permute_not_mapped() -> Pass:
    """The pass keeps the order of the widths across a permute."""

    def rearranged(border: Border, step: Rearranged) -> Border:
        return border if step.op == "permute_dims" else _rearranged(border, step)

    _rearranged = steps._pass_rearranged
    return retype(patch_pass(steps, _pass_rearranged=rearranged))


def axis_read_after_permute() -> Pass:
    """The pass reads the axis of a quantize or dequantize in the layout after the next permute."""

    def misplaced(site: Site) -> Site:
        order = next((step.origin for step in site.steps if isinstance(step, Rearranged)), None)

        def moved(step: Step) -> Step:
            if not isinstance(step, Quantization) or order is None:
                return step
            return replace(step, scale=_moved(step.scale, order), zero_point=_moved(step.zero_point, order))

        return with_steps(site, moved)

    return misread_site(misplaced)


def _moved(operand: Operand, origin: tuple[int | None, ...]) -> Operand:
    """Return the operand with its axes counted as after the permute, so that it means another axis before it."""
    shape = [1] * len(origin)
    for axis, length in enumerate(operand.shape or ()):
        if length not in (None, 1) and (place := origin[axis]) is not None:
            shape[place] = length
    return replace(operand, shape=tuple(shape))


def inserted_axis_first() -> Pass:
    """The pass takes an inserted unit axis for the first axis."""

    def origin(call: ir.Call) -> list[int | None]:
        new = len(call.attrs.axis)
        return [*([None] * new), *range(int(call.ty.ndim) - new)]

    return retype(patch_pass(site, _ORIGINS={**site._ORIGINS, "expand_dims": origin}))


def reshape_target_stale() -> Pass:
    """A reshape that reads unpadded data keeps its padded target shape."""

    def again(body: Any, var: Any, step: Step, index: int, operand: Any, ty: Any) -> ir.Call:
        call, old = _again(body, var, step, index, operand, ty), body.values[var]
        if step.op != "reshape":
            return call
        return ir.Call(call.op, [call.args[0], old.args[1]], call.attrs, call.ty_args, call.span, call.ty)

    _again = moves._repeat_step
    return retype(patch_pass(moves, _repeat_step=again))


# --- the table ----------------------------------------------------------------------------------------


def _conv(*chain: CaseStep, value: float = 0.0, **fields: Any) -> Case:
    return witness_case("conv1d", BARE, pad=Pad(value=value), steps=chain, **fields)


_PERMUTED = (CaseStep(kind="permute_dims", source="NHWC"),)

MUTANTS: tuple[Mutant, ...] = (
    Mutant(kind="chain", make=border_not_evaluated, witness=_conv(CaseStep(kind="add", operand=(1.0,)))),
    Mutant(kind="chain", make=clip_not_evaluated, witness=_conv(CaseStep(kind="clip", low=1.0))),
    Mutant(kind="chain", make=relu_not_evaluated, witness=_conv(CaseStep(kind="relu"), value=-3.0)),
    Mutant(
        kind="chain",
        make=step_rounding_ignored,
        witness=_conv(CaseStep(kind="add"), CaseStep(kind="subtract"), value=2.0**-30),
    ),
    Mutant(
        kind="chain",
        make=join_not_evaluated,
        witness=_conv(CaseStep(kind="hardswish"), CaseStep(kind="subtract"), value=1.0),
    ),
    Mutant(kind="chain", make=gate_stays_padded, witness=_conv(CaseStep(kind="softsign"))),
    Mutant(
        kind="chain",
        make=first_operand_only,
        witness=_conv(CaseStep(kind="add", operand=(0.0, 1.0)), channels=2),
    ),
    Mutant(
        kind="chain",
        make=runtime_operand_ignored,
        witness=_conv(CaseStep(kind="add", operand=(3.0,), constant=False)),
    ),
    Mutant(
        kind="chain",
        make=varying_operand_moved,
        witness=_conv(CaseStep(kind="multiply", operand=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0), axis="W")),
    ),
    Mutant(kind="chain", make=permute_not_mapped, witness=witness_case("conv2d", H, W, steps=_PERMUTED)),
    Mutant(
        kind="chain",
        make=axis_read_after_permute,
        witness=witness_case(
            "conv2d",
            Axis(size=4, kernel=2),
            Axis(size=4, pad=(1, 0), kernel=2),
            dtype="int8",
            channels=2,
            pad=Pad(value=3.0),
            steps=(CaseStep(scale=(1.0, 0.5), zero_point=(3, 3)), *_PERMUTED),
        ),
    ),
    Mutant(
        kind="chain",
        make=inserted_axis_first,
        witness=witness_case("conv2d", BARE, Axis(size=1), steps=(CaseStep(kind="expand_dims", source="NCH"),)),
    ),
    Mutant(
        kind="chain",
        make=reshape_target_stale,
        witness=witness_case("conv2d", BARE, Axis(size=1), steps=(CaseStep(kind="reshape", source="NCH"),)),
    ),
)
"""The mutants of this module."""
