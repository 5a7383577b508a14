"""Segments <-> bytes: the form in which they are cached. Not for anything outside the cache.

A label map is long runs of one number, so it is stored as runs, deflated at the fastest level. Measured against
deflating the narrowed map itself, the runs of photographs are two to five times smaller and twice as fast both ways,
and NumPy alone is as fast as a compiled loop here. A map that is nearly noise is stored pixel by pixel.

Layout, little-endian: `_HEADER`, then one deflate stream of the class names (JSON), the scores (float32), the labels
and the run lengths. Integers are split into planes of equal significance, because the upper bytes are mostly 0 and
shrink to nothing. The checksum covers all that follows it.
"""

import json
import struct
import zlib
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Segments

_MAGIC = b"PBS1"
_HEADER = struct.Struct("<IIIIBBBI")  # height, width, n, runs, label bytes, length bytes, has scores, class name bytes
_CHECKSUM = struct.Struct("<I")
_START = len(_MAGIC) + _CHECKSUM.size

# A label and a length cost about as much as four pixels; shorter runs than that are not worth naming.
_PIXELS_PER_RUN = 4
_MAX_CLASS_BYTES = 1 << 24
_DTYPES = {1: "<u1", 2: "<u2", 4: "<u4"}
_Unsigned: TypeAlias = npt.NDArray[np.unsignedinteger]


def pack_segments(segments: Segments) -> bytes:
    """Write segments as compact bytes.

    Parameters
    ----------
    segments : Segments
        Up to 2**32 - 1 pixels.

    Returns
    -------
    bytes
        About 20 to 60 KB for a photograph of 1 MP, 0.1 to 0.8 MB for 12 MP; made in about 2 ms and 30 ms.

    Raises
    ------
    ValueError
        The class names take more than 16 MiB.

    Examples
    --------
    >>> segments = Segments(np.eye(3, dtype=np.int32), classes=("foreground",))
    >>> unpack_segments(pack_segments(segments), max_pixels=9).classes
    ('foreground',)
    """
    height, width = segments.label_map.shape
    labels, lengths = _find_runs(segments.label_map)
    # no names at all is the common case, and thousands of empty strings would dominate the time
    classes = json.dumps(segments.classes).encode("ascii") if any(segments.classes) else b""
    if len(classes) > _MAX_CLASS_BYTES:
        raise ValueError(f"the class names take {len(classes)} bytes; at most {_MAX_CLASS_BYTES} can be stored")
    scores = b"" if segments.scores is None else segments.scores.astype("<f4").tobytes()
    body = zlib.compress(b"".join((classes, scores, _to_planes(labels), _to_planes(lengths))), 1)
    header = _HEADER.pack(
        height,
        width,
        len(segments),
        lengths.size,
        labels.itemsize,
        lengths.itemsize,
        segments.scores is not None,
        len(classes),
    )
    return b"".join((_MAGIC, _CHECKSUM.pack(zlib.crc32(body, zlib.crc32(header))), header, body))


def unpack_segments(data: bytes, max_pixels: int) -> Segments | None:
    """Read what `pack_segments` wrote.

    Parameters
    ----------
    data : bytes
        Anything at all: damaged and hostile bytes are expected here.
    max_pixels : int
        A map larger than this is not read, so memory stays below about twenty bytes for each of these pixels.

    Returns
    -------
    Segments or None
        None for everything that `pack_segments` would not have written, so that damage is a miss, never a wrong mask.
    """
    try:
        return _parse(memoryview(data), max_pixels)
    except (ValueError, RecursionError, struct.error, zlib.error):
        return None


