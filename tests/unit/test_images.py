"""Decoding as the browser shows, limits before decoding, and knowing an image again."""

import base64
import dataclasses
import io
import struct
import threading
import warnings
import zlib
from urllib.parse import quote

import msgspec
import numpy as np
import pytest
from PIL import Image as PilImage

from loopback import Answer, FakeStudio, Server
from prebrush.client import Studio, StudioClient
from prebrush.errors import ImageForbidden, ImageNotFound, ImageTooLarge, ImageUnreachable, ImageUnreadable
from prebrush.fetching import AllowList, Fetcher, FetchLimits
from prebrush.images import ImageIdentity, ImageLimits, ImageLoader, decode_image

HEIGHT, WIDTH = 24, 40


@pytest.fixture(scope="module")
def scene():
    """Four quarters of different colours and one dark corner: every turn of it is another picture."""
    pixels = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:12, :20], pixels[:12, 20:] = (230, 40, 40), (40, 200, 60)
    pixels[12:, :20], pixels[12:, 20:] = (50, 60, 220), (240, 220, 60)
    pixels[:6, :8] = (10, 10, 10)
    return pixels


def save(image, kind, **options):
    file = io.BytesIO()
    if isinstance(image, np.ndarray):
        image = PilImage.fromarray(image)
    image.save(file, kind, **options)
    return file.getvalue()


def decode(body, **limits):
    return decode_image(body, ImageLimits(**limits))


def differ(a, b):
    assert a.shape == b.shape
    return int(np.abs(a.astype(int) - b.astype(int)).max())


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(size, *chunks, depth=8, colour=2):
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + b"".join(chunks) + png_chunk(b"IEND", b"")


# EXIF blocks, written by hand because Pillow writes only right ones


def exif_of(entries, order="<"):
    """Write a block: (tag, type, count, value) with a tuple for a rational and a list for a directory inside."""
    start = 8 + 2 + 12 * len(entries) + 4
    inline, tail = b"", b""
    for tag, kind, count, value in sorted(entries, key=lambda entry: entry[0]):
        if isinstance(value, tuple):
            packed, extra = struct.pack(f"{order}I", start + len(tail)), struct.pack(f"{order}II", *value)
        elif isinstance(value, list):
            inner = b"".join(struct.pack(f"{order}HHII", *entry) for entry in value)
            packed = struct.pack(f"{order}I", start + len(tail))
            extra = struct.pack(f"{order}H", len(value)) + inner + bytes(4)
        else:
            packed = struct.pack(f"{order}HH", value, 0) if kind == 3 else struct.pack(f"{order}I", value)
            extra = b""
        inline += struct.pack(f"{order}HHI", tag, kind, count) + packed
        tail += extra
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(f"{order}IH", 8, len(entries)) + inline + bytes(4) + tail


def oriented(number, order="<"):
    return exif_of([(0x0112, 3, 1, number)], order)


def with_density(resolution, width, height, *, unit=2, orientation=1):
    stated = [(0xA002, 4, 1, width), (0xA003, 4, 1, height)]
    return exif_of(
        [
            (0x0112, 3, 1, orientation),
            (0x011A, 5, 1, resolution),
            (0x011B, 5, 1, resolution),
            (0x0128, 3, 1, unit),
            (0x8769, 4, 1, stated),
        ]
    )


def jpeg_with(scene, *segments):
    body = save(scene, "JPEG", quality=95, subsampling=0)
    inserted = b"".join(b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment for segment in segments)
    return body[:2] + inserted + body[2:]


def png_with(scene, *, before=b"", after=b""):
    body = save(scene, "PNG")
    first, last = body.index(b"IDAT") - 4, body.index(b"IEND") - 4
    return body[:first] + before + body[first:last] + after + body[last:]


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


# formats


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("PNG", {}, 0),
        ("PNG", {"interlace": 1}, 0),
        ("BMP", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("TIFF", {"compression": "tiff_adobe_deflate"}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("JPEG", {"quality": 95, "subsampling": 0}, 12),
        ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}, 12),
    ],
)
def test_colour_comes_back(kind, options, tolerance, scene):
    pixels = decode(save(scene, kind, **options))
    assert pixels.dtype == np.uint8
    assert differ(pixels, scene) <= tolerance


