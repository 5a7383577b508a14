"""Arrays as they are cached: back to the bit, and nothing but what was written."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prebrush.storage import pack_arrays, unpack_arrays

ARRAYS = (
    np.arange(12, dtype=np.int64).reshape(3, 4),
    np.zeros((0, 5), np.float32),
    np.array([[True, False]]),
    np.random.default_rng(0).random((7, 3)),
    np.arange(6, dtype=np.uint8)[::2],
    np.array([1, 2], ">i4"),
)


def test_arrays_come_back_as_they_were():
    found = unpack_arrays(pack_arrays(ARRAYS), len(ARRAYS), 10_000)
    for array, back in zip(ARRAYS, found, strict=True):
        assert back.dtype == array.dtype.newbyteorder("=")
        assert np.array_equal(back, array)
        assert not back.flags.writeable


@pytest.mark.parametrize("other", [{"count": 5}, {"count": 7}, {"max_bytes": 50}])
def test_another_number_or_too_much_is_none(other):
    assert unpack_arrays(pack_arrays(ARRAYS), **{"count": len(ARRAYS), "max_bytes": 10_000, **other}) is None


def test_objects_are_not_stored():
    with pytest.raises(ValueError, match="object"):
        pack_arrays([np.array([{}])])


@given(st.binary(max_size=80), st.integers(0, 400), st.booleans())
def test_damage_is_none(noise, at, with_checksum):
    packed = pack_arrays(ARRAYS)
    damaged = bytearray(packed[:at] + noise + packed[at + len(noise) :])
    if with_checksum and len(damaged) > 8:  # as somebody would write who knows the form
        damaged[4:8] = zlib.crc32(damaged[8:]).to_bytes(4, "little")
    found = unpack_arrays(bytes(damaged), len(ARRAYS), 10_000)
    if bytes(damaged) != packed and not with_checksum:
        assert found is None
    assert found is None or len(found) == len(ARRAYS)
    assert unpack_arrays(noise, len(ARRAYS), 10_000) is None
