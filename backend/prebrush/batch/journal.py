"""Which uploads are under way: what a killed run may have sent, so that the next one asks before it sends again."""

import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from prebrush.errors import PrebrushError


@dataclass(frozen=True, slots=True)
class Begun:
    """An upload that began so many seconds ago, and of which tasks."""

    tasks: tuple[int, ...]
    age_s: float


class Journal(Protocol):
    """Remembers, through the death of the process, the chunks whose upload began and was not seen to end."""

    def begin(self, chunk: str, tasks: Sequence[int]) -> None:
        """Note, durably, that an upload of these tasks' predictions begins."""

    def end(self, chunk: str) -> None:
        """Forget it: Label Studio has answered, or it is known what became of it."""

    def pending(self) -> dict[str, Begun]:
        """Return what was begun and not ended, by chunk."""


class FileJournal:
    """A journal in a file that is replaced as a whole. Safe to share between threads, not between processes."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._now = now
        self._lock = threading.Lock()
        self._began: dict[str, tuple[float, list[int]]] = {}
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            self._began = {chunk: (float(at), [int(task) for task in tasks]) for chunk, (at, tasks) in found.items()}
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise PrebrushError(f"{path} cannot be read; delete it if no other run uses it ({error})") from error

    def begin(self, chunk: str, tasks: Sequence[int]) -> None:
        """See `Journal.begin`."""
        with self._lock:
            self._began[chunk] = (self._now(), list(tasks))
            self._write()

    def end(self, chunk: str) -> None:
        """See `Journal.end`."""
        with self._lock:
            if self._began.pop(chunk, None) is not None:
                self._write()

    def pending(self) -> dict[str, Begun]:
        """See `Journal.pending`."""
        with self._lock:
            # a clock that was set back makes the age negative
            return {
                chunk: Begun(tuple(tasks), max(0.0, self._now() - at)) for chunk, (at, tasks) in self._began.items()
            }

    def _write(self) -> None:
        new = self._path.with_suffix(".new")
        try:
            if not self._began:
                with suppress(FileNotFoundError):
                    self._path.unlink()
                return
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with new.open("w", encoding="utf-8") as file:
                json.dump(self._began, file)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
        except OSError as error:
            raise PrebrushError(f"cannot write {self._path}: {error.strerror}") from error
