"""File locks that let one run at a time work on the same files or project; two would do and upload everything twice."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
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


@contextlib.contextmanager
def hold_project(key: str, what: str) -> Iterator[None]:
    """Take a project for oneself among the processes of this user on this machine, from whatever folder they run.

    Parameters
    ----------
    key : str
        The project by its full name, which tells those of two Label Studios apart.

    Raises
    ------
    PrebrushError
        Another process has it.
    """
    if sys.platform == "win32":
        yield
        return
    path = Path(tempfile.gettempdir()) / f"prebrush-{os.getuid()}-project-{key}.lock"
    # the folder is everybody's: a link that somebody put there is not followed
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600), "wb") as file:
        hold(file, what)
        yield
