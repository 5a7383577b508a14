"""The colours of an image as a histogram: a few thousand bins in place of a million pixels."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import RGBImage
from prebrush.segmentation.kernels.compiled import as_input, compiled, inlined

N = TypeVar("N", np.int32, np.uint8)

BITS = 6
"""Of each colour channel, for telling bins apart; a bin stands for its own mean colour, not for its middle."""
_SHIFT = 8 - BITS
_BINS = 1 << (3 * BITS)


@inlined
def bin_of(color: npt.NDArray[np.uint8]) -> np.int64:
    """Return the number of a colour's bin."""
    red, green, blue = np.int64(color[0]), np.int64(color[1]), np.int64(color[2])
    return ((red >> _SHIFT) << (2 * BITS)) | ((green >> _SHIFT) << BITS) | (blue >> _SHIFT)


@compiled
def _color_bins(
    image: npt.NDArray[np.uint8], sums: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    height, width, _ = image.shape
    for row in range(height):
        for col in range(width):
            place = bin_of(image[row, col])
            sums[place, 0] += 1
            for part in range(3):
                sums[place, part + 1] += image[row, col, part]
    places = np.empty(_BINS, np.int32)
    occupied = 0
    for number in range(_BINS):
        places[number] = occupied
        occupied += sums[number, 0] > 0
    colors = np.empty((occupied, 3), np.float32)
    weights = np.empty(occupied, np.float32)
    for number in range(_BINS):
        count = sums[number, 0]
        if count:
            weights[places[number]] = count
            for part in range(3):
                colors[places[number], part] = sums[number, part + 1] / count
    return colors, weights, places


def color_bins(
    image: RGBImage,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Gather the colours of an image in a histogram.

    Parameters
    ----------
    image : uint8 (H, W, 3)

    Returns
    -------
    colors : float32 (n, 3)
        The mean colour of each occupied bin, in 0..255.
    weights : float32 (n,)
        Pixels in each.
    places : int32 (BINS,)
        Where each bin is among the occupied ones; for `look_up`.
    """
    # made here: NumPy takes memory that is zero already, numba writes the zeros
    sums = np.zeros((_BINS, 4), np.int64)
    colors, weights, places = _color_bins(as_input(image), sums)
    return colors, weights, places


@compiled
def _look_up(image: npt.NDArray[np.uint8], places: npt.NDArray[np.int32], numbers: npt.NDArray[N]) -> npt.NDArray[N]:
    height, width, _ = image.shape
    found = np.empty((height, width), numbers.dtype)
    for row in range(height):
        for col in range(width):
            found[row, col] = numbers[places[bin_of(image[row, col])]]
    return found


def look_up(image: RGBImage, places: npt.NDArray[np.int32], numbers: npt.NDArray[N]) -> npt.NDArray[N]:
    """Give every pixel the number of its colour's bin.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        The one the bins were made from.
    places : int32 (BINS,)
        From `color_bins`.
    numbers : int32 or uint8 (n,)
        For each occupied bin.

    Returns
    -------
    int32 or uint8 (H, W)
        As the numbers are.
    """
    found: npt.NDArray[N] = _look_up(as_input(image), as_input(places), as_input(numbers))
    return found


def warm() -> None:
    """Compile on a tiny input."""
    image = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 10
    colors, _, places = color_bins(image)
    look_up(image, places, np.zeros(len(colors), np.int32))
    look_up(image, places, np.zeros(len(colors), np.uint8))
