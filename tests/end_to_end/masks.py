"""Masks as Label Studio stores them, and how alike two masks are."""

from typing import Any

import numpy as np
import numpy.typing as npt
from label_studio_sdk.converter.brush import decode_rle


def overlap(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    """Return intersection over union."""
    return float((one & other).sum() / max(1, (one | other).sum()))


def decode_masks(result: list[dict[str, Any]]) -> npt.NDArray[np.bool_]:
    """Join the masks of a result, read by Label Studio's own code."""
    masks = []
    for region in result:
        assert region["type"] == "brushlabels"
        height, width = region["original_height"], region["original_width"]
        channels = np.asarray(decode_rle(region["value"]["rle"])).reshape(height, width, 4)
        masks.append(channels[..., 3] > 127)
    joined: npt.NDArray[np.bool_] = np.any(masks, axis=0)
    return joined
