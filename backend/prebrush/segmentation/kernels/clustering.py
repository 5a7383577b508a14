"""k-means on weighted points, and the colour histogram that makes an image a few thousand of them."""

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, RGBImage
from prebrush.segmentation.kernels.compiled import as_input, compiled, inlined

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
    image: npt.NDArray[np.uint8],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    height, width, _ = image.shape
    sums = np.zeros((_BINS, 4), np.int64)
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
    colors, weights, places = _color_bins(as_input(image))
    return colors, weights, places


@compiled
def _look_up(
    image: npt.NDArray[np.uint8], places: npt.NDArray[np.int32], numbers: npt.NDArray[np.int32]
) -> npt.NDArray[np.int32]:
    height, width, _ = image.shape
    label_map = np.empty((height, width), np.int32)
    for row in range(height):
        for col in range(width):
            place = bin_of(image[row, col])
            label_map[row, col] = numbers[places[place]]
    return label_map


def look_up(image: RGBImage, places: npt.NDArray[np.int32], numbers: npt.NDArray[np.int32]) -> LabelMap:
    """Give every pixel the number of its colour's bin.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        The one the bins were made from.
    places : int32 (BINS,)
        From `color_bins`.
    numbers : int32 (n,)
        For each occupied bin.

    Returns
    -------
    int32 (H, W)
    """
    label_map: LabelMap = _look_up(as_input(image), as_input(places), as_input(numbers))
    return label_map


RESTARTS = 8
"""Of fewer starts, now and then none is good: the sum of squares is then up to 3 % larger."""
TRIAL_ROUNDS = 4
"""Rounds from each start, before the best is taken to the end."""
ROUNDS = 60
LEAST_GAIN = 1e-4
"""Share of the sum of squares that a round must gain for another one to follow."""


@compiled
def _seed_centers(
    points: npt.NDArray[np.float32],
    weights: npt.NDArray[np.float32],
    count: int,
    draws: npt.NDArray[np.float64],
) -> npt.NDArray[np.float32]:
    """k-means++: draw each next centre with probability weight times squared distance to the nearest one."""
    size, parts = points.shape
    centers = np.empty((count, parts), np.float32)
    nearest = np.full(size, np.float32(1), np.float32)
    for number in range(count):
        total = 0.0
        for at in range(size):
            total += weights[at] * nearest[at]
        if total <= 0:
            return centers[:number]
        target = draws[number] * total
        chosen = 0
        passed = 0.0
        for at in range(size):
            share = weights[at] * nearest[at]
            if share > 0:
                passed += share
                chosen = at
                if passed > target:
                    break
        centers[number] = points[chosen]
        for at in range(size):
            squared = np.float32(0)
            for part in range(parts):
                squared += (points[at, part] - centers[number, part]) ** 2
            nearest[at] = squared if number == 0 else min(nearest[at], squared)
    return centers


@inlined
def _nearest(points: npt.NDArray[np.float32], at: int, centers: npt.NDArray[np.float32]) -> tuple[int, np.float32]:
    """Return the centre nearest to a point, and the squared distance."""
    best = 0
    least = np.float32(np.inf)
    for number in range(centers.shape[0]):
        squared = np.float32(0)
        for part in range(centers.shape[1]):
            squared += (points[at, part] - centers[number, part]) ** 2
        if squared < least:
            least = squared
            best = number
    return best, least


@compiled
def _improve(
    points: npt.NDArray[np.float32], weights: npt.NDArray[np.float32], centers: npt.NDArray[np.float32], rounds: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32], float]:
    """Lloyd's rounds until they gain less than `LEAST_GAIN`; an empty cluster keeps its centre."""
    size, parts = points.shape
    count = centers.shape[0]
    centers = centers.copy()
    owner = np.empty(size, np.int32)
    inertia = np.inf
    for _ in range(rounds):
        sums = np.zeros((count, parts))
        shares = np.zeros(count)
        before = inertia
        inertia = 0.0
        for at in range(size):
            best, least = _nearest(points, at, centers)
            owner[at] = best
            inertia += weights[at] * least
            shares[best] += weights[at]
            for part in range(parts):
                sums[best, part] += weights[at] * points[at, part]
        for number in range(count):
            if shares[number] > 0:
                centers[number] = (sums[number] / shares[number]).astype(np.float32)
        if before - inertia <= LEAST_GAIN * inertia:
            break
    return centers, owner, inertia


