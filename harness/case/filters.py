"""Filters on cases, as text: ``dtype in float32,float16 and min_pad >= 0``.

    filter       conditions joined by " and "
    condition    FIELD in A,B    FIELD not in A,B    FIELD == A    FIELD != A    FIELD < N    <=    >    >=

A field with several values, such as ``steps``, is in a list if one of its values is.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from foldproof.case import ops
from foldproof.case.any_case import AnyCase
from foldproof.case.case import EXTRA_OUTPUTS, Case
from foldproof.case.dtypes import DTYPES
from foldproof.case.pad import FORMS
from foldproof.case.step import STEP_KINDS

Values = frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field that a filter can name.

    Args:
        text: its meaning, for the documentation.
        read: returns its value for a case: a number, or the set of its words.
        words: the words that it can have; empty for a number, or for any word.
        is_number: whether it is a number.
    """

    text: str
    read: Callable[[Case], Any]
    words: tuple[str, ...] = ()
    is_number: bool = False


def _word(text: str, read: Callable[[Case], object], words: Iterable[str] = ()) -> Field:
    return Field(text=text, read=lambda case: frozenset([str(read(case))]), words=tuple(words))


def _words(text: str, read: Callable[[Case], Iterable[str]], words: Iterable[str] = ()) -> Field:
    return Field(text=text, read=lambda case: frozenset(read(case)), words=tuple(words))


def _flag(text: str, read: Callable[[Case], object]) -> Field:
    return Field(text=text, read=lambda case: frozenset([str(bool(read(case))).lower()]), words=("true", "false"))


def _number(text: str, read: Callable[[Case], float]) -> Field:
    return Field(text=text, read=read, is_number=True)


def _widths(case: Case) -> list[int]:
    """Return all widths of all pads, those of steps included."""
    first = [width for sides in case.pad_widths.values() for width in sides]
    return first + [width for step in case.steps for _, *sides in step.widths for width in sides]


_FAMILIES = tuple(dict.fromkeys(op.family for op in ops.OPS))

FIELDS: dict[str, Field] = {
    "op": _word("the consumer", lambda case: case.op, ops.NAMES),
    "family": _word("the family of the consumer", lambda case: case.spec.family, _FAMILIES),
    "rank": _number("the number of spatial axes", lambda case: case.spec.rank),
    "dtype": _word("dtype of the input", lambda case: case.dtype, DTYPES),
    "operand_dtype": _word("dtype of the consumer's data", lambda case: case.operand_dtype, DTYPES),
    "weight_dtype": _word("dtype of the weight", lambda case: case.kernel_dtype, DTYPES),
    "out_dtype": _word("dtype of the result", lambda case: case.result_dtype, DTYPES),
    "data_layout": _word("layout of the consumer's data", lambda case: case.operand_layout),
    "kernel_layout": _word("layout of the weight; empty for pools", lambda case: case.weight_layout),
    "form": _word("how the pad is spelled", lambda case: case.pad.form, FORMS),
    "mode": _word("mode of the pad", lambda case: case.pad.mode),
    "value": _number("value of the pad", lambda case: case.pad.value),
    "operand": _word("which operand is padded", lambda case: case.pad.operand, ("data", "weight")),
    "min_pad": _number("smallest width of all pads; negative widths crop", lambda case: min(_widths(case))),
    "max_pad": _number("largest width of all pads", lambda case: max(_widths(case))),
    "asymmetric": _flag(
        "whether begin and end of a spatial axis differ",
        lambda case: any(axis.pad[0] != axis.pad[1] for axis in case.axes),
    ),
    "pads_batch": _flag("whether the batch axis is padded", lambda case: any(case.pad.batch)),
    "pads_channels": _flag("whether the channel axis is padded", lambda case: any(case.pad.channel)),
    "min_padding": _number("smallest own padding", lambda case: min(min(axis.padding) for axis in case.axes)),
    "max_padding": _number("largest own padding", lambda case: max(max(axis.padding) for axis in case.axes)),
    "max_kernel": _number("largest kernel", lambda case: max(axis.kernel for axis in case.axes)),
    "max_stride": _number("largest stride", lambda case: max(axis.stride for axis in case.axes)),
    "max_dilation": _number("largest dilation", lambda case: max(axis.dilation for axis in case.axes)),
    "groups": _number("groups of the convolution", lambda case: case.groups),
    "ceil_mode": _flag("whether the last window of a pool may reach over the end", lambda case: case.ceil_mode),
    "count_include_pad": _flag("whether an average counts the padding", lambda case: case.count_include_pad),
    "constant_weight": _flag("whether the weight is a constant", lambda case: case.constant_weight),
    "symbolic": _flag("whether a length is symbolic", lambda case: case.symbolic),
    "input_stride": _number("stride with which x is read before the producers", lambda case: case.input_stride),
    "producers": _words("kinds of the ops before the pad", lambda case: (s.kind for s in case.producers), STEP_KINDS),
    "steps": _words("kinds of the ops between pad and consumer", lambda case: (s.kind for s in case.steps), STEP_KINDS),
    "step_count": _number("number of ops between pad and consumer", lambda case: len(case.steps)),
    "extra_outputs": _words("what else the function returns", lambda case: case.extra_outputs, EXTRA_OUTPUTS),
}
"""The fields of filters, by name."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: a field, an operator and what it is compared with."""

    field: str
    operator: str
    values: tuple[str, ...]

    def matches(self, case: Case) -> bool:
        """Whether the case satisfies it."""
        value = FIELDS[self.field].read(case)
        if FIELDS[self.field].is_number:
            numbers = [float(each) for each in self.values]
            return _COMPARE[self.operator](float(value), numbers)
        common = not value.isdisjoint(self.values)
        return common if self.operator in ("in", "==") else not common