def _parse(data: memoryview, max_pixels: int) -> Segments:
    """Read packed segments; every doubt raises one of the errors that `unpack_segments` catches."""
    (checksum,) = _CHECKSUM.unpack_from(data, len(_MAGIC))
    _require(data[: len(_MAGIC)] == _MAGIC and zlib.crc32(data[_START:]) == checksum)
    height, width, n, runs, label_bytes, length_bytes, has_scores, class_bytes = _HEADER.unpack_from(data, _START)
    pixels = height * width
    numbers = runs or pixels
    # everything that is allocated below is bounded here
    _require(pixels <= max_pixels and runs <= pixels // _PIXELS_PER_RUN + 1 and n <= numbers)
    _require({label_bytes, length_bytes} <= _DTYPES.keys() and has_scores <= 1 and class_bytes <= _MAX_CLASS_BYTES)
    sizes = (class_bytes, 4 * n * has_scores, numbers * label_bytes, runs * length_bytes)
    classes, scores, labels, lengths = _inflate(data[_START + _HEADER.size :], sizes)
    return Segments.trusted(
        _fill(_from_planes(labels, label_bytes), _from_planes(lengths, length_bytes), n, (height, width)),
        _parse_scores(scores) if has_scores else None,
        _parse_classes(classes, n),
    )


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError


def _find_runs(label_map: LabelMap) -> tuple[_Unsigned, _Unsigned]:
    """Return the labels and lengths of the runs in reading order; all labels and no length where runs are too short."""
    flat = label_map.ravel()
    if not flat.size:
        return flat.astype(np.uint8), flat.astype(np.uint8)
    change = flat[1:] != flat[:-1]
    if _PIXELS_PER_RUN * np.count_nonzero(change) > flat.size:
        return _narrow(flat), np.zeros(0, np.uint8)
    starts = np.concatenate(([0], np.flatnonzero(change) + 1))
    lengths = np.diff(starts, append=flat.size)
    return _narrow(flat[starts]), _narrow(lengths)


def _fill(labels: _Unsigned, lengths: _Unsigned, n: int, shape: tuple[int, int]) -> LabelMap:
    """Rebuild the label map from runs that must fill it, with labels that must be 1..n without gaps."""
    # checked on the runs because they are few: the same check on the map would cost more than reading it
    _require(int(labels.max(initial=0)) == n)
    _require(bool(np.bincount(labels, minlength=n + 1)[1:].all()))
    if not lengths.size:
        return labels.astype(np.int32).reshape(shape)
    _require(bool(lengths.all()) and int(lengths.sum(dtype=np.uint64)) == shape[0] * shape[1])
    return np.repeat(labels.astype(np.int32), lengths.astype(np.intp)).reshape(shape)


def _narrow(numbers: npt.NDArray[np.integer]) -> _Unsigned:
    """Store numbers from 0 on in the smallest type that holds them."""
    highest = int(numbers.max(initial=0))
    return numbers.astype("<u1" if highest < 1 << 8 else "<u2" if highest < 1 << 16 else "<u4")


def _to_planes(numbers: _Unsigned) -> bytes:
    return numbers.view(np.uint8).reshape(-1, numbers.itemsize).T.tobytes()


def _from_planes(planes: memoryview, itemsize: int) -> _Unsigned:
    columns = np.frombuffer(planes, np.uint8).reshape(itemsize, -1)
    return np.ascontiguousarray(columns.T).view(_DTYPES[itemsize]).ravel()


def _inflate(body: memoryview, sizes: tuple[int, ...]) -> list[memoryview]:
    """Inflate a stream that must hold exactly these parts, and no byte more."""
    inflater = zlib.decompressobj()
    # the end of the stream is only seen by asking for one byte more than there may be
    data = memoryview(inflater.decompress(body, sum(sizes) + 1))
    _require(len(data) == sum(sizes) and inflater.eof and not inflater.unused_data)
    parts = []
    for size in sizes:
        parts.append(data[:size])
        data = data[size:]
    return parts


def _parse_scores(part: memoryview) -> npt.NDArray[np.float32]:
    scores = np.frombuffer(part, "<f4").astype(np.float32)
    _require(bool(((scores >= 0) & (scores <= 1)).all()))
    return scores


def _parse_classes(part: memoryview, n: int) -> tuple[str, ...]:
    if not part:
        return ("",) * n
    names = json.loads(bytes(part))
    _require(isinstance(names, list) and len(names) == n and all(isinstance(name, str) for name in names))
    return tuple(names)
