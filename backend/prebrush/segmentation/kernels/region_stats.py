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
def _distance(colors: npt.NDArray[np.uint8], one: tuple[int, int], other: tuple[int, int]) -> np.float64:
    """Return the distance of the colours of two pixels."""
    squared = np.int64(0)
    for part in range(3):
        gap = np.int64(colors[np.uint64(one[0]), np.uint64(one[1]), np.uint64(part)]) - np.int64(
            colors[np.uint64(other[0]), np.uint64(other[1]), np.uint64(part)]
        )
        squared += gap * gap
    distance: np.float64 = np.sqrt(np.float64(squared))
    return distance


@compiled
def _inner_sums(label_map: npt.NDArray[np.int32], colors: npt.NDArray[np.uint8], count: int) -> tuple[Sums, Sums, Sums]:
    """Sum areas, colours and their squares, run by run: within a run nothing is written."""
    height, width = label_map.shape
    area, color, squares = np.zeros(count + 1), np.zeros((count + 1, 3)), np.zeros(count + 1)
    for row in range(height):
        labels, pixels = label_map[row], colors[row]
        start = 0
        while start < width:
            label = np.uint64(labels[np.uint64(start)])
            red, green, blue, squared = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
            col = start
            while col < width and np.uint64(labels[np.uint64(col)]) == label:
                at = np.uint64(col)
                one, two, three = (
                    np.int64(pixels[at, np.uint64(0)]),
                    np.int64(pixels[at, np.uint64(1)]),
                    np.int64(pixels[at, np.uint64(2)]),
                )
                red += one
                green += two
                blue += three
                squared += one * one + two * two + three * three
                col += 1
            area[label] += col - start
            color[label, np.uint64(0)] += red
            color[label, np.uint64(1)] += green
            color[label, np.uint64(2)] += blue
            squares[label] += squared
            start = col
    return area, color, squares


@compiled
def _pair_sums(
    label_map: npt.NDArray[np.int32], colors: npt.NDArray[np.uint8], count: int
) -> tuple[Sums, Sums, Sums, Sums, Sums]:
    height, width = label_map.shape
    sides, outside = np.zeros(count + 1), np.zeros((count + 1, 3))
    across, within, pairs = np.zeros(count + 1), np.zeros(count + 1), np.zeros(count + 1)
    for row in range(height):
        for col in range(width):
            label = np.uint64(label_map[np.uint64(row), np.uint64(col)])
            for way in range(2):
                to_row, to_col = row + way, col + 1 - way
                if to_row >= height or to_col >= width:
                    continue
                other = np.uint64(label_map[np.uint64(to_row), np.uint64(to_col)])
                # inside, every fourth pair is a good enough sample
                if other == label and (row + col) & 3:
                    continue
                before = (max(row - way, 0), max(col - (1 - way), 0))
                behind = (min(to_row + way, height - 1), min(to_col + (1 - way), width - 1))
                distance = _distance(colors, behind, before)
                if other == label:
                    within[label] += distance
                    pairs[label] += 1
                    continue
                sides[label] += 1
                sides[other] += 1
                across[label] += distance
                across[other] += distance
                for part in range(3):
                    outside[label, part] += colors[behind[0], behind[1], part]
                    outside[other, part] += colors[before[0], before[1], part]
    return sides, outside, across, within, pairs


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
    arrays = as_input(label_map), as_input(colors)
    return RegionSums(*_inner_sums(*arrays, count), *_pair_sums(*arrays, count))


def warm() -> None:
    """Compile on a tiny input."""
    label_map = np.array([[1, 0, 1], [1, 0, 2]], np.int32)
    region_sums(label_map, np.zeros((2, 3, 3), np.uint8), 2)
