"""The last answers, in memory: what a batch finished in the background is there next time, even without a storage."""

import threading
from collections import OrderedDict


class Recent:
    """Keeps values up to a number of bytes; those not asked for the longest leave first. Safe between threads."""

    def __init__(self, max_bytes: int) -> None:
        self._values: OrderedDict[str, bytes] = OrderedDict()
        self._room = max_bytes
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        """Return a value, or None if it is not there any more."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: str, value: bytes) -> None:
        """Keep a value, replacing an older one."""
        with self._lock:
            self._room += len(self._values.pop(key, b"")) - len(value)
            self._values[key] = value
            while self._room < 0:
                self._room += len(self._values.popitem(last=False)[1])
