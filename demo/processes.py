"""Real server processes: started, waited for, stopped, their output kept in a file."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.error import URLError
from urllib.request import urlopen

_POLL_S = 0.1
"""Pause between two looks at a condition."""
_STOP_S = 10.0
"""How long a server may take to end by itself after it was asked to."""

Found = TypeVar("Found")


def find_free_port(wanted: int = 0) -> int:
    """Return a port of the loopback address that nobody listens on: the wanted one, if it is free."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for(condition: Callable[[], Found], what: str, limit_s: float = 30) -> Found:
    """Ask again and again until the answer is truthy, and return that answer.

    Raises
    ------
    TimeoutError
        The condition did not come true; the message names ``what`` and the last answer.
    """
    deadline = time.monotonic() + limit_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {limit_s:.0f} s for {what}; the last answer was {answer!r}")
        time.sleep(_POLL_S)


@dataclass(frozen=True)
class Server:
    """A running server process."""

    url: str
    log: Path
    process: subprocess.Popen[bytes]

    def is_healthy(self) -> bool:
        """Tell whether ``/health`` answers; a process that has ended is an error."""
        return self._answers("/health")

    def is_ready(self) -> bool:
        """Tell whether prebrush has all its kernels; a process that has ended is an error."""
        return self._answers("/ready")

    def _answers(self, path: str) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.url} ended with status {self.process.returncode}:\n{self.log_tail()}")
        try:
            with urlopen(self.url + path, timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def log_lines(self) -> list[str]:
        """Return what the process printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()

    def log_tail(self, lines: int = 60) -> str:
        """Return the end of what the process printed."""
        return "\n".join(self.log_lines()[-lines:])


@contextmanager
def run_server(
    command: Sequence[str],
    *,
    url: str,
    environment: Mapping[str, str],
    folder: Path,
    log: Path,
    start_limit_s: float,
) -> Iterator[Server]:
    """Run ``command`` in ``folder`` until the block ends; the block starts when ``<url>/health`` answers.

    The process sees ``environment`` and, of ours, only what a program needs to run at all: settings of the person who
    runs the demo or the tests must not change their outcome.
    """
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**inherited, "PYTHONUNBUFFERED": "1", **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        server = Server(url, log, process)
        try:
            wait_for(server.is_healthy, f"{url}/health; its log is {log}", start_limit_s)
            yield server
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process and all it started: the session's group is its own."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(_STOP_S)
