"""Coarser grids for diffusion between pixels, whatever the weights; `multigrid` solves on them.

Each coarser grid has every second pixel of every second row. What lies between takes the mean of its neighbours,
weighted as the system weights them, so that values do not leak over edges of the image; the coarser system is what the
finer one does to such values (J. E. Dendy, Journal of Computational Physics 48(3), 1982,
doi:10.1016/0021-9991(82)90057-2). Not for other systems: weights are at least 0 and rows sum to at least 0.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from prebrush.segmentation.kernels.compiled import compiled, inlined

Stack = npt.NDArray[np.float32]
"""float32 (fields, rows, cols) of one grid, with a frame of at least a pixel of zeros around it."""

RIGHT, DOWN, OUT, INVERSE, VALUE, LOAD, DOWN_RIGHT, DOWN_LEFT = range(8)
"""Fields of a grid: weights to the neighbours, weight to a fixed 0, one over the sum of all weights or 0 where nothing
is solved for, then solution and right side. The finest grid has no diagonals."""
SHARES, LOSSES = 11, 8
"""Fields between two grids: how much of a coarse pixel a pixel beside, below or in the middle of four takes over (left,
right, up, down, then the four corners in reading order), and from where on, what is missing to 1 in those three."""
ONE = np.uint64(1)
ZERO, WHOLE = np.float32(0), np.float32(1)


class Grid(NamedTuple):
    """One grid of the hierarchy.

    Attributes
    ----------
    fields : float32 (6 or 8, 2 * H + 2, 2 * W + 2)
        8 with diagonals; H and W are the size of the next grid.
    shares : float32 (11, rows, cols)
        Rows and columns of the next grid's fields; empty on the coarsest.
    """

    fields: Stack
    shares: Stack


def framed(length: int) -> int:
    """Rows or columns of the fields of a grid that is so many pixels high or wide."""
    return (length + 1) // 2 * 2 + 2


def coarse_shapes(height: int, width: int) -> list[tuple[int, int]]:
    """Rows and columns of the fields of all coarser grids, down to a single pixel, which one sweep solves for."""
    shapes = []
    height, width = framed(height) - 2, framed(width) - 2
    while height * width > 1:
        height, width = (height + 1) // 2, (width + 1) // 2
        shapes.append((framed(height), framed(width)))
    return shapes


def room_for(height: int, width: int) -> int:
    """Count the numbers that the coarser grids hold."""
    return (SHARES + 8) * sum(rows * cols for rows, cols in coarse_shapes(height, width))


def build_grids(fields: Stack, room: Stack) -> list[Grid]:
    """Derive the coarser grids.

    Parameters
    ----------
    fields : float32 (6, 2 * H + 2, 2 * W + 2)
        The finest grid, with all weights set.
    room : float32 (n,)
        Zeros, as many as `room_for` says, for the coarser grids: one block of memory for everything costs the system
        far less than many small ones.
    """
    shapes, used = coarse_shapes(fields.shape[1] - 2, fields.shape[2] - 2), 0
    grids = []
    for rows, cols in shapes:
        both = room[used : used + (SHARES + 8) * rows * cols].reshape(SHARES + 8, rows, cols)
        used += both.size
        shares, coarse = both[:SHARES], both[SHARES:]
        diagonals = len(fields) > DOWN_RIGHT
        _share_sides(fields, shares, diagonals)
        _share_middles(fields, shares, diagonals)
        _coarsen(fields, shares, coarse, diagonals)
        _invert(coarse)
        grids.append(Grid(fields, shares))
        fields = coarse
    grids.append(Grid(fields, room[:0].reshape(SHARES, 0, 0)))
    return grids


@compiled
def _share_sides(fields: Stack, shares: Stack, diagonals: bool) -> None:
    """Find what each pixel between two coarse ones takes over from them."""
    right, down, out = fields[RIGHT], fields[DOWN], fields[OUT]
    down_right, down_left = fields[-2], fields[-1]  # read only where there are diagonals
    lefts, rights, ups, downs = shares[0], shares[1], shares[2], shares[3]
    row_loss, col_loss = shares[LOSSES], shares[LOSSES + 1]
    rows, cols = np.uint64(fields.shape[1] // 2), np.uint64(fields.shape[2] // 2)
    for to in range(ONE, rows):
        row = to + to - ONE
        for at in range(ONE, cols):
            col = at + at
            # what pulls it aside; pixels above and below are taken to have its own value
            one, other = right[row, col - ONE], right[row, col]
            if diagonals:
                one += down_right[row - ONE, col - ONE] + down_left[row, col]
                other += down_left[row - ONE, col + ONE] + down_right[row, col]
            whole = one + other + out[row, col]
            part = WHOLE / whole if whole > ZERO else ZERO
            lefts[to, at], rights[to, at], row_loss[to, at] = one * part, other * part, out[row, col] * part
            here, below = col - ONE, row + ONE
            one, other = down[row, here], down[below, here]
            if diagonals:
                one += down_right[row, here - ONE] + down_left[row, col]
                other += down_right[below, here] + down_left[below, here]
            whole = one + other + out[below, here]
            part = WHOLE / whole if whole > ZERO else ZERO
            ups[to, at], downs[to, at], col_loss[to, at] = one * part, other * part, out[below, here] * part


@compiled
def _share_middles(fields: Stack, shares: Stack, diagonals: bool) -> None:
    """Find what each pixel in the middle of four coarse ones takes over from them, by way of its neighbours."""
    right, down, out, inverse = fields[RIGHT], fields[DOWN], fields[OUT], fields[INVERSE]
    down_right, down_left = fields[-2], fields[-1]  # read only where there are diagonals
    lefts, rights, ups, downs = shares[0], shares[1], shares[2], shares[3]
    row_loss, col_loss, middle_loss = shares[LOSSES], shares[LOSSES + 1], shares[LOSSES + 2]
    rows, cols = np.uint64(fields.shape[1] // 2), np.uint64(fields.shape[2] // 2)
    for to in range(ONE, rows):
        row = to + to
        for at in range(ONE, cols):
            col = at + at
            north, south, west, east = down[row - ONE, col], down[row, col], right[row, col - ONE], right[row, col]
            part = inverse[row, col]
            corner0 = north * lefts[to, at] + west * ups[to, at]
            corner1 = north * rights[to, at] + east * ups[to, at + ONE]
            corner2 = south * lefts[to + ONE, at] + west * downs[to, at]
            corner3 = south * rights[to + ONE, at] + east * downs[to, at + ONE]
            if diagonals:
                corner0 += down_right[row - ONE, col - ONE]
                corner1 += down_left[row - ONE, col + ONE]
                corner2 += down_left[row, col]
                corner3 += down_right[row, col]
            shares[4, to, at], shares[5, to, at] = corner0 * part, corner1 * part
            shares[6, to, at], shares[7, to, at] = corner2 * part, corner3 * part
            middle_loss[to, at] = part * (
                out[row, col] + north * row_loss[to, at] + south * row_loss[to + ONE, at]
                + west * col_loss[to, at] + east * col_loss[to, at + ONE]
            )  # fmt: skip


Sums = tuple[
    np.float32, np.float32, np.float32, np.float32, np.float32, np.float32, np.float32, np.float32, np.float32,
    np.float32,
]  # fmt: skip


@inlined
def _add_edge(
    weight: np.float32, gap0: np.float32, gap1: np.float32, gap2: np.float32, gap3: np.float32, loss: np.float32,
    sums: Sums,
) -> Sums:  # fmt: skip
    """Add what one weight does between four coarse pixels, given by how much its ends differ in each one's share."""
    pull0, pull1, pull2, pull3 = weight * gap0, weight * gap1, weight * gap2, weight * gap3
    return (
        sums[0] - pull0 * gap1, sums[1] - pull2 * gap3, sums[2] - pull0 * gap2, sums[3] - pull1 * gap3,
        sums[4] - pull0 * gap3, sums[5] - pull1 * gap2,
        sums[6] + pull0 * loss, sums[7] + pull1 * loss, sums[8] + pull2 * loss, sums[9] + pull3 * loss,
    )  # fmt: skip


