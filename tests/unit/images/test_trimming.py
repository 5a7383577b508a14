"""What makes no pixels never reaches a decoder; what makes them stays as it is."""

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image as PilImage

from image_files import decode, differ, jpeg_with, png_chunk, png_of, png_with, save
from prebrush.errors import ImageTooLarge, ImageUnreadable
from prebrush.images.trimming import MOST_JUNK_BYTES, MOST_PIECES, MOST_SCANS, trim


def segment(kind, content=b""):
    return bytes([0xFF, kind]) + struct.pack(">H", len(content) + 2) + content


def with_pieces(scene, pieces):
    """A JPEG with something before its first table, and without JFIF's segment."""
    body = save(scene, "JPEG", quality=95, subsampling=0)
    return body[:2] + pieces + body[4 + int.from_bytes(body[4:6], "big") :]


def gif_with(scene, extensions):
    body = save(PilImage.fromarray(scene).quantize(8), "GIF")
    head = 13 + (3 << (body[10] & 7) + 1)
    return body[:head] + extensions + body[head:]


def scans_of(body):
    """Where the scans of a JPEG begin."""
    return [at for at in range(len(body)) if body[at : at + 2] == b"\xff\xda"]


def of_many_scans(scene, count):
    """A progressive JPEG whose second scan comes again and again."""
    body = save(PilImage.fromarray(scene).convert("L"), "JPEG", progressive=True)
    second = scans_of(body)[1]
    scan = body[second : body.index(b"\xff\xc4", second)]
    return body[:second] + scan * (count - len(scans_of(body)) + 1) + body[second + len(scan) :]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_a_file_with_nothing_to_leave_out_is_not_copied(kind, scene):
    body = save(scene, kind)
    assert trim(body) is body


@pytest.mark.parametrize(
    "pieces",
    [
        segment(0xE1, b"Exif\0\0II*\0" + struct.pack("<IH", 8, 65535)),
        segment(0xE2, b"ICC_PROFILE\0" + bytes(60_000)) * 20,
        segment(0xED, b"Photoshop 3.0\0" + b"8BIM" * 1000),
        segment(0xFE, b"\xff\xda" * 1000),
        segment(0xFE) * 1000,
        b"\xff" * 1000,
        b"\xff\x01" * 1000,
    ],
    ids=["EXIF", "profile", "Photoshop", "scans in a comment", "comments", "fill bytes", "markers without content"],
)
def test_what_a_jpeg_says_of_itself_changes_no_pixel(pieces, scene):
    body = with_pieces(scene, pieces)
    assert (decode(body) == decode(save(scene, "JPEG", quality=95, subsampling=0))).all()
    assert len(trim(body)) <= len(save(scene, "JPEG", quality=95, subsampling=0)) + 4


def test_colours_are_meant_as_before(scene):
    """The segments that tell how colours are coded stay."""
    for options in ({"keep_rgb": True}, {}):
        body = save(scene, "JPEG", quality=95, subsampling=0, **options)
        assert differ(decode(body[:2] + segment(0xFE, b"a comment") + body[2:]), scene) <= 12
    cmyk = save(PilImage.fromarray(scene).convert("CMYK"), "JPEG", quality=98, subsampling=0)
    assert differ(decode(cmyk[:2] + segment(0xFE, b"a comment") + cmyk[2:]), scene) <= 12


def test_what_a_png_says_of_itself_changes_no_pixel(scene):
    said = png_chunk(b"prVt", b"") * 1000 + png_chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(10_000_000)))
    body = png_with(scene, before=said, after=png_chunk(b"tEXt", b"Comment\0" + bytes(1000)))
    assert (decode(body) == scene).all()
    assert trim(body) == save(scene, "PNG")


def test_the_transparency_of_a_png_and_a_gif_stays(scene):
    palette = PilImage.fromarray(scene).quantize(8, dither=PilImage.Dither.NONE)
    for kind in ("PNG", "GIF"):
        body = save(palette, kind, transparency=palette.getpixel((0, 0)), comment=b"corner")
        assert (decode(body)[:6, :8] == 255).all(), kind


def test_what_a_gif_says_of_itself_changes_no_pixel(scene):
    plain = gif_with(scene, b"")
    body = gif_with(scene, b"!\xfe" + (b"\xff" + bytes(255)) * 100 + b"\0" + b"!\xff\x0bNETSCAPE2.0\x03\1\0\0\0")
    assert trim(body) == plain
    assert (decode(body) == decode(plain)).all()


