"""Label Studio down, slow or answering nonsense: its tasks are empty, the others are not, and the log says why."""

import logging
import socket
import time

import pytest

from loopback import Answer, Server, redirect, rude_server
from prebrush.settings import ImageSettings, ServerSettings, Settings, StorageSettings, StudioSettings
from prebrush.web import create_app

from . import bombs
from .test_hostile_requests import GOOD, body

pytestmark = pytest.mark.usefixtures("warm")

SETUP_S = 3.0
TIMEOUT_S = 1.0
PATH = "/data/upload/1/0a-cat.png"
TOKEN = "hush-5f1c0d2e4b6a8879"


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def start(tmp_path, url: str):
    settings = Settings(
        server=ServerSettings(jobs=1),
        label_studio=StudioSettings(url=url, api_key=TOKEN),
        images=ImageSettings(timeout_s=TIMEOUT_S, max_bytes=1 << 20),
        storage=StorageSettings(url=f"sqlite:///{tmp_path}/data"),
    )
    return create_app(settings).test_client()


def expect_an_empty_task(client, caplog, says: str, cause: str) -> None:
    """The good task beside the bad one has its regions; the bad one costs its time limit at most."""
    caplog.set_level(logging.INFO, "prebrush")
    started = time.monotonic()
    content = body([{"id": 7, "data": {"image": PATH}}, GOOD])
    answer = client.post("/predict", data=content)
    assert time.monotonic() - started < TIMEOUT_S + 5
    assert answer.status_code == 200
    bad, good = answer.get_json()["results"]
    assert bad == []
    assert good["result"]
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1, warnings
    assert warnings[0].startswith("task 7: ")
    assert says in warnings[0]
    assert TOKEN not in caplog.text
    metrics = client.get("/metrics").text
    assert f'prebrush_image_failures_total{{cause="{cause}"}} 1.0' in metrics
    setup = {"project": "1.1", "schema": "<View/>", "hostname": "", "access_token": "", "extra_params": None}
    started = time.monotonic()
    assert client.post("/setup", json=setup).status_code == 200
    assert time.monotonic() - started < SETUP_S


HTML = b"<!doctype html><title>Log in</title>"
ANSWERS = {
    "401": (Answer(401), "401", "ImageForbidden"),
    "403": (Answer(403), "403", "ImageForbidden"),
    "404": (Answer(404), "has no", "ImageNotFound"),
    "500": (Answer(500, HTML), "500", "ImageNotFound"),
    "502": (Answer(502, HTML), "502", "ImageUnreachable"),
    "503": (Answer(503), "503", "ImageUnreachable"),
    "page": (Answer(200, HTML, {"Content-Type": "text/html"}), "web page", "ImageForbidden"),
    "JSON": (Answer(200, b'{"detail": "x"}'), "not an image", "ImageUnreadable"),
    "nothing": (Answer(200, b""), "empty", "ImageUnreadable"),
    "half an image": (Answer(200, bombs.small("PNG")[:100]), "truncated", "ImageUnreadable"),
    "too large": (Answer(200, bytes(2 << 20)), "max_bytes", "ImageTooLarge"),
    "a bomb": (Answer(200, bombs.png_of_zeros()), "max_pixels", "ImageTooLarge"),
    "to itself": (redirect(PATH), "redirects", "ImageUnreachable"),
    "to the metadata of the cloud": (redirect("http://169.254.169.254/"), "may not fetch", "ImageForbidden"),
    "to a file": (redirect("file:///etc/passwd"), "not an http", "ImageForbidden"),
    "to nowhere": (redirect("http://[::x]/"), "not an address", "ImageForbidden"),
}


@pytest.mark.parametrize(("answer", "says", "cause"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_is_no_image(tmp_path, caplog, answer, says, cause):
    with Server(lambda _: answer) as studio:
        expect_an_empty_task(start(tmp_path, studio.origin), caplog, says, cause)


def test_down(tmp_path, caplog):
    expect_an_empty_task(start(tmp_path, closed_port()), caplog, "does not take a connection", "ImageUnreachable")


def silent(sock, over):
    over.wait(20)


def dripping(sock, over):
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not over.wait(0.2):
        sock.sendall(b"x")


def endless(sock, over):
    sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not over.is_set():
        sock.sendall(b"10000\r\n" + bytes(65_536) + b"\r\n")


def breaking_off(sock, over):
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bombs.small("PNG"))


def babbling(sock, over):
    sock.sendall(b"\0" * 1000 + b"\r\n\r\n")


RUDE = {
    "silent": (silent, "in time", "ImageUnreachable"),
    "dripping": (dripping, "in time", "ImageUnreachable"),
    "endless": (endless, "max_bytes", "ImageTooLarge"),
    "breaking off": (breaking_off, "broke off", "ImageUnreachable"),
    "babbling": (babbling, "broke off", "ImageUnreachable"),
}


@pytest.mark.parametrize(("behave", "says", "cause"), RUDE.values(), ids=RUDE)
def test_a_rude_one(tmp_path, caplog, behave, says, cause):
    with rude_server(behave) as url:
        expect_an_empty_task(start(tmp_path, url), caplog, says, cause)


def test_back_again_the_task_is_predicted_and_stays_so_while_it_is_away(tmp_path):
    """What an upload is does not change: with its masks in the cache, nobody needs to be asked."""
    content = body([{"id": 7, "data": {"image": PATH}}])
    answers = [Answer(503), Answer(200, bombs.small("PNG"))]
    with Server(lambda _: answers[0]) as studio:
        client = start(tmp_path, studio.origin)
        assert client.post("/predict", data=content).get_json()["results"] == [[]]
        del answers[0]
        (found,) = client.post("/predict", data=content).get_json()["results"]
        assert found["result"]
        answers[0] = Answer(500)
        assert client.post("/predict", data=content).get_json()["results"] == [found]


def test_a_token_goes_to_label_studio_alone(tmp_path):
    """Not across a redirect, not to another port of the same host, not to a host in the task."""
    with Server(lambda _: Answer(200, bombs.small("PNG"))) as elsewhere:
        with Server(lambda _: redirect(f"{elsewhere.origin}/stolen.png")) as studio:
            client = start(tmp_path, studio.origin)
            tasks = [
                {"id": 1, "data": {"image": PATH}},
                {"id": 2, "data": {"image": f"{elsewhere.origin}{PATH}"}},
                {"id": 3, "data": {"image": f"{studio.origin}@127.0.0.1:{elsewhere.port}/x.png"}},
            ]
            assert client.post("/predict", data=body(tasks)).get_json()["results"] == [[]] * 3
            assert studio.asked
            assert all(TOKEN in asked.headers["authorization"] for asked in studio.asked)
        assert elsewhere.asked == []
