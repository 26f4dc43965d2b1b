"""A bounded table by IR: structurally equal keys are one key, whatever their variables are called."""

from collections import OrderedDict
from typing import Any, Generic, TypeVar

import tvm_ffi

V = TypeVar("V")


class StructuralCache(Generic[V]):
    """At most ``capacity`` values; the one that was not asked for the longest goes first.

    Equality is TVM's: operators, attributes, types, dtypes and constants, bit by bit (0.0 is not -0.0). Variables that
    a key does not bind are equal if their types and their places are.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.hits = self.misses = 0
        self._entries: OrderedDict[int, tuple[Any, V]] = OrderedDict()
        self._asked: tuple[Any, int] = (None, 0)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Any) -> V | None:
        """The value of a key that equals this one."""
        hashed = self._hash(key)
        known, value = self._entries.get(hashed, (None, None))
        if known is None or not tvm_ffi.structural_equal(known, key, map_free_vars=True):
            self.misses += 1
            return None
        self._entries.move_to_end(hashed)
        self.hits += 1
        return value

    def put(self, key: Any, value: V) -> None:
        """Remember a value; of two keys with the same hash, the later one is remembered."""
        self._entries[self._hash(key)] = (key, value)
        if len(self._entries) > self.capacity:
            self._entries.popitem(last=False)

    def forget(self, key: Any) -> None:
        """Whatever is known of a key, if anything is."""
        self._entries.pop(self._hash(key), None)

    def _hash(self, key: Any) -> int:
        """What is put is what was just asked for, as a rule, and hashed once."""
        asked, hashed = self._asked
        if asked is not key:
            hashed = tvm_ffi.structural_hash(key, map_free_vars=True)
            self._asked = key, hashed
        return hashed
