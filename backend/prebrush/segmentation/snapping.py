"""Moving the boundaries of segments to the image's own edges nearby."""

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Mask, RGBImage
from prebrush.segmentation.filters import blur, squared_gradient
from prebrush.segmentation.kernels.flooding import flood

GRADIENT_STEPS = 16
"""Levels of the relief for each grey level of colour gradient."""


def color_gradient(image: RGBImage, sigma: float) -> npt.NDArray[np.uint16]:
    """Length of the colour gradient in Lab, in `GRADIENT_STEPS` of a grey level.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB.
    sigma : float
        Of the blur before, in pixels.
    """
    lab = blur(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), np.uint8).astype(np.float32), sigma)
    return np.asarray(np.sqrt(squared_gradient(lab)) * GRADIENT_STEPS, np.uint16)


def snap_to_edges(label_map: LabelMap, image: RGBImage, reach: float) -> LabelMap:
    """Draw all boundaries anew within a band around them, by the watershed of the colour gradient.

    What is farther than ``reach`` from any boundary stays, and so does the middle of a segment that is all band.

    Parameters
    ----------
    label_map : int32 (H, W)
        0..n; the background's boundaries move as well.
    image : uint8 (H, W, 3)
        RGB.
    reach : float
        In pixels.

    Returns
    -------
    int32 (H, W)
        0..n; a segment never loses all its pixels.
    """
    distance = cv2.distanceTransform((~_touching_others(label_map)).astype(np.uint8), cv2.DIST_L2, 5)
    count = int(label_map.max(initial=0))
    deepest = np.zeros(count + 1, np.float32)
    np.maximum.at(deepest, label_map, distance)
    kept = distance > np.minimum(reach, deepest * 0.5)[label_map]
    # a segment of border pixels alone has no middle
    kept |= (deepest == 0)[label_map]
    markers = np.where(kept, label_map + 1, 0).astype(np.int32)
    if not markers.any():
        return label_map
    return flood(color_gradient(image, 0.7), markers, np.ones(label_map.shape, np.bool_)) - 1


def _touching_others(label_map: LabelMap) -> Mask:
    """Tell which pixels have a neighbour of another number beside, above or below."""
    touching = np.zeros(label_map.shape, np.bool_)
    for near, far in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        differs = label_map[near] != label_map[far]
        touching[near] |= differs
        touching[far] |= differs
    return touching
