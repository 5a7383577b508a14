"""Redirects are followed so far, and credentials stay behind."""

import pytest

from fetching_through import LOOPBACK, MEBIBYTE, credentials_for, fetch
from loopback import Answer, Server, redirect
from prebrush.errors import ImageUnreachable
from prebrush.fetching import Fetcher, FetchLimits, parse_url


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_without_the_credentials(status, server):
    with Server(lambda _: redirect(f"{server.origin}/there?Signature=x", status)) as studio:
        fetched = fetch(
            Fetcher(allowed=LOOPBACK), studio.origin, trusted=credentials_for(studio), headers={"If-None-Match": "e"}
        )
    assert fetched.body == b"picture"
    assert str(fetched.url) == f"{server.origin}/there?Signature=x"
    assert studio.asked[0].headers["authorization"] == "Bearer secret"
    assert "authorization" not in server.asked[0].headers
    assert server.asked[0].headers["if-none-match"] == "e"


def test_credentials_stay_while_the_origin_does(server):
    server.respond = lambda asked: redirect("/b?c") if asked.path == "/a" else Answer(200, b"ok")
    assert fetch(Fetcher(), f"{server.origin}/a", trusted=credentials_for(server)).body == b"ok"
    assert [asked.headers.get("authorization") for asked in server.asked] == ["Bearer secret", "Bearer secret"]


def test_credentials_do_not_return_once_left(server):
    with Server(lambda _: redirect(f"{server.origin}/c")) as elsewhere:
        server.respond = lambda asked: redirect(elsewhere.origin) if asked.path == "/a" else Answer(200, b"ok")
        fetch(Fetcher(allowed=LOOPBACK), f"{server.origin}/a", trusted=credentials_for(server))
        assert [asked.headers.get("authorization") for asked in server.asked] == ["Bearer secret", None]
        # nor does a stranger who points at us borrow them
        fetch(Fetcher(allowed=LOOPBACK), elsewhere.origin, trusted=credentials_for(server))
    assert server.asked[-1].headers.get("authorization") is None
    assert "authorization" not in elsewhere.asked[-1].headers


def test_redirects_end(server):
    server.respond = lambda asked: redirect("/again?Signature=secret")
    with pytest.raises(ImageUnreachable, match="max_redirects") as ended:
        fetch(Fetcher(FetchLimits(max_redirects=3), LOOPBACK), f"{server.origin}/?Signature=secret")
    assert len(server.asked) == 4
    assert "secret" not in str(ended.value)


def test_a_redirect_without_a_target_is_an_answer(server):
    server.respond = lambda asked: Answer(302)
    assert fetch(Fetcher(allowed=LOOPBACK), server.origin).status == 302


def test_a_post_is_not_redirected(server):
    with Server(lambda _: redirect(server.origin, 307)) as studio:
        trusted = credentials_for(studio)
        answer = Fetcher(allowed=LOOPBACK).post(
            parse_url(studio.origin), b'{"refresh": "secret"}', max_bytes=MEBIBYTE, trusted=trusted
        )
    assert answer.status == 307
    assert studio.asked[0].body == b'{"refresh": "secret"}'
    assert server.asked == []