_COMPARE: dict[str, Callable[[float, list[float]], bool]] = {
    "in": lambda value, given: value in given,
    "not in": lambda value, given: value not in given,
    "==": lambda value, given: value in given,
    "!=": lambda value, given: value not in given,
    "<": lambda value, given: value < given[0],
    "<=": lambda value, given: value <= given[0],
    ">": lambda value, given: value > given[0],
    ">=": lambda value, given: value >= given[0],
}
_CONDITION = re.compile(r"\s*(\w+)\s*(not\s+in\b|in\b|==|!=|<=|>=|<|>)\s*(.*?)\s*", re.DOTALL)
_LISTS = ("in", "not in")
_EXAMPLE = "FIELD in A,B, or FIELD == A, != A, < N, <= N, > N, >= N; conditions are joined by 'and'"


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Conditions that a case has to satisfy, all of them."""

    conditions: tuple[Condition, ...]

    @classmethod
    def parse(cls, text: str) -> "CaseFilter":
        """Return the filter that a text spells.

        Raises:
            ValueError: if it is not a filter; the message names the part that is wrong, and the choices.
        """
        return cls(tuple(_parse_condition(part) for part in re.split(r"\band\b", text)))

    def matches(self, case: AnyCase) -> bool:
        """Whether the case, or every site of a graph, satisfies all conditions."""
        return all(condition.matches(each) for each in case.cases for condition in self.conditions)


def _parse_condition(text: str) -> Condition:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text.strip()!r} is not a condition on cases; expected {_EXAMPLE}")
    name, operator, rest = match[1], " ".join(match[2].split()), match[3]
    if name not in FIELDS:
        raise ValueError(f"unknown field {name!r} of a case; expected one of {', '.join(FIELDS)}")
    field = FIELDS[name]
    values = tuple(value.strip().strip("'\"") for value in rest.strip("()[]{}").split(",") if value.strip())
    if not values:
        raise ValueError(f"{text.strip()!r} compares {name} with nothing; expected {_EXAMPLE}")
    if len(values) > 1 and operator not in _LISTS:
        raise ValueError(f"{text.strip()!r} compares with several values; expected {name} in {','.join(values)}")
    if not field.is_number and operator not in (*_LISTS, "==", "!="):
        raise ValueError(f"{text.strip()!r}: {name} is not a number; expected in, not in, == or !=")
    for value in values:
        _require_value(name, field, value)
    return Condition(name, operator, values)


def _require_value(name: str, field: Field, value: str) -> None:
    if field.is_number:
        try:
            float(value)
        except ValueError:
            raise ValueError(f"{name} is a number, and {value!r} is not") from None
    elif field.words and value not in field.words:
        raise ValueError(f"unknown {name} {value!r}; expected one of {', '.join(field.words)}")
