"""How much the two halves of a disc differ around each pixel, for several directions of the cut between them."""

from functools import cache

import numpy as np
import numpy.typing as npt

from prebrush.segmentation.kernels.compiled import as_input, compiled

UNIT = 16
"""What one pixel counts; it is shared out between two bins in these steps, so that sums stay exact."""


@cache
def _half_rows(radius: int, directions: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """List the rows of each half disc as runs of columns, without the pixels on the cut: they belong to neither half.

    Returns the runs of all halves, int64 (n, 3): steps to the row, to the first column and to the column after the
    last; and where each half starts: for direction d and half h that is entry ``2 * d + h``.
    """
    span = np.arange(-radius, radius + 1)
    down, right = np.meshgrid(span, span, indexing="ij")
    disc = down**2 + right**2 <= (radius + 0.4) ** 2
    runs: list[tuple[int, int, int]] = []
    starts = [0]
    for number in range(directions):
        angle = np.pi * number / directions
        side = -down * np.cos(angle) - right * np.sin(angle)
        for sign in (1, -1):
            half = disc & (side * sign > 1e-6)
            for row, part in zip(span.tolist(), half, strict=True):
                cols = span[part]
                if cols.size:
                    runs.append((row, int(cols[0]), int(cols[-1]) + 1))
            starts.append(len(runs))
    return np.array(runs, np.int64), np.array(starts, np.int64)


@compiled
def _running_sums(
    low: npt.NDArray[np.uint8], shares: npt.NDArray[np.uint8], n_bins: int, radius: int
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int32]]:
    """Sum each bin along the rows of an image that is framed by pixels of no bin.

    Returns the sums, uint16 (n_bins + 1, H + 2 radius, W + 2 radius + 1), which may run over as differences of them
    stay right, and the columns that hold anything, int32 (n_bins + 1, H + 2 radius, 2). The last bin counts all pixels.
    """
    height, width = low.shape
    sums = np.zeros((n_bins + 1, height + 2 * radius, width + 2 * radius + 1), np.uint16)
    spans = np.zeros((n_bins + 1, height + 2 * radius, 2), np.int32)
    spans[:, :, 0] = width + 2 * radius
    for row in range(height):
        line, span = sums[:, row + radius], spans[:, row + radius]
        for col in range(width):
            at, share = low[row, col], np.uint16(shares[row, col])
            place = col + radius + 1
            for part in range(2):
                weight = np.uint16(UNIT) - share if part == 0 else share
                bin_at = at + part
                if weight > 0 and bin_at < n_bins:
                    line[bin_at, place] += weight
                    span[bin_at, 0] = min(span[bin_at, 0], col)
                    span[bin_at, 1] = col + 1
            line[n_bins, place] = UNIT
        span[n_bins, 0], span[n_bins, 1] = 0, width
        for number in range(n_bins + 1):
            total = np.uint16(0)
            for place in range(line.shape[1]):
                total += line[number, place]
                line[number, place] = total
    return sums, spans


@compiled
def _count(
    sums: npt.NDArray[np.uint16],
    base: int,
    stride: int,
    runs: npt.NDArray[np.int64],
    first: int,
    last: int,
    counts: npt.NDArray[np.uint16],
    begin: int,
    end: int,
) -> None:
    """Count one bin in a half disc around the pixels from one column to another of a row."""
    for col in range(begin, end):
        counts[np.uint64(col)] = 0
    for run in range(first, last):
        left = base + runs[run, 0] * stride + runs[run, 1]
        right = base + runs[run, 0] * stride + runs[run, 2]
        for col in range(begin, end):
            counts[np.uint64(col)] += np.uint16(sums[np.uint64(right + col)] - sums[np.uint64(left + col)])


@compiled
def _half_disc_gradient(
    sums: npt.NDArray[np.uint16],
    spans: npt.NDArray[np.int32],
    runs: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    radius: int,
) -> npt.NDArray[np.float32]:
    n_bins, height, stride = spans.shape[0] - 1, spans.shape[1] - 2 * radius, sums.shape[2]
    width = stride - 2 * radius - 1
    flat = sums.reshape(-1)
    directions = (starts.size - 1) // 2
    result = np.zeros((directions, height, width), np.float32)
    one, other = np.empty(width, np.uint16), np.empty(width, np.uint16)
    scale, other_scale = np.empty(width, np.float32), np.empty(width, np.float32)
    for row in range(height):
        for direction in range(directions):
            middle, first, last = starts[2 * direction + 1], starts[2 * direction], starts[2 * direction + 2]
            total = result[direction, row]
            for step in range(n_bins + 1):
                # the last one, of all pixels, comes first
                number = n_bins if step == 0 else step - 1
                begin, end = width, 0
                for near in range(row, row + 2 * radius + 1):
                    begin, end = min(begin, spans[number, near, 0] - radius), max(end, spans[number, near, 1] + radius)
                begin, end = max(begin, 0), min(end, width)
                base = (number * spans.shape[1] + row + radius) * stride + radius
                _count(flat, base, stride, runs, first, middle, one, begin, end)
                _count(flat, base, stride, runs, middle, last, other, begin, end)
                if step == 0:
                    for col in range(width):
                        scale[col] = np.float32(1) / np.float32(one[col])
                        other_scale[col] = np.float32(1) / np.float32(other[col])
                    continue
                for at in range(begin, end):
                    here = np.float32(one[np.uint64(at)]) * scale[np.uint64(at)]
                    there = np.float32(other[np.uint64(at)]) * other_scale[np.uint64(at)]
                    total[np.uint64(at)] += (here - there) * (here - there) / (here + there + np.float32(1e-9))
            for col in range(width):
                total[col] = np.float32(0.5) * total[col] if scale[col] < 2 and other_scale[col] < 2 else 0
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
    sums, spans = _running_sums(as_input(low), as_input(shares), n_bins, radius)
    runs, starts = _half_rows(radius, directions)
    gradient: npt.NDArray[np.float32] = _half_disc_gradient(
        as_input(sums), as_input(spans), as_input(runs), as_input(starts), radius
    )
    return gradient


def warm() -> None:
    """Compile on a tiny input."""
    half_disc_gradient(np.zeros((3, 4), np.float32), 2, 1, 2)
