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
        1..n objects, 0 background. What fills the image is one object.

    Notes
    -----
    Source: S. Beucher, C. Lantuejoul, Int. Workshop on Image Processing, 1979.
    """
    if objects.all():
        return np.ones(objects.shape, np.int32)  # nothing around it that a distance could be measured from
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
    upper, lower, left, right, whole = np.s_[:-1], np.s_[1:], np.s_[:-1], np.s_[1:], np.s_[:]
    for near, far in (
        ((whole, left), (whole, right)), ((upper, whole), (lower, whole)),
        ((upper, left), (lower, right)), ((upper, right), (lower, left)),
    ):  # fmt: skip
        differs = (label_map[near] != label_map[far]) & foreground[near] & foreground[far]
        inner[near] &= ~differs
        inner[far] &= ~differs
    parted = part_objects(inner, neck)
    owner = np.zeros(int(parted.max(initial=0)) + 1, np.int64)
    owner[parted[inner]] = label_map[inner]
    parted = _spread(parted, label_map)
    # what is cut off from the inside goes to the first part of its segment, and a segment that is all border is one
    parts_of, first = np.unique(owner[1:], return_index=True)
    first_part = np.zeros(int(label_map.max(initial=0)) + 1, np.int64)
    first_part[parts_of] = first + 1
    alone = foreground & (parted == 0)
    numbers = parted.astype(np.int64)
    numbers[alone] = first_part[label_map[alone]]
    pairs = label_map.astype(np.int64) * owner.size + numbers
    values, order = np.unique(pairs[foreground], return_inverse=True)
    parts = np.zeros(label_map.shape, np.int32)
    parts[foreground] = order + 1
    return parts, np.concatenate(([0], values // owner.size)).astype(np.int32)


def _spread(parted: LabelMap, label_map: LabelMap) -> LabelMap:
    """Give pixels without a part that of the nearest pixel with one, along a way within their segment."""
    width = label_map.shape[1] + 2
    labels = np.pad(label_map, 1).ravel()
    parts = np.pad(parted, 1).ravel()
    left = ((labels > 0) & (parts == 0)).reshape(-1, width)
    beside = np.asarray(cv2.dilate(left.astype(np.uint8), np.ones((3, 3), np.uint8))).ravel() > 0
    front = np.flatnonzero(beside & (parts > 0))
    while front.size:
        reached = []
        for step in (-1, 1, -width, width, -width - 1, -width + 1, width - 1, width + 1):
            to = front + step
            new = (parts[to] == 0) & (labels[to] == labels[front])
            parts[to[new]] = parts[front[new]]
            reached.append(to[new])
        front = np.concatenate(reached)
    return parts.reshape(-1, width)[1:-1, 1:-1]
