"""k-means on weighted points."""

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import GrayImage
from prebrush.segmentation.kernels.compiled import as_input, compiled, inlined

RESTARTS = 8
"""Of fewer starts, now and then none is good: the sum of squares is then up to 3 % larger."""
TRIAL_ROUNDS = 4
"""Rounds from each start, before the best is taken to the end."""
ROUNDS = 60
BLOCK = 256
"""Points that are looked at together: their distances stay in the processor's cache."""
LEAST_GAIN = 1e-4
"""Share of the sum of squares that a round must gain for another one to follow."""


@inlined
def _weighted_sum(weights: npt.NDArray[np.float32], values: npt.NDArray[np.float32]) -> float:
    """Add up the products, in four sums side by side: one alone would wait for each addition."""
    sums = (0.0, 0.0, 0.0, 0.0)
    whole = weights.size // 4 * 4
    for at in range(0, whole, 4):
        sums = (
            sums[0] + weights[at] * values[at],
            sums[1] + weights[at + 1] * values[at + 1],
            sums[2] + weights[at + 2] * values[at + 2],
            sums[3] + weights[at + 3] * values[at + 3],
        )
    rest = 0.0
    for at in range(whole, weights.size):
        rest += weights[at] * values[at]
    return sums[0] + sums[1] + sums[2] + sums[3] + rest


# points are handed over as lines, one for each part of theirs, so that many are looked at in one step
@compiled
def _seed_centers(
    lines: npt.NDArray[np.float32],
    weights: npt.NDArray[np.float32],
    count: int,
    draws: npt.NDArray[np.float64],
) -> npt.NDArray[np.float32]:
    """k-means++: draw each next centre with probability weight times squared distance to the nearest one."""
    parts, size = lines.shape
    centers = np.empty((count, parts), np.float32)
    nearest = np.full(size, np.float32(1), np.float32)
    squared = np.empty(size, np.float32)
    for number in range(count):
        total = _weighted_sum(weights, nearest)
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
        centers[number] = lines[:, chosen]
        squared[:] = 0
        for part in range(parts):
            line, middle = lines[part], centers[number, part]
            for at in range(size):
                squared[at] += (line[at] - middle) * (line[at] - middle)
        for at in range(size):
            nearest[at] = squared[at] if number == 0 else min(nearest[at], squared[at])
    return centers


@inlined
def _find_nearest(
    lines: npt.NDArray[np.float32],
    centers: npt.NDArray[np.float32],
    owner: npt.NDArray[np.int32],
    least: npt.NDArray[np.float32],
) -> None:
    """Write the nearest centre of each point, of equally near ones the first, and the squared distance."""
    parts, size = lines.shape
    squared = np.empty(BLOCK, np.float32)
    for start in range(0, size, BLOCK):
        stop = min(start + BLOCK, size)
        owned, nearest = owner[start:stop], least[start:stop]
        nearest[:] = np.inf
        for number in range(centers.shape[0]):
            squared[:] = 0
            for part in range(parts):
                line, middle = lines[part, start:stop], centers[number, part]
                for at in range(stop - start):
                    squared[at] += (line[at] - middle) * (line[at] - middle)
            for at in range(stop - start):
                is_nearer = squared[at] < nearest[at]
                nearest[at] = squared[at] if is_nearer else nearest[at]
                owned[at] = np.int32(number) if is_nearer else owned[at]


@compiled
def _improve(
    lines: npt.NDArray[np.float32], weights: npt.NDArray[np.float32], centers: npt.NDArray[np.float32], rounds: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32], float]:
    """Lloyd's rounds until they gain less than `LEAST_GAIN`; an empty cluster keeps its centre."""
    parts, size = lines.shape
    count = centers.shape[0]
    centers = centers.copy()
    owner = np.zeros(size, np.int32)
    least = np.empty(size, np.float32)
    inertia = np.inf
    for _ in range(rounds):
        _find_nearest(lines, centers, owner, least)
        sums = np.zeros((count, parts))
        shares = np.zeros(count)
        before = inertia
        inertia = 0.0
        for at in range(size):
            best = owner[at]
            inertia += weights[at] * least[at]
            shares[best] += weights[at]
            for part in range(parts):
                sums[best, part] += weights[at] * lines[part, at]
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
    # handed over as lines, see above
    points, weights = as_input(points.T), as_input(weights)
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
) -> npt.NDArray[np.uint8]:
    height, width, _ = colors.shape
    owner = np.empty((height, width), np.uint8)
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
) -> npt.NDArray[np.uint8]:
    """Give every pixel the nearest centre in colour and position.

    Parameters
    ----------
    colors : float32 (H, W, 3)
    centers : float32 (k, 5)
        Colour, then row and column times ``per_pixel``; k is at most 256.
    per_pixel : float

    Returns
    -------
    uint8 (H, W)
        0..k - 1.
    """
    owner: npt.NDArray[np.uint8] = _assign(as_input(colors), as_input(centers), per_pixel)
    return owner


@compiled
def _brightness_sums(owner: npt.NDArray[np.uint8], gray: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.int64]:
    sums = np.zeros((count, 2), np.int64)
    height, width = owner.shape
    for row in range(height):
        start, brightness = 0, np.int64(0)
        # run by run: adding to one number again and again would wait for memory each time
        for col in range(width):
            if owner[row, col] != owner[row, start]:
                sums[owner[row, start], 0] += brightness
                sums[owner[row, start], 1] += col - start
                start, brightness = col, np.int64(0)
            brightness += np.int64(gray[row, col])
        if width:
            sums[owner[row, start], 0] += brightness
            sums[owner[row, start], 1] += width - start
    return sums


def brightness_sums(owner: npt.NDArray[np.uint8], gray: GrayImage, count: int) -> npt.NDArray[np.int64]:
    """Sum the brightness of each cluster.

    Parameters
    ----------
    owner : uint8 (H, W)
        0..count - 1.
    gray : uint8 (H, W)
    count : int

    Returns
    -------
    int64 (count, 2)
        The sum of the gray levels and the number of pixels.
    """
    sums: npt.NDArray[np.int64] = _brightness_sums(as_input(owner), as_input(gray), count)
    return sums


def warm() -> None:
    """Compile on a tiny input."""
    colors = np.arange(18, dtype=np.float32).reshape(2, 3, 3)
    cluster(colors.reshape(-1, 3), np.ones(6, np.float32), 2, 0)
    owner = assign_pixels(colors, np.zeros((1, 5), np.float32), 1.0)
    brightness_sums(owner, owner, 1)
