"""What a secret is, and who gets to see it."""

import base64
import logging

import pytest

from getting_images import UPLOAD, get
from loopback import Answer, FakeStudio, Server, make_jwt
from prebrush.client import Credential, CredentialKind, Studio, StudioClient
from prebrush.errors import ImageForbidden, ImageNotFound, ImageUnreachable
from prebrush.fetching import AllowList, Fetcher


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        (FakeStudio.legacy_token, CredentialKind.LEGACY),
        ("any.other.thing", CredentialKind.LEGACY),
        (make_jwt(token_type="refresh"), CredentialKind.PERSONAL),
        (make_jwt(token_type="access"), CredentialKind.ACCESS),
        (make_jwt(sub="someone"), CredentialKind.ACCESS),
        (make_jwt(token_type="refresh").rpartition(".")[0], CredentialKind.TRUNCATED),
        ("two words", CredentialKind.UNUSABLE),
        ("token\r\nX-Injected: yes", CredentialKind.UNUSABLE),
        ("tökén", CredentialKind.UNUSABLE),
    ],
)
def test_the_kind_of_a_token_is_seen_from_its_form(token, kind):
    assert Credential.from_token("here", token).kind is kind


def test_credentials_come_in_order_and_show_no_secret():
    studio = Studio(url="http://s", api_key="key-secret", setup_token="told-secret", login="me", password="pass-secret")
    assert [credential.source for credential in studio.credentials] == [
        "LABEL_STUDIO_API_KEY",
        "the token that /setup told",
        "the project's login and password",
    ]
    assert "secret" not in repr(studio)
    assert "secret" not in repr(studio.credentials)
    assert len(Studio(url="http://s", api_key="same", setup_token="same").credentials) == 1
    assert Studio(api_key="key").credentials == ()


@pytest.mark.parametrize("host", ["http://evil.example", "http://10.0.0.9:8080", "http://localhost.evil.example"])
def test_the_operators_secrets_do_not_go_where_only_setup_points(host):
    studio = Studio(setup_host=host, api_key="key", setup_token="told", login="me", password="word")
    assert [credential.secret for credential in studio.credentials] == ["told"]
    assert studio.withholds_key


@pytest.mark.parametrize("host", ["http://localhost:8080", "http://127.0.0.1:8080/sub", "http://[::1]:8080"])
def test_they_do_go_to_a_label_studio_on_this_machine(host):
    assert len(Studio(setup_host=host, api_key="key", setup_token="told", login="me").credentials) == 3


def test_an_access_token_is_used_as_it_is(studio, client):
    studio.access_tokens.append(make_jwt(token_type="access"))
    assert get(client, UPLOAD, Studio(url=studio.origin, api_key=studio.access_tokens[0])).body == b"picture"
    assert studio.trades == 0


def test_a_legacy_token_works_where_it_is_enabled(studio, client):
    studio.legacy_enabled = True
    assert get(client, UPLOAD, Studio(setup_host=studio.origin, setup_token=studio.legacy_token)).body == b"picture"
    assert studio.asked[-1].headers["authorization"] == f"Token {studio.legacy_token}"


def test_the_next_credential_is_tried_after_a_refusal(studio, client):
    known = Studio(url=studio.origin, api_key="0" * 40, setup_token=studio.personal_token)
    assert get(client, UPLOAD, known).body == b"picture"
    known = Studio(
        url=studio.origin, api_key=make_jwt(token_type="refresh", jti="old"), setup_token=studio.personal_token
    )
    assert get(client, UPLOAD, known).body == b"picture"


def test_login_and_password_are_shown_last(client):
    def respond(asked):
        return Answer(200, b"picture") if asked.headers.get("authorization", "").startswith("Basic") else Answer(401)

    with Server(respond) as proxy:
        known = Studio(url=proxy.origin, setup_token="0" * 40, login="me", password="wörd")
        assert get(client, UPLOAD, known).body == b"picture"
    shown = proxy.asked[-1].headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(shown).decode() == "me:wörd"


def test_without_credentials_it_is_asked_all_the_same(client):
    with Server(lambda _: Answer(200, b"picture")) as open_studio:
        assert get(client, UPLOAD, Studio(url=open_studio.origin)).body == b"picture"
    assert "authorization" not in open_studio.asked[0].headers


def test_elsewhere_no_credentials_are_shown(studio):
    with Server(lambda _: Answer(403)) as other:
        known = Studio(url=studio.origin, api_key=studio.personal_token, login="me", password="word")
        client = StudioClient(Fetcher(allowed=AllowList.parse("127.0.0.1")))
        with pytest.raises(ImageForbidden, match="no credentials for it"):
            get(client, f"{other.origin}/x.png?Signature=hidden", known)
        other.respond = lambda asked: Answer(404)
        with pytest.raises(ImageNotFound):
            get(client, f"{other.origin}/x.png", known)
        other.respond = lambda asked: Answer(503)
        with pytest.raises(ImageUnreachable, match="503"):
            get(client, f"{other.origin}/x.png", known)
    assert all("authorization" not in asked.headers for asked in other.asked)


def test_no_secret_is_logged_or_told(studio, client, caplog):
    caplog.set_level(logging.DEBUG)
    known = Studio(
        url=studio.origin, api_key=studio.personal_token, setup_token=studio.legacy_token, login="me", password="wörd"
    )
    get(client, UPLOAD, known)
    studio.forbidden.add(UPLOAD)
    with pytest.raises(ImageForbidden) as refused:
        get(client, UPLOAD, known)
    told = caplog.text + str(refused.value) + repr(refused.value.__cause__)
    assert "traded" in told
    for secret in (studio.personal_token, studio.legacy_token, "wörd", *studio.access_tokens):
        assert secret not in told
