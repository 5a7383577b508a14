"""What a serving process sets once for itself: its log lines, its memory, its end."""

import ctypes
import json
import logging
import signal
import sys
from datetime import UTC, datetime
from typing import Any

from prebrush.settings import Settings
from prebrush.tracing import request_id

logger = logging.getLogger(__name__)

LARGE_BLOCK = 8 << 20
"""Bytes from which a block is taken from the system and given back at once; below, it is used again."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Numbers of the options, from malloc.h."""
PR_SET_PDEATHSIG = 1
"""From sys/prctl.h."""


def bound_allocator() -> None:
    """Have glibc give memory back when an image is done with; other C libraries do so by themselves.

    By default it keeps a heap for every few threads and, once large blocks have been freed, cuts the next ones from
    those heaps: after a dozen 12-megapixel images on as many threads the server holds 250 MB that nobody uses.
    """
    if sys.platform == "win32":
        return
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return
    for option, value in ((M_ARENA_MAX, 1), (M_MMAP_THRESHOLD, LARGE_BLOCK), (M_TRIM_THRESHOLD, 4 * LARGE_BLOCK)):
        if not libc.mallopt(option, value):
            logger.warning("glibc does not take the memory option %d", option)


def end_with_parent() -> None:
    """Have Linux tell this process to stop in order (SIGTERM) when its parent has ended in whatever way."""
    if sys.platform == "linux" and ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM) != 0:
        logger.warning("this system does not tell of the end of a parent process")


MOST_CHARACTERS = 4000
"""Of a message or a traceback: the id of a task that a caller makes up may have megabytes."""


def shorten(text: str) -> str:
    """Leave out the middle of a text that is too long for a log."""
    half = MOST_CHARACTERS // 2
    return text if len(text) <= MOST_CHARACTERS else f"{text[:half]} ...({len(text)} characters)... {text[-half:]}"


class Short(logging.Formatter):
    """Keeps every line to a length that a log can take."""

    def formatException(self, ei: Any) -> str:  # noqa: N802  the name that logging calls
        """Write a traceback."""
        return shorten(super().formatException(ei))


class OneLine(Short):
    """Writes a message as one line: a path or a task's id with a line break in it must not forge another."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(request)s%(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the name that logging calls
        """Escape what does not print; a traceback below keeps its lines."""
        record.request = f"[{request_id.get()}] " if request_id.get() else ""
        record.message = shorten(record.message)
        line = super().formatMessage(record)
        return "".join(character if character.isprintable() else repr(character)[1:-1] for character in line)


class JsonLine(Short):
    """Writes a message as a JSON object on one line, with what was given as ``extra={"fields": {...}}``."""

    def format(self, record: logging.LogRecord) -> str:
        """Escape everything but ASCII, so that a line is a line to every reader."""
        content = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": shorten(record.getMessage()),
        }
        if request_id.get():
            content["request_id"] = request_id.get()
        if record.exc_info:
            content["traceback"] = self.formatException(record.exc_info)
        return json.dumps({**content, **getattr(record, "fields", {})})


def configure_logging(settings: Settings) -> None:
    """Write log lines to stderr, one form for all."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine() if settings.server.log_format == "json" else OneLine())
    logging.basicConfig(level=settings.server.log_level.upper(), handlers=[handler], force=True)
    # the clients below us log addresses, which may carry signatures
    logging.getLogger("urllib3").setLevel(logging.WARNING)
