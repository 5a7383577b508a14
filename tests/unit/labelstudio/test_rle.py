"""The brush codec: the official SDK is the judge of the encoder, a plain encoder of any header that of the decoder."""

import doctest
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
from prebrush.labelstudio import rle, rle_kernels

brush = pytest.importorskip("label_studio_sdk.converter.brush")

RECORDED = sorted((Path(__file__).parents[2] / "recorded").glob("*.json"))
SIZES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)
MASKS = SIZES.flatmap(lambda shape: hnp.arrays(np.bool_, shape))
LABEL_MAPS = SIZES.flatmap(lambda shape: hnp.arrays(np.int32, shape, elements=st.integers(0, min(6, shape[0]))))
RUN_SIZES = st.lists(st.integers(1, 16), min_size=4, max_size=4)


def sdk_encode(mask: np.ndarray) -> list[int]:
    return brush.mask2rle(mask.astype(np.uint8) * 255)


def sdk_decode(stream: list[int], shape: tuple[int, int]) -> np.ndarray:
    return brush.decode_rle(stream).reshape(*shape, 4)[:, :, 3]


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


def shapes_and_sizes() -> Iterator[tuple[str, np.ndarray]]:
    """Make masks whose runs end at the borders of the run sizes, of blocks of pixels and of the longest run."""
    for height, width in [(1, 1), (1, 70), (70, 1), (9, 7), (130, 127), (1, 16384), (1, 16385), (1, 16386), (300, 240)]:
        empty = np.zeros((height, width), np.bool_)
        yield f"{width}x{height} empty", empty
        yield f"{width}x{height} full", ~empty
        for row, col in [(0, 0), (height - 1, width - 1), (height // 2, width // 2)]:
            one = empty.copy()
            one[row, col] = True
            yield f"{width}x{height} only pixel {row},{col}", one
            yield f"{width}x{height} all but pixel {row},{col}", ~one
    for run in (1, 2, 3, 4, 5, 31, 32, 63, 64, 65, 128, 129):
        yield f"stripes of {run}", (np.arange(40 * 97) // run % 2 == 1).reshape(40, 97)
    noise = np.random.default_rng(5).random((150, 300))
    for share in (0.01, 0.5, 0.99):
        yield f"noise of {share}", noise < share


EDGE_CASES = [pytest.param(mask, id=name) for name, mask in shapes_and_sizes()]


# --- encoding


@settings(deadline=None)
@given(MASKS)
def test_a_mask_is_encoded_bit_by_bit_as_the_sdk_does(mask):
    stream = rle.encode_mask(mask)
    assert stream.dtype == np.uint8
    assert stream.tolist() == sdk_encode(mask)


@pytest.mark.parametrize("mask", EDGE_CASES)
def test_edge_cases_equal_the_sdk_and_come_back(mask):
    stream = rle.encode_mask(mask)
    assert stream.tolist() == sdk_encode(mask)
    decoded = rle.decode_mask(stream, *mask.shape)
    assert decoded.dtype == np.bool_
    assert np.array_equal(decoded, mask)
    assert np.array_equal(rle.decode_mask(stream.tolist(), *mask.shape), mask)


@settings(deadline=None)
@given(LABEL_MAPS)
def test_each_segment_of_a_label_map_equals_its_own_mask(label_map):
    streams = rle.encode_label_map(label_map)
    assert len(streams) == label_map.max()
    for number, stream in enumerate(streams, start=1):
        assert stream.tolist() == rle.encode_mask(label_map == number).tolist()


def test_a_label_map_with_more_runs_than_one_chunk_equals_the_sdk():
    label_map = np.random.default_rng(1).integers(0, 4, (200, 300), dtype=np.int32)
    label_map[100:150] = 2  # a long run over many blocks, between two noisy halves
    assert np.count_nonzero(np.diff(label_map.ravel())) > 2 * rle._RUNS_PER_CHUNK
    for number, stream in enumerate(rle.encode_label_map(label_map), start=1):
        assert stream.tolist() == sdk_encode(label_map == number)


def test_a_number_without_pixels_is_an_empty_mask():
    streams = rle.encode_label_map(np.array([[3, 0, 1, 1]], np.int32))
    assert streams[1].tolist() == sdk_encode(np.zeros((1, 4), np.bool_))
    assert len(streams) == 3


def test_a_label_map_of_background_has_no_streams():
    assert rle.encode_label_map(np.zeros((5, 4), np.int32)) == []


def test_the_layout_of_the_array_in_memory_does_not_matter():
    label_map = np.random.default_rng(2).integers(0, 5, (30, 44), dtype=np.int32)
    expected = [stream.tolist() for stream in rle.encode_label_map(label_map)]
    read_only = label_map.view()
    read_only.flags.writeable = False
    stepped = np.repeat(label_map, 2, axis=1)[:, ::2]
    for other in (read_only, np.asfortranarray(label_map), stepped):
        assert [stream.tolist() for stream in rle.encode_label_map(other)] == expected
    assert rle.encode_mask(stepped == 3).tolist() == expected[2]
    assert rle.encode_mask(np.asfortranarray(label_map == 3)).tolist() == expected[2]


def test_a_bool_view_of_0_and_255_is_a_mask():
    mask = np.random.default_rng(3).random((20, 30)) < 0.3
    view = (mask.astype(np.uint8) * 255).view(np.bool_)
    assert rle.encode_mask(view).tolist() == sdk_encode(mask)


@pytest.mark.parametrize(
    ("mask", "error"),
    [
        (np.zeros((4, 4), np.uint8), TypeError),
        ([[True, False]], TypeError),
        (None, TypeError),
        (np.zeros(4, np.bool_), ValueError),
        (np.zeros((4, 4, 1), np.bool_), ValueError),
        (np.zeros((0, 4), np.bool_), ValueError),
        (np.broadcast_to(np.False_, (1 << 15, 1 << 15)), ValueError),
    ],
)
def test_what_is_no_mask_is_refused(mask, error):
    with pytest.raises(error, match="mask"):
        rle.encode_mask(mask)


@pytest.mark.parametrize(
    ("label_map", "error"),
    [
        (np.zeros((4, 4), np.int64), TypeError),
        (np.zeros((4, 4), np.bool_), TypeError),
        (np.zeros(4, np.int32), ValueError),
        (np.zeros((4, 0), np.int32), ValueError),
        (np.array([[1, -1]], np.int32), ValueError),
        (np.array([[1, 3]], np.int32), ValueError),
        (np.array([[2**31 - 1]], np.int32), ValueError),
    ],
)
def test_what_is_no_label_map_is_refused(label_map, error):
    with pytest.raises(error, match="label map"):
        rle.encode_label_map(label_map)


def test_encoding_takes_a_few_times_the_memory_of_its_streams():
    label_map = np.random.default_rng(4).integers(0, 30, (1000, 1000), dtype=np.int32)
    rle.encode_label_map(label_map)
    tracemalloc.start()
    try:
        streams = rle.encode_label_map(label_map)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5 * sum(stream.size for stream in streams)


# --- decoding


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


# --- JSON, compiling, documentation


@settings(deadline=None)
@given(hnp.arrays(np.uint8, st.integers(0, 300)))
@example(np.arange(256, dtype=np.uint8))
def test_bytes_are_written_as_a_json_array(values):
    assert rle.json_array(values) == json.dumps(values.tolist(), separators=(",", ":")).encode()


def test_json_of_a_part_of_a_buffer_stays_within_it():
    values = np.arange(256, dtype=np.uint8)
    values.flags.writeable = False
    assert rle.json_array(values[9:13]) == b"[9,10,11,12]"
    assert rle.json_array(values[250::-100]) == b"[250,150,50]"


@pytest.mark.parametrize("values", [[1, 2], np.zeros(3, np.int32), np.zeros((2, 2), np.uint8), b"abc"])
def test_json_is_written_from_bytes_alone(values):
    with pytest.raises(TypeError, match="uint8 array"):
        rle.json_array(values)


def test_warming_compiles_all_that_the_codec_calls():
    kernels = {name: kernel for name, kernel in vars(rle_kernels).items() if hasattr(kernel, "signatures")}
    assert {"find_runs", "put_runs", "read_alpha", "write_json"} <= kernels.keys()
    rle_kernels.warm()
    compiled = {name: list(kernel.signatures) for name, kernel in kernels.items() if kernel.signatures}
    assert len(compiled["find_runs"]) == 2

    label_map = np.arange(6, dtype=np.int32).reshape(2, 3)
    for writable in (True, False):
        label_map.flags.writeable = writable
        mask = label_map > 2
        mask.flags.writeable = writable
        stream = rle.encode_mask(mask)
        rle.encode_label_map(label_map)
        stream.flags.writeable = writable
        rle.decode_mask(stream, 2, 3)
        rle.decode_mask(stream.tolist(), 2, 3)
        rle.json_array(stream)
    assert {name: list(kernel.signatures) for name, kernel in kernels.items() if kernel.signatures} == compiled


def test_the_examples_in_the_docstrings_hold():
    result = doctest.testmod(rle)
    assert result.attempted >= 4
    assert result.failed == 0
