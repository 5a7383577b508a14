"""Normalized cuts: a weighted graph is cut in two, again and again, where little weight is lost for what is kept."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from prebrush.segmentation.kernels.compiled import as_input, compiled

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
STEPS = 16
"""Of Lanczos' iteration on the inverse, where a few separate all but equal eigenvalues."""
SHIFT = 1e-9
"""Added to the Laplacian's eigenvalues (0 to 2), so that it has an inverse."""
EXHAUSTED = 1e-12
"""Length of the next step, as a share of the first one, from which on there is only rounding."""


class Links(NamedTuple):
    """Neighbours of each node, near and next but one.

    Attributes
    ----------
    starts : int64 (n + 1,)
        Where the links of each node begin.
    ends : int64 (m,)
        The node at the other end; each link is listed at both.
    steps : int64 (m,)
        1 for neighbours, 2 for neighbours of neighbours.
    """

    starts: Places
    ends: Places
    steps: Places


@compiled
def _link(nodes: Places, count: int) -> tuple[Places, Places, Places]:
    degree = np.zeros(count + 1, np.int64)
    for edge in range(nodes.shape[0]):
        for end in range(2):
            degree[nodes[edge, end] + 1] += 1
    first = np.cumsum(degree)
    place = first[:-1].copy()
    near = np.empty(first[count], np.int64)
    for edge in range(nodes.shape[0]):
        for end in range(2):
            node = nodes[edge, end]
            near[place[node]] = nodes[edge, 1 - end]
            place[node] += 1
    starts = np.zeros(count + 1, np.int64)
    ends = [np.int64(0) for _ in range(0)]
    steps = [np.int64(0) for _ in range(0)]
    seen = np.full(count, -1, np.int64)
    for node in range(count):
        seen[node] = node
        for at in range(first[node], first[node + 1]):
            seen[near[at]] = node
            ends.append(near[at])
            steps.append(np.int64(1))
        for at in range(first[node], first[node + 1]):
            for further in range(first[near[at]], first[near[at] + 1]):
                other = near[further]
                if seen[other] != node:
                    seen[other] = node
                    ends.append(other)
                    steps.append(np.int64(2))
        starts[node + 1] = len(ends)
    return starts, np.array(ends, np.int64), np.array(steps, np.int64)


def link_nodes(nodes: Places, count: int) -> Links:
    """List the neighbours of each node, and their neighbours.

    Parameters
    ----------
    nodes : int64 (m, 2)
        The two ends of each edge; each pair once.
    count : int
        Of nodes.
    """
    return Links(*_link(as_input(nodes), count))


@compiled
def _factor(band: Floats) -> None:
    """Cholesky's factor of a banded matrix, in place: row i holds its entries of columns i - reach .. i."""
    size, width = band.shape
    reach = width - 1
    column = np.empty(width)
    for pivot in range(size):
        root = np.sqrt(band[pivot, reach])
        band[pivot, reach] = root
        last = min(reach, size - 1 - pivot)
        for down in range(1, last + 1):
            band[pivot + down, reach - down] /= root
            column[down] = band[pivot + down, reach - down]
        for down in range(1, last + 1):
            share = column[down]
            if share != 0:
                # entry (pivot + down, pivot + right) for right = 1 .. down
                target = band[pivot + down, reach - down + 1 :]
                for right in range(down):
                    target[np.uint64(right)] -= share * column[np.uint64(right + 1)]


@compiled
def _solve(band: Floats, vector: Floats) -> None:
    """Solve with a factor from `_factor`, in place."""
    size, width = band.shape
    reach = width - 1
    for row in range(size):
        total = vector[row]
        for back in range(1, min(reach, row) + 1):
            total -= band[row, reach - back] * vector[row - back]
        vector[row] = total / band[row, reach]
    for row in range(size - 1, -1, -1):
        vector[row] /= band[row, reach]
        for back in range(1, min(reach, row) + 1):
            vector[row - back] -= band[row, reach - back] * vector[row]


@compiled
def _laplacian(starts: Places, ends: Places, weights: Floats, loop: float, members: Places) -> tuple[Floats, Floats]:
    """Return the normalized Laplacian of a part of the graph, banded as in `_factor`, and the degree of each member."""
    size = members.size
    local = np.full(starts.size - 1, -1, np.int64)
    for at in range(size):
        local[members[at]] = at
    degree = np.full(size, loop)
    reach = 0
    for at in range(size):
        for link in range(starts[members[at]], starts[members[at] + 1]):
            other = local[ends[link]]
            if other >= 0:
                degree[at] += weights[link]
                reach = max(reach, at - other)
    band = np.zeros((size, reach + 1))
    root = np.sqrt(degree)
    for at in range(size):
        band[at, reach] = 1 - loop / degree[at] + SHIFT
        for link in range(starts[members[at]], starts[members[at] + 1]):
            other = local[ends[link]]
            if 0 <= other < at:
                band[at, reach - at + other] = -weights[link] / (root[at] * root[other])
    return band, degree


