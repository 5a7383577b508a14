"""How good a segment looks, without knowing what it shows."""

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, RGBImage
from prebrush.segmentation.kernels.region_stats import region_sums

NOISE = 3.0
"""Colour difference, in 8-bit Lab units, that is no more than noise; it also keeps flat segments from 0 / 0."""


def score_segments(label_map: LabelMap, image: RGBImage, count: int) -> npt.NDArray[np.float32]:
    """Rate each segment by contrast, boundary and shape.

    ``score = contrast ** 0.4 * edge ** 0.4 * compactness ** 0.2``, all in [0, 1] and measured in 8-bit Lab:

    - contrast = D / (D + S + 3): D is the distance between the mean colour of the segment and the mean colour just
      outside its boundary, S the standard deviation of its colours;
    - edge = A / (A + I + 3): A is the mean colour difference across the boundary, I the mean difference of neighbouring
      pixels inside;
    - compactness = min(1, 4 pi area / perimeter ** 2), 1 for a disc. The perimeter is pi / 4 of the pixel sides that
      face another segment, which is exact on average over directions; the frame's edge does not count.

    A segment that fills the whole image has no boundary and scores 0.

    Parameters
    ----------
    label_map : int32 (H, W)
        Numbers 0..count.
    image : uint8 (H, W, 3)
        RGB.
    count : int

    Returns
    -------
    float32 (count,)
    """
    if count == 0:
        return np.zeros(0, np.float32)
    lab = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), np.uint8)
    sums = region_sums(label_map, lab, count)
    area = np.maximum(sums.area, 1)
    sides = np.maximum(sums.sides, 1)
    mean = sums.color / area[:, None]
    spread = np.sqrt(np.maximum(sums.squares / area - (mean**2).sum(axis=1), 0))
    distance = np.linalg.norm(mean - sums.outside / sides[:, None], axis=1)
    contrast = distance / (distance + spread + NOISE)
    across = sums.across / sides
    within = sums.within / np.maximum(sums.pairs, 1)
    edge = across / (across + within + NOISE)
    compactness = np.minimum(1, 4 * np.pi * area / (np.pi / 4 * sides) ** 2)
    scores: npt.NDArray[np.float64] = contrast**0.4 * edge**0.4 * compactness**0.2 * (sums.sides > 0)
    return scores[1:].astype(np.float32)
