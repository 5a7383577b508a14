"""How much each pixel lies on a dark or a bright line, from the second derivatives at one width after another."""

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap
from prebrush.segmentation.kernels.compiled import as_input, compiled

Response = npt.NDArray[np.float32]

FILTERS = ("sato", "frangi", "meijering")
SAMPLES = 9
"""Pixels of the straight pieces along which the response is averaged; odd."""
DIRECTIONS = 12
"""Of those pieces."""


@compiled
def _eigenvalues(
    blurred: npt.NDArray[np.float32], reach: float
) -> tuple[
    npt.NDArray[np.float32],
    npt.NDArray[np.float32],
    npt.NDArray[np.float32],
    npt.NDArray[np.float32],
]:
    """Return the larger and the smaller eigenvalue of the Hessian, and how two-sided a dark and a bright line is.

    Two-sidedness is 1 where both pixels across the line, ``reach`` away, differ from it alike, and 0 where one of them
    does not differ at all, as beside a step.
    """
    height, width = blurred.shape
    larger = np.empty((height, width), np.float32)
    smaller = np.empty((height, width), np.float32)
    dark = np.ones((height, width), np.float32)
    bright = np.ones((height, width), np.float32)
    for row in range(height):
        above = row - 1 if row > 0 else row
        below = row + 1 if row < height - 1 else row
        for col in range(width):
            left = col - 1 if col > 0 else col
            right = col + 1 if col < width - 1 else col
            here = blurred[row, col]
            down = blurred[above, col] + blurred[below, col] - 2 * here
            across = blurred[row, left] + blurred[row, right] - 2 * here
            mixed = np.float32(0.25) * (
                blurred[below, right] + blurred[above, left] - blurred[below, left] - blurred[above, right]
            )
            mean = np.float32(0.5) * (down + across)
            half = np.float32(0.5) * (across - down)
            root = np.sqrt(half * half + mixed * mixed)
            larger[row, col] = mean + root
            smaller[row, col] = mean - root
            if reach <= 0 or root <= 0:
                continue
            # the direction across a dark line is the eigenvector of the larger eigenvalue; a bright one's is upright
            # to it. Half-angle formulas: no arctangent
            cosine = np.sqrt(max(np.float32(0.5) * (1 + half / root), np.float32(0)))
            sine = np.sqrt(max(np.float32(0.5) * (1 - half / root), np.float32(0)))
            if mixed < 0:
                sine = -sine
            for kind in range(2):
                if (kind == 0 and mean + root <= 0) or (kind == 1 and mean - root >= 0):
                    continue
                to_col = cosine if kind == 0 else -sine
                to_row = sine if kind == 0 else cosine
                row_gap = int(np.floor(to_row * reach + 0.5))
                col_gap = int(np.floor(to_col * reach + 0.5))
                one = blurred[min(max(row + row_gap, 0), height - 1), min(max(col + col_gap, 0), width - 1)] - here
                other = blurred[min(max(row - row_gap, 0), height - 1), min(max(col - col_gap, 0), width - 1)] - here
                if kind == 1:
                    one = -one
                    other = -other
                total = abs(one) + abs(other)
                lesser = min(one, other)
                share = np.float32(0)
                if lesser > 0 and total > 0:
                    share = min(np.float32(1), np.float32(2.4) * lesser / total)
                if kind == 0:
                    dark[row, col] = share
                else:
                    bright[row, col] = share
    return larger, smaller, dark, bright


@compiled
def _respond(
    larger: npt.NDArray[np.float32],
    smaller: npt.NDArray[np.float32],
    share: npt.NDArray[np.float32],
    sign: float,
    kind: int,
    factor: float,
    best: npt.NDArray[np.float32],
) -> None:
    """Raise ``best`` to the response of one filter; ``sign`` is 1 for dark lines and -1 for bright ones."""
    height, width = larger.shape
    for row in range(height):
        for col in range(width):
            high = larger[row, col] if sign > 0 else -smaller[row, col]
            low = smaller[row, col] if sign > 0 else -larger[row, col]
            value = np.float32(0)
            if kind == 0:  # Sato: the second derivative across, times sigma squared
                value = max(high, np.float32(0)) * np.float32(factor)
            elif kind == 1:  # Frangi: little along, much across
                strong, weak = (high, low) if abs(high) >= abs(low) else (low, high)
                if strong > 0:
                    ratio = weak / strong
                    norm = (high * high + low * low) * np.float32(factor)
                    value = np.exp(-2 * ratio * ratio) * (1 - np.exp(-norm))
            else:  # Meijering: each eigenvalue and a third of the other, the larger by magnitude
                one = high + low / 3
                other = low + high / 3
                value = max(one if abs(one) >= abs(other) else other, np.float32(0)) * np.float32(factor)
            best[row, col] = max(best[row, col], value * share[row, col])


@compiled
def _largest(larger: npt.NDArray[np.float32], smaller: npt.NDArray[np.float32], kind: int) -> tuple[float, float]:
    """What Frangi and Meijering scale by, for dark and for bright lines: the largest value at one width."""
    most_dark = 0.0
    most_bright = 0.0
    for row in range(larger.shape[0]):
        for col in range(larger.shape[1]):
            high = larger[row, col]
            low = smaller[row, col]
            if kind == 1:
                most_dark = max(most_dark, high * high + low * low)
            else:
                one = high + low / 3
                other = low + high / 3
                value = one if abs(one) >= abs(other) else other
                most_dark = max(most_dark, value)
                most_bright = max(most_bright, -value)
    return most_dark, most_dark if kind == 1 else most_bright


