"""Sums over the segments of a label map and over their boundaries, in one pass."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, RGBImage
from prebrush.segmentation.kernels.compiled import as_input, compiled, inlined

Sums = npt.NDArray[np.float64]


class RegionSums(NamedTuple):
    """One row per number, 0 (background) included; n is the highest number.

    Attributes
    ----------
    area : float64 (n + 1,)
        Pixels.
    color : float64 (n + 1, 3)
        Sum of the colours.
    squares : float64 (n + 1,)
        Sum of the squared lengths of the colours.
    sides : float64 (n + 1,)
        Sides of pixels that face another number; the frame's edge does not count.
    outside : float64 (n + 1, 3)
        Sum over those sides of the colour on the other side.
    across : float64 (n + 1,)
        Sum over those sides of the colour distance between the pixels before and behind them, one pixel further on
        each way, because edges are blurred.
    within : float64 (n + 1,)
        Sum of such distances between pixels of the same number.
    pairs : float64 (n + 1,)
        How many of those were summed.
    """

    area: Sums
    color: Sums
    squares: Sums
    sides: Sums
    outside: Sums
    across: Sums
    within: Sums
    pairs: Sums


@inlined
def _distance(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> np.float64:
    squared = np.float64(0)
    for part in range(3):
        gap = np.float64(one[part]) - np.float64(other[part])
        squared += gap * gap
    distance: np.float64 = np.sqrt(squared)
    return distance


@compiled
def _region_sums(
    label_map: npt.NDArray[np.int32], colors: npt.NDArray[np.uint8], count: int
) -> tuple[Sums, Sums, Sums, Sums, Sums, Sums, Sums, Sums]:
    height, width = label_map.shape
    area = np.zeros(count + 1)
    color = np.zeros((count + 1, 3))
    squares = np.zeros(count + 1)
    sides = np.zeros(count + 1)
    outside = np.zeros((count + 1, 3))
    across = np.zeros(count + 1)
    within = np.zeros(count + 1)
    pairs = np.zeros(count + 1)
    for row in range(height):
        for col in range(width):
            label = label_map[row, col]
            area[label] += 1
            for part in range(3):
                level = np.float64(colors[row, col, part])
                color[label, part] += level
                squares[label] += level * level
            for way in range(2):
                to_row = row + way
                to_col = col + 1 - way
                if to_row >= height or to_col >= width:
                    continue
                other = label_map[to_row, to_col]
                # inside, every fourth pair is a good enough sample
                if other == label and (row + col) % 4:
                    continue
                before_row = max(row - way, 0)
                before_col = max(col - (1 - way), 0)
                behind_row = min(to_row + way, height - 1)
                behind_col = min(to_col + (1 - way), width - 1)
                distance = _distance(colors[behind_row, behind_col], colors[before_row, before_col])
                if other == label:
                    within[label] += distance
                    pairs[label] += 1
                    continue
                sides[label] += 1
                sides[other] += 1
                across[label] += distance
                across[other] += distance
                for part in range(3):
                    outside[label, part] += colors[behind_row, behind_col, part]
                    outside[other, part] += colors[before_row, before_col, part]
    return area, color, squares, sides, outside, across, within, pairs


def region_sums(label_map: LabelMap, colors: RGBImage, count: int) -> RegionSums:
    """Sum over the segments and their boundaries.

    Parameters
    ----------
    label_map : int32 (H, W)
        Numbers 0..count.
    colors : uint8 (H, W, 3)
        In any colour space.
    count : int
    """
    return RegionSums(*_region_sums(as_input(label_map), as_input(colors), count))


def warm() -> None:
    """Compile on a tiny input."""
    label_map = np.array([[1, 0, 1], [1, 0, 2]], np.int32)
    region_sums(label_map, np.zeros((2, 3, 3), np.uint8), 2)
