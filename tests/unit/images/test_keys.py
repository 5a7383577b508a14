"""Where what was found behind an address is kept: only who could fetch it finds it there."""

import hashlib

import pytest

from loopback import Answer, Server
from prebrush.client import Studio, StudioClient
from prebrush.errors import ImageForbidden
from prebrush.fetching import AllowList, Fetcher
from prebrush.images import ImageLoader

PIXEL = b"GIF89a\x01\0\x01\0\x80\0\0\xff\xff\xff\0\0\0!\xf9\x04\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;"
"""One white pixel."""


@pytest.fixture
def loader():
    return ImageLoader(StudioClient(Fetcher(allowed=AllowList.parse("127.0.0.1"))))


def test_keys_tell_hosts_paths_and_credentials_apart(loader):
    path = "/data/upload/1/0a1b-cat.png"
    token, other = "1" * 40, "2" * 40
    keys = [
        loader.key(path, 7, Studio(url="http://a")),
        loader.key(path, 7, Studio(url="http://b")),
        loader.key(path, 7, Studio(url="http://a:81")),
        loader.key(path, 7, Studio(url="https://a")),
        loader.key(path, 7, Studio(url="http://a/sub")),
        loader.key(path, 7, Studio(url="http://a", setup_token=token)),
        loader.key(path, 7, Studio(url="http://a", setup_token=other)),
        loader.key(path, 7, Studio(url="http://a", login="me", password="hush-1")),
        loader.key(path, 7, Studio(url="http://a", login="me", password="hush-2")),
        loader.key(path, 7, Studio(url="http://a", login="you", password="hush-1")),
        loader.key(path, 7, Studio(url="http://b", login="me", password="hush-1")),
        loader.key(path + "x", 7, Studio(url="http://a")),
        loader.key("s3://bucket/a", 7, Studio(url="http://a")),
        loader.key("s3://bucket/a", 8, Studio(url="http://a")),
        loader.key("http://c/x?a=1", 7, Studio()),
        loader.key("http://c/x?a=2", 7, Studio()),
        loader.key("data:,x", 7, Studio()),
    ]
    assert len(set(keys)) == len(keys)
    assert loader.key(path, 7, Studio(url="http://a")) == loader.key(
        path, 8, Studio(url="http://a", setup_host="http://z")
    )
    assert loader.key("http://c/x", 7, Studio(api_key=token)) == loader.key("http://c/x", 8, Studio())


def test_a_password_cannot_be_guessed_from_a_key(loader):
    """A key is in the storage, for others to read: a plain hash of a password would be searched for in a night."""
    path, studio = "/data/upload/1/cat.png", Studio(url="http://a", login="me", password="hush-1")
    key = loader.key(path, 7, studio)
    assert key == loader.key(path, 8, studio)
    for guess in ("hush-1", "me:hush-1", '["url", "http://a/data/upload/1/cat.png", "", "", "me:hush-1"]'):
        assert hashlib.sha256(guess.encode()).hexdigest()[: len(key)] != key


def test_a_wrong_password_does_not_find_what_the_right_one_opened(loader):
    """An upload is believed for ever once it is known, so the known one must not be another's."""
    right = "Basic bWU6aHVzaC0x"  # me:hush-1
    with Server(lambda asked: Answer(200, PIXEL) if asked.headers.get("authorization") == right else Answer(401)) as at:
        path = "/data/upload/1/0a-cat.gif"
        studio = Studio(url=at.origin, login="me", password="hush-1")
        kept = {}
        loaded = loader.load(path, 7, studio)
        kept[loaded.identity.key] = loaded.identity
        assert loader.load(path, 7, studio, kept.get(loader.key(path, 7, studio))).image is None
        for login, password in (("me", "hush-2"), ("", ""), ("you", "hush-1")):
            other = Studio(url=at.origin, login=login, password=password)
            with pytest.raises(ImageForbidden):
                loader.load(path, 7, other, kept.get(loader.key(path, 7, other)))
            with pytest.raises(ImageForbidden):
                loader.load(path, 7, other, loaded.identity)
