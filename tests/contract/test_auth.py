"""Who may call which route: held against every route that the app has, whatever they are."""

import base64
import io
import logging
import re

import pytest

from prebrush.settings import Settings
from prebrush.web import create_app
from prebrush.web.auth import PROBES, warn_if_open

from .conftest import CONFIG, draw_discs, write_image

USER, PASSWORD, TOKEN = "annotators", "hush-pass: wörd", "hush-token-0123456789"
LOCKED = {"basic_auth_user": USER, "basic_auth_pass": PASSWORD, "bearer_token": TOKEN}


def routes_of(app):
    """List (method, path) of every route, its variables filled in."""
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<[^>]*>", "playground.css" if rule.endpoint.endswith("static") else "1", rule.rule)
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield method, path


def basic(user: str, password: str) -> dict[str, str]:
    shown = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {shown}"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


WRONG = {
    "nothing": {},
    "wrong password": basic(USER, "hush-no"),
    "wrong user": basic("somebody", PASSWORD),
    "empty": basic("", ""),
    "part of the password": basic(USER, PASSWORD[:-1]),
    "token as password": basic(USER, TOKEN),
    "wrong token": bearer("hush-no"),
    "empty token": bearer(""),
    "password as token": bearer(PASSWORD.encode().decode("latin-1")),
    "no base64": {"Authorization": "Basic ===="},
    "no utf-8": {"Authorization": "Basic /////w=="},
    "no ASCII": {"Authorization": "Basic \xff\xfe"},
    "no scheme": {"Authorization": TOKEN},
    "another scheme": {"Authorization": f"Token {TOKEN}"},
}


@pytest.mark.parametrize("shown", WRONG.values(), ids=WRONG)
def test_no_route_is_open_without_the_right_credentials(make_settings, shown):
    app = create_app(make_settings(server=LOCKED))
    client = app.test_client()
    asked = [("GET", "/no-such-route"), ("POST", "/no-such-route"), ("OPTIONS", "/predict"), *routes_of(app)]
    assert len(asked) > 15
    for method, path in asked:
        answer = client.open(path, method=method, headers=shown)
        expected = (200, 404) if path in PROBES and not shown else (401,)
        assert answer.status_code in expected, (method, path)
        if answer.status_code == 401:
            assert answer.get_json()["error"] == "not_authorized"
            assert answer.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize("shown", [basic(USER, PASSWORD), bearer(TOKEN)], ids=["basic", "bearer"])
def test_either_opens_every_route(make_settings, shown):
    app = create_app(make_settings(server=LOCKED))
    client = app.test_client()
    for method, path in routes_of(app):
        with client.open(path, method=method, headers=shown) as answer:
            assert answer.status_code not in (401, 403), (method, path)


@pytest.mark.parametrize("locked", [{"bearer_token": TOKEN}, {"basic_auth_user": USER, "basic_auth_pass": PASSWORD}])
def test_what_is_not_set_opens_nothing(make_settings, locked):
    client = create_app(make_settings(server=locked)).test_client()
    shown = basic(USER, PASSWORD) if "bearer_token" in locked else bearer(TOKEN)
    for headers in (shown, basic("", ""), bearer("")):
        assert client.get("/versions", headers=headers).status_code == 401


class Untouched(io.BytesIO):
    """A body that must not be read."""

    def read(self, *_: object) -> bytes:
        raise AssertionError("the body was read")

    readline = readinto = read


@pytest.mark.parametrize("path", ["/predict", "/setup", "/webhook", "/playground/segment"])
@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x"])
def test_no_byte_is_read_of_a_caller_without_credentials(make_settings, path, kind):
    client = create_app(make_settings(server=LOCKED)).test_client()
    answer = client.post(path, input_stream=Untouched(), content_length=200_000_000, content_type=kind)
    assert answer.status_code == 401


def test_a_get_changes_nothing(make_settings, file_server, tmp_path):
    """Whoever lures a browser to an address of this server has done nothing by that."""
    write_image(file_server.folder / "data/upload/discs.png", draw_discs())
    app = create_app(make_settings())
    client = app.test_client()
    setup = {"project": "1.1", "schema": CONFIG, "hostname": "", "access_token": "", "extra_params": None}
    client.post("/setup", json=setup)
    before = client.get("/versions").get_json()
    forged = {"project": "1.1", "schema": CONFIG, "extra_params": {"method": "kmeans"}, "hostname": "http://evil"}
    for method, path in routes_of(app):
        if method == "GET":
            client.get(path, query_string=forged, json=forged).close()
    assert client.get("/versions").get_json() == before
    assert all(b"evil" not in file.read_bytes() for file in (tmp_path / "data").iterdir())
    # the playground lists projects and a project's tasks; to open a task would make Label Studio predict it
    assert {path.partition("?")[0] for path in file_server.asked} <= {"/api/projects/", "/api/tasks"}


