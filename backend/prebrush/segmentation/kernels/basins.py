"""Join the basins of a watershed that no real barrier parts."""

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap
from prebrush.segmentation.kernels.compiled import as_input, compiled
from prebrush.segmentation.kernels.components import replace_numbers

LEVELS = 1 << 16


# graph_merging.py has the same few lines: numba's cache does not notice a change in another module's kernel
@compiled
def _find(parent: npt.NDArray[np.int32], node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@compiled
def _peaks_and_passes(
    label_map: npt.NDArray[np.int32], heights: npt.NDArray[np.uint16], count: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return the highest level of each number, and the pairs of pixels across borders by falling height.

    A pair is one number: twice the first pixel, plus 1 if the second is below it, not to its right.
    """
    height, width = label_map.shape
    peaks = np.zeros(count + 1, np.int32)
    starts = np.zeros(LEVELS + 1, np.int64)
    for row in range(height):
        for col in range(width):
            label = label_map[row, col]
            level = np.int32(heights[row, col])
            peaks[label] = max(peaks[label], level)
            if col + 1 < width and label_map[row, col + 1] != label:
                starts[LEVELS - min(level, np.int32(heights[row, col + 1]))] += 1
            if row + 1 < height and label_map[row + 1, col] != label:
                starts[LEVELS - min(level, np.int32(heights[row + 1, col]))] += 1
    for step in range(LEVELS):
        starts[step + 1] += starts[step]
    pairs = np.empty(starts[LEVELS], np.int32)
    for row in range(height):
        for col in range(width):
            label = label_map[row, col]
            level = np.int32(heights[row, col])
            for way in range(2):
                to_row = row + way
                to_col = col + 1 - way
                if to_row < height and to_col < width and label_map[to_row, to_col] != label:
                    place = LEVELS - 1 - min(level, np.int32(heights[to_row, to_col]))
                    pairs[starts[place]] = 2 * (row * width + col) + way
                    starts[place] += 1
    return peaks, pairs


@compiled
def _merge(
    labels: npt.NDArray[np.int32],
    heights: npt.NDArray[np.uint16],
    width: int,
    peaks: npt.NDArray[np.int32],
    pairs: npt.NDArray[np.int32],
    neck: float,
    depth: float,
) -> npt.NDArray[np.int32]:
    """Return for each number that of the segment it joins; the highest peak of a segment gives its number."""
    parent = np.arange(peaks.size).astype(np.int32)
    highest = peaks.copy()
    for pair in pairs:
        at = pair >> 1
        near = at + width if pair & 1 else at + 1
        if labels[at] == 0 or labels[near] == 0:
            continue
        one = _find(parent, labels[at])
        other = _find(parent, labels[near])
        if one == other:
            continue
        if highest[one] < highest[other]:
            one, other = other, one
        height = min(heights[at], heights[near])
        if height >= neck * highest[other] or height > highest[other] - depth:
            parent[other] = one
    for number in range(parent.size):
        parent[number] = _find(parent, number)
    return parent


def merge_basins(
    label_map: LabelMap, heights: npt.NDArray[np.uint16], count: int, neck: float = 1.0, depth: float = 0.0
) -> tuple[LabelMap, npt.NDArray[np.int32]]:
    """Join neighbours, over the highest pass first, where the pass is hardly lower than the lower of their peaks.

    Parameters
    ----------
    label_map : int32 (H, W)
        Numbers 0..count; 0 is joined with nothing.
    heights : uint16 (H, W)
    count : int
    neck : float
        Two segments are joined where the pass is at least this share of the lower peak.
    depth : float
        And where it lies less than this below that peak.

    Returns
    -------
    merged : int32 (H, W)
        Numbers 0..m without gaps.
    numbers : int32 (count + 1,)
        The new number of each old one.
    """
    peaks, pairs = _peaks_and_passes(as_input(label_map), as_input(heights), count)
    flat = as_input(label_map).reshape(-1), as_input(heights).reshape(-1), label_map.shape[1]
    roots = _merge(*flat, peaks, pairs, neck, depth)
    is_root = roots == np.arange(roots.size)
    is_root[0] = False
    numbers = (np.cumsum(is_root) * is_root)[roots].astype(np.int32)
    return replace_numbers(label_map, numbers), numbers


def warm() -> None:
    """Compile on a tiny input."""
    merge_basins(np.array([[1, 2, 0]], np.int32), np.ones((1, 3), np.uint16), 2)
