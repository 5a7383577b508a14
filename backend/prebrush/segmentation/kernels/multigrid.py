"""Multigrid for diffusion between pixels: one cycle over finer and coarser grids is a cheap, close solution.

It serves a solver that takes care of the rest, such as conjugate gradients: it is symmetric and positive.
"""

from itertools import pairwise

import numpy as np

from prebrush.segmentation.kernels.compiled import compiled, inlined
from prebrush.segmentation.kernels.grids import DOWN, INVERSE, LOAD, ONE, RIGHT, VALUE, ZERO, Grid, Stack


def precondition(grids: list[Grid]) -> None:
    """Solve roughly for the finest grid's ``LOAD``, into its ``VALUE``: one symmetric V-cycle."""
    for fine, coarse in pairwise(grids):
        _sweep_down(fine.fields, fine is not grids[0])
        _restrict(fine.fields, fine.shares, coarse.fields, fine is not grids[0])
    _sweep_down(grids[-1].fields, len(grids) > 1)
    for coarse, fine in zip(grids[:0:-1], grids[-2::-1], strict=True):
        _prolong(coarse.fields, fine.shares, fine.fields)
        _sweep_up(fine.fields, fine is not grids[0])


# In the loops below each pass over a row reads few enough arrays, as plain slices, for the compiler to take many
# pixels at once; that is worth a factor of five. Within a row all values move together, from row to row one by one.


@compiled
def _sweep_down(fields: Stack, diagonals: bool) -> None:
    """Move all values from 0 towards the solution, the upper rows first."""
    value, load, inverse = fields[VALUE], fields[LOAD], fields[INVERSE]
    down_right, down_left = fields[-2], fields[-1]
    for row in range(1, value.shape[0] - 1):
        now, weight, above = value[row, 1:-1], fields[DOWN, row - 1, 1:-1], value[row - 1, 1:-1]
        given, part = load[row, 1:-1], inverse[row, 1:-1]
        if diagonals:
            one, at_one = down_right[row - 1, :-2], value[row - 1, :-2]
            other, at_other = down_left[row - 1, 2:], value[row - 1, 2:]
            for col in range(now.size):
                now[col] = given[col] + one[col] * at_one[col] + other[col] * at_other[col]
            for col in range(now.size):
                now[col] = (now[col] + weight[col] * above[col]) * part[col]
        else:
            for col in range(now.size):
                now[col] = (given[col] + weight[col] * above[col]) * part[col]


@compiled
def _sweep_up(fields: Stack, diagonals: bool) -> None:
    """Move all values towards the solution, the lower rows first."""
    value, load, inverse = fields[VALUE], fields[LOAD], fields[INVERSE]
    down_right, down_left = fields[-2], fields[-1]
    sums = np.empty(value.shape[1] - 2, np.float32)
    # in a table, because the compiler makes no fast loop for a row number that it sees falling
    for row in np.arange(value.shape[0] - 2, 0, -1):
        now, given, part = value[row, 1:-1], load[row, 1:-1], inverse[row, 1:-1]
        one, at_one = fields[DOWN, row - 1, 1:-1], value[row - 1, 1:-1]
        other, at_other = fields[DOWN, row, 1:-1], value[row + 1, 1:-1]
        for col in range(sums.size):
            sums[col] = given[col] + one[col] * at_one[col] + other[col] * at_other[col]
        _add_sides(sums, fields[RIGHT, row], value[row])
        if diagonals:
            one, at_one = down_right[row - 1, :-2], value[row - 1, :-2]
            other, at_other = down_left[row - 1, 2:], value[row - 1, 2:]
            for col in range(sums.size):
                sums[col] += one[col] * at_one[col] + other[col] * at_other[col]
            _add_diagonals_below(sums, down_right[row], down_left[row], value[row + 1])
        for col in range(sums.size):
            now[col] = sums[col] * part[col]


@inlined
def _add_sides(sums: Stack, right: Stack, value: Stack) -> None:
    """Add what pulls from the left and from the right: sums (n,), the others (n + 2,)."""
    one, at_one, other, at_other = right[:-2], value[:-2], right[1:-1], value[2:]
    for col in range(sums.size):
        sums[col] += one[col] * at_one[col] + other[col] * at_other[col]


