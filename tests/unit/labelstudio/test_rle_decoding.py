"""The decoder of brush masks: the judge is a plain encoder of any header, and the official SDK."""

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from prebrush.errors import InvalidBody
from prebrush.labelstudio import rle

from .brush_masks import MASKS, SIZES, brush, sdk_decode

RECORDED = sorted((Path(__file__).parents[2] / "recorded").glob("*.json"))
RUN_SIZES = st.lists(st.integers(1, 16), min_size=4, max_size=4)


def plain_encode(values: list[int], word_bits: int, run_sizes: list[int], rng: np.random.Generator) -> list[int]:
    """Write any header, and a random choice of repeats, literals and run sizes, one character per bit."""
    bits = f"{len(values):032b}{word_bits - 1:05b}" + "".join(f"{size - 1:04b}" for size in run_sizes)
    start = 0
    while start < len(values):
        index = int(rng.integers(4))
        length = min(int(rng.integers(1, 2 ** min(run_sizes[index], 9) + 1)), len(values) - start)
        part = values[start : start + length]
        repeat = rng.random() < 0.7
        if repeat:
            part = part[: next((n for n, value in enumerate(part) if value != part[0]), length)]
        bits += f"{int(repeat)}{index:02b}{len(part) - 1:0{run_sizes[index]}b}"
        bits += "".join(f"{value:0{word_bits}b}" for value in (part[:1] if repeat else part))
        start += len(part)
    bits += "0" * (-len(bits) % 8)
    return [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]