def line_responses(
    blurred: list[npt.NDArray[np.float32]], sigmas: list[float], filter_name: str, *, two_sided: bool
) -> tuple[Response, Response]:
    """Filter for dark and for bright lines; the strongest response over all widths counts.

    Parameters
    ----------
    blurred : list of float32 (H, W)
        The image, blurred with each of ``sigmas``.
    sigmas : list of float
        Standard deviations in pixels; a line is clearest at about half its width.
    filter_name : str
        One of `FILTERS`, defined as in scikit-image.
    two_sided : bool
        Whether responses are weakened where only one side of the line differs from it.

    Returns
    -------
    dark, bright : float32 (H, W)
    """
    kind = FILTERS.index(filter_name)
    best = np.zeros((2, *blurred[0].shape), np.float32)
    norms = None
    for sigma, image in zip(sigmas, blurred, strict=True):
        larger, smaller, *shares = _eigenvalues(as_input(image), 1.5 * sigma + 0.5 if two_sided else 0.0)
        factors = (sigma**2, sigma**2)
        if kind:
            largest = _largest(larger, smaller, kind)
            if kind == 1:
                # Frangi's gamma is half the largest norm at the first width
                norms = norms or largest
                # exp(-norm² / (2 gamma²)), where gamma² is a quarter of the largest norm²
                largest = (norms[0] / 2, norms[1] / 2)
            factors = (1 / largest[0] if largest[0] > 0 else 0.0, 1 / largest[1] if largest[1] > 0 else 0.0)
        for place, sign in enumerate((1.0, -1.0)):
            _respond(larger, smaller, shares[place], sign, kind, factors[place], best[place])
    return best[0], best[1]


@compiled
def _supports(response: npt.NDArray[np.float32], low: float, ways: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    height, width = response.shape
    supports = np.zeros((height, width), np.float32)
    for row in range(height):
        for col in range(width):
            if response[row, col] <= low:
                continue
            most = np.float32(0)
            for way in range(ways.shape[0]):
                total = np.float32(0)
                for place in range(ways.shape[1]):
                    at_row = min(max(row + ways[way, place, 0], 0), height - 1)
                    at_col = min(max(col + ways[way, place, 1], 0), width - 1)
                    total += response[at_row, at_col]
                most = max(most, total)
            supports[row, col] = most / ways.shape[1]
    return supports


def line_supports(response: Response, low: float) -> Response:
    """Average the response along straight pieces through each pixel and take the best direction.

    Grain and specks lose by it, lines do not.

    Parameters
    ----------
    response : float32 (H, W)
    low : float
        Pixels up to this response are left 0.

    Returns
    -------
    float32 (H, W)
    """
    angles = np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    steps = np.arange(SAMPLES) - SAMPLES // 2
    ways = np.rint(np.stack((np.outer(np.sin(angles), steps), np.outer(np.cos(angles), steps)), axis=-1))
    supports: Response = _supports(as_input(response), low, as_input(ways.astype(np.int64)))
    return supports


@compiled
def _strength_and_length(
    pieces: npt.NDArray[np.int32], supports: npt.NDArray[np.float32], count: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    strength = np.zeros(count + 1, np.float32)
    extent = np.zeros((count + 1, 4), np.int32)  # first and last row, first and last column
    extent[:, 0] = pieces.shape[0]
    extent[:, 2] = pieces.shape[1]
    for row in range(pieces.shape[0]):
        for col in range(pieces.shape[1]):
            piece = pieces[row, col]
            if piece == 0:
                continue
            strength[piece] = max(strength[piece], supports[row, col])
            extent[piece, 0] = min(extent[piece, 0], row)
            extent[piece, 1] = max(extent[piece, 1], row)
            extent[piece, 2] = min(extent[piece, 2], col)
            extent[piece, 3] = max(extent[piece, 3], col)
    length = np.zeros(count + 1, np.float32)
    for piece in range(1, count + 1):
        down = extent[piece, 1] - extent[piece, 0] + 1
        across = extent[piece, 3] - extent[piece, 2] + 1
        length[piece] = np.sqrt(float(down * down + across * across))
    return strength, length


def strength_and_length(pieces: LabelMap, supports: Response, count: int) -> tuple[Response, Response]:
    """Measure each piece: its largest support, and the diagonal of the box around it.

    Parameters
    ----------
    pieces : int32 (H, W)
        Numbers 0..count.
    supports : float32 (H, W)
    count : int

    Returns
    -------
    strength, length : float32 (count + 1,)
        The first entries stand for number 0 and are 0.
    """
    strength, length = _strength_and_length(as_input(pieces), as_input(supports), count)
    return strength, length


def warm() -> None:
    """Compile on a tiny input."""
    image = np.zeros((3, 4), np.float32)
    for filter_name in FILTERS:
        dark, _ = line_responses([image], [1.0], filter_name, two_sided=True)
    strength_and_length(np.zeros((3, 4), np.int32), line_supports(dark, 0.0), 0)
