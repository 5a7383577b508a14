"""Orientation and displayed size from EXIF, read as Chromium 156 reads it (measured; the tests hold the cases).

Where Chromium does not look, neither do we, for the mask must fit what the annotator sees: no EXIF in WebP, no XMP, no
text chunks of PNG, no ``eXIf`` after the pixels, only the first EXIF of a JPEG, no tag of the wrong type.
"""

import struct
from dataclasses import dataclass

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_SHORT, _LONG, _RATIONAL = 3, 4, 5
_ORIENTATION, _X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, _EXIF_IFD = 0x0112, 0x011A, 0x011B, 0x0128, 0x8769
_PIXEL_X, _PIXEL_Y = 0xA002, 0xA003
_INCH = 2
_CSS_PX_PER_INCH = 72
"""What EXIF readers of browsers take for one pixel of the screen."""
_MOST_ENTRIES = 4096


@dataclass(frozen=True, slots=True)
class Display:
    """How a browser shows the stored pixels.

    Attributes
    ----------
    orientation : int
        EXIF's 1 to 8; 1 is upright.
    height, width : int
        Size in which the stored pixels are shown, before they are turned. It differs from the stored size only where
        the file gives both a resolution and a size that agree with each other (some screenshots do).
    """

    orientation: int
    height: int
    width: int


def read_display(tiff: bytes, height: int, width: int) -> Display:
    """Read how an image is shown.

    Parameters
    ----------
    tiff : bytes
        The EXIF block from its byte order mark on; empty or broken blocks say nothing.
    height, width : int
        Stored size.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return Display(1, height, width)
    entries = _read_entries(tiff, order, _read(tiff, f"{order}I", 4) or 0)
    orientation = entries.get((_ORIENTATION, _SHORT), 1)
    shown_height, shown_width = _corrected_size(tiff, order, entries, height, width)
    return Display(orientation if 1 <= orientation <= 8 else 1, shown_height, shown_width)


def find_exif(body: bytes) -> bytes:
    """Return the EXIF block of a JPEG or PNG from its byte order mark on; empty if there is none."""
    if body.startswith(b"\xff\xd8"):
        return _find_in_jpeg(body)
    if body.startswith(PNG_SIGNATURE):
        return _find_in_png(body)
    return b""


def _find_in_jpeg(body: bytes) -> bytes:
    at = 2
    while at + 4 <= len(body) and body[at] == 0xFF:
        marker = body[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker in (0xD9, 0xDA):  # end, or the pixels begin
            break
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a length
            at += 2
            continue
        length = int.from_bytes(body[at + 2 : at + 4], "big")
        # the byte after "Exif\0" is padding of any value
        if marker == 0xE1 and body[at + 4 : at + 9] == b"Exif\0":
            return body[at + 10 : at + 2 + length]
        at += 2 + length
    return b""


def _find_in_png(body: bytes) -> bytes:
    at = len(PNG_SIGNATURE)
    while at + 8 <= len(body):
        length, kind = int.from_bytes(body[at : at + 4], "big"), body[at + 4 : at + 8]
        if kind in (b"IDAT", b"IEND"):
            break
        if kind == b"eXIf":
            return body[at + 8 : at + 8 + length]
        at += 12 + length
    return b""


def _read(tiff: bytes, form: str, offset: int) -> int | None:
    """Read one number, None past the end."""
    if offset + struct.calcsize(form) > len(tiff):
        return None
    (value,) = struct.unpack_from(form, tiff, offset)
    return int(value)


def _read_entries(tiff: bytes, order: str, offset: int) -> dict[tuple[int, int], int]:
    """Read a directory's single values: (tag, type) to the number, or to its offset where it does not fit inline."""
    entries: dict[tuple[int, int], int] = {}
    count = _read(tiff, f"{order}H", offset) or 0
    for at in range(offset + 2, offset + 2 + 12 * min(count, _MOST_ENTRIES), 12):
        if at + 12 > len(tiff):
            break
        tag, kind, number = struct.unpack_from(f"{order}HHI", tiff, at)
        if number == 1 and kind in (_SHORT, _LONG, _RATIONAL):
            value = _read(tiff, f"{order}H" if kind == _SHORT else f"{order}I", at + 8)
            entries.setdefault((tag, kind), value or 0)
    return entries


def _read_rational(tiff: bytes, order: str, offset: int) -> float:
    above, below = _read(tiff, f"{order}I", offset), _read(tiff, f"{order}I", offset + 4)
    return above / below if above and below else 0.0


def _corrected_size(
    tiff: bytes, order: str, entries: dict[tuple[int, int], int], height: int, width: int
) -> tuple[int, int]:
    """Return the size that the stated resolution leads to, where the stated size confirms it."""
    x_at, y_at = entries.get((_X_RESOLUTION, _RATIONAL)), entries.get((_Y_RESOLUTION, _RATIONAL))
    exif_at = entries.get((_EXIF_IFD, _LONG))
    if entries.get((_RESOLUTION_UNIT, _SHORT)) != _INCH or x_at is None or y_at is None or exif_at is None:
        return height, width
    inner = _read_entries(tiff, order, exif_at)
    stated_width = inner.get((_PIXEL_X, _LONG)) or inner.get((_PIXEL_X, _SHORT)) or 0
    stated_height = inner.get((_PIXEL_Y, _LONG)) or inner.get((_PIXEL_Y, _SHORT)) or 0
    x_resolution, y_resolution = _read_rational(tiff, order, x_at), _read_rational(tiff, order, y_at)
    if not (stated_width and stated_height and x_resolution and y_resolution):
        return height, width
    shown = (
        int(height * _CSS_PX_PER_INCH / y_resolution + 0.5),
        int(width * _CSS_PX_PER_INCH / x_resolution + 0.5),
    )
    return shown if shown == (stated_height, stated_width) else (height, width)
