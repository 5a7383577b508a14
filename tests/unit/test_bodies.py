"""A body comes straight from its connection, and nothing of the next request with it."""

import io
import socket

import numpy as np
import pytest
from flask import Flask, request
from gunicorn.http.unreader import SocketUnreader
from werkzeug.exceptions import RequestEntityTooLarge, RequestTimeout

from prebrush.process import LARGE_BLOCK
from prebrush.web.bodies import DirectBody, read_body
from prebrush.web.pacing import Crowd, PacedSocket

CONTENT = np.random.default_rng(0).integers(0, 256, 50_000, np.uint8).tobytes()


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    paced = PacedSocket(ours, Crowd(8))
    paced.begin()
    paced.begin_body()
    yield SocketUnreader(paced), paced, theirs
    ours.close()
    theirs.close()


@pytest.mark.parametrize("came_ahead", [0, 1, 6_000, 50_000])
@pytest.mark.parametrize("step", [1_000, 50_000, 60_000])
def test_a_body_is_all_that_was_sent_of_it(ends, came_ahead, step):
    unreader, paced, theirs = ends
    unreader.unread(CONTENT[:came_ahead])
    theirs.sendall(CONTENT[came_ahead:] + b"GET")
    body = DirectBody(unreader, paced, len(CONTENT))
    parts = list(iter(lambda: body.read(step), b""))
    assert b"".join(parts) == CONTENT
    assert body.read(10) == b""
    # of the next request
    assert unreader.read(3) == b"GET"


def test_what_came_of_the_next_request_is_left_for_it(ends):
    unreader, paced, _ = ends
    unreader.unread(CONTENT + b"POST /predict")
    assert DirectBody(unreader, paced, len(CONTENT)).readall() == CONTENT
    assert unreader.read(13) == b"POST /predict"


def test_an_empty_body_waits_for_nothing(ends):
    unreader, paced, _ = ends
    assert DirectBody(unreader, paced, 0).read() == b""


def test_a_client_that_breaks_off_is_at_its_end(ends):
    unreader, paced, theirs = ends
    theirs.sendall(CONTENT[:100])
    theirs.close()
    body = DirectBody(unreader, paced, len(CONTENT))
    assert body.readall() == CONTENT[:100]
    assert not body.failed


def test_a_body_that_came_too_slowly_ends_the_connection(ends):
    unreader, paced, theirs = ends
    theirs.sendall(CONTENT[:100])
    paced._crowd.is_leaving = True
    body = DirectBody(unreader, paced, len(CONTENT))
    with pytest.raises(RequestTimeout):
        body.readall()
    assert body.failed


class Dribbling(io.RawIOBase):
    """Gives less than what is asked for."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._own = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        return self._own.readinto(memoryview(buffer)[:100_000])


def read(content: bytes, length: int | None, most: int = 2 * LARGE_BLOCK) -> bytes:
    app = Flask("test")
    app.config["MAX_CONTENT_LENGTH"] = most
    told = {"HTTP_TRANSFER_ENCODING": "chunked"} if length is None else {"CONTENT_LENGTH": str(length)}
    environ = {**told, "wsgi.input": Dribbling(content), "wsgi.input_terminated": True}
    with app.test_request_context(method="POST", environ_overrides=environ):
        return bytes(read_body(request))


@pytest.mark.parametrize("length", [0, 1, 200_000, LARGE_BLOCK - 1, LARGE_BLOCK, LARGE_BLOCK + 1])
def test_bodies_of_every_size(length):
    content = np.arange(length, dtype=np.uint32).view(np.uint8).tobytes()[:length]
    assert read(content, length) == content


def test_a_body_that_breaks_off_is_what_came():
    assert read(b"abc", 10) == b"abc"
    assert read(b"abc", LARGE_BLOCK) == b"abc"


def test_a_body_whose_length_is_not_told():
    assert read(CONTENT, None) == CONTENT


def test_a_body_larger_than_the_app_takes():
    with pytest.raises(RequestEntityTooLarge):
        read(CONTENT, len(CONTENT), most=len(CONTENT) - 1)
