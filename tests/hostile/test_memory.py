"""A server whose system gives it no more memory."""

import resource

import pytest

from . import bombs
from .measured_server import MeasuredServer
from .test_hostile_requests import GOOD, body, task

MORE_BYTES = 150_000_000
"""Given to the server beyond what it has reserved after its first prediction."""


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
