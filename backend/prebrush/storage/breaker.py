"""A circuit breaker: what has just failed to answer is not waited for again at once."""

import threading
import time
from collections.abc import Callable

from prebrush.errors import StorageError


class Breaker:
    """Turns the wait for a dead storage from one per call into one per pause.

    Parameters
    ----------
    pause_s : float
        How long calls fail at once after a failure. Then one caller tries, while the others go on failing at once.
    clock : callable
        Seconds that only go forward.
    """

    def __init__(self, pause_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._pause_s = pause_s
        self._clock = clock
        self._lock = threading.Lock()
        self._reason = ""
        self._next_try = 0.0

    def check(self) -> None:
        """Let the caller through.

        Raises
        ------
        StorageError
            The last try failed and the pause is not over.
        """
        with self._lock:
            if not self._reason:
                return
            now = self._clock()
            if now < self._next_try:
                raise StorageError(f"{self._reason} (not tried again yet)")
            self._next_try = now + self._pause_s

    def failed(self, reason: str) -> None:
        """Begin a pause."""
        with self._lock:
            self._reason = reason
            self._next_try = self._clock() + self._pause_s

    def answered(self) -> None:
        """Let everybody through again."""
        with self._lock:
            self._reason = ""
