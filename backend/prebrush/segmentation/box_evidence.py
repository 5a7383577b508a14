"""What a box says of the superpixels in it: objects are in its middle, and contours part them from what is outside."""

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import Mask
from prebrush.segmentation.boundary_strength import color_strength
from prebrush.segmentation.superpixel_graph import SuperpixelGraph, build_graph, stretch

Floats = npt.NDArray[np.float32]

MOST_ENLARGED = 4.0
"""Small windows are enlarged up to so many times: small things need superpixels, too."""
DISC_SHRUNK = 2
"""Boundary strength is measured at this part of the rows and columns."""
MIDDLE = 0.35
"""The middle of a box, as a share of the way to its sides."""
FARTHEST = 3.0
SURE = 4.0
"""Most that a place may say for or against the object, in natural logarithms."""
HIGHER, MORE_SALIENT = 3.0, 5.0
"""Most that the ways to the middle and to the outside are told apart by."""
WEIGHTS = np.array((2.0, 0.6, -2.0, 1.04, 0.42, 0.125, -0.485, -2.16, -0.61, -0.187))
"""Of the columns of `gather`, by logistic regression on photographs, with some blood cells and nuclei among them."""


def weigh_places(
    lab: Floats, expected: Floats, distance: Floats, barred: Mask, marks: npt.NDArray[np.int8], pixels: int
) -> Floats:
    """Weigh how likely each place in boxes belongs to the object.

    Parameters
    ----------
    lab : float32 (h, w, 3)
        The boxes and what surrounds them.
    expected : float32 (h, w)
        Log-odds for the object by the place in the box alone.
    distance : float32 (h, w)
        From the nearest box's centre, 1 on its sides.
    barred : bool (h, w)
        Outside the boxes.
    marks : int8 (h, w)
        1 marked as object, -1 marked as background, else 0.
    pixels : int
        Smaller images are enlarged to about this size.

    Returns
    -------
    float32 (h, w)
        Log-odds, from ``-SURE`` to ``SURE``; the same for all pixels of a superpixel.

    Notes
    -----
    Cost: some 30 ms for 40,000 pixels.
    """
    height, width = lab.shape[:2]
    factor = max(1.0, min(MOST_ENLARGED, (pixels / (height * width)) ** 0.5))
    size = (round(height * factor), round(width * factor))
    large = stretch(_resize(lab, size, cv2.INTER_CUBIC))
    shrunk = (max(1, round(size[0] / DISC_SHRUNK)), max(1, round(size[1] / DISC_SHRUNK)))
    graph = build_graph(large, color_strength(large, *shrunk))
    planes = (expected, np.minimum(distance, np.float32(FARTHEST)), barred, marks > 0, marks < 0)
    means = (graph.mean(_resize(plane.astype(np.float32), size, cv2.INTER_LINEAR)) for plane in planes)
    evidence = gather(graph, *means)
    margins = np.clip(evidence @ WEIGHTS, -SURE, SURE).astype(np.float32)
    # back to where it came from
    return _resize(margins[graph.numbers - 1], (height, width), cv2.INTER_AREA)


def gather(
    graph: SuperpixelGraph,
    expected: npt.NDArray[np.float64],
    distance: npt.NDArray[np.float64],
    barred: npt.NDArray[np.float64],
    positive: npt.NDArray[np.float64],
    negative: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Gather what speaks for each superpixel to belong to the object.

    Parameters
    ----------
    graph : SuperpixelGraph
    expected, distance, barred, positive, negative : float64 (n,)
        Means over each superpixel, see `weigh_places`.

    Returns
    -------
    float64 (n, 10)
    """
    ground = (barred > 0.5) | (negative > 0)
    # a box that is the whole image has no outside but the frame
    outside = np.flatnonzero(ground) if ground.any() else np.flatnonzero(graph.framed)
    middle = np.flatnonzero(((distance < MIDDLE) | (positive > 0)) & ~ground)
    if not middle.size:
        middle = np.array([np.argmin(distance)])
    along, highest, salience = graph.distances(outside)
    _, highest_in, salience_in = graph.distances(middle)
    inside = (graph.areas * (barred <= 0.5) / (1 + np.exp(-expected)) + 1e-9).astype(np.float32)
    typical = (inside / inside.sum()) @ graph.colors
    gap = 0.5 * ((graph.colors - typical) ** 2 / (graph.colors + typical + np.float32(1e-6))).sum(axis=1)
    return np.stack(
        (
            np.ones(along.size), expected, np.sqrt(along), highest, salience,
            np.clip(highest_in - highest, -HIGHER, HIGHER),
            np.clip(salience_in - salience, -MORE_SALIENT, MORE_SALIENT), gap, distance, np.log(graph.areas),
        ),
        axis=1,
    )  # fmt: skip


def _resize(plane: Floats, size: tuple[int, int], way: int) -> Floats:
    if plane.shape[:2] == size:
        return plane
    return np.asarray(cv2.resize(plane, size[::-1], interpolation=way), np.float32).reshape(*size, *plane.shape[2:])
