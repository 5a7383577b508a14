import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from prebrush.datatypes import Segments
from prebrush.storage import pack_segments, unpack_segments

MAX_PIXELS = 10_000
START = 8  # magic and checksum
HEADER = struct.Struct("<IIIIBBBI")


@st.composite
def segments(draw) -> Segments:
    """Any segments of up to 900 pixels: noise, blocks, flat, one row, one column, no pixel at all."""
    shape = draw(st.tuples(st.integers(0, 30), st.integers(0, 30)))
    highest = draw(st.sampled_from([0, 1, 3, 300]))
    coarse = draw(hnp.arrays(np.int32, shape, elements=st.integers(0, highest)))
    block = draw(st.integers(1, 4))
    drawn = np.kron(coarse, np.ones((block, block), np.int32))[: shape[0], : shape[1]]
    numbers = np.unique(drawn[drawn > 0])
    label_map = np.where(drawn > 0, np.searchsorted(numbers, drawn) + 1, 0).astype(np.int32)
    n = len(numbers)
    scores = draw(st.none() | hnp.arrays(np.float32, n, elements=st.floats(0, 1, width=32)))
    classes = draw(st.just(()) | st.lists(st.text(max_size=5), min_size=n, max_size=n).map(tuple))
    return Segments(label_map, scores, classes)


def expect_equal(read: Segments | None, written: Segments) -> None:
    assert read is not None
    assert read.label_map.dtype == np.int32
    assert not read.label_map.flags.writeable
    np.testing.assert_array_equal(read.label_map, written.label_map)
    assert read.classes == written.classes
    if written.scores is None:
        assert read.scores is None
    else:
        assert read.scores.dtype == np.float32
        np.testing.assert_array_equal(read.scores, written.scores)
    Segments(read.label_map, read.scores, read.classes)  # what was not checked again would have passed


def reseal(payload: bytes) -> bytes:
    """Give a forged value the checksum that an attacker would give it."""
    return b"PBS1" + struct.pack("<I", zlib.crc32(payload)) + payload


def forge(parts: bytes, *, tail: bytes = b"", **changes: int) -> bytes:
    """Write a value whose checksum is right and whose content may not be: by default a map of 4 x 5 in two runs."""
    fields = {"height": 4, "width": 5, "n": 1, "runs": 2, "label": 1, "length": 1, "scores": 0, "classes": 0}
    return reseal(HEADER.pack(*(fields | changes).values()) + zlib.compress(parts) + tail)


@given(segments())
def test_round_trip(written):
    expect_equal(unpack_segments(pack_segments(written), MAX_PIXELS), written)


@pytest.mark.parametrize("n", [1, 255, 256, 65_535, 65_536])
def test_round_trip_over_every_width_of_number(n):
    written = Segments(np.repeat(np.arange(n + 1, dtype=np.int32), 5).reshape(5, -1))
    expect_equal(unpack_segments(pack_segments(written), written.label_map.size), written)


@pytest.mark.parametrize("run", [255, 256, 65_535, 65_536, 1_000_000])
def test_round_trip_over_every_length_of_run(run):
    written = Segments(np.repeat(np.array([0, 1, 0], np.int32), run).reshape(1, -1))
    data = pack_segments(written)
    assert len(data) < 100
    expect_equal(unpack_segments(data, 3 * run), written)


def test_round_trip_of_a_view_in_another_order():
    written = Segments(np.arange(1, 13, dtype=np.int32).reshape(3, 4).T)
    expect_equal(unpack_segments(pack_segments(written), 12), written)


def test_class_names_may_hold_anything():
    written = Segments(np.array([[1, 2]], np.int32), classes=("\ud800\0\n", "日本"))
    expect_equal(unpack_segments(pack_segments(written), 2), written)


def test_a_photograph_of_a_megapixel_becomes_small():
    rows, cols = np.mgrid[:1000, :1000]
    waves = np.sin(rows / 9) + np.cos(cols / 7) > 0
    assert len(pack_segments(Segments(waves.astype(np.int32)))) < 20_000


