"""One run at a time over the same files: two would predict, upload and write the same twice."""

import contextlib
import sys
from typing import IO

from prebrush.errors import PrebrushError

if sys.platform != "win32":
    import fcntl


def hold(file: IO[bytes], what: str) -> None:
    """Take an open file for oneself until it is closed, or the process has ended in whatever way.

    Raises
    ------
    PrebrushError
        Another process has it.
    """
    if sys.platform == "win32":
        return
    # some network file systems know no locks; there it goes on as if alone
    with contextlib.suppress(OSError):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PrebrushError(f"another prebrush is at work on {what}; wait for its end, or stop it") from error
