from pathlib import Path

import pytest

from prebrush.errors import ConfigError
from prebrush.storage import open_storage
from prebrush.storage.port import decode_names, encode_name, seal, unseal

PASSWORD = "hunter2"


def where(url: str) -> str:
    return open_storage(url, max_bytes=1 << 20, ttl_s=1).where


@pytest.mark.parametrize(
    ("url", "state", "cache"),
    [
        ("data", "data/state.db", "data/cache.db"),
        ("data/", "data/state.db", "data/cache.db"),
        ("/data/v1.2", "/data/v1.2/state.db", "/data/v1.2/cache.db"),
        ("data/prebrush.db", "data/prebrush.db", "data/prebrush.cache.db"),
        ("sqlite:///data/prebrush.sqlite3", "data/prebrush.sqlite3", "data/prebrush.cache.sqlite3"),
        ("sqlite:////data/prebrush.db", "/data/prebrush.db", "/data/prebrush.cache.db"),
        ("sqlite:////data", "/data/state.db", "/data/cache.db"),
    ],
)
def test_a_path_names_two_files(url, state, cache):
    assert where(url) == f"SQLite files {Path(state)} and {Path(cache)}"


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("redis://", "redis://localhost:6379"),
        ("redis://host", "redis://host:6379"),
        (f"redis://me:{PASSWORD}@host:7000/3?socket_timeout=1", "redis://host:7000/3"),
        (f"rediss://:{PASSWORD}@[::1]:7000/3", "rediss://::1:7000/3"),
        (f"redis://host/?password={PASSWORD}", "redis://host:6379/"),
        (f"redis+sentinel://:{PASSWORD}@a,b:7000/main/2", "redis+sentinel://a:26379,b:7000/main/2"),
        (f"rediss+cluster://:{PASSWORD}@a,b:7000", "rediss+cluster://a:6379,b:7000"),
    ],
)
def test_redis_is_named_without_its_secrets(url, masked):
    assert where(url) == f"Redis at {masked}"


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:{PASSWORD}/x@host",
        f"redis://:12/{PASSWORD}@host",
        f"redis+sentinel://:12/{PASSWORD}@host/0",
        f"redis://host:{PASSWORD}",
        f"redis://host/{PASSWORD}",
        f"redis://host/1/{PASSWORD}",
        f"redis://a,b/0?password={PASSWORD}",
        f"redis://host?socket_timeout={PASSWORD}",
        "redis+sentinel://host",
        "redis+sentinel://host/main/x",
        "redis+cluster://host/3",
        f"redis+other://:{PASSWORD}@host",
        f"redis://[{PASSWORD}",
        f"mysql://me:{PASSWORD}@host/db",
        f"sqlite://{PASSWORD}",
        "sqlite:///",
        "://",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_repeating_it(url):
    with pytest.raises(ConfigError) as caught:
        where(url)
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("max_bytes", "ttl_s"), [(0, 1), (1000, 1), (1 << 20, 0), (1 << 20, -1), (1 << 20, float("inf"))]
)
def test_bounds_that_make_no_sense_are_refused(max_bytes, ttl_s):
    with pytest.raises(ConfigError, match="it must be"):
        open_storage("data", max_bytes=max_bytes, ttl_s=ttl_s)


def test_a_seal_holds_for_one_name_and_one_value():
    sealed = seal(b"name", b"value")
    assert unseal(b"name", sealed) == b"value"
    assert unseal(b"other", sealed) is None
    assert unseal(b"name", sealed[:-1]) is None
    assert unseal(b"name", b"") is None
    assert unseal(b"name", "text") is None


def test_names_that_were_never_written_are_left_out():
    assert decode_names([encode_name("\ud800"), b"\xff\xfe", 7, b"a", None]) == ["a", "\ud800"]
