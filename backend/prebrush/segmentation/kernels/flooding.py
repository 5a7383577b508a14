"""Watershed: flood a relief from markers, each pixel to the marker whose water comes first."""

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Mask
from prebrush.segmentation.kernels.compiled import as_input, compiled

LEVELS = 1 << 16
COMPACT_LEVELS = 1 << 20
"""Steps in which costs are told apart where distance counts as well."""
STOP = -1


# arrays are flat, with a frame of stop pixels around the image, so that the loop has no test for the border
@compiled
def _flood(
    relief: npt.NDArray[np.uint16], marked: npt.NDArray[np.int32], width: int, ways: int
) -> npt.NDArray[np.int32]:
    labels = marked.copy()
    steps = np.array((-width, -1, 1, width, -width - 1, -width + 1, width - 1, width + 1), np.int64)
    # a queue for each level: first come, first served
    first = np.full(LEVELS, np.int32(STOP), np.int32)
    last = np.full(LEVELS, np.int32(STOP), np.int32)
    after = np.empty(labels.size, np.int32)
    for at in range(labels.size):
        if labels[at] > 0:
            level = np.uint64(relief[at])
            after[at] = STOP
            if first[level] < 0:
                first[level] = at
            else:
                after[np.uint64(last[level])] = at
            last[level] = at
    for level_now in range(LEVELS):
        now = np.uint64(level_now)
        while first[now] >= 0:
            here = np.int64(first[now])
            first[now] = after[np.uint64(here)]
            label = labels[np.uint64(here)]
            for way in range(ways):
                near = np.uint64(here + steps[np.uint64(way)])
                if labels[near] != 0:
                    continue
                labels[near] = label
                # water that finds a lower place stays at the level at which it came
                level = max(np.uint64(relief[near]), now)
                after[near] = STOP
                if first[level] < 0:
                    first[level] = np.int32(near)
                else:
                    after[np.uint64(last[level])] = np.int32(near)
                last[level] = np.int32(near)
    return labels


@compiled
def _flood_compactly(
    relief: npt.NDArray[np.uint16], marked: npt.NDArray[np.int32], width: int, ways: int, weight: float, scale: float
) -> npt.NDArray[np.int32]:
    """Flood by relief plus weight times the distance from the marker's pixel; ``scale`` turns that into a level."""
    labels = marked.copy()
    steps = np.array((-width, -1, 1, width, -width - 1, -width + 1, width - 1, width + 1), np.int64)
    first = np.full(COMPACT_LEVELS, np.int32(STOP), np.int32)
    last = np.full(COMPACT_LEVELS, np.int32(STOP), np.int32)
    # a pixel waits in the queue once for each neighbour that reached it; the first to be served decides
    room = labels.size * (ways + 1)
    after = np.empty(room, np.int32)
    pixels = np.empty(room, np.int32)
    sources = np.empty(room, np.int32)
    waiting = 0
    for at in range(labels.size):
        if labels[at] > 0:
            labels[at] = 0
            level = int(relief[at] * scale)
            pixels[waiting] = at
            sources[waiting] = at
            after[waiting] = STOP
            if first[level] < 0:
                first[level] = waiting
            else:
                after[last[level]] = waiting
            last[level] = waiting
            waiting += 1
    for now in range(COMPACT_LEVELS):
        while first[now] >= 0:
            entry = first[now]
            first[now] = after[entry]
            here = np.int64(pixels[entry])
            if labels[here] != 0:
                continue
            source = np.int64(sources[entry])
            labels[here] = marked[source]
            for way in range(ways):
                near = here + steps[way]
                if labels[near] != 0 or marked[near] > 0:
                    continue
                down = near // width - source // width
                right = near % width - source % width
                distance = np.sqrt(np.float64(down * down + right * right))
                level = max(int((relief[near] + weight * distance) * scale), now)
                pixels[waiting] = near
                sources[waiting] = source
                after[waiting] = STOP
                if first[level] < 0:
                    first[level] = waiting
                else:
                    after[last[level]] = waiting
                last[level] = waiting
                waiting += 1
    return labels


def flood(
    relief: npt.NDArray[np.uint16], markers: LabelMap, mask: Mask, compactness: float = 0.0, *, diagonal: bool = False
) -> LabelMap:
    """Flood a relief from markers.

    The water rises evenly and spreads from pixel to pixel; a pixel gets the number of the water that reaches it first,
    on a plain the nearest one's. No borders are drawn between segments. With a compactness, a pixel at a distance from
    the marker's pixel that its water came from counts as higher by that many levels a pixel (P. Neubert, P. Protzel,
    ICPR 2014, doi:10.1109/ICPR.2014.181).

    Parameters
    ----------
    relief : uint16 (H, W)
    markers : int32 (H, W)
        Numbers over 0 are where the water comes from; those outside the mask are left out.
    mask : bool (H, W)
        Where the water may go; the rest stays 0.
    compactness : float
        In levels of the relief a pixel; 0 is the plain watershed.
    diagonal : bool
        Whether water passes between pixels that touch by a corner.

    Returns
    -------
    int32 (H, W)
        0 also where no water came.
    """
    height, width = relief.shape
    marked = np.full((height + 2, width + 2), np.int32(STOP), np.int32)
    marked[1:-1, 1:-1] = np.where(mask, markers, np.int32(STOP))
    levels = np.zeros(marked.shape, np.uint16)
    levels[1:-1, 1:-1] = relief
    ways = 8 if diagonal else 4
    flat = as_input(levels.reshape(-1)), as_input(marked.reshape(-1)), width + 2, ways
    if compactness > 0:
        highest = float(relief.max()) + compactness * (height + width)
        labels = _flood_compactly(*flat, compactness, (COMPACT_LEVELS - 1) / max(highest, 1.0))
    else:
        labels = _flood(*flat)
    flooded: LabelMap = np.maximum(labels.reshape(marked.shape)[1:-1, 1:-1], 0)
    return flooded


def warm() -> None:
    """Compile on a tiny input."""
    markers = np.array([[1, 0, 0], [0, 0, 2]], np.int32)
    for compactness in (0.0, 1.0):
        flood(np.zeros((2, 3), np.uint16), markers, markers >= 0, compactness)
