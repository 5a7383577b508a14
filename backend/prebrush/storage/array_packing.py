"""Arrays <-> bytes: the form in which what was prepared for clicks is cached. Not for anything outside the cache.

Layout, little-endian: `_MAGIC`, a checksum of all that follows, the length of the table, the table (JSON: type and
shape of each array), then one deflate stream of all arrays. Only numbers are read, and nothing is executed.
"""

import json
import struct
import zlib
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

_MAGIC = b"PBA1"
_CHECKSUM = struct.Struct("<I")
_LENGTH = struct.Struct("<I")
_START = len(_MAGIC) + _CHECKSUM.size
_TYPES = frozenset({"|b1", "|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f4", "<f8"})


def pack_arrays(arrays: Sequence[npt.NDArray[Any]]) -> bytes:
    """Write arrays of numbers as bytes, deflated at the fastest level.

    Raises
    ------
    ValueError
        An array holds something else than numbers.
    """
    table, squeeze, parts = [], zlib.compressobj(1), []
    for array in arrays:
        kind = array.dtype.newbyteorder("<").str
        if kind not in _TYPES:
            raise ValueError(f"arrays of {array.dtype} are not stored")
        table.append([kind, list(array.shape)])
        parts.append(squeeze.compress(np.ascontiguousarray(array, kind).tobytes()))
    described = json.dumps(table).encode()
    body = b"".join((_LENGTH.pack(len(described)), described, *parts, squeeze.flush()))
    return _MAGIC + _CHECKSUM.pack(zlib.crc32(body)) + body


def unpack_arrays(data: bytes, count: int, max_bytes: int) -> tuple[npt.NDArray[Any], ...] | None:
    """Read what `pack_arrays` wrote.

    Parameters
    ----------
    data : bytes
    count : int
        How many arrays there must be.
    max_bytes : int
        Bound on all of them together.

    Returns
    -------
    tuple of read-only arrays, or None
        None for anything else: truncated, damaged, of another version, too large.
    """
    if data[: len(_MAGIC)] != _MAGIC or len(data) < _START + _LENGTH.size:
        return None
    body = memoryview(data)[_START:]
    if zlib.crc32(body) != _CHECKSUM.unpack_from(data, len(_MAGIC))[0]:
        return None
    (length,) = _LENGTH.unpack_from(body)
    try:
        table = [(np.dtype(kind), tuple(shape)) for kind, shape in json.loads(bytes(body[_LENGTH.size :][:length]))]
        sizes = [kind.itemsize * prod(shape) for kind, shape in table if kind.str in _TYPES]
        if len(sizes) != count or len(table) != count or min(sizes, default=0) < 0 or sum(sizes) > max_bytes:
            return None
        squeezed = zlib.decompressobj()
        plain = squeezed.decompress(body[_LENGTH.size + length :], sum(sizes) + 1)
        if len(plain) != sum(sizes):
            return None
        starts = [sum(sizes[:place]) for place in range(count)]
        return tuple(
            np.frombuffer(plain, kind, prod(shape), start).reshape(shape)
            for (kind, shape), start in zip(table, starts, strict=True)
        )
    except (ValueError, TypeError, zlib.error, RecursionError):
        return None
