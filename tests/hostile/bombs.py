"""Small files that claim, or become, something huge; and files that are two things at once."""

import io
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image as PilImage

SIDE = 60_000


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int = SIDE, height: int = SIDE, *, body: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def deflated_zeros(megabytes: int) -> bytes:
    squeeze = zlib.compressobj(9)
    return b"".join([*(squeeze.compress(bytes(1 << 20)) for _ in range(megabytes)), squeeze.flush()])


def png_of_zeros() -> bytes:
    """Half a megabyte that would become 500 megabytes of pixels."""
    return png(SIDE, SIDE, body=deflated_zeros(500))


def png_with_too_much_behind() -> bytes:
    """Says it is small, and brings 500 megabytes of pixels along."""
    return png(8, 8, body=deflated_zeros(500))


def png_with_a_long_text() -> bytes:
    """A comment that becomes 200 megabytes."""
    return png(8, 8).replace(
        chunk(b"IDAT", b""), chunk(b"zTXt", b"k\0\0" + deflated_zeros(200)) + chunk(b"IDAT", zlib.compress(bytes(200)))
    )


def png_with_a_long_profile() -> bytes:
    """A colour profile that becomes 200 megabytes."""
    return png(8, 8).replace(
        chunk(b"IDAT", b""), chunk(b"iCCP", b"k\0\0" + deflated_zeros(200)) + chunk(b"IDAT", zlib.compress(bytes(200)))
    )


def gif() -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", SIDE, SIDE, 0, 0, 0) + b",\0\0\0\0" + struct.pack("<HHB", SIDE, SIDE, 0)


def gif_of_many_frames() -> bytes:
    frames = [PilImage.new("P", (64, 64), number) for number in range(200)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    return out.getvalue()


def webp() -> bytes:
    """A canvas of 16 million squared."""
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<II", 10, 0) + b"\xff" * 6


def tiff(width: int = SIDE, height: int = SIDE, *, bits: int = 8) -> bytes:
    entries = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, bits),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (278, 4, height),
    ]
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + b"\0\0\0\0"


def tiff_that_leads_to_itself() -> bytes:
    """Its next page is its first."""
    return tiff(8, 8)[:-4] + struct.pack("<I", 8)


def tiff_deflated() -> bytes:
    """50,000 squared grey pixels in a few kilobytes of strips."""
    out = io.BytesIO()
    PilImage.fromarray(np.zeros((4000, 4000), np.uint8)).save(out, "TIFF", compression="tiff_adobe_deflate")
    return out.getvalue().replace(struct.pack("<HHII", 256, 3, 1, 4000), struct.pack("<HHII", 256, 4, 1, 50_000))


def bmp() -> bytes:
    head = b"BM" + struct.pack("<IHHI", 54, 0, 0, 54)
    return head + struct.pack("<IiiHHIIiiII", 40, SIDE, SIDE, 1, 24, 0, 0, 0, 0, 0, 0)


def jpeg() -> bytes:
    frame = struct.pack(">BHHB", 8, SIDE, SIDE, 3) + bytes([1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0])
    return b"\xff\xd8\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xd9"


def tiff_of_one_large_tile() -> bytes:
    """Ten pixels squared, in a tile of 268 million."""
    side, pixels = 1 << 14, deflated_zeros(256)
    entries = [(256, 10), (257, 10), (258, 8), (259, 8), (262, 1), (277, 1), (322, side), (323, side)]
    entries += [(324, 8 + 2 + 12 * 10 + 4), (325, len(pixels))]
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + b"\0\0\0\0" + pixels


def jpeg_of_many_scans() -> bytes:
    """Each of 5,000 goes over nine million pixels again."""
    out = io.BytesIO()
    PilImage.new("L", (3000, 3000), 90).save(out, "JPEG", progressive=True)
    body = out.getvalue()
    second = body.index(b"\xff\xda", body.index(b"\xff\xda") + 2)
    scan = body[second : body.index(b"\xff\xc4", second)]
    return body[:second] + scan * 5000 + body[second + len(scan) :]


