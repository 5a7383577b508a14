"""Otsu's rule for several thresholds: the exact optimum, read off a histogram of 256 values."""

import itertools

import numpy as np
import numpy.typing as npt

MOST_COMBINATIONS = 1000
"""Of thresholds that are equally good but for rounding, how many are looked at."""


def find_thresholds(counts: npt.NDArray[np.int64], n_classes: int) -> tuple[tuple[int, ...], float]:
    """Find the thresholds with the largest variance between the classes, by dynamic programming over the levels.

    Parameters
    ----------
    counts : int64 (256,)
        Histogram, not all 0.
    n_classes : int

    Returns
    -------
    thresholds : tuple of int
        Rising; a class is what lies above one and not above the next. One less than the classes, or than the occupied
        levels where those are fewer. Of equally good thresholds the lowest.
    clarity : float
        Spread between the classes over that within them; 0 for a single level.
    """
    levels = np.flatnonzero(counts)
    if levels.size <= n_classes:
        return tuple(levels[:-1].tolist()), _clarity(counts, levels[:-1])
    # a cut at an empty level is the cut at the occupied one below it
    between = _between(counts[levels], levels - levels[0])
    # the best that can be made of the levels from each one up, with one class, with two, and so on
    rests = [between[:, -1].astype(np.float64)]
    for _ in range(n_classes - 1):
        rests.append((between[:, :-1] + rests[-1][1:]).max(axis=1))
    # all combinations that rounding could make the best one, in rising order: nearly always a single one
    least = rests[-1][0] * (1 - n_classes * 2.0**-23)
    combinations: list[tuple[float, tuple[int, ...]]] = [(0.0, (0,))]
    for rest in reversed(rests[:-1]):
        combinations = [
            (total + float(between[starts[-1], cut]), (*starts, int(cut) + 1))
            for total, starts in combinations
            for cut in np.flatnonzero(total + between[starts[-1], :-1] + rest[1:] >= least)
        ][:MOST_COMBINATIONS]
    best = max(combinations, key=lambda combination: _rounded_total(between, combination[1]))[1]
    thresholds = levels[np.array(best[1:]) - 1]
    if thresholds[0] == levels[0]:  # see `_between`; where the next level is empty the classes are the same
        thresholds[0] += levels[1] - levels[0] > 1
    return tuple(thresholds.tolist()), _clarity(counts, thresholds)


def _between(counts: npt.NDArray[np.int64], levels: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """What a class of the levels i..j adds to the variance between classes: float32 (n, n), minus infinity for j < i.

    That is the square of its sum over its share, rounded as scikit-image does. It also counts the lowest level as 1 and
    leaves out the class of that level alone, which it finds only where the next level is empty.
    """
    shares = (counts / counts.sum()).astype(np.float32)
    moments = np.maximum(levels, 1).astype(np.float32) * shares
    share_up_to, moment_up_to = np.cumsum(shares, dtype=np.float32), np.cumsum(moments, dtype=np.float32)
    share, moment = np.tile(share_up_to, (levels.size, 1)), np.tile(moment_up_to, (levels.size, 1))
    share[1:] -= share_up_to[:-1, None]
    moment[1:] -= moment_up_to[:-1, None]
    inside = share > 0
    between = np.zeros_like(share)
    np.divide(moment * moment, share, out=between, where=inside)
    if levels[1] == levels[0] + 1:
        between[0, 0] = 0
    return np.where(np.tri(levels.size, k=-1, dtype=np.bool_), np.float32(-np.inf), between)


def _rounded_total(between: npt.NDArray[np.float32], starts: tuple[int, ...]) -> float:
    """Add the classes up in scikit-image's order and precision: first, last, then those between."""
    total = np.float32(between[0, starts[1] - 1] + between[starts[-1], -1])
    for start, end in itertools.pairwise(starts[1:]):
        total = np.float32(total + between[start, end - 1])
    return float(total)


def _clarity(counts: npt.NDArray[np.int64], thresholds: npt.NDArray[np.int64]) -> float:
    """Standard deviation between the classes over that within, with two grey levels more against flat channels."""
    levels = np.arange(counts.size)
    owner = np.searchsorted(thresholds, levels)
    pixels = np.bincount(owner, weights=counts)
    means = np.bincount(owner, weights=counts * levels) / np.maximum(pixels, 1)
    total = counts.sum()
    within = counts @ (levels - means[owner]) ** 2 / total
    between = pixels @ (means - counts @ levels / total) ** 2 / total
    return float(np.sqrt(between) / (np.sqrt(within) + 2))
