"""Which request a thread works for: the id that every log line about it carries."""

import re
import uuid
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that this thread works for; empty where there is none."""

_SANE = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def choose_id(given: str | None) -> str:
    """Take the id that a proxy or a client gave, if nothing in it could harm a log, else make one."""
    return given if given and _SANE.fullmatch(given) else uuid.uuid4().hex[:16]
