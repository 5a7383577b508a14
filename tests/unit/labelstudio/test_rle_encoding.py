"""The encoder of brush masks: bit by bit what the official SDK writes."""

import doctest
import json
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from prebrush.labelstudio import rle, rle_kernels

from .brush_masks import LABEL_MAPS, MASKS, sdk_encode


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
