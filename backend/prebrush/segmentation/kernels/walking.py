"""Random walks between the pixels of an image: whose seed a walker from each pixel reaches first."""

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap
from prebrush.segmentation.kernels.compiled import as_input, compiled, inlined
from prebrush.segmentation.kernels.grids import (
    DOWN,
    INVERSE,
    LOAD,
    OUT,
    RIGHT,
    VALUE,
    WHOLE,
    ZERO,
    Stack,
    build_grids,
    framed,
    room_for,
)
from prebrush.segmentation.kernels.multigrid import precondition

LEAST_WEIGHT = np.float32(1e-6)
"""Where colours differ most, some walkers still pass, so that there is an answer everywhere: as few as can be told from
none when a weight is 1 and numbers have seven digits."""
MOST_STEPS = 100
"""On a photograph each leaves about a quarter of what is wrong, on noise about half."""
ONE = np.uint64(1)


@compiled
def _survey(seeds: npt.NDArray[np.int32], highest: int) -> tuple[npt.NDArray[np.bool_], int, int, int, int]:
    """Find which labels there are, and the half-open box around all pixels of 0: top, bottom, left, right."""
    found = np.zeros(highest + 1, np.bool_)
    top, bottom, left, right = seeds.shape[0], 0, seeds.shape[1], 0
    for row in range(seeds.shape[0]):
        for col in range(seeds.shape[1]):
            label = seeds[row, col]
            if label == 0:
                top, bottom = min(top, row), row + 1
                left, right = min(left, col), max(right, col + 1)
            else:
                found[np.uint64(label)] = True
    return found, top, bottom, left, right


@compiled
def _frame(labels: npt.NDArray[np.int32], known: npt.NDArray[np.int32], seeds: npt.NDArray[np.int32]) -> int:
    """Copy the labels into a larger array, numbered from 1 as they come in ``known``; return how many are 0."""
    n_free = 0
    numbers = np.zeros(known[-1] + 1, np.int32)
    for place in range(known.size):
        numbers[known[place]] = place + 1
    for row in range(labels.shape[0]):
        for col in range(labels.shape[1]):
            label = labels[row, col]
            n_free += label == 0
            seeds[row + 1, col + 1] = numbers[np.uint64(label)]
    return n_free


@compiled
def _fill_in(choice: npt.NDArray[np.int32], known: npt.NDArray[np.int32], labels: npt.NDArray[np.int32]) -> None:
    """Copy the choice back."""
    for row in range(labels.shape[0]):
        for col in range(labels.shape[1]):
            labels[row, col] = known[np.uint64(choice[row + 1, col + 1] - 1)]


@compiled
def _weigh(image: npt.NDArray[np.uint8], table: Stack, fields: Stack) -> None:
    """Set the weights between neighbours: a product over the channels."""
    height, width, parts = np.uint64(image.shape[0]), np.uint64(image.shape[1]), np.uint64(image.shape[2])
    right, down = fields[RIGHT], fields[DOWN]
    for row in range(height):
        for col in range(width - ONE):
            weight = WHOLE
            for part in range(parts):
                gap = np.int64(image[row, col, part]) - np.int64(image[row, col + ONE, part])
                weight *= table[np.uint64(abs(gap))]
            right[row + ONE, col + ONE] = weight + LEAST_WEIGHT
    for row in range(height - ONE):
        for col in range(width):
            weight = WHOLE
            for part in range(parts):
                gap = np.int64(image[row, col, part]) - np.int64(image[row + ONE, col, part])
                weight *= table[np.uint64(abs(gap))]
            down[row + ONE, col + ONE] = weight + LEAST_WEIGHT


# As in the module of grids, each pass over a row reads few arrays, as plain slices.


@inlined
def _sum_around(sums: Stack, fields: Stack, source: Stack, row: int) -> None:
    """Sum up in a row what the neighbours hold, times the weights: sums (n,)."""
    one, at_one = fields[DOWN, row - 1, 1:-1], source[row - 1, 1:-1]
    other, at_other = fields[DOWN, row, 1:-1], source[row + 1, 1:-1]
    for col in range(sums.size):
        sums[col] = one[col] * at_one[col] + other[col] * at_other[col]
    one, at_one = fields[RIGHT, row, :-2], source[row, :-2]
    other, at_other = fields[RIGHT, row, 1:-1], source[row, 2:]
    for col in range(sums.size):
        sums[col] += one[col] * at_one[col] + other[col] * at_other[col]


