"""Ways to be led to where nobody should go, tried on a server that would answer; none may reach it."""

import socket

import pytest

from loopback import Answer, Server, redirect
from prebrush.errors import ImageForbidden, ImageUnreachable
from prebrush.fetching import AllowList, Fetcher, FetchLimits, parse_url

LOOPBACK = AllowList.parse("127.0.0.1")


def fetch(fetcher, url, **options):
    return fetcher.fetch(parse_url(url), max_bytes=1 << 20, **options)


@pytest.fixture
def server():
    with Server(lambda asked: Answer(200, b"picture", {"ETag": '"1"', "Content-Type": "image/png"})) as server:
        yield server


ATTEMPTS = [
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://localhost.:{port}/",
    "http://127.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://0.0.0.0:{port}/",
    "http://0:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://user@127.0.0.1:{port}/",
    "http://example.org@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@example.org/",
    "http://127.0.0.1:{port}\\@example.org/",
    "http://127.0.0.1:{port}/\r\nX: y",
    "http://127.0.0.1%2f@example.org:{port}/",
    "gopher://127.0.0.1:{port}/_GET",
    "file://127.0.0.1/etc/passwd",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[::ffff:169.254.169.254]/latest/meta-data/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[fe80::1]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://2852039166/latest/meta-data/",
    "http://0251.0376.0251.0376/latest/meta-data/",
    "http://metadata.google.internal/",
    "http://100.100.100.200/latest/meta-data/",
    "http://127.0.0.1:{port}?@example.org/",
    "http://example.org:{port}@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}%23@example.org/",
    "http://127.0.0.1\t:{port}/",
    "http://127.0.0.1%0d%0aX:{port}/",
    "http:/\\127.0.0.1:{port}/",
    "\\\\127.0.0.1:{port}\\",
    "file:///etc/passwd",
    "ftp://127.0.0.1:{port}/",
    "dict://127.0.0.1:{port}/",
    "ldap://127.0.0.1:{port}/",
    "jar:http://127.0.0.1:{port}!/",
    "netdoc:///etc/passwd",
    "http://rebound.example:{port}/",
]


@pytest.mark.parametrize("attempt", ATTEMPTS)
@pytest.mark.parametrize("way", ["directly", "by a redirect"])
def test_no_attempt_reaches_a_server_that_would_answer(attempt, way, server):
    """The table of attempts; the resolver is the system's, but for two names."""

    def resolver(host, port):
        if host == "rebound.example":
            return ["127.0.0.1"]
        if host == "metadata.google.internal":
            return ["169.254.169.254"]
        return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]

    target = attempt.format(port=server.port)
    if way == "directly":
        with pytest.raises(ImageForbidden):
            fetch(Fetcher(resolver=resolver), target)
    else:
        # the first server is allowed by name alone, so the second judgement is the network's
        location = "".join(c if c.isascii() and c not in "\r\n" else f"%{ord(c) & 255:02X}" for c in target)
        with Server(lambda _: redirect(location)) as first:
            fetcher = Fetcher(
                allowed=AllowList.parse("open.example"),
                resolver=lambda host, port: ["127.0.0.1"] if host == "open.example" else resolver(host, port),
            )
            with pytest.raises(ImageForbidden):
                fetch(fetcher, f"http://open.example:{first.port}/")
            assert len(first.asked) == 1
    assert server.asked == []


def test_a_name_is_resolved_once_and_connected_to_as_judged(server):
    """DNS rebinding: the second answer would be the forbidden one."""
    answers = iter([["203.0.113.7", "127.0.0.1"], ["127.0.0.1"]])
    asked = []

    def resolver(host, port):
        asked.append((host, port))
        return next(answers)

    # 203.0.113.7 is reserved for documentation: not public, so only the network listed here is left
    fetcher = Fetcher(allowed=AllowList.parse("127.0.0.0/8"), resolver=resolver)
    assert fetch(fetcher, f"http://rebound.example:{server.port}/").body == b"picture"
    assert asked == [("rebound.example", server.port)]
    assert server.asked[0].headers["host"] == f"rebound.example:{server.port}"


def test_each_redirect_is_resolved_and_judged_anew(server):
    answers = iter([["127.0.0.2"], ["127.0.0.1"]])
    fetcher = Fetcher(FetchLimits(connect_s=1), AllowList.parse("127.0.0.2"), resolver=lambda host, port: next(answers))
    server.respond = lambda asked: redirect("/again")
    # the server listens on 127.0.0.1 alone, so the first answer must be refused by the system, the second by us
    with pytest.raises(ImageUnreachable, match="does not take a connection"):
        fetch(fetcher, f"http://rebound.example:{server.port}/")
    with pytest.raises(ImageForbidden, match="allowed_hosts"):
        fetch(fetcher, f"http://rebound.example:{server.port}/")
    assert server.asked == []
