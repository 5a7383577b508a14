"""Felzenszwalb and Huttenlocher's merging of pixels along sorted edges."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap
from prebrush.segmentation.kernels.compiled import as_input, compiled, inlined

FINEST = 1e-14
"""Squared colour distances below this count as none: the noise of rounding."""
LOWEST = int(np.float32(FINEST).view(np.uint32))
DIGIT_BITS = 15
DIGITS = 1 << DIGIT_BITS
"""Squared distances up to 3, that of black and white, are sorted as two digits: their bits, counted from `LOWEST`."""
NO_EDGE = 2**32 - 1
"""Key of the edges that would leave the image."""


@inlined
def _find(parent: npt.NDArray[np.uint32], node: np.uint32) -> np.uint32:
    """Return the root of a node, shortening the way for the next time.

    The first two steps are taken whatever is found there: few ways are longer, and a guess that the processor gets
    wrong takes longer than both.
    """
    above = parent[np.uint64(node)]
    high = parent[np.uint64(above)]
    root: np.uint32 = parent[np.uint64(high)]
    parent[np.uint64(node)] = high
    while high != root:
        parent[np.uint64(above)] = root
        above = high
        high = root
        root = parent[np.uint64(high)]
    return root


@inlined
def _squared(one: npt.NDArray[np.float32], at: np.uint64, other: npt.NDArray[np.float32], to: np.uint64) -> np.float32:
    """Return the squared colour distance of two pixels in two rows."""
    red = one[at, np.uint64(0)] - other[to, np.uint64(0)]
    green = one[at, np.uint64(1)] - other[to, np.uint64(1)]
    blue = one[at, np.uint64(2)] - other[to, np.uint64(2)]
    distance: np.float32 = red * red + green * green + blue * blue
    return distance


@compiled
def _edge_keys(image: npt.NDArray[np.float32], keys: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Write each edge's key (H * W, 4), which orders as its squared distance does; return how often each digit occurs.

    The four edges of a pixel are those to the right, down-left, down and down-right.
    """
    height, width, _ = image.shape
    counts = np.zeros((2, DIGITS), np.uint32)
    squared = np.empty((width, 4), np.float32)
    bits = squared.view(np.int32)  # bits of a positive float order as the float does
    for row in range(height):
        is_last = row + 1 == height
        here, below = image[row], image[row if is_last else row + 1]
        for col in range(width):
            at, left, right = np.uint64(col), np.uint64(max(col - 1, 0)), np.uint64(min(col + 1, width - 1))
            squared[at, np.uint64(0)] = _squared(here, at, here, right)
            squared[at, np.uint64(1)] = _squared(here, at, below, left)
            squared[at, np.uint64(2)] = _squared(here, at, below, at)
            squared[at, np.uint64(3)] = _squared(here, at, below, right)
        for col in range(width):
            for way in range(4):
                key = np.uint32(max(bits[np.uint64(col), np.uint64(way)] - LOWEST, 0))
                if (is_last and way > 0) or (col + 1 == width and way in (0, 3)) or (col == 0 and way == 1):
                    key = np.uint32(NO_EDGE)
                else:
                    counts[np.uint64(0), np.uint64(key & np.uint32(DIGITS - 1))] += np.uint32(1)
                    counts[np.uint64(1), np.uint64(key >> np.uint32(DIGIT_BITS))] += np.uint32(1)
                keys[np.uint64(row * width + col), np.uint64(way)] = key
    return counts


@compiled
def _sort_edges(
    keys: npt.NDArray[np.uint32],
    counts: npt.NDArray[np.uint32],
    once: npt.NDArray[np.uint64],
    edges: npt.NDArray[np.uint64],
) -> int:
    """Sort the edges between 8-neighbours by colour distance; those of one distance stay in scan order.

    A radix sort in two passes, the lower digit first. An edge is one number: its key in the upper half, and
    ``4 * pixel + direction`` in the lower. Returns how many there are.
    """
    n_edges = int(counts[0].sum())
    place = np.empty(DIGITS, np.uint32)
    place[0] = 0
    for digit in range(DIGITS - 1):
        place[digit + 1] = place[digit] + counts[0, digit]
    for edge in range(keys.size):
        key = keys[np.uint64(edge)]
        if key != np.uint32(NO_EDGE):
            lower = np.uint64(key & np.uint32(DIGITS - 1))
            once[np.uint64(place[lower])] = (np.uint64(key) << np.uint64(32)) | np.uint64(edge)
            place[lower] += np.uint32(1)
    place[0] = 0
    for digit in range(DIGITS - 1):
        place[digit + 1] = place[digit] + counts[1, digit]
    for at in range(n_edges):
        keyed = once[np.uint64(at)]
        upper = keyed >> np.uint64(32 + DIGIT_BITS)
        edges[np.uint64(place[upper])] = keyed
        place[upper] += np.uint32(1)
    return n_edges


def sorted_edges(image: npt.NDArray[np.float32]) -> npt.NDArray[np.uint64]:
    """Return the edges of an image as `as_input` gives it, sorted, for `merge_sorted`.

    The large arrays are made here: NumPy asks for huge pages, numba does not, and what is written all over an array of
    32 MB takes a third longer on small ones.
    """
    n_pixels = image.shape[0] * image.shape[1]
    keys = np.empty((n_pixels, 4), np.uint32)
    counts = _edge_keys(image, keys)
    once, edges = np.empty(4 * n_pixels, np.uint64), np.empty(4 * n_pixels, np.uint64)
    return edges[: _sort_edges(keys.reshape(-1), counts, once, edges)]