def rgba(alpha: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Surround alpha by colours that mean nothing."""
    colours = rng.integers(0, max(int(alpha.max()), 1) + 1, (*alpha.shape, 4), dtype=np.uint64)
    colours[..., 3] = alpha
    return colours.ravel().tolist()


@settings(deadline=None)
@given(MASKS)
def test_any_mask_survives_the_round_trip(mask):
    assert np.array_equal(rle.decode_mask(rle.encode_mask(mask), *mask.shape), mask)


@settings(deadline=None)
@given(MASKS, st.integers(1, 32), RUN_SIZES, st.integers(0, 2**32))
@example(np.ones((3, 50), np.bool_), 32, [16, 16, 16, 16], 0)
@example(np.ones((3, 50), np.bool_), 1, [1, 1, 1, 1], 0)
def test_streams_with_any_header_are_decoded(mask, word_bits, run_sizes, seed):
    rng = np.random.default_rng(seed)
    alpha = np.where(mask, 2**word_bits - 1, 0).astype(np.uint64)
    stream = plain_encode(rgba(alpha, rng), word_bits, run_sizes, rng)
    # Words too small for 128 hold no alpha that the editor shows.
    expected = mask if word_bits >= 8 else np.zeros_like(mask)
    assert np.array_equal(rle.decode_mask(stream, *mask.shape), expected)


@settings(deadline=None)
@given(hnp.arrays(np.uint8, SIZES), RUN_SIZES, st.integers(0, 2**32))
def test_any_alpha_is_read_as_the_sdk_reads_it(alpha, run_sizes, seed):
    rng = np.random.default_rng(seed)
    stream = plain_encode(rgba(alpha, rng), 8, run_sizes, rng)
    read = sdk_decode(stream, alpha.shape)
    assert np.array_equal(read, alpha)
    assert np.array_equal(rle.decode_mask(stream, *alpha.shape), read >= 128)


@pytest.mark.parametrize("word_bits", [8, 9, 16, 32])
def test_half_of_full_alpha_is_the_border_whatever_the_word_size(word_bits):
    rng = np.random.default_rng(0)
    alpha = np.array([[0, 1, 127, 128, 255, 2**word_bits - 1]], np.uint64)
    stream = plain_encode(rgba(alpha, rng), word_bits, [3, 4, 8, 16], rng)
    assert rle.decode_mask(stream, 1, 6).tolist() == [[False, False, False, True, True, True]]


def test_a_stream_of_the_longest_and_shortest_runs_is_not_taken_for_too_short():
    # 65536 values in one run of 16 bits and 8 in one of 3 bits: hardly any bits for so many values.
    bits = f"{65544:032b}" + "00111" + "0010001101111111" + "111" + "1" * 16 + "0" * 8 + "100" + "111" + "1" * 8 + "00"
    stream = [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]
    assert len(stream) == 12
    assert np.flatnonzero(rle.decode_mask(stream, 1, 16386)).tolist() == [16384, 16385]


def test_what_follows_the_last_value_is_ignored():
    mask = np.eye(13, dtype=np.bool_)
    stream = rle.encode_mask(mask).tolist()
    for tail in ([0], [0] * 100, [255, 1]):
        assert np.array_equal(rle.decode_mask(stream + tail, 13, 13), mask)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.uint64])
def test_arrays_of_any_whole_numbers_are_read(dtype):
    mask = np.eye(5, 6, dtype=np.bool_)
    stream = rle.encode_mask(mask).astype(dtype)
    stream.flags.writeable = False
    assert np.array_equal(rle.decode_mask(stream, 5, 6), mask)
    assert np.array_equal(rle.decode_mask(np.repeat(stream, 2)[::2], np.int64(5), 6), mask)


STREAM = rle.encode_mask(np.eye(5, 6, dtype=np.bool_)).tolist()


@pytest.mark.parametrize(
    "values",
    [
        [],
        [0] * 6,
        [*STREAM[:-1], 256],
        [*STREAM[:-1], -1],
        [*STREAM[:-1], 10**30],
        [*STREAM[:-1], 0.5],
        [*STREAM[:-1], "0"],
        [*STREAM[:-1], None],
        [STREAM],
        None,
        10**12,
        "0,0,0,120",
        {"0": 1},
        np.array(STREAM, np.float64),
        np.array(STREAM) + 256,
        np.array(STREAM) - 1,
        np.array([STREAM], np.uint8),
        np.array(STREAM, np.bool_),
        np.array([], np.uint8),
    ],
    ids=lambda values: f"{type(values).__name__} {values!s:.12}",
)
def test_what_is_no_list_of_bytes_is_refused(values):
    with pytest.raises(InvalidBody, match="brush mask"):
        rle.decode_mask(values, 5, 6)


@pytest.mark.parametrize(
    ("height", "width"),
    [(6, 6), (0, 6), (-5, -6), (5, 0), (5.0, 6), ("5", 6), (None, 6), (1 << 15, 1 << 15), (10**30, 1), (10**5000, 6)],
    ids=lambda side: f"{side!r:.8}" if not isinstance(side, int) or side < 10**9 else "huge",
)
def test_a_size_that_does_not_fit_the_stream_is_refused(height, width):
    with pytest.raises(InvalidBody, match="brush mask"):
        rle.decode_mask(STREAM, height, width)


def test_one_channel_for_four_is_refused_and_said():
    mask = np.eye(8, dtype=np.uint8) * 255
    with pytest.raises(InvalidBody, match="one channel, not RGBA"):
        rle.decode_mask(brush.encode_rle(mask.ravel()), 8, 8)


@settings(deadline=None)
@given(MASKS, st.data())
def test_a_stream_cut_anywhere_is_refused(mask, data):
    stream = rle.encode_mask(mask)
    # The last byte may be padding alone; without the one before it, values are missing.
    cut = data.draw(st.integers(0, stream.size - 2))
    with pytest.raises(InvalidBody, match="cut off"):
        rle.decode_mask(stream[:cut], *mask.shape)


def test_a_run_past_the_last_pixel_is_refused():
    for repeat in "10":
        bits = f"{4:032b}00111" + "0010001101111111" + repeat + "00" + "100" + "00000000" * 5
        stream = [int(bits[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(bits), 8)]
        with pytest.raises(InvalidBody, match="past its end"):
            rle.decode_mask(stream, 1, 1)


def test_a_few_bytes_cannot_ask_for_a_huge_mask():
    side = 1 << 14
    header = f"{4 * side * side:032b}" + "00111" + "1111" * 4
    stream = int(header.ljust(64 * 8, "0"), 2).to_bytes(64, "big")
    tracemalloc.start()
    try:
        with pytest.raises(InvalidBody, match="cut off"):
            rle.decode_mask(list(stream), side, side)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100_000


@settings(deadline=None)
@given(hnp.arrays(np.uint8, st.integers(7, 60)), st.integers(1, 9), st.integers(1, 9), st.integers(0, 3))
def test_random_bytes_are_decoded_as_the_sdk_does_or_refused(noise, height, width, keep):
    # With the right number of values in front, the noise reaches the runs; with more of the header, further still.
    good = rle.encode_mask(np.ones((height, width), np.bool_))
    stream = np.concatenate([good[: 4 + keep], noise])
    try:
        mask = rle.decode_mask(stream, height, width)
    except InvalidBody:
        return
    word_bits = (int(stream[4]) >> 3) + 1
    if word_bits <= 8:
        assert np.array_equal(mask, sdk_decode(stream.tolist(), (height, width)) >= 128)


def recorded_regions(node: object) -> Iterator[dict]:
    """Find all brush regions anywhere in a recorded request and its answer."""
    if isinstance(node, dict):
        if isinstance(node.get("value"), dict) and "rle" in node["value"]:
            yield node
        for child in node.values():
            yield from recorded_regions(child)
    elif isinstance(node, list):
        for child in node:
            yield from recorded_regions(child)


def test_streams_recorded_from_label_studio_are_decoded():
    regions = [region for path in RECORDED for region in recorded_regions(json.loads(path.read_text()))]
    assert len(regions) >= 20
    for region in regions:
        shape = region["original_height"], region["original_width"]
        stream = region["value"]["rle"]
        mask = rle.decode_mask(stream, *shape)
        assert np.array_equal(mask, sdk_decode(stream, shape) >= 128)
        assert mask.any()
