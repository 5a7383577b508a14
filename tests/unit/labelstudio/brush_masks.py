"""What the tests of the brush codec share: masks of all kinds, and the official SDK as the judge."""

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

brush = pytest.importorskip("label_studio_sdk.converter.brush")

SIZES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40)
MASKS = SIZES.flatmap(lambda shape: hnp.arrays(np.bool_, shape))
LABEL_MAPS = SIZES.flatmap(lambda shape: hnp.arrays(np.int32, shape, elements=st.integers(0, min(6, shape[0]))))


def sdk_encode(mask: np.ndarray) -> list[int]:
    return brush.mask2rle(mask.astype(np.uint8) * 255)


def sdk_decode(stream: list[int], shape: tuple[int, int]) -> np.ndarray:
    return brush.decode_rle(stream).reshape(*shape, 4)[:, :, 3]
