"""Mean shift on a grid of weighted samples, and the fusion of neighbours that end at the same mode."""

import numpy as np
import numpy.typing as npt

from prebrush.segmentation.kernels.compiled import as_input, compiled

Floats = npt.NDArray[np.float32]
Sums = npt.NDArray[np.float64]
ROUNDS = 20
"""Of shifts of a sample, at most."""
STILL = 1e-4
"""Squared length of a shift, in radii, at which a sample has arrived."""


@compiled
def _gather(owner: npt.NDArray[np.int32], planes: Floats, count: int) -> Floats:
    _, height, width = planes.shape
    sums = np.zeros((count, 6))
    for row in range(height):
        for col in range(width):
            at = np.uint64(owner[row, col])
            for part in range(3):
                sums[at, part] += planes[part, row, col]
            sums[at, 3] += row
            sums[at, 4] += col
            sums[at, 5] += 1
    samples = np.zeros((6, count), np.float32)
    for number in range(count):
        samples[5, number] = sums[number, 5]
        if sums[number, 5] > 0:
            for part in range(5):
                samples[part, number] = sums[number, part] / sums[number, 5]
    return samples


def gather_samples(owner: npt.NDArray[np.int32], planes: Floats, n_rows: int, n_cols: int) -> Floats:
    """Average colour and position over the pixels of each centre of a grid.

    Parameters
    ----------
    owner : int32 (H, W)
        0..n_rows * n_cols - 1.
    planes : float32 (3, H, W)
    n_rows, n_cols : int

    Returns
    -------
    float32 (6, n_rows, n_cols)
        Colour, row, column, number of pixels; all 0 where a centre has none.
    """
    samples: Floats = _gather(as_input(owner), as_input(planes), n_rows * n_cols)
    return samples.reshape(6, n_rows, n_cols)


# one long loop: handing the arrays to a function for each sample, or for each shift, takes its time as well
@compiled
def _seek(samples: Floats, height: int, width: int, spatial_radius: float, color_radius: float) -> Floats:
    _, n_rows, n_cols = samples.shape
    modes = np.zeros((n_rows, n_cols, 3), np.float32)
    cell_height = np.float32(height / n_rows)
    cell_width = np.float32(width / n_cols)
    # a sample may lie up to a cell outside its own
    reach_rows = int(spatial_radius / cell_height) + 2
    reach_cols = int(spatial_radius / cell_width) + 2
    per_px = np.float32(1 / (spatial_radius * spatial_radius))
    per_color = np.float32(1 / (color_radius * color_radius))
    one = np.float32(1)
    for row in range(n_rows):
        for col in range(n_cols):
            light, a, b = samples[0, row, col], samples[1, row, col], samples[2, row, col]
            down, right = samples[3, row, col], samples[4, row, col]
            for _ in range(ROUNDS if samples[5, row, col] > 0 else 0):
                middle_row, middle_col = int(down / cell_height), int(right / cell_width)
                left, end = max(0, middle_col - reach_cols), min(n_cols, middle_col + reach_cols + 1)
                total = sum_light = sum_a = sum_b = sum_down = sum_right = np.float32(0)
                for near_row in range(max(0, middle_row - reach_rows), min(n_rows, middle_row + reach_rows + 1)):
                    at_row = np.uint64(near_row)
                    for near_col in range(left, end):
                        at = np.uint64(near_col)
                        far_down = samples[3, at_row, at] - down
                        far_right = samples[4, at_row, at] - right
                        if (far_down * far_down + far_right * far_right) * per_px > one:
                            continue
                        far_light = samples[0, at_row, at] - light
                        far_a = samples[1, at_row, at] - a
                        far_b = samples[2, at_row, at] - b
                        if (far_light * far_light + far_a * far_a + far_b * far_b) * per_color > one:
                            continue
                        weight = samples[5, at_row, at]
                        total += weight
                        sum_light += weight * far_light
                        sum_a += weight * far_a
                        sum_b += weight * far_b
                        sum_down += weight * far_down
                        sum_right += weight * far_right
                if total == 0:
                    break
                share = one / total
                light += sum_light * share
                a += sum_a * share
                b += sum_b * share
                down += sum_down * share
                right += sum_right * share
                moved = (sum_light * sum_light + sum_a * sum_a + sum_b * sum_b) * per_color
                moved += (sum_down * sum_down + sum_right * sum_right) * per_px
                if moved * share * share < STILL:
                    break
            modes[row, col, 0] = light
            modes[row, col, 1] = a
            modes[row, col, 2] = b
    return modes


def seek_modes(samples: Floats, height: int, width: int, spatial_radius: float, color_radius: float) -> Floats:
    """Shift each sample to the mean of those around it in position and colour, until it stays.

    Parameters
    ----------
    samples : float32 (6, n_rows, n_cols)
        From `gather_samples`; each lies in its own cell of the grid or in one that touches it.
    height, width : int
        Of the image.
    spatial_radius : float
        In pixels.
    color_radius : float

    Returns
    -------
    float32 (n_rows, n_cols, 3)
        Colour of the mode; 0 where a sample has no pixels.
    """
    modes: Floats = _seek(as_input(samples), height, width, spatial_radius, color_radius)
    return modes


