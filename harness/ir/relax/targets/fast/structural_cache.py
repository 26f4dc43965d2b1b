"""A bounded cache whose keys are IR: structurally equal keys are one key, whatever the names of variables."""

from collections import OrderedDict
from typing import Any, Generic, TypeVar

import tvm_ffi

V = TypeVar("V")


class StructuralCache(Generic[V]):
    """At most ``capacity`` values; the least recently used one is removed first.

    Equality is TVM's: operators, attributes, types, dtypes and constants, bit by bit (0.0 is not -0.0). Free variables
    are equal if their types and positions are.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.hits = self.misses = 0
        self._entries: OrderedDict[int, tuple[Any, V]] = OrderedDict()
        self._asked: tuple[Any, int] = (None, 0)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Any) -> V | None:
        """Return the value of an equal key; None if there is none."""
        hashed = self._hash(key)
        known, value = self._entries.get(hashed, (None, None))
        if known is None or not tvm_ffi.structural_equal(known, key, map_free_vars=True):
            self.misses += 1
            return None
        self._entries.move_to_end(hashed)
        self.hits += 1
        return value

    def put(self, key: Any, value: V) -> None:
        """Store a value; of two keys with the same hash, the later one is kept."""
        self._entries[self._hash(key)] = (key, value)
        if len(self._entries) > self.capacity:
            self._entries.popitem(last=False)

    def forget(self, key: Any) -> None:
        """Remove the value of a key, if there is one."""
        self._entries.pop(self._hash(key), None)

    def _hash(self, key: Any) -> int:
        """Return the hash of a key. The last one is kept, since ``put`` usually follows ``get`` of the same key."""
        asked, hashed = self._asked
        if asked is not key:
            hashed = tvm_ffi.structural_hash(key, map_free_vars=True)
            self._asked = key, hashed
        return hashed
