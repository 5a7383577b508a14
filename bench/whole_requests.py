"""Whole requests to a real server process: its start, its memory, and two people at once on two cores."""

import http.client
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2

from bench.harness import Row, WrongResultError
from bench.images import photograph
from bench.warm_request import CONFIG, PhotoServer

REQUESTS = {1: 8, 12: 4}
"""Cold requests in a sample, by megapixels."""
MOST_MB = 450
START_S = 60


class ServerProcess:
    """``prebrush serve`` as users start it, on a storage of its own."""

    def __init__(self, folder: Path, studio: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._log = folder / "log"
        own = {"PREBRUSH_STORAGE_URL": f"sqlite:///{folder}/kept", "LABEL_STUDIO_URL": studio}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "prebrush", "serve", "--port", str(self.port)],
            stdout=self._log.open("wb"),
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **own},
        )
        self._numbers = itertools.count()

    def wait_for_health(self) -> bytes:
        """Ask until there is an answer."""
        end = time.monotonic() + START_S
        while time.monotonic() < end and self._process.poll() is None:
            try:
                return self._ask("GET", "/health")
            except OSError:
                time.sleep(0.005)
        raise RuntimeError(f"no answer from the server within {START_S} s:\n{self._log.read_text()}")

    def predict_cold(self, megapixels: int) -> bytes:
        """Ask for what cannot be known yet: the area bound differs each time, too little to change a pixel."""
        number = next(self._numbers)
        body = {
            "tasks": [{"id": number, "data": {"image": f"/data/upload/1/{megapixels}.jpg"}}],
            "project": "1.1",
            "label_config": CONFIG.format(attributes=f'model_fill_holes="{100 + number}"'),
            "params": {"context": None},
        }
        return self._ask("POST", "/predict", json.dumps(body).encode())

    def peak_mb(self) -> float:
        """Read the most memory that its largest process has held so far, in millions of bytes; Linux alone tells.

        The others hold little beside the pages that they share with it.
        """
        own = Path(f"/proc/{self._process.pid}")
        workers = (own / f"task/{self._process.pid}/children").read_text().split()
        tables = [Path(f"/proc/{number}/status").read_text() for number in (own.name, *workers)]
        return max(int(re.findall(r"VmHWM:\s+(\d+) kB", table)[0]) for table in tables) * 1024 / 1e6

    def stop(self) -> None:
        """End it as a service manager does."""
        self._process.terminate()
        self._process.wait()

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            return connection.getresponse().read()
        finally:
            connection.close()


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        uploads = folder / "data/upload/1"
        uploads.mkdir(parents=True)
        for megapixels in REQUESTS:
            image = photograph("coffee", megapixels)[..., ::-1]
            (uploads / f"{megapixels}.jpg").write_bytes(cv2.imencode(".jpg", image)[1].tobytes())
        photos = PhotoServer(folder)
        yield start_row(folder, photos.url)
        server = ServerProcess(folder, photos.url)
        try:
            server.wait_for_health()
            if Path("/proc/self/status").is_file():
                yield memory_row(server)
            yield pair_row(server, 1, least_ratio=1.8)
            yield pair_row(server, 12, least_ratio=None)
        finally:
            server.stop()
            photos.stop()


def start_row(folder: Path, studio: str) -> Row:
    def start() -> bytes:
        server = ServerProcess(folder, studio)
        try:
            return server.wait_for_health()
        finally:
            threading.Thread(target=server.stop).start()

    def check(answer: bytes, _: None) -> str:
        if json.loads(answer)["status"] != "UP":
            raise WrongResultError(answer.decode()[:80])
        return "a new process, kernels compiled before"

    return Row("start to the first /health", "prebrush serve", start, check, limit_ms=2000, rounds=5)


def memory_row(server: ServerProcess) -> Row:
    def check(answer: bytes, _: None) -> str:
        regions_of(answer)
        text = f"{server.peak_mb():.0f} MB at the peak of the server's memory, {MOST_MB} allowed"
        if server.peak_mb() > MOST_MB:
            raise WrongResultError(text)
        return text

    return Row(
        "memory of a cold /predict", "12 MP JPEG, server process", lambda: server.predict_cold(12), check, rounds=3
    )


def pair_row(server: ServerProcess, megapixels: int, least_ratio: float | None) -> Row:
    count = REQUESTS[megapixels]

    def some(number: int) -> list[bytes]:
        return [server.predict_cold(megapixels) for _ in range(number)]

    def check(ours: list[bytes], _: list[bytes]) -> str:
        for answer in ours:
            regions_of(answer)
        return f"{count} answers with {regions_of(ours[0])} regions; reference: the same from one client, in turn"

    return Row(
        name="cold /predict, two clients at once",
        input=f"{count} of {megapixels} MP JPEG, default method",
        ours=lambda: at_once(lambda: some(count // 2)),
        reference=lambda: some(count),
        check=check,
        least_ratio=least_ratio,
        rounds=3,
    )


def at_once(work: Callable[[], list[bytes]]) -> list[bytes]:
    """Do the same work in two threads; give the answers of both."""
    answers: list[bytes] = []
    threads = [threading.Thread(target=lambda: answers.extend(work())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def regions_of(answer: bytes) -> int:
    found = len(json.loads(answer)["results"][0]["result"])
    if not found:
        raise WrongResultError("no region")
    return found
