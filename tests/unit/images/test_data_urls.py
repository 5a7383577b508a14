"""Images that are written into their own address."""

import base64
from urllib.parse import quote

import pytest

from prebrush.client import Studio
from prebrush.errors import ImageTooLarge, ImageUnreadable


@pytest.mark.parametrize(
    "write",
    [
        lambda body: "data:image/png;base64," + base64.b64encode(body).decode(),
        lambda body: "DATA:;BASE64," + quote(base64.b64encode(body).decode().rstrip("=")),
        lambda body: "data:image/png;charset=x;base64," + base64.encodebytes(body).decode(),
        lambda body: "data:image/png," + quote(body),
        lambda body: " data:," + quote(body, safe=""),
    ],
    ids=["base64", "no padding, quoted", "with line ends", "percent", "bare"],
)
def test_a_data_url_is_its_own_image(write, picture, scene, loader):
    reference = write(picture)
    loaded = loader.load(reference, 7, Studio())
    assert (loaded.image.pixels == scene).all()
    assert loaded.identity.key == loader.key(reference, 7, Studio())
    again = loader.load(reference, 7, Studio(), loaded.identity)
    assert again.image is None
    assert again.identity == loaded.identity


@pytest.mark.parametrize(
    ("reference", "error"),
    [
        ("data:image/png;base64", ImageUnreadable),
        ("data:image/png;base64,???", ImageUnreadable),
        ("data:image/png;base64,A", ImageUnreadable),
        ("data:image/png,\ud800", ImageUnreadable),
        ("data:image/png;base64,", ImageUnreadable),
        ("data:text/html,<html>", ImageUnreadable),
        ("data:image/png;base64," + "A" * 4_000_000, ImageTooLarge),
        ("data:image/png," + "%41" * 1_100_000, ImageTooLarge),
        ("data:image/png," + "A" * 1_100_000, ImageTooLarge),
    ],
)
def test_a_bad_data_url_is_told_shortly(reference, error, loader):
    with pytest.raises(error) as raised:
        loader.load(reference, 7, Studio())
    assert len(str(raised.value)) < 400
