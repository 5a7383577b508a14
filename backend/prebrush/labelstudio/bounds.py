"""Bounds on what JSON becomes: three bytes of it can become sixty of memory, so it is counted before it is kept."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from prebrush.errors import InvalidBody

MOST_PARTS = 1_000_000
"""Values in one thing that is decoded whole, such as the data of a task; a comma in a text counts as one."""

_room = threading.local()


def refuse_many_parts(json: bytes | msgspec.Raw, where: str, most: int = MOST_PARTS) -> int:
    """Refuse JSON that would become more than `most` values; return a bound on how many it becomes.

    Raises
    ------
    InvalidBody
        It may. Commas and brackets are counted, in texts too, which is fast.
    """
    content = bytes(json)
    parts = sum(map(content.count, (b",", b"[", b"{")))
    if parts > most:
        raise InvalidBody(f"{where}: holds over {most} values")
    return parts


class Counted(msgspec.Struct):
    """Base of objects whose number in one request is limited: `room_for` sets the limit, one more ends the decoding."""

    def __post_init__(self) -> None:
        _room.left -= 1
        if _room.left < 0:
            raise InvalidBody(_room.refusal)


@contextmanager
def room_for(count: int, refusal: str) -> Iterator[None]:
    """Let this thread decode at most `count` objects of `Counted`; `refusal` is the message of the `InvalidBody`."""
    _room.left, _room.refusal = count, refusal
    yield
