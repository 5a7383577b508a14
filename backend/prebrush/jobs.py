"""A bounded pool of threads that runs each piece of work once, the most urgent first.

Not for work that must survive a restart.
"""

import heapq
import itertools
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from typing import Any, Generic, TypeVar

from prebrush.errors import Abandoned, Overloaded
from prebrush.tracing import request_id

T = TypeVar("T")


class Urgency(IntEnum):
    """How urgent a piece of work is: lower numbers run first."""

    NOW = 0
    """A person is waiting in the editor."""
    BATCH = 1
    """A request for many tasks."""


class Slots:
    """Places for work that fills a core, given by urgency, then first come first served."""

    def __init__(self, count: int) -> None:
        self._count = self._free = count
        self._order = itertools.count()
        self._waiting: list[tuple[Urgency, int]] = []
        self._changed = threading.Condition()

    @property
    def taken(self) -> int:
        """How many places are held."""
        return self._count - self._free

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    @contextmanager
    def take(self, urgency: Urgency) -> Iterator[None]:
        """Wait for a place and hold it.

        Raises
        ------
        Abandoned
            When its turn came, nobody waited for the work any more.
        """
        ticket = (urgency, next(self._order))
        with self._changed:
            heapq.heappush(self._waiting, ticket)
            self._changed.wait_for(lambda: self._free > 0 and self._waiting[0] == ticket)
            heapq.heappop(self._waiting)
            self._free -= 1
            self._changed.notify_all()
        try:
            stop_if_abandoned()
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()


class Piece(Future[T]):
    """One piece of work, queued or running, and the number of callers that wait for its result."""

    def __init__(self, jobs: "Jobs[T]", key: Hashable, work: Callable[[], T], urgency: Urgency) -> None:
        super().__init__()
        self.jobs = jobs
        self.key = key
        self.work: Callable[[], T] | None = work
        self.urgency = urgency
        self.askers = 0
        self.is_promised = False
        self.request_id = request_id.get()


_under_way: ContextVar[Piece[Any] | None] = ContextVar("under_way", default=None)


def stop_if_abandoned() -> None:
    """End the work of this thread if nobody waits for its result any more; outside of `Jobs`, do nothing.

    To be called between the steps of long work: what computes inside one step cannot be stopped.

    Raises
    ------
    Abandoned
        Nobody waits for it.
    """
    piece = _under_way.get()
    if piece is not None and piece.jobs.give_up(piece):
        raise Abandoned("nobody waits for the answer any more")


class Jobs(Generic[T]):
    """Threads that take work by urgency, first come first served within one urgency.

    Work is known by a key: while it waits or runs, asking for the same key again gives the same future, so that one
    task opened by three people at once is computed once. Whoever stops waiting says so with `leave`: work that only
    people waited for is dropped then, work of a batch is done all the same.

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
        self._queue: list[tuple[Urgency, int, Piece[T]]] = []
        self._pieces: dict[Hashable, Piece[T]] = {}
        self._most_waiting = most_waiting
        for number in range(threads):
            least = Urgency.NOW if number < reserved else Urgency.BATCH
            threading.Thread(target=self._serve, args=(least,), name=f"prebrush-job-{number}", daemon=True).start()

    @property
    def unfinished(self) -> int:
        """How many pieces of work wait or run."""
        return len(self._pieces)

    @property
    def is_full(self) -> bool:
        """Whether more would be refused."""
        return len(self._pieces) >= self._most_waiting

    def in_background(self) -> int:
        """Count the pieces that wait or run although nobody waits for them."""
        with self._changed:
            return sum(not piece.askers for piece in self._pieces.values())

    def submit_all(self, asked: Sequence[tuple[Hashable, Callable[[], T]]], urgency: Urgency) -> list[Future[T]]:
        """Queue pieces of work, all or none; those that wait or run already are joined.

        Raises
        ------
        Overloaded
            Too much is waiting already.
        """
        with self._changed:
            new = {key for key, _ in asked} - self._pieces.keys()
            if new and len(self._pieces) + len(new) > self._most_waiting:
                raise Overloaded(f"{len(self._pieces)} tasks are waiting already; ask again in a minute")
            return [self._ask(key, work, urgency) for key, work in asked]

    def leave(self, future: Future[T]) -> None:
        """Stop waiting for a future. If nobody else waits and no batch asked for it, the work is dropped."""
        assert isinstance(future, Piece)  # noqa: S101  `submit_all` gives no others
        with self._changed:
            future.askers -= 1
            if future.work is not None and self._is_abandoned(future):
                self._forget(future)
                future.cancel()

    def give_up(self, piece: Piece[T]) -> bool:
        """Tell whether no caller and no batch wants a running piece any more; then it can no longer be joined."""
        with self._changed:
            if self._is_abandoned(piece):
                self._forget(piece)
                return True
            return False

    def _is_abandoned(self, piece: Piece[T]) -> bool:
        return piece.askers <= 0 and not piece.is_promised

    def _ask(self, key: Hashable, work: Callable[[], T], urgency: Urgency) -> Piece[T]:
        piece = self._pieces.get(key)
        if piece is None:
            piece = self._pieces[key] = Piece(self, key, work, urgency)
            self._enqueue(piece)
        elif piece.work is not None and urgency < piece.urgency:
            # queued again, further ahead; whoever comes to the second entry finds nothing to do
            piece.urgency = urgency
            self._enqueue(piece)
        piece.askers += 1
        piece.is_promised = piece.is_promised or urgency is Urgency.BATCH
        return piece

    def _enqueue(self, piece: Piece[T]) -> None:
        heapq.heappush(self._queue, (piece.urgency, next(self._order), piece))
        self._changed.notify_all()

    def _serve(self, least: Urgency) -> None:
        """Take work of at least this urgency, for ever."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue and self._queue[0][0] <= least)
                piece = heapq.heappop(self._queue)[2]
                work, piece.work = piece.work, None
            if work is not None and piece.set_running_or_notify_cancel():
                self._run(piece, work)
            # a thread that waits must not keep the last image alive
            del piece, work

    def _run(self, piece: Piece[T], work: Callable[[], T]) -> None:
        """Run the work and hand its result, or its error, to everybody who asked."""
        _under_way.set(piece)
        # log lines name the request that asked first
        request_id.set(piece.request_id)
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  the error goes to those who wait for the future
            with self._changed:
                self._forget(piece)
            piece.set_exception(error)
        else:
            with self._changed:
                self._forget(piece)
            piece.set_result(result)
        finally:
            _under_way.set(None)

    def _forget(self, piece: Piece[T]) -> None:
        """Take a piece off the list, unless another of the same key is on it by now. The caller has the lock."""
        if self._pieces.get(piece.key) is piece:
            del self._pieces[piece.key]
