"""Room for long requests: `/health` and `/setup` always find a thread."""

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
        self._places = threading.BoundedSemaphore(max(1, threads - QUICK_THREADS))

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Take a place for the time of a request.

        Raises
        ------
        Overloaded
            There is none.
        """
        if not self._places.acquire(blocking=False):
            raise Overloaded("every thread for long requests is busy; ask again in a few seconds")
        try:
            yield
        finally:
            self._places.release()
