"""Superpixels: k-means in colour and position around the cells of a grid, then connected pieces of a least size."""

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap
from prebrush.segmentation.kernels.compiled import as_input, compiled
from prebrush.segmentation.kernels.components import areas_of, connected_components, replace_numbers

Floats = npt.NDArray[np.float32]
STRIP = 512
"""Columns that are done at once, so that the centres in reach of each of them stay in the processor's cache."""
LINES = 8
"""Lines of a cell that are enough to find its centre in all rounds but the last two."""
LONGEST_STRIDE = 4
"""Of the lines that are looked at in those rounds; they change from round to round."""
NEAR = 9
"""Centres a pixel may belong to: that of its own cell and those of the cells around it."""


# on its own, so that the compiler makes it eight pixels at a time; one call does a whole line
@compiled
def _prefer(
    near: np.int32,
    row: np.float32,
    weight: np.float32,
    lights: Floats,
    ones: Floats,
    twos: Floats,
    light: Floats,
    one: Floats,
    two: Floats,
    down: Floats,
    right: Floats,
    least: Floats,
    choice: npt.NDArray[np.int32],
) -> None:
    """Choose a centre for the pixels of a line that are nearer to it than to what they have."""
    for at in range(least.size):
        place = np.uint64(at)
        a = lights[place] - light[place]
        b = ones[place] - one[place]
        c = twos[place] - two[place]
        d = row - down[place]
        squared = a * a + b * b + c * c + d * d * weight + right[place]
        closer = squared < least[place]
        least[place] = squared if closer else least[place]
        choice[place] = near if closer else choice[place]


