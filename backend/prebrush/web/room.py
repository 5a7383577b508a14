"""Admission of long requests: threads are kept free for `/health` and `/setup`, and for clicks while batches run."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from prebrush.errors import Overloaded

QUICK_THREADS = 4
"""Threads that long requests may never take."""


class Room:
    """Admits long requests as long as there are places, and refuses more. Safe to share between threads.

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
            Whether the request has several tasks. Batches hold their places for long, so half of them are not for
            batches.

        Raises
        ------
        Overloaded
            No place is free.
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
