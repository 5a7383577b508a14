"""The command line's start and end. Errors are one line on stderr; a traceback only under ``python -X dev``.

Exit status: 0 all is well, 1 something failed, 2 wrong usage or settings, 130 stopped by Ctrl-C.
"""

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import NoReturn

from prebrush.errors import ConfigError, PrebrushError, RequestError

ONE_THREAD = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
"""Read by NumPy when it is imported, later than this. The server's threads fill the cores already: with threads of its
own for each small product of matrices, a click took four times as long."""
STOPPED = 130
"""What a shell gives for Ctrl-C."""


def main() -> NoReturn:
    """Run the command line and turn errors into one line and an exit status."""
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")
    if isinstance(sys.stdout, TextIOWrapper):
        # names of files need not be text; stderr writes them so by itself
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        # here, and not at the top: what is stopped while it loads ends as it would later
        from prebrush.commands.app import UsageError, run  # noqa: PLC0415
    except KeyboardInterrupt:
        sys.exit(STOPPED)
    try:
        status = run()
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = STOPPED
    except PrebrushError as error:
        status = _fail(str(error), 2 if isinstance(error, ConfigError | RequestError) else 1)
    except UsageError as error:
        status = _fail(error.format_message() or "name a command", 2)  # type: ignore[attr-defined]  # typer hides the class
    except OSError as error:
        status = _fail(f"{error.strerror}: {error.filename or 'the output'}", 1)
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        status = _fail(
            f"an error inside prebrush: {type(error).__name__}: {error}; python -X dev -m prebrush shows where", 1
        )
    sys.exit(status)


def _fail(message: str, status: int) -> int:
    # whoever reads neither stream is told by the status
    with suppress(OSError):
        sys.stderr.write(f"prebrush: {' '.join(message.split())}\n")
    return status
