"""Smooth the boundaries of a label map, and bring it to a larger size."""

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Mask, RGBImage
from prebrush.segmentation.kernels.compiled import as_input, compiled, inlined


@inlined
def _vote(labels: npt.NDArray[np.int32], votes: npt.NDArray[np.float32], found: int, label: int, weight: float) -> int:
    """Add a vote for a label to the ``found`` candidates so far; return how many there are now."""
    for place in range(found):
        if labels[place] == label:
            votes[place] += weight
            return found
    labels[found] = label
    votes[found] = weight
    return found + 1


@inlined
def _elect(labels: npt.NDArray[np.int32], votes: npt.NDArray[np.float32], found: int, incumbent: int) -> int:
    """Return the label with the most votes; in a tie the incumbent, then the first."""
    best = incumbent
    most = np.float32(0)
    for place in range(found):
        if labels[place] == incumbent:
            most = votes[place]
    for place in range(found):
        if votes[place] > most:
            most = votes[place]
            best = labels[place]
    return best


@compiled
def _majority(label_map: npt.NDArray[np.int32], band: npt.NDArray[np.uint8], radius: int) -> npt.NDArray[np.int32]:
    height, width = label_map.shape
    smooth = label_map.copy()
    labels = np.empty((2 * radius + 1) ** 2, np.int32)
    votes = np.empty((2 * radius + 1) ** 2, np.float32)
    for row in range(height):
        for col in range(width):
            if band[row, col] == 0:
                continue
            found = 0
            for near_row in range(max(0, row - radius), min(height, row + radius + 1)):
                reach = int(np.sqrt((radius + 0.5) ** 2 - (near_row - row) ** 2))
                for near_col in range(max(0, col - reach), min(width, col + reach + 1)):
                    found = _vote(labels, votes, found, label_map[near_row, near_col], 1.0)
            smooth[row, col] = _elect(labels, votes, found, label_map[row, col])
    return smooth


def majority(label_map: LabelMap, band: Mask, radius: int) -> LabelMap:
    """Give every pixel of a band the number that most pixels of the disc around it have; ties leave it alone.

    Parameters
    ----------
    label_map : int32 (H, W)
    band : bool (H, W)
        Pixels that may change.
    radius : int
        Of the disc, in pixels.

    Returns
    -------
    int32 (H, W)
    """
    smooth: LabelMap = _majority(as_input(label_map), as_input(band.view(np.uint8)), radius)
    return smooth


REACH = 0.5
"""Standard deviation of the weight by distance, in pixels of the small map."""
COLOR_SPREAD = 24.0
"""Standard deviation, in grey levels over the three channels, of the colours that are taken to be one surface."""
FAINTEST = 0.02
"""What a vote of any colour counts at least, so that a pixel unlike all its neighbours goes to the nearest."""
_TABLE = (FAINTEST + np.exp(-(np.arange(4096) * 16.0) / (2 * COLOR_SPREAD**2))).astype(np.float32)


