"""Predictions into a file that Label Studio imports, one task after the other, to go on from after any kind of end."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from prebrush.batch.locks import hold
from prebrush.datatypes import Task
from prebrush.errors import PrebrushError


class TasksFile:
    """A JSON list of tasks with their predictions, whole or not there; while tasks are missing there is ``NAME.part``.

    Every line of the part is a task; its first line tells of which run it is. A line that a killed run left unfinished
    is cut off when the next one goes on.

    Parameters
    ----------
    path : Path
        The file to make. One that is there is replaced at the end.
    run : str
        Names source and model version; a part of another run is refused.

    Raises
    ------
    PrebrushError
        It cannot be written, or the part is of another run.
    """

    def __init__(self, path: Path, run: str) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        self.done: set[int | str] = set()
        """Ids of the tasks that are in it."""
        if path.is_dir():
            raise PrebrushError(f"{path} is a folder; name a file to write, such as {path / 'tasks.json'}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = self._part.open("a+b")
        except OSError as error:
            raise PrebrushError(f"cannot write {self._part}: {error.strerror}") from error
        try:
            hold(self._file, str(path))
            self._go_on(run)
        except OSError as error:
            self._file.close()
            raise PrebrushError(f"cannot write {self._part}: {error.strerror}") from error
        except BaseException:
            self._file.close()
            raise

    def _go_on(self, run: str) -> None:
        self._file.seek(0)
        head = json.dumps({"run": run}).encode() + b"\n"
        end = 0
        for number, line in enumerate(self._file):
            if not line.endswith(b"\n"):
                break
            if number:
                self.done.add(json.loads(line)["id"])
            elif line != head:
                if not self._is_in_whole():
                    raise PrebrushError(f"{self._part} is of another run; delete it or choose another --out")
                break
            end += len(line)
        self._file.truncate(end)
        if not end:
            self._file.write(head)

    def _is_in_whole(self) -> bool:
        """Tell whether all of the part is in the finished file, which is then written after it."""
        try:
            return self._path.stat().st_mtime_ns >= self._part.stat().st_mtime_ns
        except FileNotFoundError:
            return False

    def __enter__(self) -> Self:
        """Return the file itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the part; it stays unless `finish` was called."""
        self._file.close()

    def add(self, task: Task, entry: bytes) -> None:
        """Write one task with its encoded prediction."""
        head = json.dumps({"id": task.id, "data": dict(task.data)}).encode()
        try:
            self._file.write(head[:-1] + b', "predictions": [' + entry + b"]}\n")
            self._file.flush()
        except OSError as error:
            raise PrebrushError(f"cannot write {self._part}: {error.strerror}") from error
        self.done.add(task.id)

    def finish(self, *, keep_part: bool = False) -> None:
        """Make the file of the part, a line at a time; with `keep_part` the next run can add to it what failed."""
        whole = self._path.with_name(f"{self._path.name}.new")
        try:
            with whole.open("wb") as target:
                target.write(b"[")
                target.writelines(self._lines())
                target.write(b"\n]\n")
            whole.replace(self._path)
            if not keep_part:
                self._part.unlink()
        except OSError as error:
            raise PrebrushError(f"cannot write {self._path}: {error.strerror}") from error

    def _lines(self) -> Iterator[bytes]:
        self._file.seek(0)
        next(self._file)
        for number, line in enumerate(self._file):
            yield (b",\n" if number else b"\n") + line.rstrip(b"\n")
