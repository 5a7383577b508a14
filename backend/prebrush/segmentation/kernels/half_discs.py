"""How much the two halves of a disc differ around each pixel, for several directions of the cut between them."""

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from prebrush.segmentation.kernels.compiled import as_input, compiled

UNIT = 16
"""What one pixel counts; it is shared out between two bins in these steps, so that sums stay exact."""


BAND = 32
"""Rows that are counted in one go, end to end: the loop along a single short row would mostly begin and end."""


class _Shape(NamedTuple):
    """A disc without its middle, one half of it for each cut, and the rest of each cut's line, as runs of columns.

    Attributes
    ----------
    runs : int64 (n, 3)
        Steps to the row, to the first column and to the column after the last.
    starts : int64 (2 * directions + 2,)
        Where each part begins: the disc, then for each direction its half and its line.
    """

    runs: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]


@cache
def _shape(radius: int, directions: int) -> _Shape:
    """Draw the parts of a disc. The pixels on a cut belong to neither half, and the middle is on every cut."""
    span = np.arange(-radius, radius + 1)
    down, right = np.meshgrid(span, span, indexing="ij")
    disc = (down**2 + right**2 <= (radius + 0.4) ** 2) & ((down != 0) | (right != 0))
    parts = [disc]
    for number in range(directions):
        angle = np.pi * number / directions
        side = -down * np.cos(angle) - right * np.sin(angle)
        parts += [disc & (side > 1e-6), disc & (np.abs(side) <= 1e-6)]
    runs: list[tuple[int, int, int]] = []
    starts = [0]
    for part in parts:
        for row, inside in zip(span.tolist(), part, strict=True):
            edges = np.flatnonzero(np.diff(np.concatenate(([False], inside, [False])))) - radius
            runs += [(row, first, last) for first, last in edges.reshape(-1, 2).tolist()]
        starts.append(len(runs))
    return _Shape(np.array(runs, np.int64), np.array(starts, np.int64))


@compiled
def _running_sums(
    low: npt.NDArray[np.uint8], shares: npt.NDArray[np.uint8], n_bins: int, radius: int
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.bool_]]:
    """Sum each bin along the rows of an image that is framed by pixels of no bin.

    Returns the sums, uint16 (n_bins + 1, H + 2 radius, W + 2 radius + 1), which may run over as differences of them
    stay right, and which rows hold anything, bool (n_bins + 1, H + 2 radius). The last bin counts all pixels.
    """
    height, width = low.shape
    sums = np.zeros((n_bins + 1, height + 2 * radius, width + 2 * radius + 1), np.uint16)
    holds = np.zeros((n_bins + 1, height + 2 * radius), np.bool_)
    for row in range(height):
        line, any_in = sums[:, row + radius], holds[:, row + radius]
        for col in range(width):
            at, share = low[row, col], np.uint16(shares[row, col])
            place = col + radius + 1
            for part in range(2):
                weight = np.uint16(UNIT) - share if part == 0 else share
                bin_at = at + part
                if weight > 0 and bin_at < n_bins:
                    line[bin_at, place] += weight
                    any_in[bin_at] = True
            line[n_bins, place] = UNIT
        any_in[n_bins] = True
        for number in range(n_bins + 1):
            total = np.uint16(0)
            for place in range(line.shape[1]):
                total += line[number, place]
                line[number, place] = total
    return sums, holds


@compiled
def _add_runs(
    sums: npt.NDArray[np.uint16],
    base: int,
    stride: int,
    runs: npt.NDArray[np.int64],
    counts: npt.NDArray[np.uint16],
    n_places: int,
) -> None:
    """Count one bin in some runs around each of the places that follow one another."""
    for run in range(runs.shape[0]):
        left = base + runs[run, 0] * stride + runs[run, 1]
        right = base + runs[run, 0] * stride + runs[run, 2]
        for at in range(n_places):
            counts[np.uint64(at)] += np.uint16(sums[np.uint64(right + at)] - sums[np.uint64(left + at)])


