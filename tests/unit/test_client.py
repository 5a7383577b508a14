"""References to URLs, and credentials in order, against a small Label Studio on loopback."""

import base64
import logging
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopback import Answer, FakeStudio, Server, make_jwt, redirect
from prebrush.client import Credential, CredentialKind, Studio, StudioClient, locate
from prebrush.errors import ImageError, ImageForbidden, ImageNotFound, ImageUnreachable, StudioError
from prebrush.fetching import AllowList, Fetcher, FetchLimits, parse_url

UPLOAD = "/data/upload/1/0a1b2c3d-cat.png"


def urls(reference, studio, task_id=7):
    return [str(url) for url in locate(reference, task_id, studio).urls]


def resolved(base, uri, task_id=7):
    return f"{base}/tasks/{task_id}/resolve/?fileuri={base64.urlsafe_b64encode(uri.encode()).decode()}"


# where an image is


def test_a_path_is_joined_with_the_origin():
    studio = Studio(url="http://studio:8080")
    assert urls(UPLOAD, studio) == [f"http://studio:8080{UPLOAD}"]
    assert urls("/data/local-files/?d=set%201/a%2Bb.png", studio) == [
        "http://studio:8080/data/local-files/?d=set%201/a%2Bb.png"
    ]
    assert urls("/tasks/9/resolve/?fileuri=czM6Ly9i", studio) == [
        "http://studio:8080/tasks/9/resolve/?fileuri=czM6Ly9i"
    ]
    assert urls("/data/upload/1/größe 1.png", studio) == ["http://studio:8080/data/upload/1/gr%C3%B6%C3%9Fe%201.png"]


def test_only_uploads_never_change():
    studio = Studio(url="http://studio:8080/sub")
    assert locate(f"/sub{UPLOAD}", 7, studio).immutable
    assert locate(UPLOAD, 7, studio).immutable
    assert not locate("/data/local-files/?d=data/upload/x", 7, studio).immutable
    assert not locate("s3://bucket/data/upload/x", 7, studio).immutable
    assert not locate(f"http://elsewhere{UPLOAD}", 7, studio).immutable


@pytest.mark.parametrize(
    ("base", "reference", "expected"),
    [
        # the reference holds the sub-path already
        ("http://host/sub", f"/sub{UPLOAD}", [f"http://host/sub{UPLOAD}"]),
        ("http://host/sub/", f"/sub{UPLOAD}", [f"http://host/sub{UPLOAD}"]),
        # a task from before the sub-path was set
        ("http://host/sub", UPLOAD, [f"http://host/sub{UPLOAD}", f"http://host{UPLOAD}"]),
        # Label Studio asked behind its proxy
        ("http://inner:8080", f"/sub{UPLOAD}", [f"http://inner:8080/sub{UPLOAD}", f"http://inner:8080{UPLOAD}"]),
        ("http://host/sub", f"http://host/sub{UPLOAD}", [f"http://host/sub{UPLOAD}"]),
        ("http://host/sub", "/static/samples/cat.png", ["http://host/sub/static/samples/cat.png",
                                                        "http://host/static/samples/cat.png"]),
        ("http://host/sub", "/sub/static/cat.png", ["http://host/sub/static/cat.png"]),
    ],
)  # fmt: skip
def test_sub_paths(base, reference, expected):
    assert urls(reference, Studio(url=base)) == expected
    assert urls(reference, Studio(setup_host=base)) == expected


@pytest.mark.parametrize(
    "uri", ["s3://bucket/a b/ü.png", "gs://bucket/x.png", "azure-blob://box/x?y=z", "azure-spi://b/x"]
)
def test_cloud_storage_goes_through_the_resolve_route(uri):
    assert urls(uri, Studio(url="http://studio:8080")) == [resolved("http://studio:8080", uri)]
    assert urls(uri, Studio(setup_host="http://host/sub")) == [resolved("http://host/sub", uri)]
    with pytest.raises(ImageNotFound, match="task number"):
        locate(uri, "7/../8", Studio(url="http://studio"))


def test_the_operators_address_wins_over_the_one_told():
    studio = Studio(url="http://studio:8080", setup_host="http://localhost:8080")
    assert urls(UPLOAD, studio) == [f"http://studio:8080{UPLOAD}"]
    local = locate("http://localhost:8080/data/local-files/?d=a.png", 7, studio)
    assert [str(url) for url in local.urls] == ["http://studio:8080/data/local-files/?d=a.png"]
    assert local.on_studio
    # the told host may serve more than Label Studio
    other = locate("http://localhost:8080/photos/a.png", 7, studio)
    assert [str(url) for url in other.urls] == ["http://localhost:8080/photos/a.png"]
    assert not other.on_studio


