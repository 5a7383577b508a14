"""Limits that are checked before anything is decoded, and files that are broken."""

import struct
import warnings
import zlib

import numpy as np
import pytest

from image_files import decode, jpeg_with, png_chunk, png_of, png_with, save, with_density
from prebrush.errors import ImageTooLarge, ImageUnreadable


def test_bytes_and_pixels_are_limited(scene):
    body = save(scene, "PNG")
    with pytest.raises(ImageTooLarge, match="max_bytes"):
        decode(body, max_bytes=len(body) - 1)
    with pytest.raises(ImageTooLarge, match=r"40 x 24 = 960 pixels.*max_pixels"):
        decode(body, max_pixels=959)
    with pytest.raises(ImageTooLarge, match="no side"):
        decode(body, max_side_px=39)
    assert decode(body, max_bytes=len(body), max_pixels=960, max_side_px=40).shape == (24, 40, 3)


def test_the_shown_size_is_limited_too(scene):
    huge = jpeg_with(scene, b"Exif\0\0" + with_density((1, 1), 40 * 72, 24 * 72))
    with pytest.raises(ImageTooLarge, match="2880 x 1728"):
        decode(huge, max_pixels=1_000_000)


BOMB_SIDE = 60_000


def bomb_png():
    return png_of((BOMB_SIDE, BOMB_SIDE), png_chunk(b"IDAT", zlib.compress(bytes(1_000_000))))


def bomb_gif():
    return b"GIF89a" + struct.pack("<HHBBB", BOMB_SIDE, BOMB_SIDE, 0, 0, 0) + b"," + struct.pack(
        "<HHHHB", 0, 0, BOMB_SIDE, BOMB_SIDE, 0
    ) + b"\x02\x02\x4c\x01\x00;"  # fmt: skip


def bomb_webp():
    chunk = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (BOMB_SIDE - 1).to_bytes(3, "little") * 2
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def bomb_tiff():
    side = BOMB_SIDE
    entries = [(256, 4, side), (257, 4, side), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (278, 4, side)]
    packed = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + bytes(4)


def bomb_bmp():
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + struct.pack(
        "<IiiHHIIiiII", 40, BOMB_SIDE, BOMB_SIDE, 1, 24, 0, 0, 0, 0, 0, 0
    )  # fmt: skip


def bomb_jpeg():
    body = bytearray(save(np.zeros((8, 8, 3), np.uint8), "JPEG"))
    at = body.index(b"\xff\xc0")
    body[at + 5 : at + 9] = struct.pack(">HH", BOMB_SIDE, BOMB_SIDE)
    return bytes(body)


@pytest.mark.parametrize("bomb", [bomb_png, bomb_gif, bomb_webp, bomb_tiff, bomb_bmp, bomb_jpeg])
def test_a_bomb_is_refused_by_its_header(bomb):
    with pytest.raises(ImageTooLarge):
        decode(bomb())


def test_a_text_bomb_in_a_png_is_not_looked_at(scene):
    text = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200_000_000), 9))
    assert (decode(png_with(scene, before=text)) == scene).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.9])
def test_a_truncated_file_says_so(kind, share):
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    body = save(noise, kind)
    with pytest.raises(ImageUnreadable, match=r"truncated|header"):
        decode(body[: int(len(body) * share)])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_broken_bytes_are_at_worst_unreadable(kind):
    """Whatever a decoder makes of them, only our own errors and no warning come out."""
    rng = np.random.default_rng(2)
    body = save(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8), kind)
    outcomes, messages = set(), []
    for _ in range(150):
        broken = bytearray(body)
        for at in rng.integers(0, min(len(body), 200), 4):
            broken[at] = rng.integers(0, 256)
        with warnings.catch_warnings(record=True) as told:
            try:
                pixels = decode(bytes(broken), max_pixels=1_000_000)
            except (ImageUnreadable, ImageTooLarge) as error:
                outcomes.add(type(error))
                messages.append(str(error))
            else:
                outcomes.add(None)
                assert pixels.ndim == 3
        assert told == []
    assert ImageUnreadable in outcomes
    assert not any("\n" in message for message in messages)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "empty"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b'{"detail": "no"}', "text"),
        (b"%PDF-1.7\n", "25 50 44 46"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "JPEG, PNG, WebP, TIFF, BMP and GIF"),
        (b"\0\0\1\0\1\0", "accepted are"),
        (b"RIFF\0\0\0\0WAVE", "accepted are"),
    ],
)
def test_other_formats_are_told_what_is_accepted(body, expected):
    with pytest.raises(ImageUnreadable, match=expected):
        decode(body)


@pytest.mark.parametrize("size", [(0, 5), (5, 0)])
def test_an_image_without_pixels_is_unreadable(size):
    with pytest.raises(ImageUnreadable):
        decode(png_of(size, png_chunk(b"IDAT", zlib.compress(b""))))
