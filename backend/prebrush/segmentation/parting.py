"""Parting touching objects at their necks, by the watershed of the distance to what is around them."""

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Mask
from prebrush.segmentation.filters import blur
from prebrush.segmentation.kernels.basins import merge_basins
from prebrush.segmentation.kernels.components import connected_components
from prebrush.segmentation.kernels.flooding import flood


def part_objects(objects: Mask, neck: float, compactness: float = 0.0) -> LabelMap:
    """Part objects where their neck is narrower than ``neck`` times the narrower of both.

    Parameters
    ----------
    objects : bool (H, W)
    neck : float
        In [0, 1].
    compactness : float
        See `flood`; in pixels of the distance.

    Returns
    -------
    int32 (H, W)
        1..n objects, 0 background.

    Notes
    -----
    Source: S. Beucher, C. Lantuejoul, Int. Workshop on Image Processing, 1979.
    """
    distance = cv2.distanceTransform(objects.astype(np.uint8), cv2.DIST_L2, 5)
    # smoothed, because the steps of a rough outline make peaks of their own
    distance = blur(np.asarray(distance, np.float32), 1.0) * objects
    scale = 65535 / max(1.0, float(distance.max(initial=0)))
    return flood_peaks((distance * scale).astype(np.uint16), objects, neck, 0.0, compactness * scale)


def flood_peaks(heights: npt.NDArray[np.uint16], mask: Mask, neck: float, depth: float, compactness: float) -> LabelMap:
    """Flood from all peaks downhill, join what is hardly parted, and with a compactness flood again from what is left.

    A level that only seems to be a peak, because the higher pixels touch another part of it, is joined with them.
    See `merge_basins` for ``neck`` and ``depth``.
    """
    peaks = (np.asarray(cv2.dilate(heights, np.ones((3, 3), np.uint8))) == heights) & mask
    markers, origin = connected_components(peaks.astype(np.int32))
    relief = 65535 - heights
    label_map, numbers = merge_basins(
        flood(relief, markers, mask, diagonal=True), heights, origin.size - 1, neck, depth
    )
    if compactness > 0:
        return flood(relief, numbers[markers], mask, compactness, diagonal=True)
    return label_map


def part_segments(label_map: LabelMap, neck: float) -> tuple[LabelMap, npt.NDArray[np.int32]]:
    """Part every segment of a label map at its necks.

    Parameters
    ----------
    label_map : int32 (H, W)
        1..n, 0 background.
    neck : float
        See `part_objects`.

    Returns
    -------
    parts : int32 (H, W)
        1..m in the order of the segments.
    origin : int32 (m + 1,)
        The number each part had in ``label_map``.
    """
    foreground = label_map > 0
    # a segment ends where the next one begins: its border pixels are no inside, of neither
    inner = foreground.copy()
    for near, far in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        differs = (label_map[near] != label_map[far]) & foreground[near] & foreground[far]
        inner[near] &= ~differs
        inner[far] &= ~differs
    parted = part_objects(inner, neck)
    # the border pixels, and what is all border, follow; water that passed between segments is told apart by the pair
    parted = flood(np.zeros(label_map.shape, np.uint16), parted, foreground, diagonal=True)
    pairs = label_map.astype(np.int64) * (int(parted.max(initial=0)) + 1) + parted
    values, numbers = np.unique(pairs[foreground], return_inverse=True)
    parts = np.zeros(label_map.shape, np.int32)
    parts[foreground] = numbers + 1
    origin = np.concatenate(([0], values // (int(parted.max(initial=0)) + 1)))
    return parts, origin.astype(np.int32)
