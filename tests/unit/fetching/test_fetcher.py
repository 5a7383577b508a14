"""One errand: what is asked, who is refused, what is logged."""

import logging
import socket

import pytest

from fetching_through import LOOPBACK, credentials_for, fetch
from loopback import Answer, Server, redirect
from prebrush.errors import ImageForbidden, ImageUnreachable
from prebrush.fetching import AllowList, Fetcher, Origin, Trusted


def test_a_body_comes_with_what_is_needed_to_ask_again(server):
    fetched = fetch(Fetcher(allowed=LOOPBACK), f"{server.origin}/cat.png?x=1", headers={"If-None-Match": '"0"'})
    assert (fetched.status, fetched.body, fetched.etag, fetched.content_type) == (200, b"picture", '"1"', "image/png")
    (asked,) = server.asked
    assert asked.target == "/cat.png?x=1"
    assert asked.headers["host"] == f"127.0.0.1:{server.port}"
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.headers["if-none-match"] == '"0"'
    assert asked.headers["user-agent"].startswith("prebrush/")


def test_the_body_of_an_error_is_not_read():
    with Server(lambda _: Answer(404, b"secrets of a page")) as server:
        fetched = fetch(Fetcher(allowed=LOOPBACK), server.origin)
    assert (fetched.status, fetched.body) == (404, b"")


def test_the_refusal_names_the_host_and_the_setting():
    with pytest.raises(ImageForbidden) as refused:
        fetch(Fetcher(), "http://127.0.0.1:1/x?Signature=secret")
    message = str(refused.value)
    assert "127.0.0.1" in message
    assert "PREBRUSH_IMAGES_ALLOWED_HOSTS" in message
    assert "LABEL_STUDIO_URL" in message
    assert "secret" not in message


def test_public_addresses_can_be_switched_off():
    fetcher = Fetcher(allowed=AllowList(allow_public=False), resolver=lambda host, port: ["93.184.216.34"])
    with pytest.raises(ImageForbidden, match=r"93\.184\.216\.34"):
        fetch(fetcher, "http://example.org/")


def test_the_trusted_origin_is_scheme_host_and_port(server):
    trusted = Trusted(Origin("http", "127.0.0.1", server.port))
    fetcher = Fetcher()
    assert fetch(fetcher, server.origin, trusted=trusted).body == b"picture"
    with Server(lambda _: Answer()) as other, pytest.raises(ImageForbidden):
        fetch(fetcher, other.origin, trusted=trusted)
    with pytest.raises(ImageForbidden):
        fetch(fetcher, f"https://127.0.0.1:{server.port}/", trusted=trusted)
    with pytest.raises(ImageForbidden):
        fetch(fetcher, server.origin, trusted=Trusted(trusted.origin, private=False))


def test_a_closed_port_and_an_unknown_name_are_told_apart():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(ImageUnreachable, match="connection refused"):
        fetch(Fetcher(allowed=LOOPBACK), f"http://127.0.0.1:{port}/")

    def resolver(host, port):
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(ImageUnreachable, match="not known here"):
        fetch(Fetcher(resolver=resolver), "http://nowhere.example/")


def test_the_next_address_is_tried_where_the_first_does_not_answer(server):
    fetcher = Fetcher(allowed=AllowList.parse("127.0.0.0/8"), resolver=lambda host, port: ["127.0.0.9", "127.0.0.1"])
    assert fetch(fetcher, f"http://two.example:{server.port}/").body == b"picture"


def test_nothing_secret_is_logged(server, caplog):
    caplog.set_level(logging.DEBUG)
    server.respond = lambda asked: redirect("/b?Signature=hidden") if asked.path == "/a" else Answer(401)
    fetch(Fetcher(), f"{server.origin}/a?Signature=hidden", trusted=credentials_for(server))
    assert "redirects" in caplog.text
    assert "hidden" not in caplog.text
    assert "Bearer" not in caplog.text
    assert "secret" not in repr(credentials_for(server))
