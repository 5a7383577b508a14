"""Large bodies take places, of which there are fewer than threads; what is slow in need reaches its end."""

import socket
import time

import pytest
from werkzeug.exceptions import RequestTimeout

from prebrush.errors import Overloaded
from prebrush.web.pacing import GRACE_IN_NEED_S, LARGE_BODY_BYTES, Crowd, PacedSocket
from prebrush.web.room import QUICK_THREADS


@pytest.fixture
def crowd():
    return Crowd(QUICK_THREADS + 2)


@pytest.fixture
def connect(crowd):
    """Make a paced connection, and the other end of it."""
    pairs = []

    def make():
        ours, theirs = socket.socketpair()
        pairs.extend((ours, theirs))
        paced = PacedSocket(ours, crowd)
        paced.begin()
        paced.begin_body()
        return paced, theirs

    yield make
    for one in pairs:
        one.close()


def read_large(paced, theirs):
    read = 0
    while read <= LARGE_BODY_BYTES:
        theirs.sendall(bytes(50_000))
        read += len(paced.recv(65536))


def test_some_threads_read_no_large_body(connect):
    first, second, third = connect(), connect(), connect()
    read_large(*first)
    read_large(*second)
    with pytest.raises(Overloaded):
        read_large(*third)
    # what still comes of it is not read
    assert third[0].recv(65536) == b""
    first[0].end_body()
    read_large(*connect())


def test_a_small_body_needs_no_place(connect):
    for _ in range(10):
        paced, theirs = connect()
        theirs.sendall(b"x" * 1000)
        assert paced.recv(65536) == b"x" * 1000


def test_a_pace_that_is_enough_alone_is_not_where_others_wait(connect, crowd):
    paced, theirs = connect()
    crowd.change(+1)

    def dribble():
        while True:
            theirs.sendall(bytes(1000))
            assert paced.recv(1000)
            time.sleep(0.01)

    started = time.monotonic()
    with pytest.raises(RequestTimeout):
        dribble()
    assert time.monotonic() - started > GRACE_IN_NEED_S
    crowd.change(-1)
    theirs.sendall(b"more")
    assert paced.recv(100) == b""


def test_whoever_leaves_waits_for_nobody(connect, crowd):
    paced, _ = connect()
    crowd.is_leaving = True
    with pytest.raises(RequestTimeout):
        paced.recv(100)
