"""Where an image reference leads."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from getting_images import UPLOAD
from prebrush.client import Studio, locate
from prebrush.errors import ImageError, ImageForbidden, ImageNotFound, ImageUnreachable, StudioError
from prebrush.fetching import parse_url


def urls(reference, studio, task_id=7):
    return [str(url) for url in locate(reference, task_id, studio).urls]


def resolved(base, uri, task_id=7):
    return f"{base}/tasks/{task_id}/resolve/?fileuri={base64.urlsafe_b64encode(uri.encode()).decode()}"


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
