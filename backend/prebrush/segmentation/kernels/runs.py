"""Connected pieces by runs, the stretches of equal numbers in a row: far fewer than pixels."""

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap
from prebrush.segmentation.kernels.compiled import as_input, compiled

Indices = npt.NDArray[np.int32]
HIGHEST = 2**31 - 1
ONE = np.uint64(1)
BLOCK, LOOK = 8, 16
# large arrays are made by NumPy and handed over: it asks the system for large pages, compiled code does not


@compiled
def _find_runs(flat: Indices, height: int, width: int, starts: Indices) -> tuple[Indices, Indices]:
    """Find where each run starts, with the end of the last, and the first run of each row, with the end."""
    firsts = np.empty(height + 1, np.int32)
    count = np.uint64(0)
    for row in range(height):
        firsts[row] = np.int32(count)
        begin = np.uint64(row) * np.uint64(width)
        starts[count] = np.int32(begin)
        count += ONE
        end = begin + np.uint64(width)
        for block in range(begin + ONE, end, np.uint64(LOOK)):
            # most stretches have no start, which is quick to see
            if block + np.uint64(LOOK) <= end:
                changes = np.int32(0)
                for step in range(np.uint64(LOOK)):
                    changes |= flat[block + step] ^ flat[block + step - ONE]
                if changes == 0:
                    continue
            # written whether or not it is a start: cheaper than to ask
            for at in range(block, min(block + np.uint64(LOOK), end)):
                starts[count] = np.int32(at)
                count += np.uint64(flat[at] != flat[at - ONE])
    firsts[height] = np.int32(count)
    starts[count] = np.int32(flat.size)
    return starts[: np.int64(count) + 1], firsts


# one long loop: handing the arrays to a function for each pair of runs takes several times as long
@compiled
def _link_runs(
    flat: Indices, starts: Indices, firsts: Indices, width: int, lowest: int, highest: int, diagonal: bool
) -> Indices:
    """Give each run the first run that it is connected to, for numbers from the lowest to the highest; else -1."""
    parent, numbers = np.empty(starts.size - 1, np.int32), np.empty(starts.size, np.int32)
    numbers[-1] = -1
    for run in range(parent.size):
        number = flat[np.uint64(starts[run])]
        numbers[run] = number if lowest <= number <= highest else np.int32(-1)
        parent[run] = np.int32(run) if lowest <= number <= highest else np.int32(-1)
    for row in range(1, firsts.size - 1):
        above, here, last = np.uint64(firsts[row - 1]), np.uint64(firsts[row]), np.uint64(firsts[row + 1])
        # both rows are full of runs, so that the two at hand always touch
        while here < last:
            gap = starts[here + ONE] - starts[above + ONE] - np.int32(width)
            # where both end in the same column, each also touches the other's next by a corner
            pairs = 3 if diagonal and gap == 0 and here + ONE < last else 1
            for pair in range(pairs):
                one, other = above + np.uint64(pair == 1), here + np.uint64(pair == 2)
                if numbers[one] != numbers[other] or numbers[one] < 0 or parent[one] == parent[other]:
                    continue
                while parent[one] != np.int32(one):
                    parent[one] = parent[np.uint64(parent[one])]
                    one = np.uint64(parent[one])
                while parent[other] != np.int32(other):
                    parent[other] = parent[np.uint64(parent[other])]
                    other = np.uint64(parent[other])
                parent[max(one, other)] = np.int32(min(one, other))
            above += np.uint64(gap >= 0)
            here += np.uint64(gap <= 0)
    for run in range(parent.size):
        if parent[run] >= 0:
            parent[run] = parent[np.uint64(parent[run])]
    return parent


@compiled
def _areas(starts: Indices, parent: Indices) -> Indices:
    """Count the pixels of each piece, at the place of its first run."""
    areas = np.zeros(parent.size, np.int32)
    for run in range(parent.size):
        if parent[run] >= 0:
            areas[np.uint64(parent[run])] += starts[run + 1] - starts[run]
    return areas


@compiled
def _number(
    flat: Indices, starts: Indices, parent: Indices, areas: Indices, least_area: int, drawn: Indices
) -> Indices:
    """Number the pieces in the order of their first runs and draw them; return also the old number of each."""
    origin = np.empty(parent.size + 1, np.int32)
    total = 0
    origin[0] = 0
    for run in range(parent.size):
        first = np.int64(parent[run])
        if first == run:
            # from here on the piece's number takes the place of its area
            if areas[run] >= least_area:
                total += 1
                origin[total] = flat[np.uint64(starts[run])]
                areas[run] = total
            else:
                areas[run] = 0
        number = areas[np.uint64(first)] if first >= 0 else np.int32(0)
        # in blocks of fixed length, which are quick to write; the next run draws over what is too much
        for block in range(starts[run], starts[run + 1], BLOCK):
            for step in range(BLOCK):
                drawn[np.uint64(block) + np.uint64(step)] = number
    return origin[: total + 1].copy()