def test_an_address_elsewhere_stays_as_it_is():
    studio = Studio(url="http://studio:8080")
    for reference in ("https://studio:8080/x.png", "http://studio/x.png", "http://studio:8081/x.png"):
        location = locate(reference, 7, studio)
        assert [str(url) for url in location.urls] == [reference]
        assert not location.on_studio
    assert locate("HTTP://Studio:8080/x.png", 7, studio).on_studio
    assert not locate("http://example.org/x.png", 7, Studio()).on_studio


@pytest.mark.parametrize(
    "reference",
    [
        "//evil.example/x.png",
        "/\\evil.example/x.png",
        "\\\\evil.example\\x.png",
        "/data/upload/../../etc/passwd",
        "/data/upload/%2e%2e/x.png",
        "/data/upload/..%2fx.png",
        "/data/upload/%252e%252e/x.png",
        "/data/upload/..\\x.png",
        "/data/upload/..%5cx.png",
        "/data/upload/./x.png",
        "/data/upload//x.png",
        "/data//upload/x.png",
        "/data/upload/x%00.png",
        "/data/upload/x%0d%0aHost:%20evil",
        "/data/upload/x\r\nAuthorization: Token y",
        "/data/local-files/?d=../../etc/passwd",
        "/data/local-files/?d=a/%2e%2e/b",
        "/data/local-files/?d=..%5c..%5cwindows",
        "/api/tasks/7/",
        "/api/users",
        "http://studio:8080/api/tasks/7/",
        "http://studio:8080/data/upload/../x.png",
        "http://token@studio:8080/x.png",
        "http://studio:8080@evil.example/x.png",
        "file:///etc/passwd",
        "gopher://127.0.0.1/x",
        "ftp://example.org/x.png",
        "redis://box/x",
        "C:\\photos\\x.png",
        "/data/upload/1/\ud800.png",
        "s3://bucket/\ud800.png",
        "s3://bucket/x\r\ny.png",
        "javascript:alert(1)",
    ],
)
def test_tricks_and_foreign_schemes_are_refused(reference):
    with pytest.raises(ImageForbidden):
        locate(reference, 7, Studio(url="http://studio:8080"))


@pytest.mark.parametrize(
    "tail", ["@evil.example/x.png", "x@evil.example", "x#@evil.example", ":80@evil.example/", "?@evil"]
)
def test_no_path_changes_the_host(tail):
    for url in locate(f"/data/upload/{tail}", 7, Studio(url="http://studio:8080")).urls:
        assert url.origin.netloc == "studio:8080"


@pytest.mark.parametrize("reference", ["", "cat.png", "upload/1/cat.png", "?d=x"])
def test_what_is_no_address_is_told_with_what_is(reference):
    with pytest.raises(ImageNotFound, match="s3, gs, azure-blob"):
        locate(reference, 7, Studio(url="http://studio"))


def test_without_an_address_the_message_says_what_to_set():
    for reference in (UPLOAD, "s3://bucket/x.png"):
        with pytest.raises(ImageUnreachable, match="LABEL_STUDIO_URL"):
            locate(reference, 7, Studio())


@pytest.mark.parametrize(
    "url", ["studio:8080", "http://studio/?x=y", "http://u:p@studio", "http://studio/../x", "ftp://studio"]
)
def test_an_address_that_is_none_is_named(url):
    with pytest.raises(StudioError, match="LABEL_STUDIO_URL"):
        locate(UPLOAD, 7, Studio(url=url))
    with pytest.raises(StudioError, match="/setup"):
        locate(UPLOAD, 7, Studio(setup_host=url))


PIECES = ["\ud800", "\0", "\r\n"]
PIECES += ["http://", "//", "/", "\\", "@", "#", "?", "%2e", "%", "..", ":", ":80", "[::1]", "127.0.0.1", "studio:8080"]
PIECES += ["①", "é", "s3://", "data:", ";base64,", "/data/upload/", "/data/local-files/", "d=", "&", "xn--"]


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_a_reference_made_of_tricks_is_refused_or_stays_where_it_shows(reference):
    studio = Studio(url="http://studio:8080/sub", setup_host="http://localhost:8080")
    try:
        location = locate(reference, 7, studio)
    except ImageError:
        return
    for url in location.urls:
        # whatever is asked for reads back as itself, and credentials go to one origin
        assert parse_url(str(url)) == url
        assert str(url).isascii()
        assert location.on_studio == (url.origin.netloc == "studio:8080")