def jpeg_of_comments() -> bytes:
    """Half a million, all empty."""
    return small("JPEG").replace(b"\xff\xdb", b"\xff\xfe\0\2" * 500_000 + b"\xff\xdb", 1)


def jpeg_with_much_exif() -> bytes:
    """EXIF in forty parts, which belong together."""
    part = b"\xff\xe1" + struct.pack(">H", 65_000) + b"Exif\0\0" + bytes(65_000 - 8)
    return small("JPEG").replace(b"\xff\xdb", part * 40 + b"\xff\xdb", 1)


def png_of_pieces() -> bytes:
    """So many of a kind that nobody knows."""
    return small("PNG").replace(small("PNG")[33:37], chunk(b"prVt", b"") * 150_000 + small("PNG")[33:37], 1)


def gif_of_comments() -> bytes:
    """So many, of a letter each."""
    body = small("GIF")
    head = 13 + (3 << (body[10] & 7) + 1)
    return body[:head] + b"!\xfe\1a\0" * 400_000 + body[head:]


def image_and_page() -> bytes:
    """A GIF that a browser might also read as a page with a script."""
    return b"GIF89a/*" + gif_of_many_frames()[8:] + b"*/=1;<script>alert(1)</script>"


def image_and_archive() -> bytes:
    """A picture with an archive behind it, in which a name climbs out of its folder."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("../../etc/cron.d/x", "x")
    return small("PNG") + out.getvalue()


def small(kind: str) -> bytes:
    scene = np.full((48, 64, 3), 30, np.uint8)
    scene[10:30, 12:40] = (220, 200, 60)
    out = io.BytesIO()
    PilImage.fromarray(scene).save(out, kind)
    return out.getvalue()


SVG = b'<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><svg width="1e9">&b;</svg>'

KINDS = ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP")

REFUSED = {
    "PNG that claims 60,000 squared": png(),
    "PNG that becomes 500 MB": png_of_zeros(),
    "GIF": gif(),
    "WebP canvas": webp(),
    "TIFF": tiff(),
    "TIFF of 64 bits": tiff(bits=64),
    "TIFF, deflated": tiff_deflated(),
    "BMP": bmp(),
    "JPEG": jpeg(),
    "TIFF of one large tile": tiff_of_one_large_tile(),
    "JPEG of many scans": jpeg_of_many_scans(),
    "JPEG of comments": jpeg_of_comments(),
    "PNG of pieces": png_of_pieces(),
    "GIF of comments": gif_of_comments(),
    "PNG without width": png(0, 8, body=zlib.compress(b"")),
    "PNG without height": png(8, 0, body=zlib.compress(b"")),
    "PNG of the largest numbers": png(2**31 - 1, 2**31 - 1),
    "TIFF without pixels": tiff(0, 0),
    "SVG": SVG,
    "page": b"<!doctype html><script>alert(1)</script>",
    "archive": image_and_archive()[len(small("PNG")) :],
    "PDF": b"%PDF-1.7\n1 0 obj",
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "program": b"\x7fELF" + bytes(100),
    "nothing": b"",
    **{
        f"half a {kind}": small(kind)[: len(small(kind)) // 2] for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP")
    },
}
"""Each of these gets an empty task."""

HARMLESS = {
    "PNG with 500 MB behind its pixels": png_with_too_much_behind(),
    "PNG with a comment of 200 MB": png_with_a_long_text(),
    "PNG with a profile of 200 MB": png_with_a_long_profile(),
    "JPEG with much EXIF": jpeg_with_much_exif(),
    "GIF of many frames": gif_of_many_frames(),
    "GIF and page": image_and_page(),
    "PNG and archive": image_and_archive(),
    "TIFF that leads to itself": tiff_that_leads_to_itself(),
}
"""Each of these is a picture or an empty task, whichever its decoder finds, and costs little."""
