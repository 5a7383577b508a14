"""Progress on the terminal, for commands that work through many images."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

LINE_EVERY_S = 15.0
"""Where stderr is no terminal."""


@contextmanager
def show_progress(total: int, what: str) -> Iterator[Callable[[str], None]]:
    """Show a bar on stderr; what is yielded takes one step and says what it was."""
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[at]}"),
    )
    console = Console(stderr=True)
    # without a terminal nothing is drawn: not even the empty line that would stand before an error
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total, at="")
        yield lambda text: progress.update(task, advance=1, at=escape(text[:60]))


class LongProgress:
    """Tasks done and failed, their rate, and the time left: a bar, or a line from time to time. Thread-safe.

    Parameters
    ----------
    what : str
        What is worked through.
    total : int
    shown : bool
        False shows nothing.
    """

    def __init__(self, what: str, total: int, *, shown: bool = True) -> None:
        console = Console(stderr=True)
        columns = (
            TextColumn(escape(what)),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[words]}"),
        )
        self._console = console
        self._shown = shown
        self._bar = Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal))
        self._task: TaskID = self._bar.add_task(what, total=total, rate="", words="")
        self._what = what
        self._total = total
        self._lock = threading.Lock()
        self._started = self._said = time.monotonic()
        self.done = self.failed = 0

    def __enter__(self) -> Self:
        """Begin to show it."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self._bar.stop()

    def step(self, *, failed: bool = False) -> None:
        """Count one task."""
        with self._lock:
            self.set(self.done + (not failed), self.failed + failed)

    def set(self, done: int, failed: int, more: str = "") -> None:
        """Take over counts that are kept elsewhere; `more` is shown beside them."""
        self.done, self.failed = done, failed
        now = time.monotonic()
        rate = (done + failed) / max(now - self._started, 1e-3)
        words = ", ".join(part for part in (f"{failed} failed" if failed else "", more) if part)
        self._bar.update(self._task, completed=done + failed, rate=f"{rate:.1f}/s", words=words)
        if self._shown and not self._console.is_terminal and now - self._said >= LINE_EVERY_S:
            self._said = now
            left = timedelta(seconds=round((self._total - done - failed) / rate)) if rate else "unknown"
            told = (f"{done + failed} of {self._total}", f"{rate:.1f}/s", f"{left} left", words)
            self._console.print(f"{escape(self._what)}: {', '.join(part for part in told if part)}", soft_wrap=True)
