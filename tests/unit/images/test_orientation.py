"""Orientation and size, as Chromium 156 shows them: each case was tried there."""

import struct
import zlib

import numpy as np
import pytest

from image_files import (
    HEIGHT,
    WIDTH,
    decode,
    differ,
    exif_of,
    jpeg_with,
    oriented,
    png_chunk,
    png_with,
    save,
    with_density,
)

UPRIGHT = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: np.rot90(stored),
}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("number", range(1, 9))
def test_every_orientation_of_a_jpeg(number, order, scene):
    pixels = decode(jpeg_with(scene, b"Exif\0\0" + oriented(number, order)))
    assert differ(pixels, UPRIGHT[number](scene)) <= 12


@pytest.mark.parametrize("number", range(1, 9))
def test_every_orientation_of_a_png(number, scene):
    pixels = decode(png_with(scene, before=png_chunk(b"eXIf", oriented(number))))
    assert (pixels == UPRIGHT[number](scene)).all()


@pytest.mark.parametrize("number", range(1, 9))
def test_every_orientation_of_a_tiff(number, scene):
    """No browser shows these; viewers turn them."""
    assert (decode(save(scene, "TIFF", tiffinfo={274: number})) == UPRIGHT[number](scene)).all()


XMP = (
    b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)

SIX = b"Exif\0\0" + oriented(6)


@pytest.mark.parametrize(
    ("segments", "turned"),
    [
        ([b"Exif\0\0" + oriented(0)], False),
        ([b"Exif\0\0" + oriented(9)], False),
        ([b"Exif\0\xff" + oriented(6)], True),
        ([b"Exif\0\0" + exif_of([(0x0112, 4, 1, 6)])], False),
        ([b"Exif\0\0" + exif_of([(0x0112, 3, 2, 6)])], False),
        ([SIX, b"Exif\0\0" + oriented(1)], True),
        ([b"Exif\0\0" + oriented(1), SIX], False),
        ([XMP], False),
        ([XMP, SIX], True),
        ([b"Exif\0\0II*\0" + struct.pack("<I", 1000)], False),
        ([b"Exif\0\0II*\0\xff\xff\xff\xff"], False),
        ([b"Exif\0\0garbage"], False),
        ([b"Exif\0\0"], False),
        ([b"Exif\0\0II*\0" + struct.pack("<IH", 8, 65535)], False),
    ],
)
def test_a_jpeg_turns_only_where_the_browser_turns_it(segments, turned, scene):
    assert decode(jpeg_with(scene, *segments)).shape[:2] == ((WIDTH, HEIGHT) if turned else (HEIGHT, WIDTH))


def test_exif_after_the_frame_header_counts(scene):
    body = save(scene, "JPEG", quality=95)
    at = body.index(b"\xff\xda")
    late = body[:at] + b"\xff\xe1" + struct.pack(">H", len(SIX) + 2) + SIX + body[at:]
    assert decode(late).shape[:2] == (WIDTH, HEIGHT)


def test_a_png_turns_only_where_the_browser_turns_it(scene):
    profile = b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n%8d\n" % len(SIX) + SIX.hex().encode())
    for body in (
        png_with(scene, after=png_chunk(b"eXIf", oriented(6))),
        png_with(scene, before=png_chunk(b"eXIf", SIX)),
        png_with(scene, before=png_chunk(b"zTXt", profile)),
    ):
        assert (decode(body) == scene).all()


def test_a_webp_is_never_turned(scene):
    assert (decode(save(scene, "WEBP", lossless=True, exif=oriented(6))) == scene).all()


@pytest.mark.parametrize(
    ("exif", "shown"),
    [
        (with_density((144, 1), 20, 12), (12, 20)),
        (with_density((1440, 10), 20, 12), (12, 20)),
        (with_density((36, 1), 80, 48), (48, 80)),
        (with_density((144, 1), 20, 12, orientation=6), (20, 12)),
        (with_density((144, 1), 12, 20, orientation=6), (40, 24)),
        (with_density((96, 1), 30, 18), (18, 30)),
        (with_density((144, 1), 40, 24), (24, 40)),
        (with_density((144, 1), 20, 12, unit=3), (24, 40)),
        (with_density((144, 0), 20, 12), (24, 40)),
        (with_density((0, 1), 20, 12), (24, 40)),
    ],
)
def test_a_stated_density_changes_the_shown_size(exif, shown, scene):
    assert decode(jpeg_with(scene, b"Exif\0\0" + exif)).shape[:2] == shown
