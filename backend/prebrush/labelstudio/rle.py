"""Label Studio's brush masks: a bit stream of runs to and from bool masks. No JSON objects here, no files.

The stream: 32 bits number of values; 5 bits word size - 1; four times 4 bits run size - 1; then runs. A run is 1 bit
(1 one value repeated, 0 values one by one), 2 bits which of the four run sizes counts, in so many bits its number of
values - 1, then the value or values of word size bits. The values are the RGBA pixels of the image, row by row; the
editor looks at alpha alone. Most significant bit first; behind the last value follow zero bits.

Masks are written the way the official SDK writes them: word size 8, run sizes 3, 4, 8 and 16, repeats only, all four
channels 255 where the mask is set, and one to eight zero bits to the next whole byte. The decoder honours any header.
"""

import operator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Mask
from prebrush.errors import InvalidBody
from prebrush.labelstudio import rle_kernels as kernels

Stream: TypeAlias = npt.NDArray[np.uint8]
"""(n,), the bytes of one mask's bit stream."""

Runs: TypeAlias = list[tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]]
"""Chunks of runs of equal pixels: the value and the first pixel of each run, which lasts to the next one's."""

MAX_DECODED_PIXELS = 1 << 28
"""Largest mask that is decoded: what fits the canvas of a browser (16384 x 16384), hence the editor."""

ALPHA_THRESHOLD = 128
"""Alpha from which on a pixel belongs to the mask: the editor draws 255 in full, 128 half as strong, 1 invisibly."""

_THRESHOLD = np.uint64(ALPHA_THRESHOLD)
_HEADER_BITS = 53
_HEADER_BYTES = 7
_ENCODED_SIZES = 0b00111_0010_0011_0111_1111  # word size 8, run sizes 3, 4, 8, 16, each less 1
_MAX_ENCODED_PIXELS = (1 << 30) - 1  # four values a pixel, counted in 32 bits
_RUNS_PER_CHUNK = 1 << 14  # small, as the last chunk is rarely full


def encode_mask(mask: Mask) -> Stream:
    """Encode one mask as the official SDK does (``mask2rle`` of a mask of 0 and 255).

    Parameters
    ----------
    mask : bool (H, W)
        Not empty.

    Returns
    -------
    stream : uint8 (n,)

    Raises
    ------
    TypeError
        The mask is not a bool array: of other types nobody can tell whether 1 or 255 stands for "set".
    ValueError
        The mask has not two dimensions, is empty, or has more pixels than the format can count.

    Notes
    -----
    Cost: linear in pixels and in runs.

    Examples
    --------
    >>> encode_mask(np.array([[False, True]])).tolist()
    [0, 0, 0, 8, 57, 27, 252, 96, 17, 255, 128]
    """
    pixels = _flatten(mask, np.bool_, "mask").view(np.uint8)
    chunks = _find_runs(pixels)
    if max(int(values.max()) for values, _ in chunks) > 1:
        # A view of other bytes as bool is a valid bool array, too: every byte but 0 means True.
        chunks = _find_runs((pixels != 0).view(np.uint8))
    return _encode(chunks, pixels.size, 1)[0]


def encode_label_map(label_map: LabelMap) -> list[Stream]:
    """Encode every segment of a label map, looking at each pixel once.

    Parameters
    ----------
    label_map : int32 (H, W)
        0 background, then 1..n; a number without pixels gives an empty mask.

    Returns
    -------
    streams : list of n uint8 arrays
        ``streams[i - 1]`` equals ``encode_mask(label_map == i)``. They share one buffer.

    Raises
    ------
    TypeError
        The label map is not an int32 array.
    ValueError
        It has not two dimensions, is empty, has more pixels than the format can count, or numbers below 0 or above
        its number of pixels (which cannot be 1..n without gaps).

    Notes
    -----
    Cost: linear in pixels and in runs, whatever the number of segments. Memory: a few times the streams made.

    Examples
    --------
    >>> [stream.size for stream in encode_label_map(np.array([[0, 1, 1, 2]], np.int32))]
    [12, 11]
    """
    pixels = _flatten(label_map, np.int32, "label map")
    chunks = _find_runs(pixels)
    lowest = min(int(values.min()) for values, _ in chunks)
    highest = max(int(values.max()) for values, _ in chunks)
    if lowest < 0:
        raise ValueError(f"label map has the number {lowest}: it must be 0 for background, then 1..n")
    if highest > pixels.size:
        raise ValueError(f"label map of {pixels.size} pixels has the number {highest}: it must be 1..n without gaps")
    return _encode(chunks, pixels.size, highest)


