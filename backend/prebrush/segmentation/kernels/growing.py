"""Grow regions of similar colour from seeds."""

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Mask
from prebrush.segmentation.kernels.compiled import as_input, compiled

STOP = -1


# arrays are flat, with a frame of stop pixels around the image, so that the loop has no test for the border;
# in one piece, because handing the arrays over for each pixel takes several times as long
@compiled
def _grow(  # noqa: C901  see above
    seeds: npt.NDArray[np.int32],
    colors: npt.NDArray[np.float32],
    order: npt.NDArray[np.int64],
    most: int,
    width: int,
    ways: int,
    squared: float,
    to_mean: bool,
) -> npt.NDArray[np.int32]:
    """Grow the seeds all together, then each pixel of ``order`` that is still free, to its end; ``most`` regions."""
    labels = seeds.copy()
    steps = np.array((-width, -1, 1, width, -width - 1, -width + 1, width - 1, width + 1), np.int64)
    queue = np.empty(labels.size, np.int32)
    sums = np.zeros((most + 1, 3))
    areas = np.zeros(most + 1)
    served = 0
    waiting = 0
    count = 0
    for place in range(labels.size):
        label = labels[place]
        if label > 0:
            queue[waiting] = place
            waiting += 1
            count = max(count, label)
            areas[label] += 1
            for part in range(3):
                sums[label, part] += colors[place, part]
    for turn in range(-1, order.size):
        if turn >= 0:
            start = order[turn]
            if labels[start] != 0:
                continue
            count += 1
            labels[start] = count
            queue[waiting] = start
            waiting += 1
            areas[count] = 1
            for part in range(3):
                sums[count, part] = colors[start, part]
        while served < waiting:
            here = np.int64(queue[np.uint64(served)])
            served += 1
            region = np.uint64(labels[np.uint64(here)])
            for way in range(ways):
                near = np.uint64(here + steps[np.uint64(way)])
                if labels[near] != 0:
                    continue
                one_by = 1 / areas[region]
                red = colors[near, 0] - sums[region, 0] * one_by
                green = colors[near, 1] - sums[region, 1] * one_by
                blue = colors[near, 2] - sums[region, 2] * one_by
                if red * red + green * green + blue * blue > squared:
                    continue
                labels[near] = np.int32(region)
                queue[np.uint64(waiting)] = np.int32(near)
                waiting += 1
                if to_mean:
                    areas[region] += 1
                    sums[region, 0] += colors[near, 0]
                    sums[region, 1] += colors[near, 1]
                    sums[region, 2] += colors[near, 2]
    return labels


def grow(
    seeds: LabelMap,
    colors: npt.NDArray[np.float32],
    mask: Mask,
    tolerance: float,
    order: npt.NDArray[np.int64] | None = None,
    *,
    diagonal: bool = False,
    to_mean: bool = True,
) -> LabelMap:
    """Grow regions from seeds, ring by ring; a pixel joins if its colour is within the tolerance of the region's.

    Parameters
    ----------
    seeds : int32 (H, W)
        Pixels of the same number over 0 start one region; its first colour is their mean.
    colors : float32 (H, W, 3)
    mask : bool (H, W)
        Where regions may grow.
    tolerance : float
        Largest distance of colours.
    order : int64 (n,) or None
        Places (row * W + col) that start a region of their own, one after the other, unless one has reached them by
        then. None: only the seeds grow.
    diagonal : bool
        Whether regions pass between pixels that touch by a corner.
    to_mean : bool
        Whether a region's colour is the mean of all its pixels so far, or stays that of its seed.

    Returns
    -------
    int32 (H, W)
        The seeds' numbers, then those after them; 0 where no region came.
    """
    height, width = seeds.shape
    labels = np.full((height + 2, width + 2), np.int32(STOP), np.int32)
    labels[1:-1, 1:-1] = np.where(mask, seeds, np.int32(STOP))
    framed = np.zeros((height + 2, width + 2, 3), np.float32)
    framed[1:-1, 1:-1] = colors
    places, most = np.empty(0, np.int64), int(seeds.max(initial=0))
    if order is not None:
        rows, cols = np.divmod(order, width)
        places, most = (rows + 1) * (width + 2) + cols + 1, most + seeds.size
    flat = as_input(labels.reshape(-1)), as_input(framed.reshape(-1, 3)), as_input(places)
    grown = _grow(*flat, most, width + 2, 8 if diagonal else 4, float(tolerance) ** 2, to_mean)
    label_map: LabelMap = np.maximum(grown.reshape(labels.shape)[1:-1, 1:-1], 0)
    return label_map


def warm() -> None:
    """Compile on a tiny input."""
    seeds = np.array([[1, 0, 0], [0, 0, 2]], np.int32)
    grow(seeds, np.zeros((2, 3, 3), np.float32), seeds >= 0, 1.0)
