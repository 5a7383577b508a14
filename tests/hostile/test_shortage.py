"""A server whose system gives it no more memory, or no more files."""

import resource
import socket
import time

import pytest
import urllib3
from gunicorn.workers.gthread import ThreadWorker

from prebrush.web.serving import MOST_CONNECTIONS, OTHER_FILES, allow_connections

from . import bombs
from .measured_server import MeasuredServer
from .test_hostile_requests import GOOD, body, task

MORE_BYTES = 150_000_000
"""Given to the server beyond what it has reserved after its first prediction."""


MOST_FILES = 120
"""That the server may have open, connections among them."""


def ask_anew(server: MeasuredServer, path: str) -> urllib3.BaseHTTPResponse:
    """Ask over a connection of its own."""
    with urllib3.PoolManager() as pool:
        return pool.request("GET", server.url + path, timeout=10, retries=False)


@pytest.mark.skipif(
    not hasattr(ThreadWorker, "murder_pending"), reason="an older gunicorn cannot close idle ones early"
)
def test_more_connections_than_files_close_the_idle_ones(tmp_path):
    with MeasuredServer(tmp_path) as server:
        worker = server.worker
        resource.prlimit(int(worker.name), resource.RLIMIT_NOFILE, (MOST_FILES, MOST_FILES))
        silent = [socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) for _ in range(300)]
        started = time.monotonic()
        assert all(ask_anew(server, "/health").status == 200 for _ in range(3))
        assert time.monotonic() - started < 5
        for one in silent:
            one.close()
        assert server.ask("POST", "/predict", body=body([GOOD])).json()["results"][0]["result"]
        assert server.worker == worker
        server.stop()
    assert server.log.count("a new connection must wait") == 1
    assert "Traceback" not in server.log


def test_as_many_files_are_asked_for_as_connections_take():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_CONNECTIONS + OTHER_FILES
    if hard != resource.RLIM_INFINITY and hard < most:
        pytest.skip(f"this system allows {hard} files")
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
        assert allow_connections(32) == MOST_CONNECTIONS
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def short_of_memory(tmp_path):
    with MeasuredServer(tmp_path) as server:
        assert server.ask("POST", "/predict", body=body([GOOD])).json()["results"][0]["result"]
        most = int(server.memory_mb("VmSize") * (1 << 20)) + MORE_BYTES
        resource.prlimit(int(server.worker.name), resource.RLIMIT_AS, (most, most))
        yield server


def test_what_finds_no_memory_is_refused_and_the_next_is_answered(short_of_memory):
    server = short_of_memory
    image = bombs.tiff_of(9000, 9000)
    answer = server.ask("POST", "/predict", body=body([task(image), GOOD]))
    assert answer.status == 200
    first, second = answer.json()["results"]
    assert first == []
    assert second["result"]
    answer = server.ask("POST", "/webhook", body=b'{"action": "X", "junk": "' + b"x" * 240_000_000 + b'"}')
    assert answer.status == 503
    assert answer.json()["error"] == "overloaded"
    assert int(answer.headers["Retry-After"]) > 0
    assert server.ask("GET", "/health").status == 200
    assert server.ask("POST", "/predict", body=body([GOOD])).json()["results"][0]["result"]
    assert 'prebrush_image_failures_total{cause="ImageTooLarge"} 1.0' in server.ask("GET", "/metrics").data.decode()
    server.stop()
    assert "there is not the memory for an image of 9000 x 9000 pixels" in server.log
    assert server.log.count("there was not the memory for a request") == 1
    assert "Traceback" not in server.log
