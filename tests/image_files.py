"""Image files of every format, and EXIF blocks, written by hand where Pillow writes only right ones."""

import io
import struct
import zlib

import numpy as np
from PIL import Image as PilImage

from prebrush.images import ImageLimits, decode_image

HEIGHT, WIDTH = 24, 40


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