@compiled
def _pick(seeds: npt.NDArray[np.int32], lowest: int, highest: int) -> npt.NDArray[np.float32]:
    """Give 1 where the number is from the lowest to the highest, else 0."""
    picked = np.zeros(seeds.shape, np.float32)
    for row in range(seeds.shape[0]):
        here, now = seeds[row], picked[row]
        for col in range(now.size):
            now[col] = np.float32((here[col] >= lowest) & (here[col] <= highest))
    return picked


@compiled
def _pull(fields: Stack, source: npt.NDArray[np.float32], free: npt.NDArray[np.float32], place: Stack) -> None:
    """Sum up for each free pixel what its neighbours hold, times the weights."""
    for row in range(1, source.shape[0] - 1):
        sums, now = place[row, 1:-1], free[row, 1:-1]
        _sum_around(sums, fields, source, row)
        for col in range(sums.size):
            sums[col] *= now[col]


@compiled
def _cut_out(fields: Stack, free: npt.NDArray[np.float32]) -> None:
    """Take the weights between pixels that are not both free out of the system; invert the sums of all weights."""
    for row in range(1, free.shape[0] - 1):
        now, beside, below = free[row, :-1], free[row, 1:], free[row + 1, :-1]
        right, down, whole = fields[RIGHT, row, :-1], fields[DOWN, row, :-1], fields[INVERSE, row, :-1]
        for col in range(now.size):
            right[col] *= now[col] * beside[col]
        for col in range(now.size):
            down[col] *= now[col] * below[col]
        for col in range(now.size):
            whole[col] = now[col] / max(whole[col], LEAST_WEIGHT)


@compiled
def _turn(rest: Stack, fields: Stack, way: Stack, last: float) -> float:
    """Choose the next way: what the cycle proposes, freed of the ways before; return how promising it is."""
    value = fields[VALUE]
    sums = np.zeros(rest.shape[1], np.float32)
    for row in range(rest.shape[0]):
        one, other = rest[row], value[row]
        for col in range(sums.size):
            sums[col] += one[col] * other[col]
    promise = float(sums.astype(np.float64).sum())
    keep = np.float32(promise / last) if last > 0 else ZERO
    for row in range(rest.shape[0]):
        now, other = way[row], value[row]
        for col in range(now.size):
            now[col] = other[col] + keep * now[col]
    return promise


@compiled
def _go(fields: Stack, way: Stack, effect: Stack, chance: Stack, rest: Stack, promise: float) -> None:
    """Go along the way as far as it leads down."""
    sums = np.zeros(way.shape[1] - 2, np.float32)
    for row in range(1, way.shape[0] - 1):
        # sums of differences: the difference of sums would lose the smallest weights
        done, here, out = effect[row, 1:-1], way[row, 1:-1], fields[OUT, row, 1:-1]
        one, at_one = fields[DOWN, row - 1, 1:-1], way[row - 1, 1:-1]
        other, at_other = fields[DOWN, row, 1:-1], way[row + 1, 1:-1]
        for col in range(sums.size):
            done[col] = one[col] * (here[col] - at_one[col]) + other[col] * (here[col] - at_other[col])
        one, at_one = fields[RIGHT, row, :-2], way[row, :-2]
        other, at_other = fields[RIGHT, row, 1:-1], way[row, 2:]
        for col in range(sums.size):
            done[col] += one[col] * (here[col] - at_one[col]) + other[col] * (here[col] - at_other[col])
        for col in range(sums.size):
            done[col] += out[col] * here[col]
            sums[col] += done[col] * here[col]
    cost = sums.astype(np.float64).sum()
    far = np.float32(promise / cost) if cost > 0 else ZERO
    for row in range(1, way.shape[0] - 1):
        now, here = chance[row], way[row]
        for col in range(now.size):
            now[col] += far * here[col]
        now, here = rest[row], effect[row]
        for col in range(now.size):
            now[col] -= far * here[col]


@compiled
def _choose(  # noqa: C901  two labels, the usual case, have a loop of their own
    chances: Stack, seeds: npt.NDArray[np.int32], labels: npt.NDArray[np.int32]
) -> np.int64:
    """Give each free pixel its likeliest label, the first of equals; return how many change theirs."""
    changed = np.int64(0)
    rows, cols = np.uint64(seeds.shape[0]), np.uint64(seeds.shape[1])
    last = np.int32(chances.shape[0] + 1)
    if last == 2:
        half = np.float32(0.5)
        for row in range(rows):
            chance, seed, label = chances[0, row], seeds[row], labels[row]
            for col in range(cols):
                best = np.int32(2) - np.int32(chance[col] >= half)
                best = best if seed[col] == 0 else label[col]
                changed += np.int64(best != label[col])
                label[col] = best
        return changed
    for row in range(rows):
        for col in range(cols):
            if seeds[row, col] != 0:
                continue
            best, most, left = np.int32(0), ZERO, WHOLE
            for place in range(np.uint64(chances.shape[0])):
                chance = chances[place, row, col]
                left -= chance
                if place == 0 or chance > most:
                    best, most = np.int32(place) + np.int32(1), chance
            if left > most:
                best = last
            if labels[row, col] != best:
                changed += 1
                labels[row, col] = best
    return changed


