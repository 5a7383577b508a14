"""Bodies without end, servers without hurry, answers that are broken."""

import threading

import pytest

from fetching_through import LOOPBACK, fetch
from loopback import Answer, rude_server
from prebrush.errors import ImageTooLarge, ImageUnreachable, ImageUnreadable
from prebrush.fetching import Fetcher, FetchLimits


def test_a_stated_length_over_the_limit_is_refused_before_the_body(server):
    server.respond = lambda asked: Answer(200, b"x" * 1001)
    with pytest.raises(ImageTooLarge, match="1000 bytes"):
        fetch(Fetcher(allowed=LOOPBACK), server.origin, max_bytes=1000)
    server.respond = lambda asked: Answer(200, b"x" * 1000)
    assert len(fetch(Fetcher(allowed=LOOPBACK), server.origin, max_bytes=1000).body) == 1000


def endless(head):
    def behave(sock, over):
        sock.sendall(head)
        while not over.is_set():
            sock.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n" if b"chunked" in head else b"x" * 65536)

    return behave


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: none\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999999\r\n\r\n",
    ],
)
def test_an_endless_body_ends_at_the_byte_limit(head):
    with rude_server(endless(head)) as origin, pytest.raises((ImageTooLarge, ImageUnreachable)):
        fetch(Fetcher(allowed=LOOPBACK), origin)


def drip(head, body=b"x"):
    def behave(sock, over):
        for byte in head:
            sock.sendall(bytes([byte]))
            if over.wait(0.02):
                return
        while not over.wait(0.02):
            sock.sendall(body)

    return behave


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1", b"0"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["in the headers", "no length", "with a length", "in chunks", "in a chunk's size", "never beginning"],
)
def test_a_dripping_server_is_cut_off(head, body):
    with rude_server(drip(head, body)) as origin, pytest.raises(ImageUnreachable, match="in time"):
        fetch(Fetcher(FetchLimits(timeout_s=1.0), LOOPBACK), origin)


def test_a_silent_server_is_cut_off():
    with rude_server(lambda sock, over: over.wait()) as origin, pytest.raises(ImageUnreachable, match="in time"):
        fetch(Fetcher(allowed=LOOPBACK), origin, timeout_s=0.3)


def test_redirects_share_one_time_limit():
    """Each hop is quick enough by itself."""

    def behave(sock, over):
        if not over.wait(0.2):
            sock.sendall(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")

    with rude_server(behave) as origin, pytest.raises(ImageUnreachable, match="in time"):
        fetch(Fetcher(FetchLimits(timeout_s=0.7, max_redirects=20), LOOPBACK), origin)


def test_a_slow_name_service_is_not_waited_for():
    over = threading.Event()

    def resolver(host, port):
        over.wait()
        return ["127.0.0.1"]

    with pytest.raises(ImageUnreachable, match="looked up in time"):
        fetch(Fetcher(FetchLimits(timeout_s=0.2), resolver=resolver), "http://slow.example/")
    over.set()


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 banana\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n",
    ],
)
def test_a_broken_answer_is_a_clear_error(sent):
    with rude_server(lambda sock, over: sock.sendall(sent)) as origin:
        with pytest.raises(ImageUnreachable, match="broke off") as broken:
            fetch(Fetcher(allowed=LOOPBACK), origin)
        assert broken.value.__cause__ is not None


def test_a_length_stated_too_short_ends_the_body():
    sent = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour and more"
    with rude_server(lambda sock, over: sock.sendall(sent)) as origin:
        assert fetch(Fetcher(allowed=LOOPBACK), origin).body == b"four"


def test_a_compressed_body_is_refused(server):
    server.respond = lambda asked: Answer(200, b"\x1f\x8b", {"Content-Encoding": "gzip"})
    with pytest.raises(ImageUnreadable, match="gzip"):
        fetch(Fetcher(allowed=LOOPBACK), server.origin)
