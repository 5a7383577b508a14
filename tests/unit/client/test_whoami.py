"""Asking Label Studio who we are to it."""

import pytest

from loopback import Answer, Server
from prebrush.client import Studio
from prebrush.errors import StudioError


def test_whoami_tells_user_and_credential(studio, client):
    found = client.whoami(Studio(url=studio.origin, api_key="0" * 40, setup_token=studio.personal_token))
    assert found.user == "annotator@example.com"
    assert found.source == "the token that /setup told"
    assert found.kind == "personal access token"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(401), "Personal Access Token"),
        (Answer(404), "answers 404"),
        (Answer(200, b"not json"), "JSON"),
        (Answer(200, b"[" * 100_000), "JSON"),
        (Answer(200, b"[]"), "not like Label Studio"),
        (Answer(200, b"<html>"), "web page"),
        (Answer(500), "answers 500"),
    ],
)
def test_whoami_raises_one_kind_of_error(answer, expected, client):
    with Server(lambda _: answer) as server, pytest.raises(StudioError, match=expected):
        client.whoami(Studio(url=server.origin, api_key="0" * 40))


def test_whoami_without_a_studio(client):
    with pytest.raises(StudioError, match="LABEL_STUDIO_URL"):
        client.whoami(Studio())
    with pytest.raises(StudioError, match="connection refused"):
        client.whoami(Studio(url="http://127.0.0.1:1", api_key="0" * 40))