@compiled
def _nearest_and_weights(size: int, small_size: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Map one axis: the nearest small pixel of each large one, and weights by distance of it and of both beside it."""
    nearest = np.empty(size, np.int32)
    weights = np.empty((size, 3), np.float32)
    for at in range(size):
        position = (at + 0.5) * small_size / size - 0.5
        nearest[at] = min(small_size - 1, int(position + 0.5))
        for way in range(3):
            weights[at, way] = np.exp(-((nearest[at] + way - 1 - position) ** 2) / (2 * REACH**2))
    return nearest, weights


@inlined
def _find_even(label_map: npt.NDArray[np.int32], row: int, even: npt.NDArray[np.bool_]) -> None:
    """Write for each pixel of a row whether the 3 x 3 pixels around it have one number."""
    above, here = label_map[max(0, row - 1)], label_map[row]
    below = label_map[min(label_map.shape[0] - 1, row + 1)]
    width = here.size
    is_even = (above == here) & (below == here)
    for col in range(width):
        even[col] = is_even[col]
    for col in range(1, width):
        even[col] &= is_even[col - 1] & (here[col] == here[col - 1])
    for col in range(width - 1):
        even[col] &= is_even[col + 1] & (here[col] == here[col + 1])


@inlined
def _nearness(
    one: npt.NDArray[np.uint8],
    at: np.uint64,
    other: npt.NDArray[np.uint8],
    to: np.uint64,
    table: npt.NDArray[np.float32],
) -> np.float32:
    """Return how much a vote of another pixel counts by its colour; the pixels are in two rows."""
    squared = np.int64(0)
    for part in range(3):
        gap = np.int64(one[at, np.uint64(part)]) - np.int64(other[to, np.uint64(part)])
        squared += gap * gap
    counts: np.float32 = table[np.uint64(min(int(squared) >> 4, table.size - 1))]
    return counts


@inlined
def _gather(
    small: npt.NDArray[np.int32],
    row: int,
    even: npt.NDArray[np.bool_],
    labels: npt.NDArray[np.int32],
    slots: npt.NDArray[np.int64],
    found: npt.NDArray[np.int64],
) -> None:
    """List the different numbers of the 3 x 3 pixels around each uneven one of a row, and which of them each has.

    That is -1 outside; ``found`` counts the numbers.
    """
    for col in range(small.shape[1]):
        if even[col]:
            continue
        found[col] = 0
        for place in range(9):
            near_row, near_col = row + place // 3 - 1, col + place % 3 - 1
            slots[col, place] = -1
            if near_row < 0 or near_row >= small.shape[0] or near_col < 0 or near_col >= small.shape[1]:
                continue
            label = small[near_row, near_col]
            slot = 0
            while slot < found[col] and labels[col, slot] != label:
                slot += 1
            labels[col, slot] = label
            found[col] = max(found[col], slot + 1)
            slots[col, place] = slot


@compiled
def _upscale(
    small: npt.NDArray[np.int32],
    small_colors: npt.NDArray[np.uint8],
    colors: npt.NDArray[np.uint8],
    table: npt.NDArray[np.float32],
    large: npt.NDArray[np.int32],
) -> None:
    small_height, small_width = small.shape
    height, width = large.shape
    rows, down = _nearest_and_weights(height, small_height)
    cols, across = _nearest_and_weights(width, small_width)
    # where the pixels of each small one begin
    begins = np.searchsorted(cols, np.arange(small_width + 1))
    # of the pixels of a row of the small map
    labels, slots = np.empty((small_width, 9), np.int32), np.empty((small_width, 9), np.int64)
    found = np.empty(small_width, np.int64)
    even = np.empty(small_width, np.bool_)
    gathered_row = -1
    votes = np.empty(9, np.float32)
    for row in range(height):
        at_row = rows[row]
        if at_row != gathered_row:
            gathered_row = at_row
            _find_even(small, at_row, even)
            _gather(small, at_row, even, labels, slots, found)
        line, pixels = large[row], colors[row]
        for at_col in range(small_width):
            begin, end = begins[at_col], begins[at_col + 1]
            label = small[at_row, at_col]
            if even[at_col]:
                for col in range(begin, end):
                    line[np.uint64(col)] = label
                continue
            for col in range(begin, end):
                votes[:] = 0
                for place in range(9):
                    slot = slots[np.uint64(at_col), np.uint64(place)]
                    if slot < 0:
                        continue
                    near_col = np.uint64(at_col + place % 3 - 1)
                    weight = down[row, place // 3] * across[np.uint64(col), np.uint64(place % 3)]
                    near_colors = small_colors[np.uint64(at_row + place // 3 - 1)]
                    weight *= _nearness(pixels, np.uint64(col), near_colors, near_col, table)
                    votes[np.uint64(slot)] += weight
                line[np.uint64(col)] = _elect(labels[at_col], votes, found[at_col], label)


def upscale(small: LabelMap, small_colors: RGBImage, colors: RGBImage) -> LabelMap:
    """Bring a label map to the size of a larger image, its boundaries to the edges of that image.

    A pixel whose nearest pixels in the small map agree takes their number. In the band along the boundaries each pixel
    of the large image is voted on by the 3 x 3 pixels of the small one around it; a vote counts more the nearer and the
    more alike in colour (joint bilateral upsampling, J. Kopf et al., ACM Trans. Graphics 26(3), 2007,
    doi:10.1145/1276377.1276497).

    Parameters
    ----------
    small : int32 (h, w)
    small_colors : uint8 (h, w, 3)
        The image at the small size.
    colors : uint8 (H, W, 3)
        The image at the large size.

    Returns
    -------
    int32 (H, W)
    """
    # made here: NumPy asks for huge pages, numba does not, and new pages are most of the time at 12 megapixels
    large = np.empty(colors.shape[:2], np.int32)
    _upscale(as_input(small), as_input(small_colors), as_input(colors), as_input(_TABLE), large)
    return large


def warm() -> None:
    """Compile on a tiny input."""
    small = np.array([[1, 0, 1], [1, 0, 2]], np.int32)
    majority(small, small > 0, 1)
    upscale(small, np.zeros((2, 3, 3), np.uint8), np.zeros((4, 6, 3), np.uint8))