@compiled
def _explore(band: Floats, trivial: Floats) -> tuple[Floats, Floats]:
    """Run Lanczos' iteration on the inverse of a matrix, away from one eigenvector. Overwrites the matrix.

    Returns the basis (steps, n) and the projected inverse (steps, steps).
    """
    size = trivial.size
    _factor(band)
    steps = min(STEPS, size - 1)
    basis = np.empty((steps, size))
    projected = np.zeros((steps, steps))
    vector = np.empty(size)
    for at in range(size):
        # evenly spread and without a period, so that no eigenvector is missed
        vector[at] = (at * 0.6180339887498949) % 1.0 - 0.5
    first = 0.0
    for step in range(steps):
        # twice, since once leaves rounding errors of what was taken off
        for _ in range(2):
            vector -= (vector * trivial).sum() * trivial
            for back in range(step):
                vector -= (vector * basis[back]).sum() * basis[back]
        length = np.sqrt((vector * vector).sum())
        if step == 1:
            first = length
        if length <= EXHAUSTED * first:
            return basis[:step], projected[:step, :step]
        if step > 0:
            projected[step, step - 1] = projected[step - 1, step] = length
        basis[step] = vector / length
        vector = basis[step].copy()
        _solve(band, vector)
        projected[step, step] = (vector * basis[step]).sum()
    return basis, projected


@compiled
def _sweep(
    starts: Places, ends: Places, weights: Floats, members: Places, degree: Floats, order: Places
) -> tuple[float, int]:
    """Move one member after the other to the first side; return the least cost and how many are there then."""
    local = np.full(starts.size - 1, -1, np.int64)
    for at in range(members.size):
        local[members[at]] = at
    total = degree.sum()
    side = np.zeros(members.size, np.bool_)
    lost = kept = 0.0
    best, where = np.inf, 0
    for place in range(members.size - 1):
        at = order[place]
        kept += degree[at]
        for link in range(starts[members[at]], starts[members[at] + 1]):
            other = local[ends[link]]
            if other >= 0:
                lost += -weights[link] if side[other] else weights[link]
        side[at] = True
        cost = max(lost, 0.0) * (1 / kept + 1 / (total - kept))
        if cost < best:
            best, where = cost, place + 1
    return best, where


def split(links: Links, weights: Floats, loop: float, members: Places) -> tuple[float, Places, Places]:
    """Find the cheapest cut of a part of a graph along the second eigenvector of its normalized Laplacian.

    Parameters
    ----------
    links : Links
    weights : float64 (m,)
    loop : float
    members : int64 (k,)
        Nodes of the part, rising.

    Returns
    -------
    cost : float
        Of the normalized cut, 0..2; infinite for a single node.
    one, other : int64
        The nodes of both sides, rising.
    """
    if members.size < 2:
        return np.inf, members, members
    graph = links.starts, links.ends, weights
    band, degree = _laplacian(*graph, loop, members)
    root = np.sqrt(degree)
    basis, projected = _explore(band, root / np.linalg.norm(root))
    second = np.linalg.eigh(projected)[1][:, -1] @ basis
    order = np.argsort(second / root, kind="stable")
    cost, where = _sweep(*graph, members, degree, order)
    return cost, np.sort(members[order[:where]]), np.sort(members[order[where:]])


def cut_graph(links: Links, weights: Floats, loop: float, threshold: float, most: int) -> npt.NDArray[np.int32]:
    """Cut a graph into parts, the cheapest cut first.

    Parameters
    ----------
    links : Links
    weights : float64 (m,)
        Likeness of the two ends of each link, above 0; the same in both directions.
    loop : float
        Weight of each node's link to itself, above 0.
    threshold : float
        A part is left whole if its cheapest normalized cut, in 0..2, costs more.
    most : int
        How many parts at most.

    Returns
    -------
    int32 (n,)
        The part of each node, from 0.
    """
    weights = as_input(weights)
    owner = np.zeros(links.starts.size - 1, np.int32)
    cuts = [split(links, weights, loop, np.arange(owner.size))]
    while len(cuts) < most:
        cheapest = min(range(len(cuts)), key=lambda part: cuts[part][0])
        cost, one, other = cuts[cheapest]
        if cost > threshold:
            break
        owner[other] = len(cuts)
        cuts[cheapest] = split(links, weights, loop, one)
        cuts.append(split(links, weights, loop, other))
    return owner


def warm() -> None:
    """Compile on a tiny input."""
    links = link_nodes(np.array([[0, 1], [1, 2]]), 3)
    cut_graph(links, np.ones(links.ends.size), 1.0, 2.0, 3)
