"""What is told to whom Label Studio refuses: the cause, and what to change."""

import pytest

from getting_images import UPLOAD, get
from loopback import Answer, Server, make_jwt, redirect
from prebrush.client import Studio, StudioClient
from prebrush.errors import ImageForbidden, ImageNotFound, ImageUnreachable
from prebrush.fetching import AllowList, Fetcher


def test_the_refusal_of_the_token_from_setup_says_what_to_make_and_where(studio, client):
    with pytest.raises(ImageForbidden) as refused:
        get(client, UPLOAD, Studio(setup_host=studio.origin, setup_token=studio.legacy_token))
    message = str(refused.value)
    for part in (
        UPLOAD,
        "401",
        "/setup",
        "Personal Access Token",
        "LABEL_STUDIO_API_KEY",
        "legacy tokens",
        "API Tokens",
    ):
        assert part in message
    assert studio.legacy_token not in message


@pytest.mark.parametrize(
    ("make_key", "expected"),
    [
        (lambda studio: studio.personal_token.rpartition(".")[0], "without its last part"),
        (lambda studio: make_jwt(token_type="refresh", jti="revoked"), "revoked"),
        (lambda studio: "copied badly", "characters"),
        (lambda studio: "", "no credentials"),
    ],
)
def test_a_key_that_does_not_open_says_why(make_key, expected, studio, client):
    key = make_key(studio)
    with pytest.raises(ImageForbidden, match=expected) as refused:
        get(client, UPLOAD, Studio(url=studio.origin, api_key=key))
    assert "Account & Settings" in str(refused.value)
    assert not key or key not in str(refused.value)


def test_a_withheld_key_is_explained(studio):
    fetcher = Fetcher(allowed=AllowList.parse("studio.example"), resolver=lambda host, port: ["127.0.0.1"])
    known = Studio(setup_host=f"http://studio.example:{studio.port}", api_key=studio.personal_token)
    with pytest.raises(ImageForbidden, match="set LABEL_STUDIO_URL too"):
        get(StudioClient(fetcher), UPLOAD, known)
    assert all(studio.personal_token.encode() not in asked.body for asked in studio.asked)


def test_a_user_without_the_project_is_told_apart_from_a_bad_token(studio, client):
    studio.forbidden.add(UPLOAD)
    with pytest.raises(ImageForbidden, match="member of the project") as refused:
        get(client, UPLOAD, Studio(url=studio.origin, api_key=studio.personal_token))
    assert "legacy" not in str(refused.value)


def test_a_missing_upload_is_not_found_though_label_studio_stumbles(studio, client):
    known = Studio(url=studio.origin, api_key=studio.personal_token)
    with pytest.raises(ImageNotFound, match="file may be missing"):
        get(client, "/data/upload/1/gone.png", known)
    with pytest.raises(ImageNotFound, match="has no"):
        get(client, "/data/local-files/?d=gone.png", known)
    with pytest.raises(ImageNotFound, match=r"s3://bucket/gone\.png"):
        get(client, "s3://bucket/gone.png", known)


def test_storage_that_label_studio_cannot_read_is_named(studio, client):
    studio.cloud["s3://bucket/a.png"] = Answer(424)
    with pytest.raises(ImageUnreachable, match="storage"):
        get(client, "s3://bucket/a.png", Studio(url=studio.origin, api_key=studio.personal_token))


def test_a_login_page_is_a_refusal_not_an_image(client):
    page = b"\n <!DOCTYPE html><html><title>Log in</title></html>"
    with Server(lambda _: Answer(200, page, {"Content-Type": "text/html"})) as server:
        with pytest.raises(ImageForbidden, match="web page"):
            get(client, UPLOAD, Studio(url=server.origin, api_key="0" * 40))
        with pytest.raises(ImageForbidden, match="login page"):
            get(StudioClient(Fetcher(allowed=AllowList.parse("127.0.0.1"))), f"{server.origin}/x.png", Studio())


def test_a_studio_that_moved_to_another_origin_is_explained(studio, client):
    with Server(lambda asked: redirect(f"{studio.origin}{asked.target}", 301)) as old:
        fetcher = Fetcher(allowed=AllowList.parse("127.0.0.1"))
        known = Studio(url=old.origin, api_key=studio.legacy_token)
        studio.legacy_enabled = True
        with pytest.raises(ImageForbidden, match="set LABEL_STUDIO_URL to it") as refused:
            get(StudioClient(fetcher), UPLOAD, known)
    assert studio.origin in str(refused.value)
    assert "authorization" not in studio.asked[-1].headers