def test_lossy_webp_is_close(scene):
    """It halves the colour's resolution, which shows at edges alone."""
    pixels = decode(save(scene, "WEBP", quality=95))
    assert np.median(np.abs(pixels.astype(int) - scene)) <= 3


JPEGS = [
    {"quality": 90},
    {"quality": 60, "subsampling": 1},
    {"quality": 95, "subsampling": 0, "progressive": True},
    {"quality": 80, "restart_marker_rows": 1},
    {"quality": 80, "keep_rgb": True},
]


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("options", JPEGS, ids=str)
def test_every_kind_of_jpeg_has_the_pixels_pillow_gives(options, mode):
    noise = np.random.default_rng(0).integers(0, 256, (9, 13, 3)).astype(np.uint8)
    # odd sizes, and blocks that are cut off
    pixels = np.repeat(np.repeat(noise, 5, axis=0), 7, axis=1)[:43, :89]
    body = save(PilImage.fromarray(pixels).convert(mode), "JPEG", **options)
    expected = np.asarray(PilImage.open(io.BytesIO(body)).convert("RGB"))
    assert np.array_equal(decode(body), expected)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP"])
def test_gray_is_three_equal_channels(kind, scene):
    gray = np.asarray(PilImage.fromarray(scene).convert("L"))
    pixels = decode(save(gray, kind, **{"WEBP": {"lossless": True}, "JPEG": {"quality": 95}}.get(kind, {})))
    assert (pixels[..., 0] == pixels[..., 1]).all()
    assert (pixels[..., 0] == pixels[..., 2]).all()
    assert differ(pixels[..., 0], gray) <= (12 if kind == "JPEG" else 0)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_one_bit_is_black_and_white(kind, scene):
    bits = scene[..., 1] > 100
    pixels = decode(save(PilImage.fromarray(bits), kind))
    assert (pixels == np.where(bits, 255, 0)[..., None]).all()


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF"])
def test_palettes_become_colours(kind, scene):
    palette = PilImage.fromarray(scene).quantize(8, dither=PilImage.Dither.NONE)
    assert differ(decode(save(palette, kind)), scene) <= 1


@pytest.mark.parametrize("adobe", [True, False], ids=["Adobe marker", "no marker"])
def test_cmyk_is_not_inverted(adobe, scene):
    """Adobe writes CMYK inverted, and every browser takes any CMYK JPEG for that."""
    body = save(PilImage.fromarray(scene).convert("CMYK"), "JPEG", quality=98, subsampling=0)
    at = body.index(b"\xff\xee")
    assert body[at + 4 : at + 9] == b"Adobe"
    if not adobe:
        body = body[:at] + body[at + 2 + int.from_bytes(body[at + 2 : at + 4], "big") :]
    assert differ(decode(body), scene) <= 12


def test_cmyk_tiff(scene):
    assert differ(decode(save(PilImage.fromarray(scene).convert("CMYK"), "TIFF")), scene) <= 1


def test_transparency_lies_on_white(scene):
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[:, :10], alpha[:, 10:20] = 0, 128
    layered = np.dstack([scene, alpha])
    expected = np.rint((scene * (alpha[..., None] / 255)) + (255 - alpha[..., None].astype(float)))
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})):
        pixels = decode(save(layered, kind, **options))
        assert differ(pixels, expected) <= 1, kind
        assert (pixels[:, :10] == 255).all(), kind


def test_gray_with_alpha_lies_on_white(scene):
    gray = PilImage.fromarray(np.ascontiguousarray(scene[..., 0]))
    alpha = PilImage.fromarray(np.where(np.arange(WIDTH) < 20, 0, 255).astype(np.uint8)[None].repeat(HEIGHT, 0))
    pixels = decode(save(PilImage.merge("LA", [gray, alpha]), "PNG"))
    assert (pixels[:, :20] == 255).all()
    assert (pixels[:, 20:] == scene[:, 20:, :1]).all()


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_palette_entry_lies_on_white(kind, scene):
    palette = PilImage.fromarray(scene).quantize(8, dither=PilImage.Dither.NONE)
    corner = palette.getpixel((0, 0))
    pixels = decode(save(palette, kind, transparency=corner))
    assert (pixels[:6, :8] == 255).all()
    assert differ(pixels[6:], scene[6:]) <= 1


