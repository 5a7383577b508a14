"""Photographs for benchmarks: those that scikit-image brings along, mirrored up to the size asked for."""

import cv2
import numpy as np
import skimage.data
from skimage.segmentation import slic

from prebrush.datatypes import GrayImage, LabelMap, RGBImage

SIZES = {1: (1000, 1000), 4: (1600, 2500), 12: (3000, 4000)}
"""Height and width by megapixels."""


def photograph(name: str, megapixels: int) -> RGBImage:
    """Load a photograph and mirror it at its edges until it has the size, so that its detail stays what it is.

    Parameters
    ----------
    name : str
        A function of ``skimage.data`` that needs no download, such as ``astronaut`` (512 x 512) or ``coffee``
        (400 x 600).
    megapixels : int
        1, 4 or 12.
    """
    image = getattr(skimage.data, name)()
    height, width = SIZES[megapixels]
    padding = [(0, max(0, height - image.shape[0])), (0, max(0, width - image.shape[1])), (0, 0)]
    mirrored: RGBImage = np.pad(image, padding, mode="symmetric")[:height, :width]
    return np.ascontiguousarray(mirrored)


TILE = (400, 500)
"""Height and width of the parts of a mosaic."""


def mosaic(megapixels: int) -> RGBImage:
    """Lay parts of different photographs side by side, in their own resolution, until the size is filled.

    Parameters
    ----------
    megapixels : int
        1, 4 or 12.
    """
    height, width = SIZES[megapixels]
    names = ("retina", "astronaut", "coffee", "hubble_deep_field", "rocket", "immunohistochemistry", "camera", "gravel")
    parts = []
    for name in names:
        image = getattr(skimage.data, name)()
        image = np.dstack([image] * 3) if image.ndim == 2 else image
        for top in range(0, image.shape[0] - TILE[0] + 1, TILE[0]):
            parts += [
                image[top:, left:][: TILE[0], : TILE[1]] for left in range(0, image.shape[1] - TILE[1] + 1, TILE[1])
            ]
    down, across = -(-height // TILE[0]), -(-width // TILE[1])
    # every seventh, so that neighbours are of different photographs
    lines = [np.hstack([parts[7 * (row * across + col) % len(parts)] for col in range(across)]) for row in range(down)]
    return np.ascontiguousarray(np.vstack(lines)[:height, :width])


def to_gray(image: RGBImage) -> GrayImage:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def superpixels(image: RGBImage, n_segments: int) -> LabelMap:
    """Cut an image into exactly so many segments, numbered from 1, by SLIC at a fifth of the size."""
    height, width = image.shape[:2]
    small = cv2.resize(image, (width // 5, height // 5), interpolation=cv2.INTER_AREA)
    # SLIC gives fewer than it is asked for, as it drops small ones. The few beyond the number join the last.
    asked = n_segments
    segments = slic(small, n_segments=asked, compactness=10, start_label=1)
    while segments.max() < n_segments:
        asked += 1 + n_segments // 10
        segments = slic(small, n_segments=asked, compactness=10, start_label=1)
    segments = np.minimum(segments, n_segments).astype(np.uint16)
    large = cv2.resize(segments, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(large, np.int32)