def walk(image: npt.NDArray[np.uint8], seeds: LabelMap, beta: float, tol: float) -> LabelMap:
    """Label each pixel by the seeds that a random walker from it most likely reaches first.

    The walker goes to one of four neighbours, with chances in proportion to weights that fall with the square of the
    colours' distance, as in scikit-image: ``exp(-beta / (10 s) d² / sqrt(C))``, with s the standard deviation of all
    values, which are taken to [0, 1] for s and d. The chances solve a linear system; it is done by conjugate gradients,
    each step prepared by a cycle over coarser grids.

    Parameters
    ----------
    image : uint8 (H, W, C)
    seeds : int32 (H, W)
        Labels over 0 where they are known, 0 where not.
    beta : float
        At least 0; the higher, the harder it is to cross an edge.
    tol : float
        The steps end when one changes at most this share of the pixels' labels.

    Returns
    -------
    int32 (H, W)
        The seeds' labels; all 0 if there is no seed.
    """
    seeds = as_input(seeds)
    found, top, bottom, left, right = _survey(seeds, int(seeds.max()))
    known = np.flatnonzero(found).astype(np.int32)
    labels = seeds.copy()
    if known.size > 1 and bottom:
        # all that is solved for, with a margin of seeds
        part = (slice(max(0, top - 1), bottom + 1), slice(max(0, left - 1), right + 1))
        _solve(image[part], _table(image, beta), known, tol, labels[part])
    elif known.size == 1:
        labels[labels == 0] = known[0]
    return labels


def _table(image: npt.NDArray[np.uint8], beta: float) -> npt.NDArray[np.float32]:
    """Weight by the difference in one channel: float32 (256,)."""
    means, deviations = (np.asarray(each, np.float64) for each in cv2.meanStdDev(image))
    spread = float(np.sqrt(np.mean(deviations**2 + means**2) - np.mean(means) ** 2)) / 255
    steepness = beta / (10 * spread * np.sqrt(image.shape[2])) if spread > 0 else 0.0
    return np.exp(-steepness * (np.arange(256) / 255) ** 2).astype(np.float32)


def _solve(
    image: npt.NDArray[np.uint8], table: npt.NDArray[np.float32], known: npt.NDArray[np.int32], tol: float,
    labels: LabelMap,
) -> None:  # fmt: skip
    """Label the pixels of 0 in place, from the others, which are of the labels known, at least two, in rising order."""
    systems, rows, cols = known.size - 1, framed(labels.shape[0]), framed(labels.shape[1])
    # one block of memory for everything; see `build_grids`
    block = np.zeros((3 * systems + 7) * rows * cols + room_for(*labels.shape), np.float32)
    maps = block[: (3 * systems + 7) * rows * cols].reshape(-1, rows, cols)
    fields, effect, loads = maps[:6], maps[6], maps[7 : 7 + systems]
    chances, ways = maps[7 + systems : 7 + 2 * systems], maps[7 + 2 * systems :]
    _weigh(as_input(image), table, fields)
    seeds = np.full((rows, cols), np.int32(-1), np.int32)
    n_free = _frame(labels, known, seeds)
    free = _pick(seeds, 0, 0)
    for number, load in enumerate(loads, start=1):
        _pull(fields, _pick(seeds, number, number), free, load)
    _pull(fields, _pick(seeds, 1, known.size), free, fields[OUT])
    _pull(fields, _pick(seeds, 0, known.size), free, fields[INVERSE])
    _cut_out(fields, free)
    grids = build_grids(fields, block[block.size - room_for(*labels.shape) :])
    choice, promises = seeds.copy(), [0.0] * systems
    for step in range(MOST_STEPS):
        for number, (rest, way, chance) in enumerate(zip(loads, ways, chances, strict=True)):
            fields[LOAD] = rest
            precondition(grids)
            promises[number] = _turn(rest, fields, way, promises[number])
            _go(fields, way, effect, chance, rest, promises[number])
        if _choose(chances, seeds, choice) <= tol * n_free and step:
            break
    _fill_in(choice, known, labels)


def warm() -> None:
    """Compile on a tiny input."""
    image = np.arange(75, dtype=np.uint8).reshape(5, 5, 3)
    seeds = np.zeros((5, 5), np.int32)
    seeds[0, 0], seeds[4, 4] = 1, 2
    walk(image, seeds, 10.0, 0.0)