def cluster(
    points: npt.NDArray[np.float32],
    weights: npt.NDArray[np.float32],
    count: int,
    seed: int,
    *,
    restarts: int = RESTARTS,
    rounds: int = ROUNDS,
    start: npt.NDArray[np.float32] | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Find the centres of weighted k-means: the best of a few runs from k-means++ starts.

    Parameters
    ----------
    points : float32 (n, d)
    weights : float32 (n,)
    count : int
        How many clusters; fewer are found where there are fewer distinct points.
    seed : int
    restarts : int
        How many starts are tried.
    rounds : int
        At most so many, from the best start on.
    start : float32 (count, d) or None
        One more start that is tried.

    Returns
    -------
    centers : float32 (k, d)
        k is at most ``count``.
    owner : int32 (n,)
        The centre of each point, 0..k - 1.
    """
    points, weights = as_input(points), as_input(weights)
    draws = np.random.default_rng(seed).random((restarts, count))
    starts = [as_input(_seed_centers(points, weights, count, as_input(row))) for row in draws]
    if start is not None:
        starts.append(as_input(start))
    trials = [_improve(points, weights, start, TRIAL_ROUNDS) for start in starts]
    best = min(trials, key=lambda trial: trial[2])
    centers, owner, _ = _improve(points, weights, as_input(best[0]), rounds)
    return centers, owner


@compiled
def _assign(
    colors: npt.NDArray[np.float32], centers: npt.NDArray[np.float32], per_pixel: float
) -> npt.NDArray[np.int32]:
    height, width, _ = colors.shape
    owner = np.empty((height, width), np.int32)
    for row in range(height):
        for col in range(width):
            least = np.float32(np.inf)
            for number in range(centers.shape[0]):
                squared = (row * per_pixel - centers[number, 3]) ** 2 + (col * per_pixel - centers[number, 4]) ** 2
                for part in range(3):
                    squared += (colors[row, col, part] - centers[number, part]) ** 2
                if squared < least:
                    least = squared
                    owner[row, col] = number
    return owner


def assign_pixels(
    colors: npt.NDArray[np.float32], centers: npt.NDArray[np.float32], per_pixel: float
) -> npt.NDArray[np.int32]:
    """Give every pixel the nearest centre in colour and position.

    Parameters
    ----------
    colors : float32 (H, W, 3)
    centers : float32 (k, 5)
        Colour, then row and column times ``per_pixel``.
    per_pixel : float

    Returns
    -------
    int32 (H, W)
        0..k - 1.
    """
    owner: npt.NDArray[np.int32] = _assign(as_input(colors), as_input(centers), per_pixel)
    return owner


@compiled
def _color_sums(owner: npt.NDArray[np.int32], image: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.int64]:
    sums = np.zeros((count, 4), np.int64)
    for row in range(owner.shape[0]):
        for col in range(owner.shape[1]):
            number = owner[row, col]
            sums[number, 3] += 1
            for part in range(3):
                sums[number, part] += image[row, col, part]
    return sums


def color_sums(owner: npt.NDArray[np.int32], image: RGBImage, count: int) -> npt.NDArray[np.int64]:
    """Sum the colours of each cluster.

    Parameters
    ----------
    owner : int32 (H, W)
        0..count - 1.
    image : uint8 (H, W, 3)
    count : int

    Returns
    -------
    int64 (count, 4)
        Red, green, blue, and the number of pixels.
    """
    sums: npt.NDArray[np.int64] = _color_sums(as_input(owner), as_input(image), count)
    return sums


def warm() -> None:
    """Compile on a tiny input."""
    image = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 10
    colors, weights, places = color_bins(image)
    _, owner = cluster(colors, weights, 2, 0)
    color_sums(look_up(image, places, owner), image, 2)
    assign_pixels(image.astype(np.float32), np.zeros((1, 5), np.float32), 1.0)