def decode_mask(values: list[int] | Stream, height: int, width: int) -> Mask:
    """Decode the stream of an RGBA image into the mask that the editor shows.

    Parameters
    ----------
    values : list or array of whole numbers in 0..255
        The bytes of a stream with any valid header; what follows the last value is ignored.
    height, width : int
        Size of the displayed image, in pixels.

    Returns
    -------
    mask : bool (H, W)
        True where alpha is at least 128. Brush strokes fade at their edge: half is where the shape ends. A mask
        written as 0 and 1 comes out empty, as it is invisible in the editor. Words of more than 8 bits count as 255
        from 255 on, as on the editor's canvas.

    Raises
    ------
    InvalidBody
        The values are not bytes, the size is not plausible, or the stream is cut off, runs over, or does not hold
        four values for each pixel. The mask is allocated only if so long a stream can hold one of that size.

    Notes
    -----
    Cost: linear in the stream's bytes and the mask's pixels.

    Examples
    --------
    >>> decode_mask([0, 0, 0, 8, 57, 27, 252, 96, 17, 255, 128], height=1, width=2)
    array([[False,  True]])
    """
    shape = _parse_size(height, width)
    stream, n_bytes = _parse_stream(values)
    n_pixels = shape[0] * shape[1]
    header = int.from_bytes(stream[:_HEADER_BYTES].tobytes(), "big") >> (8 * _HEADER_BYTES - _HEADER_BITS)
    n_values = header >> 21
    if n_values != 4 * n_pixels:
        channels = "it has one channel, not RGBA" if n_values == n_pixels else "size and stream do not belong together"
        raise InvalidBody(
            f"brush mask holds {n_values} values; an image of {shape[1]}x{shape[0]} pixels takes {4 * n_pixels} "
            f"(RGBA): {channels}"
        )
    word_bits = ((header >> 16) & 31) + 1
    size_bits = [((header >> shift) & 15) + 1 for shift in (12, 8, 4, 0)]
    # No stream holds so many values in fewer bits; without this, a few bytes could ask for a huge mask.
    least_bits = min(n_values * (3 + bits + word_bits) >> bits for bits in size_bits)
    state = kernels.TRUNCATED
    if _HEADER_BITS + least_bits <= 8 * n_bytes:
        mask = np.zeros(n_pixels + kernels.BLOCK, np.uint8)
        run_sizes = np.uint64(sum(bits << (8 * index) for index, bits in enumerate(size_bits)))
        state = kernels.read_alpha(stream, 8 * n_bytes, _HEADER_BITS, word_bits, run_sizes, _THRESHOLD, mask)
        if state == kernels.COMPLETE:
            return mask[:n_pixels].view(np.bool_).reshape(shape)
    what = "is cut off" if state == kernels.TRUNCATED else "has a run that goes past its end"
    raise InvalidBody(f"brush mask of {shape[1]}x{shape[0]} pixels {what} ({n_bytes} bytes)")


def json_array(values: Stream) -> bytes:
    """Write bytes as a JSON array of numbers, many times faster than a JSON library does from a list.

    Parameters
    ----------
    values : uint8 (n,)

    Returns
    -------
    text : bytes
        ASCII, without blanks.

    Raises
    ------
    TypeError
        The values are not a one-dimensional uint8 array.

    Examples
    --------
    >>> json_array(np.array([0, 12, 255], np.uint8))
    b'[0,12,255]'
    """
    if not isinstance(values, np.ndarray) or values.dtype != np.uint8 or values.ndim != 1:
        raise TypeError(f"values must be a uint8 array (n,), not {_describe(values)}")
    if values.size == 0:
        return b"[]"
    values = _lock(np.ascontiguousarray(values))
    n_bytes = kernels.count_json_bytes(values)
    out = np.empty(n_bytes + 3, np.uint8)
    kernels.write_json(values, _DIGITS, out)
    return out[:n_bytes].tobytes()


def _find_runs(pixels: npt.NDArray[Any]) -> Runs:
    """List the runs of equal pixels; see `Runs`."""
    pixels = _lock(pixels)
    chunks = []
    position = 0
    while position < pixels.size:
        room = min(_RUNS_PER_CHUNK, pixels.size - position) + kernels.BLOCK
        values, starts = np.empty(room, np.int32), np.empty(room, np.int32)
        position, count = kernels.find_runs(pixels, position, values, starts)
        if count:
            chunks.append((values[:count], starts[:count]))
    return chunks


