"""What it costs a cut to pass between two pixels: little where their colours differ."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

STEPS = ((0, 1), (1, -1), (1, 0), (1, 1))
"""(rows, columns) from a pixel to its neighbours, in the order of `GridCut`'s links."""


def pairs_of(plane: npt.NDArray[Any], step: tuple[int, int]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return views of the pixels that have such a neighbour, and of these neighbours."""
    down, right = step
    height, width = plane.shape[:2]
    here = plane[: height - down, max(0, -right) : width - max(0, right)]
    return here, plane[down:, max(0, right) : width + min(0, right)]


def likeness(lab: Floats) -> Floats:
    """Measure how alike each pixel and its neighbours are, against how much neighbours differ in the whole image.

    Parameters
    ----------
    lab : float32 (H, W, 3)

    Returns
    -------
    float32 (4, H, W)
        1 for the same colour, down to 0; in the order of `STEPS`, and 0 for neighbours outside the image.

    Notes
    -----
    Source: Y. Boykov, M.-P. Jolly, ICCV 2001, doi:10.1109/ICCV.2001.937505; the scale is that of C. Rother et al., ACM
    TOG 23(3), 2004.
    """
    squared = []
    for step in STEPS:
        here, there = pairs_of(lab, step)
        squared.append(((here - there) ** 2).sum(axis=2))
    means = [float(part.mean()) for part in squared if part.size]
    scale = np.float32(-0.5 / max(sum(means) / max(len(means), 1), 1e-6))
    alike = np.zeros((4, *lab.shape[:2]), np.float32)
    for plane, step, difference in zip(alike, STEPS, squared, strict=True):
        pairs_of(plane, step)[0][...] = np.exp(difference * scale)
    return alike


def links_of(alike: Floats, gamma: float, least: float) -> Floats:
    """Make the links of a `GridCut` from `likeness`: float32 (4, H, W).

    Parameters
    ----------
    alike : float32 (4, H, W)
    gamma : float
        What it costs to part two neighbours of the same colour, in units of evidence.
    least : float
        Share of that which it costs at the sharpest edge, so that short outlines are preferred there too.
    """
    per_length = np.array([1 / math.hypot(*step) for step in STEPS], np.float32)[:, None, None]
    return np.asarray(np.float32(gamma) * (np.float32(least) + np.float32(1 - least) * alike) * per_length, np.float32)


def outline_contrast(mask: npt.NDArray[np.bool_], alike: Floats) -> float:
    """Measure how unlike the pixels on both sides of a mask's outline are, 0 to 1 on average over its length."""
    length, contrast = 0.0, 0.0
    for plane, step in zip(alike, STEPS, strict=True):
        here, there = pairs_of(mask, step)
        parted = here != there
        length += np.count_nonzero(parted) / math.hypot(*step)
        contrast += float((1 - pairs_of(plane, step)[0][parted]).sum()) / math.hypot(*step)
    return contrast / length if length else 0.0