# credentials


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


# getting


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.time = 1000.0

    def __call__(self):
        return self.time


@pytest.fixture
def studio():
    with FakeStudio() as running:
        running.files = {UPLOAD: b"picture", "set/a.png": b"local"}
        yield running


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def client(clock):
    return StudioClient(Fetcher(FetchLimits(timeout_s=10)), clock)


def get(client, reference, studio, **options):
    return client.get(locate(reference, 7, studio), studio, **{"max_bytes": 1 << 20, **options})


def test_a_personal_access_token_is_traded_once(studio, client):
    known = Studio(url=studio.origin, api_key=studio.personal_token)
    assert get(client, UPLOAD, known).body == b"picture"
    assert get(client, "/data/local-files/?d=set/a.png", known).body == b"local"
    assert studio.trades == 1
    assert studio.asked[-1].headers["authorization"] == f"Bearer {studio.access_tokens[0]}"


def test_it_is_renewed_before_it_ends(studio, client, clock):
    known = Studio(url=studio.origin, api_key=studio.personal_token)
    get(client, UPLOAD, known)
    clock.time += 260
    get(client, UPLOAD, known)
    assert studio.trades == 1
    clock.time += 20
    get(client, UPLOAD, known)
    assert studio.trades == 2
    assert studio.asked[-1].headers["authorization"] == f"Bearer {studio.access_tokens[1]}"


def test_it_is_renewed_when_withdrawn_early(studio, client):
    known = Studio(url=studio.origin, api_key=studio.personal_token)
    get(client, UPLOAD, known)
    studio.withdrawn.add(studio.access_tokens[0])
    assert get(client, UPLOAD, known).body == b"picture"
    assert studio.trades == 2


def test_many_threads_trade_once(studio, client):
    known = Studio(url=studio.origin, api_key=studio.personal_token)
    bodies = []
    together = threading.Barrier(8)

    def work():
        together.wait()
        bodies.append(get(client, UPLOAD, known).body)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bodies == [b"picture"] * 8
    assert studio.trades == 1


@pytest.fixture
def hanging(studio):
    """Make Label Studio take a trade and not answer, until the event that is handed out is set."""
    over = threading.Event()
    respond = studio.respond

    def hang(asked):
        if asked.path.endswith("/api/token/refresh/"):
            over.wait()
        return respond(asked)

    studio.respond = hang
    yield over
    over.set()


def in_threads(count, work):
    """Start them together, and gather what they return or raise."""
    together = threading.Barrier(count)
    outcomes = []

    def run():
        together.wait()
        try:
            outcomes.append(work())
        except ImageError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, outcomes


def test_many_threads_wait_for_one_hanging_trade_together(studio, client, clock, hanging):
    known = Studio(url=studio.origin, api_key=studio.personal_token)
    threads, outcomes = in_threads(6, lambda: get(client, UPLOAD, known, timeout_s=1.5))
    for thread in threads:
        thread.join()
    assert [type(outcome) for outcome in outcomes] == [ImageUnreachable] * 6
    assert all("in time" in str(outcome) for outcome in outcomes)
    assert studio.trades == 1
    # known to fail, it is left alone for a while
    clock.time += 4
    with pytest.raises(ImageUnreachable, match="in time"):
        get(client, UPLOAD, known)
    assert studio.trades == 1
    hanging.set()
    clock.time += 2
    assert get(client, UPLOAD, known).body == b"picture"
    assert studio.trades == 2


def test_who_has_less_time_does_not_wait_for_who_has_more(studio, client, hanging):
    known = Studio(url=studio.origin, api_key=studio.personal_token)
    (patient,), outcomes = in_threads(1, lambda: get(client, UPLOAD, known, timeout_s=10))
    while not studio.trades:
        patient.join(0.01)
    with pytest.raises(ImageUnreachable, match="in time"):
        get(client, UPLOAD, known, timeout_s=0.2)
    assert patient.is_alive()
    hanging.set()
    patient.join()
    assert [outcome.body for outcome in outcomes] == [b"picture"]