def _encode(chunks: Runs, n_pixels: int, n_streams: int) -> list[Stream]:
    """Write the runs of the values 1..n_streams, each to a stream of its own."""
    # Empty runs behind the last pixel: each brings the zeros before it, and so completes its stream.
    closing = (np.arange(1, n_streams + 1, dtype=np.int32), np.full(n_streams, n_pixels, np.int32))
    stops = [*(int(starts[0]) for _, starts in chunks[1:]), n_pixels, n_pixels]
    parts = [(*chunk, stop) for chunk, stop in zip([*chunks, closing], stops, strict=True)]

    ends = np.zeros(n_streams, np.int64)
    n_bits = np.full(n_streams, _HEADER_BITS, np.int64)
    for part in parts:
        kernels.add_bits(*part, ends, n_bits)
    n_bytes = n_bits // 8 + 1  # the SDK adds a byte even to a stream of whole bytes
    offsets = np.cumsum(n_bytes) - n_bytes

    words = np.zeros(int(n_bytes.sum()) // 8 + 2, np.uint64)
    bits = 8 * offsets
    kernels.put_headers(4 * n_pixels << 21 | _ENCODED_SIZES, _HEADER_BITS, bits, words)
    ends[:] = 0
    for part in parts:
        kernels.put_runs(*part, ends, bits, words)
    out = words.astype(">u8").view(np.uint8)
    return [out[offset : offset + size] for offset, size in zip(offsets.tolist(), n_bytes.tolist(), strict=True)]


def _flatten(image: npt.NDArray[Any], dtype: type[np.generic], name: str) -> npt.NDArray[Any]:
    """Check an image that is to be encoded and lay its pixels out in a row, without a copy where possible."""
    if not isinstance(image, np.ndarray) or image.dtype != dtype:
        raise TypeError(f"{name} must be a {np.dtype(dtype)} array (H, W), not {_describe(image)}")
    if image.ndim != 2 or image.size == 0:
        raise ValueError(f"{name} must have two dimensions and at least one pixel, not the shape {image.shape}")
    if image.size > _MAX_ENCODED_PIXELS:
        raise ValueError(f"{name} has {image.size} pixels; the format counts up to {_MAX_ENCODED_PIXELS}")
    return np.ascontiguousarray(image).reshape(-1)


def _parse_size(height: int, width: int) -> tuple[int, int]:
    """Check the size that came with a stream, before anything is allocated for it."""
    try:
        rows, columns = operator.index(height), operator.index(width)
    except TypeError:
        raise InvalidBody(
            f"size of a brush mask must be whole numbers, not {type(height).__name__} and {type(width).__name__}"
        ) from None
    if rows < 1 or columns < 1 or rows * columns > MAX_DECODED_PIXELS:
        raise InvalidBody(
            f"height and width of a brush mask must be at least 1, and at most {MAX_DECODED_PIXELS} multiplied"
        )
    return rows, columns


def _parse_stream(values: list[int] | Stream) -> tuple[Stream, int]:
    """Turn what a caller or a JSON body calls a stream into bytes, count them, and add the kernel's room."""
    stream: Stream
    if isinstance(values, np.ndarray):
        if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer):
            raise InvalidBody(f"brush mask must be whole numbers (n,), not {_describe(values)}")
        if values.dtype != np.uint8 and values.size and not 0 <= int(values.min()) <= int(values.max()) <= 255:
            raise InvalidBody(f"brush mask has values from {values.min()} to {values.max()}; they must be in 0..255")
        stream = np.zeros(values.size + kernels.ROOM, np.uint8)
        stream[: values.size] = values
    elif isinstance(values, list | tuple):
        try:
            buffer = bytearray(values)  # several times faster than numpy
        except (TypeError, ValueError):
            raise InvalidBody("brush mask has values that are not whole numbers in 0..255") from None
        buffer += bytes(kernels.ROOM)
        stream = np.frombuffer(buffer, np.uint8)
    else:
        raise InvalidBody(f"brush mask must be a list of numbers, not {_describe(values)}")
    n_bytes = stream.size - kernels.ROOM
    if n_bytes < _HEADER_BYTES:
        raise InvalidBody(f"brush mask is cut off: {n_bytes} bytes, fewer than its header has")
    return _lock(stream), n_bytes


def _lock(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a read-only view: the one type of array that the kernels are compiled for."""
    view = array.view()
    view.flags.writeable = False
    return view


def _describe(value: object) -> str:
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


_DIGITS = _lock(
    np.frombuffer(b"".join(f"{value},".encode().ljust(4) for value in range(256)), np.uint8).reshape(256, 4)
)