def test_a_palette_with_half_transparent_entries(scene):
    palette = PilImage.fromarray(scene).quantize(8, dither=PilImage.Dither.NONE)
    pixels = decode(save(palette, "PNG", transparency=bytes([128] * 8)))
    assert differ(pixels, np.rint(scene * (128 / 255) + 127)) <= 1


@pytest.mark.parametrize(("mode", "colour"), [("RGB", (10, 10, 10)), ("L", 10)])
def test_a_single_transparent_colour_lies_on_white(mode, colour, scene):
    image = PilImage.fromarray(scene).convert(mode)
    pixels = decode(save(image, "PNG", transparency=colour))
    assert (pixels[:6, :8] == 255).all()
    assert differ(pixels[6:], np.asarray(image.convert("RGB"))[6:]) == 0


def ramp():
    return np.linspace(0, 65535, HEIGHT * WIDTH).round().astype(np.uint16).reshape(HEIGHT, WIDTH)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_gray_is_scaled_not_clipped(kind):
    pixels = decode(save(ramp(), kind))
    assert differ(pixels[..., 0], np.rint(ramp() / 257)) <= 1
    assert len(np.unique(pixels)) == 256


def test_16_bit_colour_is_scaled_not_clipped():
    rows = b"".join(b"\0" + np.dstack([row, row[::-1], row]).astype(">u2").tobytes() for row in ramp())
    body = png_of((WIDTH, HEIGHT), png_chunk(b"IDAT", zlib.compress(rows)), depth=16)
    pixels = decode(body)
    assert differ(pixels[..., 0], ramp() / 257) <= 1
    assert differ(pixels[..., 1], ramp()[:, ::-1] / 257) <= 1


def test_dark_16_bit_png_stays_dark_but_a_12_bit_camera_tiff_does_not():
    """A browser shows the PNG, dark; no browser shows the TIFF, and 16 gray values are no use to anybody."""
    dim = ramp() >> 4
    assert decode(save(dim, "PNG")).max() == 16
    assert differ(decode(save(dim, "TIFF"))[..., 0], np.rint(dim / 4095 * 255)) <= 1


def test_float_tiff_is_stretched_and_forgives_holes():
    unit = np.linspace(0, 1, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH)
    assert differ(decode(save(unit / 2, "TIFF"))[..., 0], np.rint(unit / 2 * 255)) <= 1
    wide = unit * 5000 - 1000
    wide[0, :3] = np.nan, np.inf, -np.inf
    pixels = decode(save(wide, "TIFF"))[..., 0]
    assert pixels[-1, -1] == 255
    assert list(pixels[0, :3]) == [0, 255, 0]
    assert (decode(save(np.full((3, 3), np.nan, np.float32), "TIFF")) == 0).all()
    assert (decode(save(np.full((3, 3), 7, np.float32), "TIFF")) == 0).all()


def test_32_bit_integers_are_stretched():
    values = np.linspace(-1e6, 1e6, HEIGHT * WIDTH).astype(np.int32).reshape(HEIGHT, WIDTH)
    pixels = decode(save(values, "TIFF"))[..., 0]
    assert (pixels[0, 0], pixels[-1, -1]) == (0, 255)


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "WEBP", "PNG"])
def test_of_several_pages_the_first_is_taken(kind, scene):
    other = PilImage.fromarray(255 - scene)
    options = {"lossless": True} if kind == "WEBP" else {}
    body = save(PilImage.fromarray(scene), kind, save_all=True, append_images=[other], **options)
    assert differ(decode(body), scene) <= 1


