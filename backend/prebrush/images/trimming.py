"""A file cut down to what its pixels are made of, before a decoder that is written in Python walks through it.

Pillow reads comments, profiles and whatever else stands before the pixels piece by piece, and keeps it: some megabytes
of empty comments cost seconds, hundreds of them gigabytes. Nothing of that changes a pixel, so it is left out. WebP,
BMP and TIFF are read by other means and need no trimming.
"""

import re
from collections.abc import Iterator

from prebrush.errors import ImageUnreadable
from prebrush.images.exif import PNG_SIGNATURE

MOST_PIECES = 100_000
"""Before the pixels, or of them: many encoders write PNG in pieces of 8 KB. It takes 50 ms to step over so many."""
MOST_JUNK_BYTES = 65_536
"""Between the pieces, where nothing should be."""
MOST_SCANS = 100
"""Of a progressive JPEG. Each goes over all pixels again, and may have a few bytes only. Encoders write about ten, and
libtiff has the same limit."""

_JPEG_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
"""A marker of JPEG that begins a piece, or ends the file; in coded pixels there is none."""
_JPEG_END, _JPEG_SCAN = 0xD9, 0xDA
_JPEG_NEEDED = frozenset({*range(0xC0, 0xD0), *range(0xDA, 0xE1), 0xEE})
"""Frame, tables, scan; and the two that tell how colours are meant: JFIF's and Adobe's, the last ones here."""
_WINDOW_BYTES = 1 << 20
"""Searched at once, so that other threads get their turn."""

_PNG_NEEDED = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})

_GIF_EXTENSION, _GIF_CONTROL = ord("!"), 0xF9
_GIF_FRAME_OR_END = b",;"


def trim(body: bytes) -> bytes:
    """Leave out what makes no pixels; a file of another format, or that needs none of this, is returned as it is.

    Raises
    ------
    ImageUnreadable
        It has more pieces or scans than any encoder writes, or something else between them.
    """
    if body.startswith(b"\xff\xd8"):
        kept = _Kept(body, 2)
        _refuse_many_scans(body, _keep_of_jpeg(kept))
    elif body.startswith(PNG_SIGNATURE):
        kept = _Kept(body, len(PNG_SIGNATURE))
        _keep_of_png(kept)
    elif body.startswith((b"GIF87a", b"GIF89a")):
        kept = _Kept(body, _end_of_gif_head(body))
        _keep_of_gif(kept)
    else:
        return body
    return kept.join()


class _Kept:
    """The parts of a file that are kept, and how many pieces were looked at.

    Parameters
    ----------
    body : bytes
    start : int
        So many bytes are kept in any case.
    """

    def __init__(self, body: bytes, start: int) -> None:
        self.body = body
        self._spans = [(0, start)]
        self._pieces = 0
        self._junk_bytes = 0

    def count(self, junk_bytes: int = 0) -> None:
        """Count one more piece, and what stood before it."""
        self._pieces += 1
        self._junk_bytes += junk_bytes
        if self._pieces > MOST_PIECES or self._junk_bytes > MOST_JUNK_BYTES:
            raise ImageUnreadable(
                f"the image's header cannot be read: it has over {MOST_PIECES} pieces, or over {MOST_JUNK_BYTES} bytes "
                "that mean nothing"
            )

    def keep(self, start: int, end: int) -> None:
        """Keep a span; those that touch become one."""
        first, last = self._spans[-1]
        if start == last:
            self._spans[-1] = (first, end)
        else:
            self._spans.append((start, end))

    def join(self) -> bytes:
        """Put together what is kept."""
        if len(self._spans) == 1 and self._spans[0][1] >= len(self.body):
            return self.body
        whole = memoryview(self.body)
        return b"".join(whole[start:end] for start, end in self._spans)


def _keep_of_jpeg(kept: _Kept) -> int:
    """Keep what is needed before the first scan, and all from there on; return where that is."""
    body, at = kept.body, 2
    while True:
        # one more byte than is forgiven, and the marker's two
        marker = _JPEG_MARKER.search(body, at, at + MOST_JUNK_BYTES + 3)
        if marker is None:
            if at + MOST_JUNK_BYTES < len(body):
                kept.count(MOST_JUNK_BYTES + 1)
            kept.keep(at, len(body))
            return len(body)
        kept.count(marker.start() - at)
        start = marker.start()
        kind = body[start + 1]
        if kind in (_JPEG_SCAN, _JPEG_END):
            kept.keep(start, len(body))
            return start
        at = start + 2 + int.from_bytes(body[start + 2 : start + 4], "big")
        if kind in _JPEG_NEEDED:
            kept.keep(start, at)


def _refuse_many_scans(body: bytes, start: int) -> None:
    # bytes that look like a scan may also stand in a thumbnail, or in a film behind the picture
    if body.count(b"\xff\xda", start) <= MOST_SCANS:
        return
    scans = 0
    for kind in _markers_of_jpeg(body, start):
        scans += kind == _JPEG_SCAN
        if kind == _JPEG_END:
            return
        if scans > MOST_SCANS:
            raise ImageUnreadable(f"the image is a JPEG of over {MOST_SCANS} scans; save it again, as an ordinary one")


def _markers_of_jpeg(body: bytes, at: int) -> Iterator[int]:
    while at < len(body):
        marker = _JPEG_MARKER.search(body, at, at + _WINDOW_BYTES)
        if marker is None:
            # the last byte may be the first half of one
            at += _WINDOW_BYTES - 1
            continue
        yield body[marker.start() + 1]
        at = marker.start() + 2 + max(2, int.from_bytes(body[marker.start() + 2 : marker.start() + 4], "big"))


def _keep_of_png(kept: _Kept) -> None:
    body, at = kept.body, len(PNG_SIGNATURE)
    while at + 8 <= len(body):
        kept.count()
        kind = body[at + 4 : at + 8]
        end = at + 12 + int.from_bytes(body[at : at + 4], "big")
        if kind in _PNG_NEEDED:
            kept.keep(at, end)
        if kind == b"IEND":
            return
        at = end


def _end_of_gif_head(body: bytes) -> int:
    """Return where the screen's description and its palette end."""
    flags = body[10] if len(body) > 10 else 0
    return 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)


def _keep_of_gif(kept: _Kept) -> None:
    """Keep what tells of the first frame's transparency, and all from that frame on."""
    body, at = kept.body, _end_of_gif_head(kept.body)
    while at < len(body) and body[at] not in _GIF_FRAME_OR_END:
        start = at
        if body[at] != _GIF_EXTENSION:
            kept.count(junk_bytes=1)
            at += 1
            continue
        at += 2
        while at < len(body) and body[at]:
            kept.count()
            at += 1 + body[at]
        at += 1
        kept.count()
        if body[start + 1 : start + 2] == bytes([_GIF_CONTROL]):
            kept.keep(start, at)
    kept.keep(at, len(body))
