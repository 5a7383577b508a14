"""A cache in memory that is bounded in bytes: the least recently used values leave first."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")


class Recent(Generic[V]):
    """Keeps values up to a number of bytes, the least recently used leave first. Safe to share between threads.

    Parameters
    ----------
    max_bytes : int
        Of all values together; a larger value is not kept.
    size_of : callable (value) -> int
        How many bytes a value takes.
    """

    def __init__(self, max_bytes: int, size_of: Callable[[V], int]) -> None:
        self._values: OrderedDict[str, V] = OrderedDict()
        self._max_bytes = self._room = max_bytes
        self._size_of = size_of
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return self._max_bytes - self._room

    def __contains__(self, key: str) -> bool:
        """Tell whether a value is there; it is not counted as asking for it."""
        return key in self._values

    def names(self) -> list[str]:
        """List the keys."""
        with self._lock:
            return list(self._values)

    def get(self, key: str) -> V | None:
        """Return a value, or None if it is not there any more."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: str, value: V) -> list[str]:
        """Keep a value, replacing an older one; return the keys of those that had to leave."""
        left = []
        with self._lock:
            if key in self._values:
                self._room += self._size_of(self._values.pop(key))
            self._room -= self._size_of(value)
            self._values[key] = value
            while self._room < 0:
                oldest, its_value = self._values.popitem(last=False)
                self._room += self._size_of(its_value)
                left.append(oldest)
        return left

    def drop(self, key: str) -> None:
        """Forget a value, if it is there."""
        with self._lock:
            if key in self._values:
                self._room += self._size_of(self._values.pop(key))
