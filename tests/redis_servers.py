"""Real Redis servers for the tests: alone, behind a sentinel, or as a cluster; on loopback, each in its own folder."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis


def require_redis_server() -> None:
    """Skip the test where there is no redis-server; in CI that is a failure."""
    if shutil.which("redis-server") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("redis-server is not installed, and in CI it must be")
        pytest.skip("redis-server is not installed")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # a cluster's nodes talk on a port 10000 higher
    return port if port + 10_000 < 65_536 else free_port()


def wait_until(true: Callable[[], bool], *, patience_s: float = 20) -> None:
    give_up = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.02)


class RedisServer:
    """One redis-server, which can be stopped, killed and started again on the same port and data."""

    def __init__(self, folder: Path, *options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self, **options) -> redis.Redis:
        return redis.Redis(port=self.port, protocol=2, **options)

    def start(self, *, ready: bool = True) -> "RedisServer":
        command = ["redis-server", *self._options, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        log = (self.folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        if ready:
            wait_until(self._answers)
        return self

    def _answers(self) -> bool:
        with contextlib.closing(self.client()) as client, contextlib.suppress(redis.ConnectionError):
            return client.ping()
        return False

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def hang(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def _end(self, how: int) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(how)
            self._process.wait(20)
            self._process = None


@contextlib.contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[RedisServer]:
    require_redis_server()
    server = RedisServer(folder, *options)
    try:
        yield server.start()
    finally:
        server.kill()


@contextlib.contextmanager
def sentinel_group(folder: Path) -> Iterator[tuple[str, RedisServer, RedisServer]]:
    """Start a master, its replica and a sentinel; yield the URL for the group and the first two."""
    with contextlib.ExitStack() as stack:
        master = stack.enter_context(redis_server(folder / "a"))
        replica = stack.enter_context(redis_server(folder / "b", "--replicaof", "127.0.0.1", str(master.port)))
        settings = folder / "sentinel.conf"
        settings.write_text(
            f"sentinel monitor main 127.0.0.1 {master.port} 1\n"
            "sentinel down-after-milliseconds main 300\n"
            "sentinel failover-timeout main 2000\n"
        )
        sentinel = stack.enter_context(redis_server(folder / "s", str(settings), "--sentinel"))
        with contextlib.closing(sentinel.client()) as client:
            wait_until(lambda: bool(client.sentinel_slaves("main")))
        yield f"redis+sentinel://127.0.0.1:{sentinel.port}/main/0", master, replica


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, RedisServer, RedisServer]]:
    """Start a cluster of two masters; yield its URL, which names the first alone, and both."""
    options = ("--cluster-enabled", "yes", "--cluster-require-full-coverage", "no")
    with redis_server(folder / "a", *options) as first, redis_server(folder / "b", *options) as second:
        with contextlib.closing(first.client()) as one, contextlib.closing(second.client()) as two:
            one.execute_command("CLUSTER ADDSLOTSRANGE", 0, 8191)
            two.execute_command("CLUSTER ADDSLOTSRANGE", 8192, 16383)
            one.execute_command("CLUSTER MEET", "127.0.0.1", second.port)

            def agreed() -> bool:
                infos = [client.execute_command("CLUSTER INFO") for client in (one, two)]
                return all(
                    info["cluster_state"] == "ok" and info["cluster_slots_assigned"] == "16384" for info in infos
                )

            wait_until(agreed)
        yield f"redis+cluster://127.0.0.1:{first.port}", first, second