def test_a_trade_that_had_hardly_any_time_is_not_held_against_the_token(studio, client, hanging):
    known = Studio(url=studio.origin, api_key=studio.personal_token)
    with pytest.raises(ImageUnreachable, match="in time"):
        get(client, UPLOAD, known, timeout_s=0.2)
    hanging.set()
    assert get(client, UPLOAD, known).body == b"picture"


def test_a_refused_token_is_not_traded_again_at_once(studio, client, clock):
    known = Studio(url=studio.origin, api_key=make_jwt(token_type="refresh", jti="revoked"))
    for _ in range(2):
        with pytest.raises(ImageForbidden, match="revoked"):
            get(client, UPLOAD, known)
    assert studio.trades == 1
    clock.time += 6
    with pytest.raises(ImageForbidden, match="revoked"):
        get(client, UPLOAD, known)
    assert studio.trades == 2


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


def test_a_presigned_address_is_followed_without_the_token(studio):
    with Server(lambda _: Answer(200, b"from storage")) as storage:
        studio.cloud["s3://bucket/a.png"] = redirect(f"{storage.origin}/bucket/a.png?X-Amz-Signature=s", 303)
        known = Studio(url=studio.origin, api_key=studio.personal_token)
        client = StudioClient(Fetcher(allowed=AllowList.parse("127.0.0.1")))
        assert get(client, "s3://bucket/a.png", known).body == b"from storage"
        # without the operator's word, storage at a private address is out of bounds
        with pytest.raises(ImageForbidden, match="allowed_hosts"):
            get(StudioClient(Fetcher()), "s3://bucket/a.png", known)
    assert "authorization" not in storage.asked[0].headers
    assert len(storage.asked) == 1


def test_below_a_sub_path_the_token_is_traded_there(client):
    with FakeStudio(prefix="/sub") as studio:
        studio.files = {UPLOAD: b"picture"}
        known = Studio(url=f"{studio.origin}/sub", api_key=studio.personal_token)
        assert get(client, f"/sub{UPLOAD}", known).body == b"picture"
        assert get(client, UPLOAD, known).body == b"picture"
        assert client.whoami(known).user == "annotator@example.com"


def test_behind_its_proxy_the_sub_path_is_left_out(studio, client):
    """Label Studio itself answers 404, or stumbles, below the sub-path that only its proxy knows."""
    known = Studio(url=studio.origin, setup_host="https://public.example/sub", api_key=studio.personal_token)
    assert get(client, f"/sub{UPLOAD}", known).body == b"picture"
    assert get(client, "https://public.example/sub/data/local-files/?d=set/a.png", known).body == b"local"


def test_an_address_told_by_setup_may_be_distrusted(studio, client):
    studio.legacy_enabled = True
    told = {"setup_host": studio.origin, "setup_token": studio.legacy_token}
    assert get(client, UPLOAD, Studio(**told)).body == b"picture"
    with pytest.raises(ImageForbidden, match="LABEL_STUDIO_URL"):
        get(client, UPLOAD, Studio(**told, trust_setup_host=False))


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


def test_a_condition_is_passed_on(studio, client):
    known = Studio(url=studio.origin, api_key=studio.personal_token)
    etag = get(client, "/data/local-files/?d=set/a.png", known).etag
    assert get(client, "/data/local-files/?d=set/a.png", known, headers={"If-None-Match": etag}).status == 304


def test_all_requests_for_an_image_share_one_time_limit(client):
    over = threading.Event()

    def respond(asked):
        over.wait()
        return Answer(401)

    with Server(respond) as slow:
        known = Studio(url=slow.origin, api_key="0" * 40, setup_token="1" * 40)
        with pytest.raises(ImageUnreachable, match="in time"):
            get(client, UPLOAD, known, timeout_s=0.3)
        assert len(slow.asked) == 1
        over.set()


# asking who we are


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


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"{}"),
        Answer(200, b'{"access": 5}'),
        Answer(200, b'{"access": "a\\r\\nX: y"}'),
        Answer(200, b"nonsense"),
        Answer(404),
        redirect("https://elsewhere.example/login?next=/api"),
    ],
)
def test_an_odd_answer_to_the_trade_is_a_refusal(answer, client):
    with Server(lambda _: answer) as server, pytest.raises(ImageForbidden, match="api/token/refresh"):
        get(client, UPLOAD, Studio(url=server.origin, api_key=make_jwt(token_type="refresh")))


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
