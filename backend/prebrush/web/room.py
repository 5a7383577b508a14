"""Room for long requests: `/health` and `/setup` always find a thread, and so does a click beside batches."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from prebrush.errors import Overloaded

QUICK_THREADS = 4
"""Threads that long requests may never take."""


class Room:
    """Counts the long requests of one server.

    Parameters
    ----------
    threads : int
        All threads the server has.
    """

    def __init__(self, threads: int) -> None:
        self.places = max(1, threads - QUICK_THREADS)
        self._places_of_batches = max(1, self.places // 2)
        self._lock = threading.Lock()
        self.taken = 0
        self._taken_by_batches = 0

    @property
    def is_full(self) -> bool:
        """Whether nobody is let in."""
        return self.taken >= self.places

    @contextmanager
    def enter(self, *, batch: bool = False) -> Iterator[None]:
        """Take a place for the time of a request.

        Parameters
        ----------
        batch : bool
            Half of the places are not for batches, which hold theirs for long.

        Raises
        ------
        Overloaded
            There is none.
        """
        with self._lock:
            if self.is_full or (batch and self._taken_by_batches >= self._places_of_batches):
                raise Overloaded("every thread for long requests is busy; ask again in a few seconds")
            self.taken += 1
            self._taken_by_batches += batch
        try:
            yield
        finally:
            with self._lock:
                self.taken -= 1
                self._taken_by_batches -= batch
