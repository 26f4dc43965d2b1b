"""Plain values: what ``Case`` and its parts share. Comparison by bits, a repr to paste, JSON both ways.

Law: ``cls.from_plain(value.to_plain()) == value`` and ``eval(repr(value)) == value``.
"""

import dataclasses
import math
import struct
from typing import Any, ClassVar, Self


def require(condition: bool, message: str) -> None:
    """Raise ValueError with ``message`` unless ``condition`` holds."""
    if not condition:
        raise ValueError(message)


def whole(name: str, value: Any, *, least: int | None = None) -> None:
    """Require an int (no bool), of at least ``least``."""
    require(type(value) is int, f"{name} must be a whole number, not {value!r}")
    require(least is None or value >= least, f"{name} must be at least {least}, not {value}")


def widths(name: str, value: Any, *, least: int | None = None) -> None:
    """Require a pair of whole numbers (before, after)."""
    require(isinstance(value, tuple) and len(value) == 2, f"{name} must be a pair (before, after), not {value!r}")
    for width in value:
        whole(name, width, least=least)


def flag(name: str, value: Any) -> None:
    """Require a bool."""
    require(type(value) is bool, f"{name} must be true or false, not {value!r}")


def sequence(name: str, value: Any, *, empty: bool = False) -> tuple[Any, ...]:
    """Require a tuple, not empty unless ``empty``."""
    require(isinstance(value, tuple) and (empty or len(value) > 0), f"{name} must be a non-empty list, not {value!r}")
    return tuple(value)


def member(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Require one of the choices."""
    shown = ", ".join(choices[:12]) + (", ..." if len(choices) > 12 else "")
    require(value in choices, f"{name} {value!r} is none of {shown}")


def choose(name: str, values: Any, choices: tuple[str, ...], *, empty: bool = False) -> None:
    """Require every value of a tuple to be one of the choices."""
    for value in sequence(name, values, empty=empty):
        member(name, value, choices)


class Plain:
    """Base of frozen dataclasses (declared with ``eq=False, repr=False``) whose fields are plain values.

    Floats compare by their bits: ``nan`` equals ``nan`` and ``-0.0`` differs from ``0.0``, since a pad value of
    either is a different test.
    """

    __slots__ = ()
    nested: ClassVar[dict[str, type["Plain"]]] = {}
    floats: ClassVar[tuple[str, ...]] = ()

    def _key(self) -> tuple[Any, ...]:
        return tuple(_comparable(getattr(self, f.name)) for f in _fields(type(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and type(self) is type(other) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash((type(self).__name__, *self._key()))

    def __repr__(self) -> str:
        shown = (f"{f.name}={_repr(getattr(self, f.name))}" for f in self._changed())
        return f"{type(self).__name__}({', '.join(shown)})"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """Hypothesis and IPython would print every field otherwise."""
        printer.text(repr(self))

    def _changed(self) -> tuple["dataclasses.Field[Any]", ...]:
        """The fields that are not at their default."""
        return tuple(
            f
            for f in _fields(type(self))
            if f.default is dataclasses.MISSING or _comparable(getattr(self, f.name)) != _comparable(f.default)
        )

    def to_plain(self) -> dict[str, Any]:
        """JSON values: defaults left out, tuples as lists, NaN and the infinities as strings."""
        return {f.name: _plain(getattr(self, f.name)) for f in self._changed()}

    @classmethod
    def from_plain(cls, value: object) -> Self:
        """The value that ``to_plain`` wrote. Raises ValueError that names what is wrong."""
        if not isinstance(value, dict):
            raise ValueError(f"{cls.__name__} is a JSON object, not {value!r}")
        known = {f.name: f for f in _fields(cls)}
        for name in value:
            require(name in known, f"{cls.__name__} has no field {name!r}; its fields are {', '.join(known)}")
        for name, f in known.items():
            require(name in value or f.default is not dataclasses.MISSING, f"{cls.__name__} lacks {name!r}")
        return cls(**{name: cls._parse(name, content) for name, content in value.items()})

    @classmethod
    def _parse(cls, name: str, content: Any) -> Any:
        if isinstance(content, list):
            return tuple(cls._parse(name, item) for item in content)
        if name in cls.nested:
            return cls.nested[name].from_plain(content)
        if name in cls.floats and (type(content) is int or content in ("nan", "inf", "-inf")):
            return float(content)
        return content


def _fields(cls: type[Plain]) -> tuple["dataclasses.Field[Any]", ...]:
    return dataclasses.fields(cls)  # type: ignore[arg-type]


def _comparable(value: Any) -> Any:
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack(">d", value)
    if isinstance(value, tuple):
        return tuple(_comparable(v) for v in value)
    return (type(value).__name__, value)


def _repr(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_repr, value)) + ("," if len(value) == 1 else "") + ")"
    return repr(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Plain):
        return value.to_plain()
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
