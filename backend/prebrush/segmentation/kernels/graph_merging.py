"""Felzenszwalb and Huttenlocher's merging of pixels along sorted edges."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap
from prebrush.segmentation.kernels.compiled import as_input, compiled

FINEST = 1e-9
"""Squared colour distances below this count as none: a hundredth of a grey level, the noise of the blur's rounding."""
DROPPED_BITS = 12
"""Low bits of a squared distance (float32) that sorting ignores: what is left tells 2048 steps apart per doubling."""
LOWEST = int(np.float32(FINEST).view(np.uint32)) >> DROPPED_BITS
LEVELS = (int(np.float32(3.0).view(np.uint32)) >> DROPPED_BITS) - LOWEST + 1
"""Number of steps up to 3, the squared distance of black and white; about 64,000."""


@compiled
def _find(parent: npt.NDArray[np.int32], node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@compiled
def _sorted_edges(image: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Sort the edges between 8-neighbours by colour distance, by counting.

    An edge is one number: ``4 * pixel + direction``, where the directions are right, down-left, down and down-right.
    Returns the edges, and where each level starts among them (LEVELS + 1).
    """
    height, width, _ = image.shape
    rows = np.array((0, 1, 1, 1))
    cols = np.array((1, -1, 0, 1))
    squared = np.zeros((height * width, 4), np.float32)
    levels = squared.view(np.int32)  # bits of a positive float order as the float does
    starts = np.zeros(LEVELS + 1, np.int64)
    for row in range(height):
        for col in range(width):
            at = row * width + col
            for way in range(4):
                to_row = row + rows[way]
                to_col = col + cols[way]
                if to_row >= height or to_col < 0 or to_col >= width:
                    levels[at, way] = -1
                    continue
                red = image[row, col, 0] - image[to_row, to_col, 0]
                green = image[row, col, 1] - image[to_row, to_col, 1]
                blue = image[row, col, 2] - image[to_row, to_col, 2]
                squared[at, way] = red * red + green * green + blue * blue
                level = min(max((levels[at, way] >> DROPPED_BITS) - LOWEST, 0), LEVELS - 1)
                levels[at, way] = level
                starts[level + 1] += 1
    for level in range(LEVELS):
        starts[level + 1] += starts[level]
    place = starts[:-1].copy()
    edges = np.empty(starts[LEVELS], np.int32)
    for at in range(height * width):
        for way in range(4):
            level = levels[at, way]
            if level >= 0:
                edges[place[level]] = 4 * at + way
                place[level] += 1
    return edges, starts


@compiled
def _merge(
    edges: npt.NDArray[np.int32],
    starts: npt.NDArray[np.int64],
    width: int,
    n_pixels: int,
    scale: float,
    min_size: int,
) -> npt.NDArray[np.int32]:
    """Merge along the edges, then away what is too small; return each pixel's parent. Overwrites the edges."""
    offsets = np.array((1, width - 1, width, width + 1))
    parent = np.arange(n_pixels).astype(np.int32)
    size = np.ones(n_pixels, np.int32)
    # the most that an edge may cost to be merged along: inner difference plus scale / size
    bound = np.full(n_pixels, np.float32(scale), np.float32)
    weights = ((np.arange(LEVELS) + LOWEST) << DROPPED_BITS).astype(np.int32).view(np.float32)
    left_over = 0
    for level in range(LEVELS):
        weight = np.sqrt(weights[level]) if level > 0 else np.float32(0)
        for place in range(starts[level], starts[level + 1]):
            edge = edges[place]
            pixel = edge >> 2
            one = _find(parent, pixel)
            other = _find(parent, pixel + offsets[edge & 3])
            if one == other:
                continue
            if weight < bound[one] and weight < bound[other]:
                if size[one] < size[other]:
                    one, other = other, one
                parent[other] = one
                size[one] += size[other]
                bound[one] = weight + np.float32(scale) / np.float32(size[one])
            else:
                # only these edges can join two segments below; `left_over` never passes `place`
                edges[left_over] = edge
                left_over += 1
    for place in range(left_over):
        edge = edges[place]
        pixel = edge >> 2
        one = _find(parent, pixel)
        other = _find(parent, pixel + offsets[edge & 3])
        if one != other and (size[one] < min_size or size[other] < min_size):
            if size[one] < size[other]:
                one, other = other, one
            parent[other] = one
            size[one] += size[other]
    return parent


@compiled
def _number(parent: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Number the roots from 1 in the order in which they are met."""
    numbers = np.zeros(parent.size, np.int32)
    labels = np.empty(parent.size, np.int32)
    count = 0
    for at in range(parent.size):
        root = _find(parent, at)
        if numbers[root] == 0:
            count += 1
            numbers[root] = count
        labels[at] = numbers[root]
    return labels


def merge_along_edges(image: npt.NDArray[np.float32], scale: float, min_size: int) -> LabelMap:
    """Merge pixels into segments, cheapest edge first; see `merge_at_scales`."""
    return merge_at_scales(image, (scale,), min_size)[0]


def merge_at_scales(image: npt.NDArray[np.float32], scales: Sequence[float], min_size: int) -> list[LabelMap]:
    """Merge pixels into segments, cheapest edge first, once for each scale; the edges are sorted only once.

    Weights are sorted by counting, in steps of a four-thousandth of themselves; those of one step are in scan order.

    Parameters
    ----------
    image : float32 (H, W, 3)
        Smoothed colours, in [0, 1].
    scales : sequence of float
        In the units of the image: an edge joins two segments while it is below inner difference + scale / size of both.
    min_size : int
        Segments of fewer pixels are merged with the nearest in colour.

    Returns
    -------
    list of int32 (H, W)
        1..n, numbered in scan order.
    """
    height, width = image.shape[:2]
    if height * width > np.iinfo(np.int32).max // 4:
        raise ValueError(f"an image of {height} x {width} has more edges than can be counted")
    edges, starts = _sorted_edges(as_input(image))
    label_maps: list[LabelMap] = []
    for number, scale in enumerate(scales, start=1):
        own = edges if number == len(scales) else edges.copy()
        parent = _merge(own, starts, width, height * width, scale, min_size)
        label_maps.append(_number(parent).reshape(height, width))
    return label_maps


def warm() -> None:
    """Compile on a tiny input."""
    merge_along_edges(np.zeros((2, 3, 3), np.float32), 1.0, 2)