# one long loop: handing arrays to a function for each square takes several times as long
@compiled
def _coarsen(  # noqa: PLR0915  see above
    fields: Stack, shares: Stack, coarse: Stack, diagonals: bool
) -> None:
    """Add up the coarser grid's weights, for each square between four coarse pixels and its upper and left side.

    Weights to the fixed 0 come from sums of losses, which are exactly 0 far from all that is fixed: differences of
    large weights would drown the smallest ones.
    """
    right, down, out = fields[RIGHT], fields[DOWN], fields[OUT]
    down_right, down_left = fields[-2], fields[-1]  # read only where there are diagonals
    lefts, rights, ups, downs = shares[0], shares[1], shares[2], shares[3]
    row_loss, col_loss, middle_loss = shares[LOSSES], shares[LOSSES + 1], shares[LOSSES + 2]
    to_right, to_down, to_out = coarse[RIGHT], coarse[DOWN], coarse[OUT]
    rows, cols = np.uint64(fields.shape[1] // 2), np.uint64(fields.shape[2] // 2)
    for to in range(ONE, rows):
        row, below = to + to, to + ONE
        for at in range(ONE, cols):
            col, beside = at + at, at + ONE
            # the upper side
            west, east, loss = lefts[to, at], rights[to, at], row_loss[to, at]
            one, other, fixed = right[row - ONE, col - ONE], right[row - ONE, col], out[row - ONE, col]
            sum01 = one * (east + loss) * east + other * (west + loss) * west - fixed * west * east
            out0 = (
                out[row - ONE, col - ONE] + one * (east + loss) * loss + west * (fixed * (WHOLE - loss) - other * loss)
            )
            out1 = other * (west + loss) * loss + east * (fixed * (WHOLE - loss) - one * loss)
            # the left side
            north, south, side_loss = ups[to, at], downs[to, at], col_loss[to, at]
            one, other, fixed = down[row - ONE, col - ONE], down[row, col - ONE], out[row, col - ONE]
            sum02 = one * (south + side_loss) * south + other * (north + side_loss) * north - fixed * north * south
            out0 += one * (south + side_loss) * side_loss + north * (fixed * (WHOLE - side_loss) - other * side_loss)
            out2 = other * (north + side_loss) * side_loss + south * (fixed * (WHOLE - side_loss) - one * side_loss)
            # the middle
            mid0, mid1, mid2, mid3 = shares[4, to, at], shares[5, to, at], shares[6, to, at], shares[7, to, at]
            mid_loss, fixed = middle_loss[to, at], out[row, col]
            rest = fixed * (WHOLE - mid_loss)
            sums = (
                sum01 - fixed * mid0 * mid1, -fixed * mid2 * mid3, sum02 - fixed * mid0 * mid2, -fixed * mid1 * mid3,
                -fixed * mid0 * mid3, -fixed * mid1 * mid2,
                out0 + rest * mid0, out1 + rest * mid1, out2 + rest * mid2, rest * mid3,
            )  # fmt: skip
            low2, low3, low_loss = lefts[below, at], rights[below, at], row_loss[below, at]
            far1, far3, far_loss = ups[to, beside], downs[to, beside], col_loss[to, beside]
            sums = _add_edge(down[row - ONE, col], west - mid0, east - mid1, -mid2, -mid3, mid_loss - loss, sums)
            sums = _add_edge(down[row, col], -mid0, -mid1, low2 - mid2, low3 - mid3, mid_loss - low_loss, sums)
            sums = _add_edge(
                right[row, col - ONE], north - mid0, -mid1, south - mid2, -mid3, mid_loss - side_loss, sums
            )
            sums = _add_edge(right[row, col], -mid0, far1 - mid1, -mid2, far3 - mid3, mid_loss - far_loss, sums)
            if diagonals:
                weight = down_right[row - ONE, col - ONE]
                sums = _add_edge(weight, WHOLE - mid0, -mid1, -mid2, -mid3, mid_loss, sums)
                weight = down_left[row - ONE, col + ONE]
                sums = _add_edge(weight, -mid0, WHOLE - mid1, -mid2, -mid3, mid_loss, sums)
                sums = _add_edge(down_left[row, col], -mid0, -mid1, WHOLE - mid2, -mid3, mid_loss, sums)
                sums = _add_edge(down_right[row, col], -mid0, -mid1, -mid2, WHOLE - mid3, mid_loss, sums)
                weight = down_left[row - ONE, col]
                sums = _add_edge(weight, west - north, east, -south, ZERO, side_loss - loss, sums)
                weight = down_right[row - ONE, col]
                sums = _add_edge(weight, west, east - far1, ZERO, -far3, far_loss - loss, sums)
                weight = down_right[row, col - ONE]
                sums = _add_edge(weight, north, ZERO, south - low2, -low3, low_loss - side_loss, sums)
                weight = down_left[row, col + ONE]
                sums = _add_edge(weight, ZERO, far1, -low2, far3 - low3, low_loss - far_loss, sums)
            to_right[to, at] += sums[0]
            to_right[below, at] += sums[1]
            to_down[to, at] += sums[2]
            to_down[to, beside] += sums[3]
            coarse[6, to, at] += sums[4]
            coarse[7, to, beside] += sums[5]
            to_out[to, at] += sums[6]
            to_out[to, beside] += sums[7]
            to_out[below, at] += sums[8]
            to_out[below, beside] += sums[9]


@compiled
def _invert(fields: Stack) -> None:
    """Let no weight be below 0, where rounding or a poor fit made it so, and sum them up."""
    right, down, out, inverse = fields[RIGHT], fields[DOWN], fields[OUT], fields[INVERSE]
    down_right, down_left = fields[DOWN_RIGHT], fields[DOWN_LEFT]
    np.maximum(fields, ZERO, fields)
    for row in range(1, right.shape[0] - 1):
        for col in range(1, right.shape[1] - 1):
            whole = right[row, col] + right[row, col - 1] + down[row, col] + down[row - 1, col] + out[row, col]
            whole += down_right[row, col] + down_right[row - 1, col - 1]
            whole += down_left[row, col] + down_left[row - 1, col + 1]
            inverse[row, col] = WHOLE / whole if whole > ZERO else ZERO
