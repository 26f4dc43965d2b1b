"""Base class and field checks of the plain values that a case consists of.

A ``Record`` compares by bits, prints as an expression that can be pasted, and converts to JSON and back.

Invariant: ``cls.from_dict(value.to_dict()) == value`` and ``eval(repr(value)) == value``.
"""

import dataclasses
import math
import struct
from collections.abc import Callable
from typing import Any, ClassVar, Generic, Self, TypeVar, overload

T = TypeVar("T")


LISTED = 30
"""Choices that an error message lists at most; of more, it lists the first ``FEW``."""

FEW = 12


def require(condition: bool, message: str) -> None:
    """Raise ValueError with ``message`` unless ``condition`` holds."""
    if not condition:
        raise ValueError(message)


def require_int(name: str, value: Any, *, least: int | None = None) -> None:
    """Require an int (not a bool) of at least ``least``."""
    if type(value) is not int:
        raise ValueError(f"{name} must be an integer, not {value!r}")
    if least is not None and value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")


def require_pair(name: str, value: Any, *, least: int | None = None) -> None:
    """Require a pair of integers (before, after)."""
    if not (isinstance(value, tuple) and len(value) == 2):
        raise ValueError(f"{name} must be a pair (before, after), not {value!r}")
    for width in value:
        require_int(name, width, least=least)


def require_bool(name: str, value: Any) -> None:
    """Require a bool."""
    if type(value) is not bool:
        raise ValueError(f"{name} must be true or false, not {value!r}")


def require_string(name: str, value: Any) -> None:
    """Require a string."""
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string, not {value!r}")


def require_tuple(name: str, value: Any, *, empty: bool = False) -> tuple[Any, ...]:
    """Return ``value``. Require a tuple, which is not empty unless ``empty`` is set."""
    if not (isinstance(value, tuple) and (empty or value)):
        raise ValueError(f"{name} must be a {'' if empty else 'non-empty '}tuple (a list in JSON), not {value!r}")
    return tuple(value)


def member(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Require one of ``choices``, which are all values that ``name`` can ever have."""
    if value not in choices:
        raise ValueError(f"unknown {name} {value!r}; expected one of {_listed(choices)}")


def one_of(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Require one of ``choices``, which are the values that ``name`` can have in this place."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {_listed(choices)}, not {value!r}")


def choose(name: str, values: Any, choices: tuple[str, ...], *, empty: bool = False, element: str = "") -> None:
    """Require a tuple of ``choices``. ``element`` is what one value is called in the message, by default ``name``."""
    for value in require_tuple(name, values, empty=empty):
        member(element or name, value, choices)


def _listed(choices: tuple[str, ...]) -> str:
    return ", ".join(choices if len(choices) <= LISTED else (*choices[:FEW], "..."))


class cached(Generic[T]):  # noqa: N801, it is used as a property is
    """A property of a frozen value, computed once. A reader of a dict gets a copy of its own."""

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute, self._name = compute, compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, value: None, owner: type) -> Self: ...
    @overload
    def __get__(self, value: "Record", owner: type) -> T: ...
    def __get__(self, value: Any, owner: type) -> Any:
        if value is None:
            return self
        try:
            memory = value._cache
        except AttributeError:
            memory = {}
            object.__setattr__(value, "_cache", memory)
        if self._name not in memory:
            memory[self._name] = self._compute(value)
        found = memory[self._name]
        return found.copy() if type(found) is dict else found


class Record:
    """Base of frozen dataclasses (declared with ``eq=False, repr=False``) whose fields are plain values.

    Floats compare by their bits: ``nan`` equals ``nan``, and ``-0.0`` differs from ``0.0``. The two zeros are
    different pad values, so they make different tests.
    """

    __slots__ = ("_cache", "_known")  # memory of computed values; not fields
    _cache: dict[str, Any]
    _known: tuple[int, tuple[Any, ...]]
    nested: ClassVar[dict[str, type["Record"]]] = {}
    floats: ClassVar[tuple[str, ...]] = ()

    def _identity(self) -> tuple[int, tuple[Any, ...]]:
        """Return the hash and the values that are compared."""
        try:
            return self._known
        except AttributeError:
            key = tuple(_comparable(getattr(self, f.name)) for f in _fields(type(self)))
            object.__setattr__(self, "_known", (hash((type(self).__name__, *key)), key))
            return self._known

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Record) and type(self) is type(other) and self._identity() == other._identity()
        )

    def __hash__(self) -> int:
        return self._identity()[0]

    def __repr__(self) -> str:
        shown = (f"{f.name}={_repr(getattr(self, f.name))}" for f in self._changed())
        return f"{type(self).__name__}({', '.join(shown)})"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """Print the short repr in Hypothesis and IPython, which print every field by default."""
        printer.text(repr(self))

    def _changed(self) -> tuple["dataclasses.Field[Any]", ...]:
        """Return the fields that are not at their default."""
        return tuple(
            f
            for f in _fields(type(self))
            if f.default is dataclasses.MISSING or not alike(getattr(self, f.name), f.default)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values: without defaults, tuples as lists, NaN and the infinities as strings."""
        return {f.name: _plain(getattr(self, f.name)) for f in self._changed()}

    @classmethod
    def from_dict(cls, value: object) -> Self:
        """Return the value that ``to_dict`` wrote.

        Raises:
            ValueError: if a field is unknown, missing or malformed; the message names it.
        """
        if not isinstance(value, dict):
            raise ValueError(f"{cls.__name__} must be a JSON object, not {value!r}")
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
            return cls.nested[name].from_dict(content)
        if name in cls.floats and (type(content) is int or content in ("nan", "inf", "-inf")):
            return float(content)
        return content


def _fields(cls: type[Record]) -> tuple["dataclasses.Field[Any]", ...]:
    return dataclasses.fields(cls)  # type: ignore[arg-type]


def alike(a: Any, b: Any) -> bool:
    """Whether two values of a field are the same, floats by their bits."""
    return a is b or _comparable(a) == _comparable(b)


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
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