def test_pixels_cross_the_bands_of_copying():
    tall = np.random.default_rng(0).integers(0, 256, (200, 7, 3), dtype=np.uint8)
    assert (decode(save(tall, "PNG")) == tall).all()


# orientation and size, as Chromium 156 shows them (each case was tried there)


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


# limits and broken files


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


def test_a_text_bomb_in_a_png_is_no_picture(scene):
    text = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200_000_000), 9))
    with pytest.raises(ImageUnreadable):
        decode(png_with(scene, before=text))


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


# loading


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.time = 1_800_000_000.0

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def loader(clock):
    client = StudioClient(Fetcher(FetchLimits(timeout_s=10), AllowList.parse("127.0.0.1")))
    return ImageLoader(client, ImageLimits(max_bytes=1 << 20), recheck_s=10, now=clock)


@pytest.fixture
def picture(scene):
    return save(scene, "PNG")


def load(loader, reference, known=None, studio=None):
    return loader.load(reference, 7, studio or Studio(), known)


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
    loaded = load(loader, reference)
    assert (loaded.image.pixels == scene).all()
    assert loaded.identity.key == loader.key(reference, 7, Studio())
    again = load(loader, reference, loaded.identity)
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
        load(loader, reference)
    assert len(str(raised.value)) < 400


def test_an_upload_is_loaded_once_and_believed_for_ever(picture, scene, loader, clock):
    with FakeStudio(legacy_enabled=True) as server:
        path = "/data/upload/1/0a1b-cat.png"
        server.files[path] = picture
        studio = Studio(setup_host=server.origin, setup_token=server.legacy_token)
        loaded = load(loader, path, studio=studio)
        assert (loaded.image.pixels == scene).all()
        assert (loaded.identity.height, loaded.identity.width) == (HEIGHT, WIDTH)
        assert loaded.identity.immutable
        assert loaded.identity.digest == loaded.image.digest
        clock.time += 10**8
        again = load(loader, path, loaded.identity, studio)
        assert (again.image, again.identity) == (None, loaded.identity)
        assert len(server.asked) == 1


def test_an_identity_survives_being_stored(loader, picture):
    with Server(lambda _: Answer(200, picture, {"ETag": '"é"'})) as server:
        identity = load(loader, f"{server.origin}/a.png").identity
    assert msgspec.json.decode(msgspec.json.encode(identity), type=ImageIdentity) == identity
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(identity), type=ImageIdentity) == identity


def test_elsewhere_an_image_is_believed_for_seconds_then_asked_for(picture, scene, loader, clock):
    state = {"body": picture, "etag": '"1"'}

    def respond(asked):
        if asked.headers.get("if-none-match") == state["etag"]:
            return Answer(304, headers={"ETag": state["etag"]})
        # a long life is promised; a promise is not enough
        return Answer(200, state["body"], {"ETag": state["etag"], "Cache-Control": "max-age=86400"})

    with Server(respond) as server:
        url = f"{server.origin}/a.png"
        first = load(loader, url).identity
        clock.time += 9.9
        assert load(loader, url, first).image is None
        assert len(server.asked) == 1
        clock.time += 0.2
        unchanged = load(loader, url, first)
        assert unchanged.image is None
        assert server.asked[-1].headers["if-none-match"] == '"1"'
        assert unchanged.identity == dataclasses.replace(first, fetched_at=clock.time)
        clock.time += 9.9
        assert load(loader, url, unchanged.identity).image is None
        assert len(server.asked) == 2
        clock.time += 0.2
        state.update(body=save(scene[::-1], "PNG"), etag='"2"')
        changed = load(loader, url, unchanged.identity)
        assert (changed.image.pixels == scene[::-1]).all()
        assert changed.identity.digest != first.digest
        assert changed.identity.key == first.key
        assert changed.identity.etag == '"2"'


def test_last_modified_is_asked_with_too(picture, loader, clock):
    date = "Tue, 01 Sep 2026 10:00:00 GMT"

    def respond(asked):
        return Answer(304) if "if-modified-since" in asked.headers else Answer(200, picture, {"Last-Modified": date})

    with Server(respond) as server:
        url = f"{server.origin}/a.png"
        first = load(loader, url).identity
        clock.time += 11
        assert load(loader, url, first).image is None
        assert server.asked[-1].headers["if-modified-since"] == date