@compiled
def _merge(
    edges: npt.NDArray[np.uint64],
    nodes: npt.NDArray[np.uint32],
    width: int,
    scale: float,
    min_size: int,
) -> npt.NDArray[np.uint32]:
    """Merge along the edges, then away what is too small; return each pixel's parent. Overwrites edges and nodes."""
    offsets = np.array((1, width - 1, width, width + 1)).astype(np.uint32)
    # of bound, the most that an edge may cost to be merged along: inner difference plus scale / size
    parent: npt.NDArray[np.uint32] = nodes[0]
    size, bound = nodes[1].view(np.int32), nodes[2].view(np.float32)
    for pixel_at in range(parent.size):
        parent[np.uint64(pixel_at)] = pixel_at
        size[np.uint64(pixel_at)] = 1
        bound[np.uint64(pixel_at)] = scale
    left_over = 0
    for place in range(edges.size):
        edge = edges[np.uint64(place)]
        pixel = np.uint32((edge & np.uint64(NO_EDGE)) >> np.uint64(2))
        one = _find(parent, pixel)
        other = _find(parent, np.uint32(pixel + offsets[edge & np.uint64(3)]))
        if one == other:
            continue
        key = edge >> np.uint64(32)
        weight = np.sqrt(np.uint32(key + np.uint64(LOWEST)).view(np.float32)) if key > 0 else np.float32(0)
        if weight < bound[np.uint64(one)] and weight < bound[np.uint64(other)]:
            if size[np.uint64(one)] < size[np.uint64(other)]:
                one, other = other, one
            parent[np.uint64(other)] = one
            size[np.uint64(one)] += size[np.uint64(other)]
            bound[np.uint64(one)] = weight + np.float32(scale) / np.float32(size[np.uint64(one)])
        else:
            # only these edges can join two segments below; `left_over` never passes `place`
            edges[np.uint64(left_over)] = edge
            left_over += 1
    for place in range(left_over):
        edge = edges[np.uint64(place)]
        pixel = np.uint32((edge & np.uint64(NO_EDGE)) >> np.uint64(2))
        one = _find(parent, pixel)
        other = _find(parent, np.uint32(pixel + offsets[edge & np.uint64(3)]))
        if one != other and (size[np.uint64(one)] < min_size or size[np.uint64(other)] < min_size):
            if size[np.uint64(one)] < size[np.uint64(other)]:
                one, other = other, one
            parent[np.uint64(other)] = one
            size[np.uint64(one)] += size[np.uint64(other)]
    return parent


@compiled
def _number(parent: npt.NDArray[np.uint32]) -> npt.NDArray[np.int32]:
    """Number the roots from 1 in the order in which they are met."""
    numbers = np.zeros(parent.size, np.int32)
    labels = np.empty(parent.size, np.int32)
    count = 0
    for at in range(parent.size):
        root = np.uint64(_find(parent, np.uint32(at)))
        if numbers[root] == 0:
            count += 1
            numbers[root] = count
        labels[np.uint64(at)] = numbers[root]
    return labels


def merge_along_edges(image: npt.NDArray[np.float32], scale: float, min_size: int) -> LabelMap:
    """Merge pixels into segments, cheapest edge first; see `merge_at_scales`."""
    return merge_at_scales(image, (scale,), min_size)[0]


def merge_at_scales(image: npt.NDArray[np.float32], scales: Sequence[float], min_size: int) -> list[LabelMap]:
    """Merge pixels into segments, cheapest edge first, once for each scale; the edges are sorted only once.

    Edges of one weight are taken in scan order.

    Parameters
    ----------
    image : float32 (H, W, 3)
        Smoothed colours, in [0, 1].
    scales : sequence of float
        In the units of the image: an edge joins two segments while it is below inner difference + scale / size of both.
    min_size : int
        Segments of fewer pixels are merged with the nearest in colour.

    Returns
    -------
    list of int32 (H, W)
        1..n, numbered in scan order.
    """
    height, width = image.shape[:2]
    if height * width > np.iinfo(np.uint32).max // 4:
        raise ValueError(f"an image of {height} x {width} has more edges than can be counted")
    return merge_sorted(sorted_edges(as_input(image)), (height, width), scales, min_size)


def merge_sorted(
    edges: npt.NDArray[np.uint64], shape: tuple[int, int], scales: Sequence[float], min_size: int
) -> list[LabelMap]:
    """Do the second half of `merge_at_scales`; overwrites the edges, which are of an image of this shape."""
    label_maps: list[LabelMap] = []
    for number, scale in enumerate(scales, start=1):
        own = edges if number == len(scales) else edges.copy()
        nodes = np.empty((3, shape[0] * shape[1]), np.uint32)
        parent = _merge(own, nodes, shape[1], scale, min_size)
        label_maps.append(_number(parent).reshape(shape))
    return label_maps


def warm() -> None:
    """Compile on a tiny input."""
    merge_along_edges(np.zeros((2, 3, 3), np.float32), 1.0, 2)
