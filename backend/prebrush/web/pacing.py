"""Connections whose clients must send at a pace, so that slow ones do not hold the threads of the server.

A thread reads a request from a socket without a limit of time, so as many slow clients as there are threads would stop
the server. Here a client has some seconds, and more as it goes on sending; while requests wait for a thread, it has
less than one, and must be quick. Some threads never read a large body, however quickly it comes. A proxy that reads
whole requests before it passes them on does the same for many more clients.
"""

import math
import select
import socket
import threading
import time
from typing import Any

from werkzeug.exceptions import RequestTimeout

from prebrush.errors import Overloaded
from prebrush.web.room import QUICK_THREADS

GRACE_S = 10.0
"""Time for a request while threads are free."""
GRACE_IN_NEED_S = 0.5
"""Time for it while other requests wait for a thread: on the networks this runs in, most arrive in milliseconds."""
LEAST_BYTES_PER_S = 50_000
"""A client that sends as much is not too slow: 100 annotations with masks may come over a poor line."""
LEAST_BYTES_PER_S_IN_NEED = 1_000_000
"""While others wait, it is: at the pace above, a few megabits a second would hold every thread for good."""
LARGE_BODY_BYTES = 1_000_000
"""From which a body needs a place of its own to be read on."""
LOOK_EVERY_S = 0.1
LAST_BYTES_S = 0.05
"""For what is still on its way when a connection is closed: gunicorn's loop, which serves all, waits for it. A client
that goes on sending gets no more of it."""


class Crowd:
    """Counts connections that wait for a thread, and threads that read a large body. Safe to share between threads.

    Parameters
    ----------
    threads : int
        How many threads the server has.

    Attributes
    ----------
    is_leaving : bool
        Whether the server is stopping: then slow clients are waited for no longer than while others wait.
    """

    def __init__(self, threads: int) -> None:
        self._lock = threading.Lock()
        self._waiting = 0
        self._places = max(1, threads - QUICK_THREADS)
        self.is_leaving = False

    @property
    def waits(self) -> bool:
        """Whether a connection waits for a thread, or the server is stopping."""
        return self._waiting > 0 or self.is_leaving

    def change(self, by: int) -> None:
        """Add to the number of waiting connections: 1 or -1."""
        with self._lock:
            self._waiting += by

    def take_place(self) -> bool:
        """Take a place for reading a large body; False where none is free."""
        with self._lock:
            is_free = self._places > 0
            self._places -= is_free
            return is_free

    def give_place(self) -> None:
        """Give the place back."""
        with self._lock:
            self._places += 1


class PacedSocket:
    """A connection whose bytes must come at a pace; all else is the socket's own.

    A client that is too slow has reached its end: nothing more is read. While the app reads a body, `RequestTimeout`
    tells it so once; `Overloaded` does where a large one finds no place.
    """

    def __init__(self, own: socket.socket, crowd: Crowd) -> None:
        self._own = own
        self._crowd = crowd
        self._started = time.monotonic()
        self._received = 0
        self._is_over = False
        self._in_body = False
        self._has_place = False
        self._closed_at = math.inf

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def begin(self) -> None:
        """Start the clock for a new request."""
        self._started = time.monotonic()
        self._received = 0

    def begin_body(self) -> None:
        """Note that the app reads from now on."""
        self._in_body = True

    def end_body(self) -> None:
        """Note that it has answered."""
        self._in_body = False
        if self._has_place:
            self._has_place = False
            self._crowd.give_place()

    def end(self) -> None:
        """Note that no more requests are taken; what still comes is thrown away."""
        self._closed_at = time.monotonic()

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Receive, in time, or nothing."""
        buffer = bytearray(size)
        return bytes(buffer[: self.recv_into(buffer, flags=flags)])

    def recv_into(self, buffer: bytearray | memoryview, size: int = 0, flags: int = 0) -> int:
        """Receive into a buffer, in time, and return how many bytes; 0 where none come any more."""
        while not self._is_over:
            if math.isfinite(self._closed_at):
                left_s = self._closed_at + LAST_BYTES_S - time.monotonic()
                return self._own.recv_into(buffer, size, flags) if left_s > 0 and self.has_come(left_s) else 0
            if self.has_come(LOOK_EVERY_S):
                count = self._own.recv_into(buffer, size, flags)
                self._received += count
                self._need_place()
                if not count or not self._is_late():
                    return count
            self._is_over = self._is_late()
        if self._in_body:
            self._in_body = False
            raise RequestTimeout("the request came too slowly; send it at once")
        return 0

    def _need_place(self) -> None:
        """Go on with a large body only where that leaves threads for all else."""
        if self._in_body and not self._has_place and self._received > LARGE_BODY_BYTES:
            self._has_place = self._crowd.take_place()
            if not self._has_place:
                self._in_body, self._is_over = False, True
                raise Overloaded("too many large requests come at once; ask again in a few seconds")

    def _is_late(self) -> bool:
        grace_s, least = (
            (GRACE_IN_NEED_S, LEAST_BYTES_PER_S_IN_NEED) if self._crowd.waits else (GRACE_S, LEAST_BYTES_PER_S)
        )
        return time.monotonic() - self._started > grace_s + self._received / least

    def has_come(self, within_s: float) -> bool:
        """Tell whether there is something to read, or the end."""
        poll = select.poll()
        poll.register(self._own, select.POLLIN)
        return bool(poll.poll(within_s * 1000))

    def has_hung_up(self) -> bool:
        """Tell whether the client has closed the connection, without taking anything from it."""
        try:
            return not self._own.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
