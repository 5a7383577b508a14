"""A bounded crew of threads that runs each piece of work once, the urgent first. Not for work that must survive."""

import heapq
import itertools
import threading
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
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


class Slots:
    """Places for work that fills a core, given by urgency, then first come first served."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._order = itertools.count()
        self._waiting: list[tuple[Urgency, int]] = []
        self._changed = threading.Condition()

    @contextmanager
    def take(self, urgency: Urgency) -> Iterator[None]:
        """Wait for a place and hold it."""
        ticket = (urgency, next(self._order))
        with self._changed:
            heapq.heappush(self._waiting, ticket)
            self._changed.wait_for(lambda: self._free > 0 and self._waiting[0] == ticket)
            heapq.heappop(self._waiting)
            self._free -= 1
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()


class Jobs(Generic[T]):
    """Threads that take work by urgency, first come first served within one urgency.

    Work is known by a key: while it waits or runs, asking for the same key again gives the same future, so that one
    task opened by three people at once is computed once.

    Parameters
    ----------
    threads : int
        How many pieces run at the same time.
    reserved : int
        How many of the threads take only work of urgency NOW, so that a batch never holds all of them.
    most_waiting : int
        How many may wait or run before more are refused.
    """

    def __init__(self, threads: int, reserved: int = 0, most_waiting: int = 20_000) -> None:
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._queue: list[tuple[Urgency, int, Hashable]] = []
        self._futures: dict[Hashable, Future[T]] = {}
        self._waiting: dict[Hashable, tuple[Urgency, Callable[[], T]]] = {}
        self._most_waiting = most_waiting
        for number in range(threads):
            least = Urgency.NOW if number < reserved else Urgency.BATCH
            threading.Thread(target=self._serve, args=(least,), name=f"prebrush-job-{number}", daemon=True).start()

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
        with self._changed:
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
        heapq.heappush(self._queue, (urgency, next(self._order), key))
        self._changed.notify_all()

    def _serve(self, least: Urgency) -> None:
        """Take work of at least this urgency, for ever."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue and self._queue[0][0] <= least)
                key = heapq.heappop(self._queue)[2]
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
        with self._changed:
            del self._futures[key]