def test_a_map_over_the_limit_is_not_read():
    data = pack_segments(Segments(np.ones((10, 10), np.int32)))
    assert unpack_segments(data, 100) is not None
    assert unpack_segments(data, 99) is None


def test_names_without_measure_are_refused():
    with pytest.raises(ValueError, match="class names"):
        pack_segments(Segments(np.ones((1, 1), np.int32), classes=("x" * (1 << 24),)))


@given(st.binary(max_size=200))
def test_garbage_is_a_miss(data):
    assert unpack_segments(data, MAX_PIXELS) is None
    assert unpack_segments(b"PBS1" + data, MAX_PIXELS) is None


@given(segments(), st.data())
def test_a_damaged_value_is_a_miss(written, data):
    packed = bytearray(pack_segments(written))
    position = data.draw(st.integers(0, len(packed) - 1))
    packed[position] ^= data.draw(st.integers(1, 255))
    assert unpack_segments(bytes(packed), MAX_PIXELS) is None
    assert unpack_segments(pack_segments(written)[:position], MAX_PIXELS) is None


@settings(max_examples=300)
@given(segments(), st.data())
def test_a_forged_value_never_crashes_and_never_breaks_the_contract(written, data):
    """With the checksum made right again, only the checks behind it stand."""
    packed = bytearray(pack_segments(written)[START:])
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(packed) - 1))
        packed[position] = data.draw(st.integers(0, 255))
    read = unpack_segments(reseal(bytes(packed)), MAX_PIXELS)
    if read is not None:
        assert read.label_map.size <= MAX_PIXELS
        Segments(read.label_map, read.scores, read.classes)


def test_the_forger_of_these_tests_can_write_what_is_right():
    read = unpack_segments(forge(b"\0\1" + bytes([7, 13])), MAX_PIXELS)
    np.testing.assert_array_equal(read.label_map, np.repeat([0, 1], [7, 13]).reshape(4, 5))


@pytest.mark.parametrize(
    "data",
    [
        forge(b"\0\1" + bytes([7, 12])),
        forge(b"\0\1" + bytes([7, 14])),
        forge(b"\0\1" + bytes([0, 20])),
        forge(b"\0\2" + bytes([7, 13]), n=2),
        forge(b"\0\2" + bytes([7, 13])),
        forge(b"\0\1" + bytes([7, 13]), n=2),
        forge(b"\0\1" + bytes([7, 13]), n=2**32 - 1),
        forge(b"\0\1" + bytes([7, 13]), label=0),
        forge(b"\0\1" + bytes([7, 13]), label=3),
        forge(b"\0\1" + bytes([7, 13]), length=8),
        forge(b"\0\1" + bytes([7, 13]), scores=2),
        forge(b"\0\1" + bytes([7, 13, 0])),
        forge(b"\0\1" + bytes([7])),
        forge(b"\0\1" + bytes([7, 13]), tail=b"\0"),
        forge(b"\0\1" + bytes([7, 13]), height=2**32 - 1, width=2**32 - 1),
        forge(b"\0\1" + bytes([7, 13]), height=0),
        forge(b"\0\1" + bytes([7, 13]), runs=2**32 - 1),
        forge(struct.pack("<f", float("nan")) + b"\0\1" + bytes([7, 13]), scores=1),
        forge(struct.pack("<f", 1.5) + b"\0\1" + bytes([7, 13]), scores=1),
        forge(b"[1]" + b"\0\1" + bytes([7, 13]), classes=3),
        forge(b'["a","b"]' + b"\0\1" + bytes([7, 13]), classes=9),
        forge(b'{"a":1}' + b"\0\1" + bytes([7, 13]), classes=7),
        forge(b"[" * 100_000 + b"\0\1" + bytes([7, 13]), classes=100_000),
        forge(b"\0\1" + bytes([7, 13]), classes=2**32 - 1),
        forge(b"\0" * 50_000_000),
        forge(b"\0" * 20, runs=0, n=1),
    ],
)
def test_a_forged_value_that_contradicts_itself_is_a_miss(data):
    assert unpack_segments(data, MAX_PIXELS) is None
