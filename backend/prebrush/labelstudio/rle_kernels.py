"""The compiled inner loops of the brush codec; the format and every check of input live in `rle`.

The loops trust their arguments: arrays are C-contiguous and as large as `rle` promises. Arrays that a caller owns come
in as read-only views, so that each loop is compiled for one type of array whatever the caller's own flags say.

Bits are written to uint64 words, most significant first, so that a run changes two words.
Numbers are int64 or uint64, never mixed in one operation, which numba would do in floats.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from prebrush.labelstudio.compiled import compiled, inlined

Bytes: TypeAlias = npt.NDArray[np.uint8]
Words: TypeAlias = npt.NDArray[np.uint64]
Counts: TypeAlias = npt.NDArray[np.int64]
Numbers: TypeAlias = npt.NDArray[np.int32]
Pixels: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.int32]

BLOCK = 64
"""How many pixels are compared or filled in one go: one or a few vector registers."""

ROOM = 8
"""How many bytes behind the end of a stream may be read."""

RUN_SIZES = 0x10_08_04_03
"""The run sizes 3, 4, 8 and 16, a byte each, lowest first."""

COMPLETE, TRUNCATED, OVERRUN = 0, 1, 2


@compiled
def find_runs(pixels: Pixels, position: int, values: Numbers, starts: Numbers) -> tuple[int, int]:
    """List runs of equal pixels from `position` on, until the image or the room in `values` and `starts` ends.

    Returns
    -------
    position, count : int
        Where to go on, and how many runs are listed: the value and the first pixel of each. A run lasts to the next
        one's first pixel.
    """
    size = pixels.shape[0]
    count = 0
    if position == 0:
        values[0] = pixels[0]
        starts[0] = 0
        count = 1
        position = 1
    previous = pixels[position - 1]
    while position < size and count + BLOCK <= starts.shape[0]:
        stop = min(position + BLOCK, size)
        if stop - position == BLOCK:
            difference = previous ^ previous  # a zero of the pixels' type
            for offset in range(BLOCK):
                difference |= pixels[np.uint64(position + offset)] ^ previous
            if difference == 0:
                position = stop
                continue
        # Every pixel is noted and only a change is kept: where runs are short, a branch would be guessed wrong.
        known = count
        for pixel in range(position, stop):
            starts[np.uint64(count)] = pixel
            count += bool(pixels[np.uint64(pixel)] != previous)
            previous = pixels[np.uint64(pixel)]
        for run in range(known, count):
            values[np.uint64(run)] = pixels[np.uint64(starts[np.uint64(run)])]
        position = stop
    return position, count


@inlined
def _size_index(n_values: int) -> int:
    """Choose the run size, of 3, 4, 8 and 16 bits, for so many values."""
    return (n_values > 8) + (n_values > 16) + (n_values > 256)


@inlined
def _run_bits(n_pixels: int) -> int:
    """Count the bits of a run of so many pixels: repeat flag, which run size, number of values - 1, value."""
    n_values = 4 * n_pixels
    n_codes = (n_values + 65535) >> 16
    return n_codes * (11 + ((RUN_SIZES >> (8 * _size_index(n_values))) & 31))


@compiled
def add_bits(values: Numbers, starts: Numbers, stop: int, ends: Counts, n_bits: Counts) -> None:
    """Add to ``n_bits[i - 1]`` what the runs of value i take, and the zeros before them; 0 is no value.

    ``ends[i - 1]`` is the pixel up to which that stream is counted; it is moved on. The last run ends before `stop`.
    """
    n_runs = values.shape[0]
    for run in range(n_runs):
        if values[run] > 0:
            stream = np.uint64(values[run] - 1)
            start = starts[run]
            end = starts[run + 1] if run + 1 < n_runs else stop
            n_bits[stream] += _run_bits(start - ends[stream]) + _run_bits(end - start)
            ends[stream] = end


@inlined
def _put(words: Words, bit: int, code: int, length: int) -> int:
    """Write the `length` low bits of `code` at `bit`, where there are zeros; return the next bit."""
    left = np.uint64(code) << np.uint64(64 - length)
    word = np.uint64(bit >> 6)
    offset = np.uint64(bit & 63)
    words[word] |= left >> offset
    # Two shifts, since one by 64 would be undefined.
    words[word + np.uint64(1)] |= (left << np.uint64(1)) << (np.uint64(63) - offset)
    return bit + length


@compiled
def put_runs(values: Numbers, starts: Numbers, stop: int, ends: Counts, bits: Counts, words: Words) -> None:
    """Write what `add_bits` counts: the runs of value i, and the zeros before them, at ``bits[i - 1]`` in `words`.

    `words` holds the streams of all values, zeros where nothing is written yet, and one more word of room.
    """
    n_runs = values.shape[0]
    for run in range(n_runs):
        if values[run] > 0:
            stream = np.uint64(values[run] - 1)
            start = starts[run]
            end = starts[run + 1] if run + 1 < n_runs else stop
            bit = bits[stream]
            n_values = 4 * (start - ends[stream])
            for alpha in range(0, 256, 255):  # the zeros before the run, then the run
                # As in the SDK, the rest of a run that is longer than the longest is written as a long one, too.
                index = _size_index(n_values)
                size = (RUN_SIZES >> (8 * index)) & 31
                while n_values > 0:
                    part = min(n_values, 65536)
                    bit = _put(words, bit, ((4 | index) << (size + 8)) | ((part - 1) << 8) | alpha, size + 11)
                    n_values -= part
                n_values = 4 * (end - start)
            bits[stream] = bit
            ends[stream] = end


@compiled
def put_headers(header: int, length: int, bits: Counts, words: Words) -> None:
    """Write the same header at the start of every stream."""
    for index in range(bits.shape[0]):
        bits[index] = _put(words, bits[index], header, length)


@inlined
def _signed(number: np.uint64) -> int:
    """Turn a number below 2**63 into the type that positions are counted in."""
    return np.int64(number)  # type: ignore[return-value]  # int64 is what numba makes of an int


@inlined
def _take(stream: Bytes, bit: int) -> np.uint64:
    """Read the bits from `bit` on: 57 at least, highest first."""
    byte = np.uint64(bit >> 3)
    window = np.uint64(0)
    # The compiler makes one load of these eight.
    for offset in range(8):
        window = (window << np.uint64(8)) | np.uint64(stream[byte + np.uint64(offset)])
    return window << np.uint64(bit & 7)


@compiled
def read_alpha(
    stream: Bytes,
    n_bits: int,
    bit: int,
    word_bits: int,
    run_sizes: np.uint64,
    threshold: np.uint64,
    mask: Bytes,
) -> int:
    """Set `mask` to 1 where the fourth of a pixel's four values reaches `threshold`.

    `mask` has a zero per pixel and `BLOCK` more of room, as runs are written in whole blocks and the next run
    overwrites what was too much. `stream` has `n_bits` and `ROOM` more bytes. `run_sizes` is like `RUN_SIZES`.

    Returns
    -------
    state : int
        `COMPLETE`, `TRUNCATED` (the stream ended first) or `OVERRUN` (a run goes past the last pixel).
    """
    n_values = 4 * (mask.shape[0] - BLOCK)
    word_shift = np.uint64(64 - word_bits)
    # A repeat takes at most 19 bits before its word: two of them, with words this short, are in one window.
    n_repeats = 2 if 2 * (19 + word_bits) <= 57 else 1
    start = 0
    while start < n_values:
        window = _take(stream, bit)
        for _ in range(n_repeats):
            size = _signed((run_sizes >> ((window >> np.uint64(58)) & np.uint64(24))) & np.uint64(31))
            body = window << np.uint64(3)
            stop = start + 1 + _signed(body >> np.uint64(64 - size))
            bit += 3 + size
            # Alpha is value 4 p + 3 of pixel p: these are the pixels that have it from `start` on and before `stop`.
            pixel, last = start >> 2, stop >> 2
            if window >> np.uint64(63) == np.uint64(1):
                bit += word_bits
                if bit > n_bits or stop > n_values:
                    return TRUNCATED if bit > n_bits else OVERRUN
                body <<= np.uint64(size)
                is_set = np.uint8(body >> word_shift >= threshold)
                while pixel < last:
                    for offset in range(BLOCK):
                        mask[np.uint64(pixel + offset)] = is_set
                    # What lies behind the first block of unset pixels has not been written to yet.
                    pixel = pixel + BLOCK if is_set else last
                start = stop
                if start == n_values:
                    break
                window = body << np.uint64(word_bits)
            else:
                bits_of_values = bit - word_bits * start
                bit += word_bits * (stop - start)
                if bit > n_bits or stop > n_values:
                    return TRUNCATED if bit > n_bits else OVERRUN
                while pixel < last:
                    word = _take(stream, bits_of_values + word_bits * (4 * pixel + 3)) >> word_shift
                    mask[np.uint64(pixel)] = np.uint8(word >= threshold)
                    pixel += 1
                start = stop
                break
    return COMPLETE


@compiled
def count_json_bytes(values: Bytes) -> int:
    """Count the bytes of the JSON array that `write_json` makes of at least one value."""
    n_bytes = 1 + 2 * values.shape[0]
    for value in values:
        n_bytes += bool(value > 9) + bool(value > 99)
    return n_bytes


@compiled
def write_json(values: Bytes, digits: Bytes, out: Bytes) -> None:
    """Write the values as a JSON array.

    `digits` (256, 4) holds each value's digits, then a comma. All four bytes of its row are written and the next value
    overwrites what was too much, so `out` has three bytes of room at its end.
    """
    out[0] = ord("[")
    position = 1
    for value in values:
        for column in range(4):
            out[np.uint64(position + column)] = digits[value, np.uint64(column)]
        position += 2 + bool(value > 9) + bool(value > 99)
    out[position - 1] = ord("]")


def warm() -> None:
    """Compile every loop or load it from numba's cache, so that no request has to wait for it."""
    for pixels in (np.ones(1, np.uint8), np.ones(1, np.int32)):
        pixels.flags.writeable = False
        values, starts = np.empty(1 + BLOCK, np.int32), np.empty(1 + BLOCK, np.int32)
        _, count = find_runs(pixels, 0, values, starts)
    ends, bits, words = np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(4, np.uint64)
    add_bits(values[:count], starts[:count], 1, ends, bits)
    ends[:], bits[:] = 0, 0
    put_headers(0, 53, bits, words)
    put_runs(values[:count], starts[:count], 1, ends, bits, words)
    mask, stream = np.zeros(1 + BLOCK, np.uint8), np.zeros(ROOM, np.uint8)
    stream.flags.writeable = False
    read_alpha(stream, 0, 0, 8, np.uint64(RUN_SIZES), np.uint64(1), mask)
    text, digits = np.ones(1, np.uint8), np.zeros((256, 4), np.uint8)
    text.flags.writeable, digits.flags.writeable = False, False
    write_json(text, digits, np.empty(count_json_bytes(text) + 3, np.uint8))