def test_pages_may_load_nothing_from_elsewhere(make_settings):
    app = create_app(make_settings())
    pages = 0
    for method, path in routes_of(app):
        with app.test_client().open(path, method=method) as page:
            if page.mimetype == "text/html" and page.status_code == 200:
                pages += 1
                policy = page.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "frame-ancestors 'none'" in policy
                assert "unsafe" not in policy
                assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert pages


FOREIGN = {
    "a page of another site": {"Sec-Fetch-Site": "cross-site"},
    "another port of this machine": {"Sec-Fetch-Site": "same-site"},
    "an older browser": {"Origin": "http://evil.example"},
    "a sandboxed page": {"Origin": "null"},
    "a name that begins alike": {"Origin": "http://localhost.evil.example"},
}


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("locked", [{}, LOCKED], ids=["open", "locked"])
def test_no_page_of_another_site_can_post(make_settings, headers, locked):
    """The browser would send the password along that its user once typed."""
    client = create_app(make_settings(server=locked)).test_client()
    shown = basic(USER, PASSWORD) if locked else {}
    for path in ("/setup", "/predict", "/webhook", "/playground/segment"):
        answer = client.post(path, data=b"{}", headers={**headers, **shown}, content_type="text/plain")
        assert (answer.status_code, answer.get_json()["error"]) == (403, "forbidden")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost"},
        {"Origin": "https://prebrush.example", "X-Forwarded-Host": "prebrush.example"},
    ],
)
def test_programs_and_our_own_page_can_post(make_settings, headers):
    client = create_app(make_settings()).test_client()
    assert client.post("/webhook", json={"action": "TASKS_CREATED"}, headers=headers).status_code == 201


@pytest.mark.parametrize(
    "host", ["evil.example:9090", "127.0.0.1.evil.example", "localhost.evil.example", "internal.evil.example", "["]
)
def test_a_server_for_its_own_machine_answers_to_no_other_name(make_settings, host):
    """DNS rebinding: a page's own host name that suddenly means this machine."""
    client = create_app(make_settings()).test_client()
    answer = client.get("/versions", headers={"Host": host})
    assert answer.status_code == 403
    assert "PREBRUSH_SERVER_OPEN_TO_ALL" in answer.get_json()["detail"]
    for server in (LOCKED, {"open_to_all": True}, {"host": "0.0.0.0"}):
        client = create_app(make_settings(server=server)).test_client()
        assert client.get("/versions", headers={"Host": host, **bearer(TOKEN)}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "localhost:9090",
        "127.0.0.1",
        "[::1]:9090",
        "prebrush.localhost",
        "",
        "10.0.0.7:9090",
        "prebrush:9090",
        "host.docker.internal:9090",
    ],
)
def test_it_answers_to_addresses_and_names_of_a_local_network(make_settings, host):
    client = create_app(make_settings()).test_client()
    assert client.get("/versions", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("server", "warned"),
    [
        ({}, False),
        ({"host": "localhost"}, False),
        ({"host": "::1"}, False),
        ({"host": "0.0.0.0"}, True),
        ({"host": "::"}, True),
        ({"host": "192.168.0.7"}, True),
        ({"host": "prebrush.internal"}, True),
        ({"host": "0.0.0.0", **LOCKED}, False),
        ({"host": "0.0.0.0", "bearer_token": TOKEN}, False),
        ({"host": "0.0.0.0", "open_to_all": True}, False),
    ],
)
def test_a_server_open_to_others_says_so_at_the_start(make_settings, caplog, server, warned):
    settings: Settings = make_settings(server=server)
    with caplog.at_level(logging.WARNING, "prebrush"):
        warn_if_open(settings)
    assert bool(caplog.records) == warned
    if warned:
        assert all(name in caplog.text for name in ("BASIC_AUTH_USER", "BASIC_AUTH_PASS", "OPEN_TO_ALL"))


def test_an_event_without_credentials_does_nothing(make_settings, file_server):
    """Label Studio shows no credentials with its events, so a forger's look the same: only a counter may move."""
    write_image(file_server.folder / "data/upload/discs.png", draw_discs())
    client = create_app(make_settings()).test_client()
    before = client.get("/versions").get_json()
    project = {"id": 1, "created_at": "1970-01-01T00:00:01Z", "label_config": CONFIG}
    task = {"id": 1, "data": {"image": f"{file_server.url}/data/upload/discs.png"}}
    for action in ("ANNOTATION_CREATED", "TASKS_CREATED", "PROJECT_UPDATED", "START_TRAINING", "forged"):
        event = {"action": action, "project": project, "task": task, "tasks": [task], "annotation": {"id": 1}}
        assert client.post("/webhook", json=event).status_code == 201
    assert client.get("/versions").get_json() == before
    assert file_server.asked == []