# one long loop: handing the arrays to a function for each row takes longer than what is done with them
@compiled
def _cluster(  # noqa: C901, PLR0912, PLR0915  see above
    planes: Floats, n_rows: int, n_cols: int, per_pixel: float, rounds: int
) -> npt.NDArray[np.int32]:
    _, height, width = planes.shape
    owner = np.empty((height, width), np.int32)
    col_cells = np.empty(width, np.int64)
    for col in range(width):
        col_cells[col] = col * n_cols // width
    weight = np.float32(per_pixel * per_pixel)
    stride = min(max(height // n_rows // LINES, 1), LONGEST_STRIDE)
    centers = np.zeros((n_rows * n_cols, 5), np.float32)
    # of each column of a strip, for each centre in reach: number, colour and place
    number = np.empty((NEAR, STRIP), np.int32)
    light = np.empty((NEAR, STRIP), np.float32)
    one = np.empty((NEAR, STRIP), np.float32)
    two = np.empty((NEAR, STRIP), np.float32)
    down = np.empty((NEAR, STRIP), np.float32)
    right = np.empty((NEAR, STRIP), np.float32)
    least = np.empty(STRIP, np.float32)
    choice = np.empty(STRIP, np.int32)
    for turn in range(rounds + 1):
        sums = np.zeros((n_rows * n_cols, 6))
        step = stride if 0 < turn < rounds - 1 else 1
        for cell_row in range(n_rows):
            top = (cell_row * height + n_rows - 1) // n_rows
            bottom = ((cell_row + 1) * height + n_rows - 1) // n_rows
            for left in range(0, width, STRIP):
                size = min(STRIP, width - left)
                for near in range(NEAR):
                    near_row = min(max(cell_row + near // 3 - 1, 0), n_rows - 1)
                    for at in range(size):
                        near_col = min(max(col_cells[left + at] + near % 3 - 1, 0), n_cols - 1)
                        center = near_row * n_cols + near_col
                        number[near, at] = center
                        light[near, at] = centers[center, 0]
                        one[near, at] = centers[center, 1]
                        two[near, at] = centers[center, 2]
                        down[near, at] = centers[center, 3]
                        gap = np.float32(left + at) - centers[center, 4]
                        right[near, at] = gap * gap * weight
                for row in range(top + turn % step, bottom, step):
                    lights = planes[0, row, left : left + size]
                    ones = planes[1, row, left : left + size]
                    twos = planes[2, row, left : left + size]
                    if turn == 0:  # every pixel to its own cell
                        for at in range(size):
                            choice[at] = 4
                    else:
                        for at in range(size):
                            least[np.uint64(at)] = np.float32(np.inf)
                        for near in range(NEAR):
                            _prefer(
                                np.int32(near),
                                np.float32(row),
                                weight,
                                lights,
                                ones,
                                twos,
                                light[near],
                                one[near],
                                two[near],
                                down[near],
                                right[near],
                                least[:size],
                                choice,
                            )
                    # runs of pixels of the same centre are summed before they are added to it
                    last = number[choice[0], 0]
                    count = 0.0
                    sum_light = sum_one = sum_two = sum_col = 0.0
                    for at in range(size):
                        place = np.uint64(at)
                        center = number[np.uint64(choice[place]), place]
                        owner[row, left + at] = center
                        if center != last:
                            sums[last, 0] += sum_light
                            sums[last, 1] += sum_one
                            sums[last, 2] += sum_two
                            sums[last, 3] += count * row
                            sums[last, 4] += sum_col
                            sums[last, 5] += count
                            last = center
                            count = 0.0
                            sum_light = sum_one = sum_two = sum_col = 0.0
                        sum_light += lights[place]
                        sum_one += ones[place]
                        sum_two += twos[place]
                        sum_col += left + at
                        count += 1
                    sums[last, 0] += sum_light
                    sums[last, 1] += sum_one
                    sums[last, 2] += sum_two
                    sums[last, 3] += count * row
                    sums[last, 4] += sum_col
                    sums[last, 5] += count
        for center in range(n_rows * n_cols):
            if sums[center, 5] > 0:
                for part in range(5):
                    centers[center, part] = sums[center, part] / sums[center, 5]
    return owner


def cluster_on_grid(planes: Floats, n_rows: int, n_cols: int, per_pixel: float, rounds: int) -> npt.NDArray[np.int32]:
    """Cluster pixels by colour and position, from centres on a grid.

    A pixel goes to the nearest of the centres that started in its own cell of the grid and in the eight around it. In
    cells of 16 lines or more, all rounds but the last two look at some of the lines only.

    Parameters
    ----------
    planes : float32 (3, H, W)
        Colours.
    n_rows, n_cols : int
        Cells of the grid, at most H and W.
    per_pixel : float
        What a pixel's distance counts beside colour.
    rounds : int
        Of assignment; with none the cells come back.

    Returns
    -------
    int32 (H, W)
        The centre of each pixel, 0..n_rows * n_cols - 1; not always connected.
    """
    owner: npt.NDArray[np.int32] = _cluster(as_input(planes), n_rows, n_cols, per_pixel, rounds)
    return owner


@compiled
def _pairs_of_small(
    pieces: npt.NDArray[np.int32], areas: npt.NDArray[np.int64], min_size: int
) -> npt.NDArray[np.int64]:
    """List the sides of pixels where a small piece touches another: its number times that of pieces, plus the other."""
    height, width = pieces.shape
    downs = np.array((-1, 0, 0, 1))
    rights = np.array((0, -1, 1, 0))
    pairs = np.empty(4 * areas[areas < min_size].sum(), np.int64)
    count = 0
    for row in range(height):
        for col in range(width):
            here = np.uint64(pieces[row, col])
            if areas[here] >= min_size:
                continue
            for way in range(4):
                to_row = row + downs[way]
                to_col = col + rights[way]
                if 0 <= to_row < height and 0 <= to_col < width:
                    there = pieces[to_row, to_col]
                    if there != here:
                        pairs[count] = here * np.uint64(areas.size) + np.uint64(there)
                        count += 1
    return pairs[:count]


@compiled
def _join_small(pairs: npt.NDArray[np.int64], n_pieces: int) -> npt.NDArray[np.int32]:
    """Return the new number of each piece when each small one joins that with the longest common boundary.

    The pairs are sorted.
    """
    target = np.arange(n_pieces).astype(np.int32)
    longest = np.zeros(n_pieces, np.int64)
    at = 0
    while at < pairs.size:
        end = at
        while end < pairs.size and pairs[end] == pairs[at]:
            end += 1
        small = pairs[at] // n_pieces
        if end - at > longest[small]:
            longest[small] = end - at
            target[small] = pairs[at] % n_pieces
        at = end
    # a chain of small pieces that join each other ends in a large one or in a ring of two
    root = np.arange(n_pieces).astype(np.int32)
    for piece in range(n_pieces):
        one = np.int64(piece)
        while root[one] != one:
            one = root[one]
        other = np.int64(target[piece])
        while root[other] != other:
            other = root[other]
        root[max(one, other)] = min(one, other)
    numbers = np.zeros(n_pieces, np.int32)
    count = 0
    for piece in range(1, n_pieces):
        if root[piece] == piece:
            count += 1
            numbers[piece] = count
        else:
            numbers[piece] = numbers[root[piece]]
    return numbers


def connect(owner: npt.NDArray[np.int32], min_size: int) -> LabelMap:
    """Make connected pieces of at least a size out of a label map.

    Each piece that is smaller joins the neighbour with which it has the longest boundary, until none is left.

    Parameters
    ----------
    owner : int32 (H, W)
    min_size : int
        In pixels.

    Returns
    -------
    int32 (H, W)
        1..n in scan order of their first pixels; connected by sides of pixels.
    """
    pieces, origin = connected_components(owner, with_background=True, diagonal=False)
    count = origin.size - 1
    while count > 1:
        areas = areas_of(pieces, count)
        if areas[1:].min() >= min_size:
            break
        pairs = _pairs_of_small(as_input(pieces), areas, min_size)
        pairs.sort()  # out here, where NumPy does it: the compiled sort takes ten times as long
        numbers = _join_small(pairs, count + 1)
        pieces, count = replace_numbers(pieces, numbers), int(numbers.max())
    return pieces


def warm() -> None:
    """Compile on a tiny input."""
    connect(cluster_on_grid(np.zeros((3, 2, 3), np.float32), 1, 2, 1.0, 1), 4)