# graph_merging.py has the same few lines: numba's cache does not notice a change in another module's kernel
@compiled
def _find(parent: npt.NDArray[np.int32], node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@compiled
def _neighbours(n_rows: int, n_cols: int) -> npt.NDArray[np.int32]:
    """List the pairs of cells that touch, by a corner too: (m, 2)."""
    pairs = np.empty((4 * n_rows * n_cols, 2), np.int32)
    count = 0
    for row in range(n_rows):
        for col in range(n_cols):
            for down, right in ((0, 1), (1, -1), (1, 0), (1, 1)):
                if row + down < n_rows and 0 <= col + right < n_cols:
                    pairs[count, 0] = row * n_cols + col
                    pairs[count, 1] = (row + down) * n_cols + col + right
                    count += 1
    return pairs[:count]


@compiled
def _gap(colors: Floats | Sums, one: int, other: int) -> float:
    total = 0.0
    for part in range(3):
        total += (colors[one, part] - colors[other, part]) ** 2
    return total


@compiled
def _join_close(modes: Floats, weights: Floats, pairs: npt.NDArray[np.int32], distance: float) -> npt.NDArray[np.int32]:
    """Join the pairs whose modes are close; return each cell's parent, the lowest number of a basin being its root."""
    parent = np.arange(weights.size).astype(np.int32)
    for at in range(pairs.shape[0]):
        one, other = pairs[at, 0], pairs[at, 1]
        if weights[one] > 0 and weights[other] > 0 and _gap(modes, one, other) <= distance * distance:
            one, other = _find(parent, one), _find(parent, other)
            parent[max(one, other)] = min(one, other)
    for cell in range(weights.size):
        parent[cell] = _find(parent, cell)
    return parent


@compiled
def _nearest_of_small(
    parent: npt.NDArray[np.int32],
    pairs: npt.NDArray[np.int32],
    size: Sums,
    colors: Sums,
    min_size: float,
) -> npt.NDArray[np.int32]:
    """Return for the root of each basin that is too small the touching one nearest in colour, else -1."""
    nearest = np.full(parent.size, np.inf)
    target = np.full(parent.size, -1, np.int32)
    for at in range(pairs.shape[0]):
        one, other = parent[pairs[at, 0]], parent[pairs[at, 1]]
        if one == other or min(size[one], size[other]) >= min_size:
            continue
        gap = _gap(colors, one, other)
        if size[one] < min_size and gap < nearest[one]:
            nearest[one], target[one] = gap, other
        if size[other] < min_size and gap < nearest[other]:
            nearest[other], target[other] = gap, one
    return target


@compiled
def _join_small(
    parent: npt.NDArray[np.int32],
    pairs: npt.NDArray[np.int32],
    size: Sums,
    colors: Sums,
    min_size: float,
) -> None:
    """Join each basin that is too small with the touching one nearest in colour, until there is none. In place."""
    joined = True
    while joined:
        joined = False
        target = _nearest_of_small(parent, pairs, size, colors, min_size)
        for cell in range(parent.size):
            if target[cell] < 0:
                continue
            one, other = _find(parent, cell), _find(parent, target[cell])
            # what one of them was joined with in this round may have made it large enough
            if one == other or min(size[one], size[other]) >= min_size:
                continue
            joined = True
            kept, gone = min(one, other), max(one, other)
            total = max(size[kept] + size[gone], 1e-9)  # cells without pixels weigh nothing
            for part in range(3):
                colors[kept, part] = (colors[kept, part] * size[kept] + colors[gone, part] * size[gone]) / total
            size[kept] += size[gone]
            parent[gone] = kept
        for cell in range(parent.size):
            parent[cell] = _find(parent, cell)


def _sums(parent: npt.NDArray[np.int32], weights: Floats) -> Sums:
    """Add up the weights of the cells of each basin; 0 where a cell is no root."""
    return np.bincount(parent, weights=weights, minlength=parent.size).astype(np.float64)


def fuse_basins(modes: Floats, weights: Floats, distance: float, min_size: float) -> npt.NDArray[np.int32]:
    """Join cells that touch and whose modes are close, then what is too small with the neighbour nearest in colour.

    Parameters
    ----------
    modes : float32 (n_rows, n_cols, 3)
    weights : float32 (n_rows, n_cols)
        Pixels of each sample.
    distance : float
        Between two modes, at most.
    min_size : float
        Least weight of a basin.

    Returns
    -------
    int32 (n_rows, n_cols)
        The number of each cell's basin; not without gaps.
    """
    pairs = _neighbours(*weights.shape)
    flat_modes, flat_weights = as_input(modes).reshape(-1, 3), as_input(weights).reshape(-1)
    parent = _join_close(flat_modes, flat_weights, pairs, distance)
    size = _sums(parent, flat_weights)
    colors = np.stack([_sums(parent, flat_weights * part) for part in flat_modes.T], axis=1)
    _join_small(parent, pairs, size, colors / np.maximum(size, 1)[:, None], min_size)
    return parent.reshape(weights.shape)


def warm() -> None:
    """Compile on a tiny input."""
    samples = gather_samples(np.zeros((1, 2), np.int32), np.zeros((3, 1, 2), np.float32), 1, 1)
    fuse_basins(seek_modes(samples, 1, 2, 1.0, 1.0), samples[5], 1.0, 1.0)
