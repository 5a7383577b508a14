"""Mixed traffic of many annotators for minutes: ``python -m bench.soak [--minutes 10] [--servers 3]``.

One server keeps its data in SQLite; several stand behind haproxy, as docker/haproxy.cfg has it, and share one Redis.
Tells p50 and p99 by kind of request and how much memory grows after the warm-up; ends with 1 if a request failed or the
memory goes on growing.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import urllib3
from rich.console import Console
from rich.table import Table

import prebrush
from bench.annotators import Annotators, Records
from bench.harness import RESULTS, describe_machine
from bench.images import mosaic
from demo.prebrush_server import run_prebrush
from demo.processes import find_free_port, run_server, wait_for

ROOT = Path(__file__).resolve().parents[1]
PICTURES = 8
SAMPLE_S = 2.0
WARM_UP_FRACTION = 0.4
"""Of the time; caches in memory fill up meanwhile."""
MOST_GROWTH_MB_PER_HOUR = 100.0
"""A leak of a kilobyte a request would be more."""
LEAST_MINUTES_TO_JUDGE = 5.0
"""A shorter run tells the slope, and nothing follows from it."""


@dataclass(frozen=True)
class Outcome:
    """What a run showed; of each server's memory the first and last MB after the warm-up, and its slope in MB an hour.

    The slope is that of what is left without the answers and images kept in memory: those are bounded, and fill up.
    """

    records: Records
    memory: list[tuple[float, float, float]]

    def passed(self, minutes: float) -> bool:
        """Whether nothing failed and nothing grows."""
        grows = minutes >= LEAST_MINUTES_TO_JUDGE and max(m[2] for m in self.memory) > MOST_GROWTH_MB_PER_HOUR
        return not self.records.n_errors and not grows


class PhotoStudio:
    """A web server on loopback with a photo at every address, no two of them the same file."""

    def __init__(self) -> None:
        image = np.ascontiguousarray(mosaic(4)[:600, :900])
        shifted = [np.roll(image, 97 * number, axis=1)[..., ::-1] for number in range(PICTURES)]
        photos = [cv2.imencode(".jpg", pixels)[1].tobytes() for pixels in shifted]

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                number = int(re.sub(r"\D", "", self.path))
                # what follows a JPEG's end is no part of the picture, yet makes another file of it
                content = photos[number % PICTURES] + b"%d" % number
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Stay quiet."""

        class Listener(ThreadingHTTPServer):
            request_queue_size = 64
            daemon_threads = True

        self._server = Listener(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def run_servers(folder: Path, count: int, studio: str, threads: int) -> Iterator[tuple[str, list[str]]]:
    """Run one server, or several behind a proxy; give the address to ask, and those of the servers."""
    settings = {
        "LABEL_STUDIO_URL": studio,
        "PYTHONPATH": str(Path(prebrush.__file__).parents[1]),
        "PREBRUSH_SERVER_THREADS": str(threads),
        "PREBRUSH_SERVER_LOG_LEVEL": "warning",
    }
    with ExitStack() as stack:
        if count > 1:
            settings["PREBRUSH_STORAGE_URL"] = stack.enter_context(run_redis(folder))
        servers = []
        for number in range(count):
            own = folder / f"server{number}"
            own.mkdir()
            servers.append(stack.enter_context(run_prebrush(own, folder / f"server{number}.log", settings)).url)
        yield (stack.enter_context(run_proxy(folder, servers)) if count > 1 else servers[0]), servers


@contextmanager
def run_redis(folder: Path) -> Iterator[str]:
    """Run a Redis as docker-compose.yml sets it, a little smaller."""
    port = find_free_port()
    limits = ["--maxmemory", "512mb", "--maxmemory-policy", "volatile-lru"]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", *limits]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def run_proxy(folder: Path, servers: list[str]) -> Iterator[str]:
    """Run haproxy with the configuration of the containers, for servers on this machine."""
    port = find_free_port()
    text = (ROOT / "docker/haproxy.cfg").read_text()
    text = re.sub(r"resolvers docker\n(?: .*\n)+", "", text).replace("bind :9090", f"bind 127.0.0.1:{port}")
    lines = [f"    server s{number} {url.removeprefix('http://')}" for number, url in enumerate(servers)]
    text = re.sub(r" +server-template .*", "\n".join(lines), text)
    (folder / "haproxy.cfg").write_text(text)
    command = [shutil.which("haproxy") or "/usr/sbin/haproxy", "-db", "-f", str(folder / "haproxy.cfg")]
    url = f"http://127.0.0.1:{port}"
    log = folder / "haproxy.log"
    with run_server(command, url=url, environment={}, folder=folder, log=log, start_limit_s=30):
        yield url


def soak(minutes: float, servers: int = 1, people: int = 30, pause_s: float = 5.0, threads: int = 32) -> Outcome:
    """Let people work on servers for so long."""
    studio = PhotoStudio()
    try:
        with (
            tempfile.TemporaryDirectory() as name,
            run_servers(Path(name), servers, studio.url, threads) as (url, each),
        ):
            annotators = Annotators(url, people, pause_s)
            samples: list[list[tuple[float, float, float]]] = [[] for _ in each]
            over = threading.Event()
            watcher = threading.Thread(target=watch_memory, args=(each, samples, over))
            watcher.start()
            annotators.work(60 * minutes)
            over.set()
            watcher.join()
            wait_for(lambda: all(map(is_idle, each)), "the servers to finish")
            for log in sorted(Path(name).glob("server*.log")):
                if "Traceback" in log.read_text():
                    annotators.records.add("log", 0.0, f"a traceback in {log.name}: {log.read_text()[-2000:]}")
            return Outcome(annotators.records, [slope(one) for one in samples])
    finally:
        studio.stop()


def read_metrics(url: str) -> str:
    return urllib3.request("GET", f"{url}/metrics", timeout=30, retries=False).data.decode()


def metric(text: str, name: str) -> float:
    """Find one metric in what a server shows."""
    return float(re.search(rf"^{name} (\S+)$", text, re.MULTILINE)[1])  # type: ignore[index]  # it is there


def memory_of(url: str) -> tuple[float, float]:
    """Give the MB that a server takes, and those of them that are not kept answers and images."""
    text = read_metrics(url)
    resident = metric(text, "process_resident_memory_bytes")
    return resident / 1e6, (resident - metric(text, "prebrush_kept_bytes")) / 1e6


def is_idle(url: str) -> bool:
    text = read_metrics(url)
    return metric(text, "prebrush_tasks_unfinished") == 0 == metric(text, "prebrush_cores_busy")


def watch_memory(servers: list[str], samples: list[list[tuple[float, float, float]]], over: threading.Event) -> None:
    """Sample the memory of every server, in MB, until it is over."""
    started = time.monotonic()
    while not over.wait(SAMPLE_S):
        for url, own in zip(servers, samples, strict=True):
            own.append((time.monotonic() - started, *memory_of(url)))


def slope(samples: list[tuple[float, float, float]]) -> tuple[float, float, float]:
    """Give the first and last MB after the warm-up, and the slope of the line through what is not kept on purpose."""
    warm = np.array(samples[int(WARM_UP_FRACTION * len(samples)) :])
    per_s = np.polyfit(warm[:, 0], warm[:, 2], 1)[0]
    return float(warm[0, 1]), float(warm[-1, 1]), float(3600 * per_s)


def report(outcome: Outcome, title: str, minutes: float) -> str:
    """Print the table, and give it as Markdown."""
    heads = ("request", "count", "p50 (ms)", "p99 (ms)", "longest (ms)", "refused", "errors")
    rows = [
        (kind, str(n), *(f"{value:.0f}" for value in times), str(refused), str(errors))
        for kind, n, *times, refused, errors in outcome.records.rows()
    ]
    grown = [
        f"{first:.0f} MB after the warm-up, {last:.0f} MB at the end; without what is kept {per_hour:+.0f} MB an hour"
        for first, last, per_hour in outcome.memory
    ]
    verdict = "pass" if outcome.passed(minutes) else "**missed**"
    table = Table(*heads, title=title)
    for row in rows:
        table.add_row(*row)
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    for number, line in enumerate(grown):
        console.print(f"memory of server {number}: {line}")
    for kind, errors in outcome.records.errors.items():
        for error in errors[:3]:
            console.print(f"{kind}: {error}", markup=False)
    lines = [f"## {title}: {verdict}", "", "| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    lines += ["", *(f"- Memory of server {number}: {line}." for number, line in enumerate(grown)), ""]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--people", type=int, default=30)
    parser.add_argument("--servers", type=int, action="append", help="1, or several behind a proxy; twice for both")
    chosen = parser.parse_args()
    parts, passed = [], True
    for servers in chosen.servers or [1, 3]:
        outcome = soak(chosen.minutes, servers, chosen.people)
        what = "one server on SQLite" if servers == 1 else f"{servers} servers behind haproxy on one Redis"
        parts.append(report(outcome, f"{chosen.people} annotators, {chosen.minutes:g} minutes, {what}", chosen.minutes))
        passed = passed and outcome.passed(chosen.minutes)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "soak.md").write_text("# soak\n\n" + describe_machine() + "\n\n" + "\n".join(parts), encoding="utf-8")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
