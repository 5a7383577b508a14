"""A bounded crew of threads that runs each piece of work once. Not for work that must survive the process."""

import itertools
import queue
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from enum import IntEnum
from typing import Generic, TypeVar

from prebrush.errors import Overloaded

T = TypeVar("T")


class Urgency(IntEnum):
    """Who goes first."""

    NOW = 0
    """A person is waiting in the editor."""
    BATCH = 1
    """A request for many tasks."""


class Jobs(Generic[T]):
    """Threads that take work by urgency, first come first served within one urgency.

    Work is known by a key: while it waits or runs, asking for the same key again gives the same future, so that one
    task opened by three people at once is computed once.

    Parameters
    ----------
    threads : int
        How many pieces run at the same time.
    most_waiting : int
        How many may wait or run before more are refused.
    """

    def __init__(self, threads: int, most_waiting: int = 20_000) -> None:
        self._queue: queue.PriorityQueue[tuple[int, int, Hashable]] = queue.PriorityQueue()
        self._order = itertools.count()
        self._lock = threading.Lock()
        self._futures: dict[Hashable, Future[T]] = {}
        self._waiting: dict[Hashable, tuple[Urgency, Callable[[], T]]] = {}
        self._most_waiting = most_waiting
        for number in range(threads):
            threading.Thread(target=self._serve, name=f"prebrush-job-{number}", daemon=True).start()

    @property
    def unfinished(self) -> int:
        """How many pieces of work wait or run."""
        return len(self._futures)

    def submit(self, key: Hashable, work: Callable[[], T], urgency: Urgency) -> Future[T]:
        """Queue `work`, or join the same work that is under way.

        Raises
        ------
        Overloaded
            Too much is waiting already.
        """
        with self._lock:
            future = self._futures.get(key)
            if future is None:
                if len(self._futures) >= self._most_waiting:
                    raise Overloaded(f"{len(self._futures)} tasks are waiting already; ask again in a minute")
                future = self._futures[key] = Future()
                self._enqueue(key, urgency, work)
            elif key in self._waiting and urgency < self._waiting[key][0]:
                # queued again, further ahead; whoever comes to the second entry finds nothing to do
                self._enqueue(key, urgency, self._waiting[key][1])
        return future

    def _enqueue(self, key: Hashable, urgency: Urgency, work: Callable[[], T]) -> None:
        self._waiting[key] = (urgency, work)
        self._queue.put((urgency, next(self._order), key))

    def _serve(self) -> None:
        while True:
            key = self._queue.get()[2]
            with self._lock:
                waiting = self._waiting.pop(key, None)
            if waiting is not None:
                self._run(key, waiting[1])

    def _run(self, key: Hashable, work: Callable[[], T]) -> None:
        """Run the work and hand its result, or its error, to everybody who asked."""
        future = self._futures[key]
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  the error goes to those who wait for the future
            self._forget(key)
            future.set_exception(error)
        else:
            self._forget(key)
            future.set_result(result)

    def _forget(self, key: Hashable) -> None:
        with self._lock:
            del self._futures[key]