@inlined
def _add_diagonals_below(sums: Stack, down_right: Stack, down_left: Stack, value: Stack) -> None:
    """Add what pulls from the two corners below: sums (n,), the others (n + 2,)."""
    one, at_one, other, at_other = down_right[1:-1], value[2:], down_left[1:-1], value[:-2]
    for col in range(sums.size):
        sums[col] += one[col] * at_one[col] + other[col] * at_other[col]


@inlined
def _residual(rest: Stack, fields: Stack, row: int, diagonals: bool) -> None:
    """Find what is left of the load in a row after the sweep down: what it had not seen."""
    weight, below = fields[DOWN, row, 1:-1], fields[VALUE, row + 1, 1:-1]
    for col in range(rest.size):
        rest[col] = weight[col] * below[col]
    _add_sides(rest, fields[RIGHT, row], fields[VALUE, row])
    if diagonals:
        _add_diagonals_below(rest, fields[-2, row], fields[-1, row], fields[VALUE, row + 1])


@compiled
def _restrict(fields: Stack, shares: Stack, coarse: Stack, diagonals: bool) -> None:
    """Hand what is left of the load to the coarser grid, each pixel to those it takes its value from."""
    load = coarse[LOAD]
    load[:] = ZERO
    rests = np.empty((2, fields.shape[2] - 2), np.float32)
    even, odd = rests[0], rests[1]
    cols = np.uint64(even.size // 2)
    for to in range(1, fields.shape[1] // 2):
        _residual(even, fields, 2 * to - 1, diagonals)
        _residual(odd, fields, 2 * to, diagonals)
        here, beside = load[to, 1:], load[to, 2:]
        below, far = load[to + 1, 1:], load[to + 1, 2:]
        lefts, rights = shares[0, to, 1:], shares[1, to, 1:]
        ups, downs = shares[2, to, 1:], shares[3, to, 1:]
        mid0, mid1, mid2, mid3 = shares[4, to, 1:], shares[5, to, 1:], shares[6, to, 1:], shares[7, to, 1:]
        for at in range(cols):
            here[at] += even[at + at] + even[at + at + ONE] * lefts[at]
        for at in range(cols):
            here[at] += odd[at + at] * ups[at] + odd[at + at + ONE] * mid0[at]
        for at in range(cols - ONE):
            beside[at] += even[at + at + ONE] * rights[at] + odd[at + at + ONE] * mid1[at]
        if to + 1 < fields.shape[1] // 2:
            for at in range(cols):
                below[at] += odd[at + at] * downs[at] + odd[at + at + ONE] * mid2[at]
            for at in range(cols - ONE):
                far[at] += odd[at + at + ONE] * mid3[at]


@compiled
def _prolong(coarse: Stack, shares: Stack, fields: Stack) -> None:
    """Add the coarser grid's solution to the finer one's."""
    value = coarse[VALUE]
    cols = np.uint64(fields.shape[2] // 2 - 1)
    for to in range(1, fields.shape[1] // 2):
        even, odd = fields[VALUE, 2 * to - 1, 1:], fields[VALUE, 2 * to, 1:]
        here, beside = value[to, 1:], value[to, 2:]
        below, far = value[to + 1, 1:], value[to + 1, 2:]
        lefts, rights = shares[0, to, 1:], shares[1, to, 1:]
        ups, downs = shares[2, to, 1:], shares[3, to, 1:]
        mid0, mid1, mid2, mid3 = shares[4, to, 1:], shares[5, to, 1:], shares[6, to, 1:], shares[7, to, 1:]
        for at in range(cols):
            even[at + at] += here[at]
            even[at + at + ONE] += lefts[at] * here[at] + rights[at] * beside[at]
        for at in range(cols):
            odd[at + at] += ups[at] * here[at] + downs[at] * below[at]
            odd[at + at + ONE] += (
                mid0[at] * here[at] + mid1[at] * beside[at] + mid2[at] * below[at] + mid3[at] * far[at]
            )