def test_a_short_304_does_not_take_the_wish_back(picture, loader):
    headers = {"ETag": '"1"', "Cache-Control": "no-cache"}
    with Server(
        lambda asked: Answer(304) if "if-none-match" in asked.headers else Answer(200, picture, headers)
    ) as server:
        identity = load(loader, f"{server.origin}/a.png").identity
        assert load(loader, f"{server.origin}/a.png", identity).identity.always_ask


def test_without_anything_to_ask_with_the_bytes_decide(picture, scene, loader, clock):
    with Server(lambda _: Answer(200, picture)) as server:
        url = f"{server.origin}/a.png"
        first = load(loader, url).identity
        clock.time += 11
        same = load(loader, url, first)
        assert same.image is None
        assert same.identity == dataclasses.replace(first, fetched_at=clock.time)
        server.respond = lambda asked: Answer(200, save(scene[:, ::-1], "PNG"))
        clock.time += 11
        assert (load(loader, url, same.identity).image.pixels == scene[:, ::-1]).all()


@pytest.mark.parametrize("directive", ["no-cache", "no-store", "private, Max-Age=0", "max-age=0, must-revalidate"])
def test_a_server_that_wants_to_be_asked_is_asked_each_time(directive, picture, loader):
    def respond(asked):
        headers = {"ETag": '"1"', "Cache-Control": directive}
        return Answer(304, headers=headers) if "if-none-match" in asked.headers else Answer(200, picture, headers)

    with Server(respond) as server:
        url = f"{server.origin}/a.png"
        identity = load(loader, url).identity
        for count in (2, 3):
            loaded = load(loader, url, identity)
            assert loaded.image is None
            identity = loaded.identity
            assert len(server.asked) == count


def test_a_clock_set_back_makes_nothing_fresh(picture, loader, clock):
    with Server(lambda _: Answer(200, picture)) as server:
        url = f"{server.origin}/a.png"
        first = load(loader, url).identity
        clock.time -= 86400
        load(loader, url, first)
        assert len(server.asked) == 2


def test_a_304_that_nobody_asked_for_is_an_error(loader):
    with Server(lambda _: Answer(304)) as server, pytest.raises(ImageUnreachable, match="304"):
        load(loader, f"{server.origin}/a.png")


def test_an_image_that_went_away_is_not_believed_in(picture, loader, clock):
    with Server(lambda _: Answer(200, picture)) as server:
        url = f"{server.origin}/a.png"
        first = load(loader, url).identity
        clock.time += 11
        server.respond = lambda asked: Answer(404)
        with pytest.raises(ImageNotFound):
            load(loader, url, first)


def test_an_identity_of_another_place_is_not_taken(picture, scene, loader):
    with Server(lambda _: Answer(200, picture)) as server:
        first = load(loader, f"{server.origin}/a.png").identity
        assert load(loader, f"{server.origin}/b.png", first).image is not None


def test_errors_name_the_reference_and_hide_what_is_signed(loader):
    with Server(lambda _: Answer(200, b"%PDF-1.7")) as server:
        with pytest.raises(ImageUnreadable, match=r"/a\.png\?Signature=\*\*\*: not an image") as raised:
            load(loader, f"{server.origin}/a.png?Signature=hidden")
        assert "hidden" not in str(raised.value)
        server.respond = lambda asked: Answer(200, bytes(2 << 20))
        with pytest.raises(ImageTooLarge, match="max_bytes"):
            load(loader, f"{server.origin}/a.png")
    with pytest.raises(ImageForbidden):
        load(loader, "file:///etc/passwd")


def test_threads_share_a_loader(picture, scene, loader):
    with Server(lambda _: Answer(200, picture)) as server:
        found = []
        threads = [
            threading.Thread(target=lambda i=i: found.append(load(loader, f"{server.origin}/{i}.png").image.pixels))
            for i in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 8
    assert all((pixels == scene).all() for pixels in found)