# one long loop, as above
@compiled
def _surround(  # noqa: C901  see above
    flat: Indices, starts: Indices, firsts: Indices, parent: Indices, areas: Indices, width: int, largest: float
) -> tuple[Indices, Indices]:
    """Find the lowest and the highest number around each small piece; the outside of the frame counts as 0."""
    lowest, highest = np.full(parent.size, np.int32(HIGHEST), np.int32), np.zeros(parent.size, np.int32)
    height = firsts.size - 1
    for row in range(height):
        above = np.int64(firsts[row - 1]) if row else 0
        below = np.int64(firsts[row + 1])
        for run in range(np.int64(firsts[row]), np.int64(firsts[row + 1])):
            if parent[run] < 0 or areas[np.uint64(parent[run])] > largest:
                continue
            piece = np.uint64(parent[run])
            begin, end = np.int64(starts[run]), np.int64(starts[run + 1])
            if row in (0, height - 1) or begin == row * width or end == (row + 1) * width:
                lowest[piece] = 0
                continue
            for side in (flat[np.uint64(begin - 1)], flat[np.uint64(end)]):
                lowest[piece] = min(lowest[piece], side)
                highest[piece] = max(highest[piece], side)
            while np.int64(starts[above + 1]) + width <= begin:
                above += 1
            while np.int64(starts[below + 1]) - width <= begin:
                below += 1
            for shift in (-width, width):
                near = above if shift < 0 else below
                while np.int64(starts[near]) - shift < end:
                    side = flat[np.uint64(starts[near])]
                    if side != 0:
                        lowest[piece] = min(lowest[piece], side)
                        highest[piece] = max(highest[piece], side)
                    near += 1
    return lowest, highest


@compiled
def _draw_fillings(
    starts: Indices, parent: Indices, areas: Indices, lowest: Indices, highest: Indices, largest: float, flat: Indices
) -> None:
    """Draw the number around each small piece that a single number surrounds into that piece."""
    for run in range(parent.size):
        if parent[run] < 0:
            continue
        piece = np.uint64(parent[run])
        if lowest[piece] == highest[piece] and areas[piece] <= largest:
            for at in range(np.uint64(starts[run]), np.uint64(starts[run + 1])):
                flat[at] = highest[piece]


def pieces_by_runs(
    label_map: LabelMap, lowest: int, least_area: int, *, diagonal: bool
) -> tuple[LabelMap, npt.NDArray[np.int32]]:
    """Number the connected pieces of equal numbers; see `connected_components`.

    Parameters
    ----------
    label_map : int32 (H, W)
    lowest : int
        Smaller numbers make no pieces.
    least_area : int
        Smaller pieces are left out.
    diagonal : bool
    """
    height, width = label_map.shape
    flat = as_input(label_map).reshape(-1)
    starts, firsts = _find_runs(flat, height, width, np.empty(flat.size + 2, np.int32))
    parent = _link_runs(flat, starts, firsts, width, lowest, HIGHEST, diagonal)
    pieces = np.empty(flat.size + BLOCK, np.int32)
    origin = _number(flat, starts, parent, _areas(starts, parent), least_area, pieces)
    return pieces[: flat.size].reshape(height, width), origin


def fill_holes(label_map: LabelMap, largest: float) -> LabelMap:
    """Fill background that one segment encloses.

    Background is connected over sides, as segments are over corners. What touches the frame is not enclosed.

    Parameters
    ----------
    label_map : int32 (H, W)
    largest : float
        Area of the largest holes that are filled, in pixels.

    Returns
    -------
    int32 (H, W)
    """
    height, width = label_map.shape
    flat = as_input(label_map).reshape(-1)
    starts, firsts = _find_runs(flat, height, width, np.empty(flat.size + 2, np.int32))
    parent = _link_runs(flat, starts, firsts, width, 0, 0, False)
    areas = _areas(starts, parent)
    lowest, highest = _surround(flat, starts, firsts, parent, areas, width, largest)
    filled = flat.copy()
    _draw_fillings(starts, parent, areas, lowest, highest, largest, filled)
    return filled.reshape(height, width)


def warm() -> None:
    """Compile on a tiny input."""
    label_map = np.array([[1, 1, 1, 2], [1, 0, 1, 2], [1, 1, 1, 2]], np.int32)
    pieces_by_runs(label_map, 1, 1, diagonal=True)
    fill_holes(label_map, 4.0)
