"""Minimum cut of a graph with few edges a node: superpixels, or the pixels of a narrow band."""

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import Mask
from prebrush.segmentation.kernels.compiled import as_input, compiled
from prebrush.segmentation.kernels.region_paths import Floats, Ints, Neighbours, list_neighbours

FINEST = 1e-9
"""Less than this is no capacity, but what rounding left of one."""


@compiled
def _levels(starts: Ints, nodes: Ints, edges: Ints, room: Floats, supply: Floats, level: Ints, waiting: Ints) -> bool:
    """Number the nodes by how many steps they are from supply; tell whether demand was reached."""
    level[:] = -1
    first = 0
    last = 0
    for node in range(supply.size):
        if supply[node] > FINEST:
            level[node] = 0
            waiting[last] = node
            last += 1
    reached = False
    while first < last:
        here = waiting[first]
        first += 1
        if supply[here] < -FINEST:
            reached = True
        for place in range(starts[here], starts[here + 1]):
            near = nodes[place]
            arc = 2 * edges[place] + (here > near)
            if level[near] < 0 and room[arc] > FINEST:
                level[near] = level[here] + 1
                waiting[last] = near
                last += 1
    return reached


@compiled
def _cut(  # noqa: C901, PLR0912  one loop: its arrays would have to be handed to every piece of it
    starts: Ints, nodes: Ints, edges: Ints, weights: Floats, gain: Floats
) -> Mask:
    supply = gain.copy()
    count = supply.size
    # room for flow from the lower to the higher node of each edge, and back
    room = np.empty(2 * weights.size)
    for edge in range(weights.size):
        room[2 * edge] = weights[edge]
        room[2 * edge + 1] = weights[edge]
    level = np.empty(count, np.int64)
    waiting = np.empty(count, np.int64)
    at = np.empty(count, np.int64)
    way = np.empty(count + 1, np.int64)
    while _levels(starts, nodes, edges, room, supply, level, waiting):
        at[:] = starts[:-1]
        for source in range(count):
            while supply[source] > FINEST and level[source] == 0:
                here = source
                length = 0
                while supply[here] >= -FINEST:
                    ahead = False
                    while at[here] < starts[here + 1]:
                        near = nodes[at[here]]
                        if level[near] == level[here] + 1 and room[2 * edges[at[here]] + (here > near)] > FINEST:
                            ahead = True
                            break
                        at[here] += 1
                    if ahead:
                        way[length] = here
                        length += 1
                        here = nodes[at[here]]
                    else:
                        level[here] = -2
                        if length == 0:
                            break
                        length -= 1
                        here = way[length]
                        at[here] += 1
                if supply[here] >= -FINEST:
                    break
                flow = min(supply[source], -supply[here])
                for step in range(length):
                    place = at[way[step]]
                    flow = min(flow, room[2 * edges[place] + (way[step] > nodes[place])])
                for step in range(length):
                    place = at[way[step]]
                    arc = 2 * edges[place] + (way[step] > nodes[place])
                    room[arc] -= flow
                    room[arc ^ 1] += flow
                supply[source] -= flow
                supply[here] += flow
    found = np.empty(count, np.bool_)
    for node in range(count):
        found[node] = level[node] >= 0
    return found


def cut_graph(graph: Neighbours, weights: Floats, gain: Floats) -> Mask:
    """Choose the nodes with the largest sum of gains less the weights of the edges between chosen and not chosen ones.

    Parameters
    ----------
    graph : Neighbours
    weights : float64 (m,)
        Not below 0.
    gain : float64 (n,)
        Above 0 for nodes that want to be chosen.

    Returns
    -------
    bool (n,)
        Of equally good choices the smallest.

    Notes
    -----
    Source: E. A. Dinic, Soviet Mathematics Doklady 11, 1970: shortest ways first, a layer at a time.
    """
    chosen: Mask = _cut(*(as_input(each) for each in (*graph, weights, gain)))
    return chosen


@compiled
def _band_graph(  # noqa: C901, PLR0912  one loop: its arrays would have to be handed to every piece of it
    band: Mask, outside: Mask, colors: npt.NDArray[np.float32], gain: Floats, weight: float, sharpness: float
) -> tuple[Ints, Floats, Floats]:
    height, width = band.shape
    numbers = np.full(band.shape, np.int64(-1))
    count = 0
    for row in range(height):
        for col in range(width):
            if band[row, col]:
                numbers[row, col] = count
                count += 1
    ends = np.empty((4 * count, 2), np.int64)
    weights = np.empty(4 * count)
    gains = np.zeros(count)
    found = 0
    for row in range(height):
        for col in range(width):
            here = numbers[row, col]
            if here < 0:
                continue
            gains[here] += gain[row, col]
            for way in range(8):
                down = (way + (way > 3)) // 3 - 1
                right = (way + (way > 3)) % 3 - 1
                near_row = row + down
                near_col = col + right
                if near_row < 0 or near_col < 0 or near_row >= height or near_col >= width:
                    continue
                near = numbers[near_row, near_col]
                if near >= 0 and way < 4:
                    continue
                squared = 0.0
                for part in range(3):
                    gap = colors[row, col, part] - colors[near_row, near_col, part]
                    squared += gap * gap
                tie = weight * np.exp(-sharpness * squared) / np.sqrt(np.float64(down * down + right * right))
                if near >= 0:
                    ends[found, 0] = here
                    ends[found, 1] = near
                    weights[found] = tie
                    found += 1
                elif outside[near_row, near_col]:
                    gains[here] += tie
                else:
                    gains[here] -= tie
    return ends[:found], weights[:found], gains


def cut_band(
    band: Mask, mask: Mask, colors: npt.NDArray[np.float32], gain: Floats, weight: float, sharpness: float
) -> Mask:
    """Draw a boundary anew within a band, where the colours change and the gains say so.

    Parameters
    ----------
    band : bool (H, W)
        Pixels that may change.
    mask : bool (H, W)
        What holds outside the band.
    colors : float32 (H, W, 3)
    gain : float64 (H, W)
        Above 0 for pixels that want to be in the mask.
    weight : float
        Price of parting two neighbours of equal colour; corner neighbours cost less by the square root of 2.
    sharpness : float
        The price falls with the exponential of this times the squared distance of the colours.

    Returns
    -------
    bool (H, W)

    Notes
    -----
    Source: Y. Boykov, M.-P. Jolly, ICCV 2001, doi:10.1109/ICCV.2001.937505
    """
    ends, weights, gains = _band_graph(
        as_input(band), as_input(mask), as_input(colors), as_input(gain), weight, sharpness
    )
    drawn = mask.copy()
    drawn[band] = cut_graph(list_neighbours(ends, gains.size), weights, gains)
    return drawn


def warm() -> None:
    """Compile on a tiny input."""
    band = np.ones((2, 2), np.bool_)
    cut_band(band, band, np.zeros((2, 2, 3), np.float32), np.ones((2, 2)), 1.0, 1.0)
