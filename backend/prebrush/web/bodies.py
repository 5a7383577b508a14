"""Bodies of requests, received straight into the memory that they are read from.

Between a socket and the app gunicorn and Werkzeug copy each byte several times, a few milliseconds for a body of
megabytes, as a click beside many masks has.
"""

import io
import mmap
from contextlib import suppress
from typing import Any

from flask import Request

from prebrush.process import LARGE_BLOCK
from prebrush.web.pacing import PacedSocket


class DirectBody(io.RawIOBase):
    """A body of known length, for gunicorn to hand to the app in place of its own.

    Parameters
    ----------
    unreader : gunicorn.http.unreader.Unreader
        Holds what has come already, with the head of the request.
    connection : PacedSocket
        Gives all else.
    length : int
        Bytes of the body.
    """

    def __init__(self, unreader: Any, connection: PacedSocket, length: int) -> None:
        super().__init__()
        self._unreader = unreader
        self._connection = connection
        self._left = length
        self._ahead: memoryview | None = None
        self.failed = False
        """What gunicorn looks at before it takes another request from the connection."""

    def readable(self) -> bool:
        """Tell `io` that this can be read from."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Receive what has arrived; return how many bytes, 0 at the end of the body or of the connection."""
        view = memoryview(buffer)[: self._left]
        try:
            count = self._receive(view) if view else 0
        except Exception:
            self.failed = True
            raise
        self._left -= count
        return count

    def _receive(self, view: memoryview) -> int:
        if self._ahead is None:
            # not before: some clients send nothing until they are told to go on, which happens at the first reading
            self._ahead = self._take_ahead()
        if not self._ahead:
            return self._connection.recv_into(view)
        count = min(len(self._ahead), len(view))
        view[:count] = self._ahead[:count]
        self._ahead = self._ahead[count:]
        return count

    def _take_ahead(self) -> memoryview:
        """Take what came with the head, and leave there what is of a next request."""
        data: bytes = self._unreader.read()
        if len(data) > self._left:
            self._unreader.unread(data[self._left :])
        return memoryview(data)[: self._left]


def read_body(request: Request) -> memoryview:
    """Read the whole body of a request that may be large.

    Raises
    ------
    RequestEntityTooLarge
        It is larger than the app takes.
    """
    length = request.content_length
    if length is None:
        return memoryview(request.get_data(cache=False))
    stream: Any = request.stream  # which refuses what is too large
    # zeros cost nothing before they are written to: a client cannot take memory with a number
    body = memoryview(bytearray(length) if length < LARGE_BLOCK else _large_block(length))
    filled = 0
    while filled < length and (count := stream.readinto(body[filled:])):
        filled += count
    return body[:filled]


def _large_block(size: int) -> bytearray | mmap.mmap:
    """Allocate what the allocator would take anew from the system: in large pages, or the first writing takes long."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return bytearray(size)
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a system may have none
        block.madvise(mmap.MADV_HUGEPAGE)
    return block