@pytest.mark.parametrize(
    "hostile",
    [
        lambda scene: with_pieces(scene, segment(0xFE) * (MOST_PIECES + 1)),
        lambda scene: with_pieces(scene, b"\xff" * (MOST_JUNK_BYTES + 100)),
        lambda scene: with_pieces(scene, (b"\xff" * 40_000 + segment(0xFE)) * 2),
        lambda scene: png_with(scene, before=png_chunk(b"prVt", b"") * (MOST_PIECES + 1)),
        lambda scene: png_with(scene, before=png_chunk(b"IDAT", b"") * (MOST_PIECES + 1)),
        lambda scene: gif_with(scene, b"!\xfe\1a\0" * MOST_PIECES),
        lambda scene: gif_with(scene, b"!\xfe" + b"\1a" * MOST_PIECES + b"\0"),
        lambda scene: gif_with(scene, bytes(MOST_JUNK_BYTES + 1)),
    ],
    ids=["comments", "fill", "fill in two", "chunks", "empty pixels", "GIF comments", "a GIF comment", "GIF junk"],
)
def test_more_pieces_than_any_encoder_writes_are_refused(hostile, scene):
    body = hostile(scene)
    tracemalloc.start()
    with pytest.raises(ImageUnreadable, match="header"):
        decode(body)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_the_scans_of_a_jpeg_are_counted(scene):
    plain = save(PilImage.fromarray(scene).convert("L"), "JPEG", progressive=True)
    assert (decode(of_many_scans(scene, MOST_SCANS)) == decode(plain)).all()
    with pytest.raises(ImageUnreadable, match=f"over {MOST_SCANS} scans"):
        decode(of_many_scans(scene, MOST_SCANS + 1))


def test_a_film_behind_a_picture_has_no_scans(scene):
    body = save(scene, "JPEG", progressive=True)
    film = np.random.default_rng(0).bytes(1000) + b"\xff\xda" * 1000
    assert (decode(body + film) == decode(body)).all()
    assert (decode(jpeg_with(scene, b"thumbnail" + b"\xff\xda" * 1000)) == decode(jpeg_with(scene))).all()


def test_a_marker_across_the_window_of_the_search_is_found(scene, monkeypatch):
    monkeypatch.setattr("prebrush.images.trimming._WINDOW_BYTES", 7)
    with pytest.raises(ImageUnreadable, match="scans"):
        trim(of_many_scans(scene, MOST_SCANS + 1))
    assert trim(of_many_scans(scene, MOST_SCANS))


def tiled(width, height, tile_width, tile_height):
    pixels = zlib.compress(bytes(tile_width * tile_height), 9)
    entries = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 8), (262, 3, 1), (277, 3, 1)]
    entries += [(322, 4, tile_width), (323, 4, tile_height), (324, 4, 8 + 2 + 12 * 10 + 4), (325, 4, len(pixels))]
    packed = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + bytes(4) + pixels


def test_tiles_are_limited_like_the_image(scene):
    assert decode(tiled(10, 10, 16, 16)).shape == (10, 10, 3)
    assert decode(tiled(10, 10, 1024, 1024), max_pixels=100).shape == (10, 10, 3)
    with pytest.raises(ImageTooLarge, match="tiles"):
        decode(tiled(10, 10, 8192, 4096), max_pixels=1_000_000)


@pytest.mark.parametrize("mode", ["F", "I", "I;16", "RGBA", "LA", "P", "CMYK"])
def test_no_mode_takes_much_more_than_its_pixels(mode):
    """Pillow's own pixels are not counted; what is counted is what NumPy makes of them."""
    image = PilImage.new(mode, (2000, 1000))
    body = io.BytesIO()
    image.save(body, "TIFF")
    tracemalloc.start()
    decode(body.getvalue())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # the file, which is read in whole where it is not compressed, and the result
    assert peak < 2 * len(body.getvalue()) + 2000 * 1000 * 3 + 2_000_000


def test_broken_files_are_cut_without_an_error():
    for start in (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a"):
        rng = np.random.default_rng(3)
        for length in (0, 1, 2, 7, 40, 400):
            body = start + rng.bytes(length)
            assert len(trim(body)) <= len(body)


def test_a_png_that_ends_in_a_piece_keeps_what_is_there():
    whole = png_of((4, 4), png_chunk(b"IDAT", zlib.compress(bytes(52))))
    assert trim(whole[:-20]) == whole[:-20]
