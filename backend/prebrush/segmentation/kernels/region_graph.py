"""Graphs whose nodes are the segments of a label map, and their merging from the cheapest edge up."""

import heapq
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap
from prebrush.segmentation.kernels.compiled import as_input, compiled

Floats = npt.NDArray[np.float64]
NONE = -1


class RegionGraph(NamedTuple):
    """Which segments of a label map touch. Segments are counted from 0 here: node = number - 1.

    Attributes
    ----------
    nodes : int64 (m, 2)
        The two ends of each edge, the lower one first; edges are sorted.
    lengths : float64 (m,)
        How many pairs of neighbouring pixels, side by side, lie across.
    edge_of : int64 (p,)
        The edge that each pair belongs to.
    rows, cols : float64 (p,)
        The middle of each pair.
    """

    nodes: npt.NDArray[np.int64]
    lengths: Floats
    edge_of: npt.NDArray[np.int64]
    rows: Floats
    cols: Floats

    def mean(self, values: npt.NDArray[np.floating]) -> Floats:
        """Average a value of each pair over the edge it belongs to."""
        return np.bincount(self.edge_of, weights=values, minlength=self.lengths.size) / self.lengths


def region_graph(label_map: LabelMap, count: int) -> RegionGraph:
    """Find which segments touch by a side of a pixel.

    Parameters
    ----------
    label_map : int32 (H, W)
        Numbers 1..count.
    count : int
    """
    numbers = label_map.astype(np.int64) - 1
    keys, rows, cols = [], [], []
    for near, far, down, right in (
        (numbers[:, :-1], numbers[:, 1:], 0.0, 0.5),
        (numbers[:-1], numbers[1:], 0.5, 0.0),
    ):
        row, col = np.nonzero(near != far)
        one, other = near[row, col], far[row, col]
        keys.append(np.minimum(one, other) * count + np.maximum(one, other))
        rows.append(row + down)
        cols.append(col + right)
    found, edge_of = np.unique(np.concatenate(keys), return_inverse=True)
    lengths = np.bincount(edge_of, minlength=found.size).astype(np.float64)
    nodes = np.stack((found // count, found % count), axis=1)
    return RegionGraph(nodes, lengths, edge_of, np.concatenate(rows), np.concatenate(cols))


@compiled
def _count_values(
    label_map: npt.NDArray[np.int32], values: npt.NDArray[np.int32], counts: npt.NDArray[np.int32]
) -> None:
    height, width = label_map.shape
    for row in range(height):
        labels, kinds = label_map[row], values[row]
        for col in range(width):
            counts[np.uint64(labels[np.uint64(col)] - 1), np.uint64(kinds[np.uint64(col)])] += 1


def count_values(label_map: LabelMap, values: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.int32]:
    """Count how many pixels of each segment have each value.

    Parameters
    ----------
    label_map : int32 (H, W)
        Numbers 1..count.
    values : int32 (H, W)
        From 0 up.
    count : int

    Returns
    -------
    int32 (count, highest value + 1)
    """
    counts = np.zeros((count, int(values.max()) + 1), np.int32)
    _count_values(as_input(label_map), as_input(values), counts)
    return counts


class Evidence(NamedTuple):
    """What is known of regions and of the boundaries between them; sums, so that merging is adding.

    Attributes
    ----------
    area, perimeter : float64 (n,)
        Of each region; the perimeter without the image's frame.
    tallies : tuple of float32 (n, k)
        How many pixels of each region are of each kind: one tally a way of telling kinds apart.
    strength : float64 (m,)
        Of each edge's boundary, summed over its pairs of pixels.
    """

    area: Floats
    perimeter: Floats
    tallies: tuple[npt.NDArray[np.float32], ...]
    strength: Floats


class Weights(NamedTuple):
    """How much each difference between two touching regions counts towards the cost of merging them.

    Attributes
    ----------
    boundary : float
        Square root of the mean strength of the common boundary.
    tallies : tuple of float
        Square root of the chi-squared distance of each tally.
    size : float
        Logarithm of ``a * b / (a + b)``, a and b being the areas as shares of the image.
    contact : float
        Length of the common boundary as a share of the shorter perimeter, at most 1.
    """

    boundary: float
    tallies: tuple[float, ...]
    size: float
    contact: float


@compiled
def _cost(
    one: int,
    other: int,
    length: float,
    strength: float,
    total: float,
    area: Floats,
    perimeter: Floats,
    tallies: npt.NDArray[np.float32],
    starts: npt.NDArray[np.int64],
    shares: Floats,
    weights: tuple[float, float, float],
) -> float:
    share = area[one] * area[other] / ((area[one] + area[other]) * total)
    contact = min(1.0, length / min(perimeter[one], perimeter[other]))
    cost: float = weights[0] * np.sqrt(strength / length) + weights[1] * np.log(share) + weights[2] * contact
    scale, other_scale = np.float32(1 / area[one]), np.float32(1 / area[other])
    for tally in range(shares.size):
        squared = np.float32(0)
        for place in range(starts[tally], starts[tally + 1]):
            here, there = tallies[one, place] * scale, tallies[other, place] * other_scale
            if here + there > 0:
                squared += (here - there) * (here - there) / (here + there)
        cost += shares[tally] * np.sqrt(np.float32(0.5) * squared)
    return cost


@compiled
def _merge(  # noqa: C901, PLR0915  one loop: its arrays would have to be handed to every piece of it
    nodes: npt.NDArray[np.int64],
    lengths: Floats,
    strength: Floats,
    area: Floats,
    perimeter: Floats,
    tallies: npt.NDArray[np.float32],
    starts: npt.NDArray[np.int64],
    shares: Floats,
    weights: tuple[float, float, float],
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Merge until no edge is left. Overwrites all arrays."""
    count, n_edges = area.size, lengths.size
    total = area.sum()
    # the edges of a node are a chain of links; link 2 * e + s hangs edge e on its end s
    first = np.full(count, NONE, np.int64)
    after = np.full(2 * n_edges, NONE, np.int64)
    cost = np.empty(n_edges)
    alive = np.ones(n_edges, np.bool_)
    queue = [(0.0, 0)]
    queue.pop()
    for edge in range(n_edges):
        for end in range(2):
            after[2 * edge + end] = first[nodes[edge, end]]
            first[nodes[edge, end]] = 2 * edge + end
        one, other = nodes[edge, 0], nodes[edge, 1]
        cost[edge] = _cost(
            one, other, lengths[edge], strength[edge], total, area, perimeter, tallies, starts, shares, weights
        )
        heapq.heappush(queue, (cost[edge], edge))
    edge_to = np.full(count, NONE, np.int64)
    merges = np.empty((max(0, count - 1), 2), np.int64)
    costs = np.empty(max(0, count - 1))
    done = 0
    while queue:
        price, edge = heapq.heappop(queue)
        if not alive[edge] or cost[edge] != price:
            continue  # merged, or priced anew since
        kept, gone = nodes[edge, 0], nodes[edge, 1]
        if area[kept] < area[gone]:
            kept, gone = gone, kept
        merges[done, 0], merges[done, 1] = kept, gone
        costs[done] = price
        done += 1
        alive[edge] = False
        perimeter[kept] += perimeter[gone] - 2 * lengths[edge]
        area[kept] += area[gone]
        tallies[kept] += tallies[gone]
        # chain the edges of both to the one that is kept; two to the same neighbour become one
        chain = NONE
        for owner in (kept, gone):
            link = first[owner]
            while link != NONE:
                following = after[link]
                near = link >> 1
                if alive[near]:
                    end = link & 1
                    neighbour = nodes[near, 1 - end]
                    twin = edge_to[neighbour]
                    if twin != NONE:
                        lengths[twin] += lengths[near]
                        strength[twin] += strength[near]
                        alive[near] = False
                    else:
                        nodes[near, end] = kept
                        edge_to[neighbour] = near
                        after[link] = chain
                        chain = link
                link = following
        first[kept] = chain
        link = chain
        while link != NONE:
            near = link >> 1
            one, other = nodes[near, 0], nodes[near, 1]
            edge_to[nodes[near, 1 - (link & 1)]] = NONE
            cost[near] = _cost(
                one, other, lengths[near], strength[near], total, area, perimeter, tallies, starts, shares, weights
            )
            heapq.heappush(queue, (cost[near], near))
            link = after[link]
    return merges[:done], costs[:done]


def merge_regions(graph: RegionGraph, evidence: Evidence, weights: Weights) -> tuple[npt.NDArray[np.int64], Floats]:
    """Merge touching regions, the cheapest pair first, until nothing touches.

    After each merge the edges of the merged region are priced anew, from the sums of what is known of both parts.

    Parameters
    ----------
    graph : RegionGraph
    evidence : Evidence
    weights : Weights

    Returns
    -------
    merges : int64 (n - 1, 2)
        Node that stays and node that joins it, in order; a node keeps its number when another joins it.
    costs : float64 (n - 1,)
        What each merge cost; not always rising.
    """
    merges, costs = _merge(
        graph.nodes.copy(),
        graph.lengths.copy(),
        evidence.strength.copy(),
        evidence.area.copy(),
        evidence.perimeter.copy(),
        np.concatenate(evidence.tallies, axis=1),
        np.cumsum([0, *(tally.shape[1] for tally in evidence.tallies)]),
        np.array(weights.tallies, np.float64),
        (weights.boundary, weights.size, weights.contact),
    )
    return merges, costs


def replay(merges: npt.NDArray[np.int64], count: int, left: int) -> npt.NDArray[np.int32]:
    """Number the regions that are left when merging stops early.

    Parameters
    ----------
    merges : int64 (n - 1, 2)
    count : int
        n, how many regions there were.
    left : int
        How many are to be left, at least 1.

    Returns
    -------
    int32 (n + 1,)
        The new number, from 1 up, of each old one; in order of the lowest old number that each contains.
    """
    root = np.arange(count)
    # backwards, so that the node joined has its final root already
    for kept, gone in merges[: max(0, count - left)][::-1]:
        root[gone] = root[kept]
    _, first, inverse = np.unique(root, return_index=True, return_inverse=True)
    ranks = np.empty(first.size, np.int32)
    ranks[np.argsort(first)] = np.arange(1, first.size + 1)
    return np.concatenate((np.zeros(1, np.int32), ranks[inverse]))


def warm() -> None:
    """Compile on a tiny input."""
    label_map = np.array([[1, 2, 3]], np.int32)
    graph = region_graph(label_map, 3)
    ones = count_values(label_map, label_map - label_map, 3).astype(np.float32)
    evidence = Evidence(np.ones(3), np.ones(3), (ones, ones), np.ones(2))
    merge_regions(graph, evidence, Weights(1.0, (1.0, 1.0), 1.0, 1.0))
