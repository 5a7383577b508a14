"""Every format and depth comes out as upright RGB, as a browser shows it."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image as PilImage

from image_files import HEIGHT, WIDTH, decode, differ, png_chunk, png_of, save


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