@compiled
def _add_distances(
    disc: npt.NDArray[np.uint16],
    one: npt.NDArray[np.uint16],
    line: npt.NDArray[np.uint16],
    scale: npt.NDArray[np.float32],
    other_scale: npt.NDArray[np.float32],
    total: npt.NDArray[np.float32],
    n_places: int,
) -> None:
    """Add what one bin has to say to the chi-squared distance of the two halves, at each place."""
    for place in range(n_places):
        at = np.uint64(place)
        other = np.uint16(disc[at] - one[at] - line[at])
        here, there = np.float32(one[at]) * scale[at], np.float32(other) * other_scale[at]
        total[at] += (here - there) * (here - there) / (here + there + np.float32(1e-9))


@compiled
def _half_disc_gradient(
    sums: npt.NDArray[np.uint16],
    holds: npt.NDArray[np.bool_],
    runs: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    radius: int,
) -> npt.NDArray[np.float32]:
    n_bins, height, stride = holds.shape[0] - 1, holds.shape[1] - 2 * radius, sums.shape[2]
    width = stride - 2 * radius - 1
    flat = sums.reshape(-1)
    directions = starts.size // 2 - 1
    result = np.empty((directions, height, width), np.float32)
    most = BAND * stride
    disc, one, line = np.empty(most, np.uint16), np.empty(most, np.uint16), np.empty(most, np.uint16)
    totals, scales = np.empty((directions, most), np.float32), np.empty((directions, 2, most), np.float32)
    for top in range(0, height, BAND):
        end = min(top + BAND, height)
        n_places = (end - top) * stride - (stride - width)
        totals[:] = 0
        for step in range(n_bins + 1):
            # the last one, of all pixels, comes first
            number = n_bins if step == 0 else step - 1
            if not holds[number, top : end + 2 * radius].any():
                continue
            base = (number * holds.shape[1] + top + radius) * stride + radius
            disc[:n_places] = 0
            _add_runs(flat, base, stride, runs[: starts[1]], disc, n_places)
            for direction in range(directions):
                first, middle, last = starts[2 * direction + 1], starts[2 * direction + 2], starts[2 * direction + 3]
                one[:n_places] = 0
                line[:n_places] = 0
                _add_runs(flat, base, stride, runs[first:middle], one, n_places)
                _add_runs(flat, base, stride, runs[middle:last], line, n_places)
                total, scale, other_scale = totals[direction], scales[direction, 0], scales[direction, 1]
                if step == 0:
                    for place in range(n_places):
                        scale[place] = np.float32(1) / np.float32(one[place])
                        other = np.uint16(disc[place] - one[place] - line[place])
                        other_scale[place] = np.float32(1) / np.float32(other)
                    continue
                _add_distances(disc, one, line, scale, other_scale, total, n_places)
        for direction in range(directions):
            for row in range(top, end):
                for col in range(width):
                    at = np.uint64((row - top) * stride + col)
                    has_both = scales[direction, 0, at] < 2 and scales[direction, 1, at] < 2
                    result[direction, row, col] = np.float32(0.5) * totals[direction, at] if has_both else 0
    return result


def half_disc_gradient(
    values: npt.NDArray[np.float32], n_bins: int, radius: int, directions: int
) -> npt.NDArray[np.float32]:
    """Compare histograms of the two halves of the disc around each pixel.

    Parameters
    ----------
    values : float32 (H, W)
        In bins, 0..n_bins - 1; a value between two bins counts in both.
    n_bins : int
        Up to 250.
    radius : int
        Of the disc, in pixels; up to 35.
    directions : int
        Of the cut, evenly from 0 to 180 degrees: the first runs along the row, the next ones turn counter-clockwise.

    Returns
    -------
    float32 (directions, H, W)
        Chi-squared distance, 0 to 1; 0 where a half is all outside of the image.
    """
    low = np.minimum(values, n_bins - 1).astype(np.uint8)
    shares = ((values - low) * UNIT + 0.5).astype(np.uint8)
    sums, holds = _running_sums(as_input(low), as_input(shares), n_bins, radius)
    shape = _shape(radius, directions)
    gradient: npt.NDArray[np.float32] = _half_disc_gradient(
        as_input(sums), as_input(holds), as_input(shape.runs), as_input(shape.starts), radius
    )
    return gradient


def warm() -> None:
    """Compile on a tiny input."""
    half_disc_gradient(np.zeros((3, 4), np.float32), 2, 1, 2)
