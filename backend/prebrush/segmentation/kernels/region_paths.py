"""Ways through a graph of regions: who touches whom, how far each region is, and what hangs together."""

import heapq
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import Mask
from prebrush.segmentation.kernels.compiled import as_input, compiled

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Neighbours(NamedTuple):
    """The edges of each node, one node after the other.

    Attributes
    ----------
    starts : int64 (n + 1,)
        Where the edges of each node start in the other two.
    nodes : int64 (2 m,)
        The node at the other end.
    edges : int64 (2 m,)
        The edge's number.
    """

    starts: Ints
    nodes: Ints
    edges: Ints


@compiled
def _list_neighbours(ends: Ints, count: int) -> tuple[Ints, Ints, Ints]:
    starts = np.zeros(count + 1, np.int64)
    for edge in range(ends.shape[0]):
        starts[ends[edge, 0] + 1] += 1
        starts[ends[edge, 1] + 1] += 1
    for node in range(count):
        starts[node + 1] += starts[node]
    place = starts.copy()
    nodes = np.empty(2 * ends.shape[0], np.int64)
    edges = np.empty(2 * ends.shape[0], np.int64)
    for edge in range(ends.shape[0]):
        for end in range(2):
            here = ends[edge, end]
            nodes[place[here]] = ends[edge, 1 - end]
            edges[place[here]] = edge
            place[here] += 1
    return starts, nodes, edges


def list_neighbours(ends: Ints, count: int) -> Neighbours:
    """List the edges of each node.

    Parameters
    ----------
    ends : int64 (m, 2)
        The two nodes of each edge, counted from 0.
    count : int
        n, how many nodes there are.
    """
    return Neighbours(*_list_neighbours(as_input(ends), count))


@compiled
def _distances(
    starts: Ints, nodes: Ints, edges: Ints, steps: Floats, sources: Ints, allowed: Mask, far: float, highest: bool
) -> Floats:
    found = np.full(starts.size - 1, far)
    queue = [(0.0, np.int64(0))]
    queue.pop()
    for source in sources:
        found[source] = 0.0
        heapq.heappush(queue, (0.0, source))
    while queue:
        distance, here = heapq.heappop(queue)
        if distance > found[here]:
            continue
        for place in range(starts[here], starts[here + 1]):
            near = nodes[place]
            if not allowed[near]:
                continue
            step = steps[edges[place]]
            reached = max(distance, step) if highest else distance + step
            if reached < found[near]:
                found[near] = reached
                heapq.heappush(queue, (reached, near))
    return found


def distances(
    graph: Neighbours, steps: Floats, sources: Ints, allowed: Mask, far: float, *, highest: bool = False
) -> Floats:
    """Measure how far each node is from the nearest source.

    Parameters
    ----------
    graph : Neighbours
    steps : float64 (m,)
        Length of each edge, not below 0.
    sources : int64 (s,)
    allowed : bool (n,)
        Nodes that a way may enter; it may start anywhere.
    far : float
        Distance of what is farther or out of reach.
    highest : bool
        The length of a way is its longest step, not the sum of its steps.

    Returns
    -------
    float64 (n,)
    """
    starts, nodes, edges = (as_input(each) for each in graph)
    found: Floats = _distances(
        starts, nodes, edges, as_input(steps), as_input(sources), as_input(allowed), far, highest
    )
    return found


@compiled
def _connected(starts: Ints, nodes: Ints, sources: Ints, allowed: Mask) -> Mask:
    found = np.zeros(allowed.size, np.bool_)
    waiting = np.empty(allowed.size, np.int64)
    count = 0
    for source in sources:
        if allowed[source] and not found[source]:
            found[source] = True
            waiting[count] = source
            count += 1
    while count > 0:
        count -= 1
        here = waiting[count]
        for place in range(starts[here], starts[here + 1]):
            near = nodes[place]
            if allowed[near] and not found[near]:
                found[near] = True
                waiting[count] = near
                count += 1
    return found


def connected(graph: Neighbours, sources: Ints, allowed: Mask) -> Mask:
    """Find the allowed nodes that hang together with an allowed source.

    Parameters
    ----------
    graph : Neighbours
    sources : int64 (s,)
    allowed : bool (n,)

    Returns
    -------
    bool (n,)
    """
    found: Mask = _connected(as_input(graph.starts), as_input(graph.nodes), as_input(sources), as_input(allowed))
    return found


@compiled
def _joining_heights(ends: Ints, merges: Ints, costs: Floats, count: int) -> Floats:
    parent = np.full(2 * count - 1, np.int64(-1))
    height = np.zeros(2 * count - 1)
    current = np.arange(count)
    highest = -np.inf
    for step in range(merges.shape[0]):
        kept, gone = merges[step, 0], merges[step, 1]
        highest = max(highest, costs[step])
        parent[current[kept]] = count + step
        parent[current[gone]] = count + step
        current[kept] = count + step
        height[count + step] = highest
    found = np.empty(ends.shape[0])
    for edge in range(ends.shape[0]):
        one, other = ends[edge, 0], ends[edge, 1]
        # a parent has a higher number than its children
        while one != other:
            if one < other:
                one = parent[one]
            else:
                other = parent[other]
        found[edge] = height[one]
    return found


def joining_heights(ends: Ints, merges: Ints, costs: Floats, count: int) -> Floats:
    """Find at what cost the two ends of each edge come into one region: the saliency of the contour between them.

    Parameters
    ----------
    ends : int64 (m, 2)
    merges : int64 (n - 1, 2)
        From `merge_regions`; the graph is connected.
    costs : float64 (n - 1,)
    count : int
        n.

    Returns
    -------
    float64 (m,)
        The highest cost up to the merge that joins them.
    """
    found: Floats = _joining_heights(as_input(ends), as_input(merges), as_input(costs), count)
    return found


def warm() -> None:
    """Compile on a tiny input."""
    ends = np.array([[0, 1]])
    graph = list_neighbours(ends, 2)
    everywhere = np.ones(2, np.bool_)
    for highest in (False, True):
        distances(graph, np.ones(1), np.zeros(1, np.int64), everywhere, 9.0, highest=highest)
    connected(graph, np.zeros(1, np.int64), everywhere)
    joining_heights(ends, ends, np.ones(1), 2)
