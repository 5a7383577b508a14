"""How strong a boundary runs through each pixel, in each direction, by colour and texture at several scales."""

import math

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.segmentation.kernels.clustering import cluster
from prebrush.segmentation.kernels.half_discs import half_disc_gradient
from prebrush.segmentation.kernels.nearest import nearest_center

Floats = npt.NDArray[np.float32]

DIRECTIONS = 6
SHRUNK = 4
"""Strength is measured at a quarter of the image's size. At half the size it costs four times as much, and the regions
are no better: their exact outlines come from elsewhere."""
RADII = (2, 3, 5)
"""Of the discs at that size: 8, 12 and 20 pixels of the image."""
BINS = 13
CHANNELS = ((0.0, 100.0), (-50.0, 50.0), (-50.0, 50.0))
"""Ranges of lightness, a and b that the bins divide."""
N_TEXTONS = 24
TEXTON_STARTS = 4
SAMPLED_PIXELS = 1500
FILTER_ANGLES = 6
FAINTEST = 0.001
"""Contrast, black to white being 1, below which there is only the rounding of the filters."""


def _filters(sigma: float) -> list[Floats]:
    """Line and edge filters in each direction, twice as long as wide: zero mean, absolute sum 1."""
    reach = math.ceil(4.8 * sigma)
    down, right = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    bank = []
    for angle in np.arange(FILTER_ANGLES) * (math.pi / FILTER_ANGLES):
        along = right * math.cos(angle) + down * math.sin(angle)
        across = down * math.cos(angle) - right * math.sin(angle)
        bell = np.exp(-0.5 * ((along / (2 * sigma)) ** 2 + (across / sigma) ** 2))
        for profile in (bell * (across**2 / sigma**2 - 1), bell * across):
            level = profile - profile.mean()
            bank.append(np.asarray(level / np.abs(level).sum(), np.float32))
    return bank


def _half(plane: Floats) -> Floats:
    height, width = plane.shape[:2]
    small = cv2.resize(plane, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def _blob(plane: Floats) -> Floats:
    narrow = cv2.GaussianBlur(plane, (0, 0), 1.0, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(narrow - cv2.GaussianBlur(plane, (0, 0), 2.0, borderType=cv2.BORDER_REPLICATE), np.float32)


def textons(lightness: Floats) -> npt.NDArray[np.uint8]:
    """Sort the pixels into kinds of texture: clusters of what line, edge and blob filters of two sizes answer.

    Parameters
    ----------
    lightness : float32 (H, W)
        0..100.

    Returns
    -------
    uint8 (quarter of H, quarter of W)
        Both rounded up; 0..N_TEXTONS - 1.
    """
    half = _half(lightness)
    quarter = _half(half)
    bank = _filters(1.0)
    # the filters of the finer size are needed at every other pixel only
    answers = [cv2.filter2D(half, -1, kernel, borderType=cv2.BORDER_REPLICATE)[::2, ::2] for kernel in bank]
    answers += [cv2.filter2D(quarter, -1, kernel, borderType=cv2.BORDER_REPLICATE) for kernel in bank]
    answers += [_blob(half)[::2, ::2], _blob(quarter)]
    points = np.stack(answers, axis=-1).reshape(-1, len(answers)) / np.float32(100)
    # the logarithm of the contrast (Weber's law) in place of the contrast
    contrast = np.linalg.norm(points, axis=1, keepdims=True)
    points *= (contrast > FAINTEST) * np.log1p(contrast / np.float32(0.03)) / np.maximum(contrast, np.float32(1e-6))
    sample = np.ascontiguousarray(points[:: max(1, len(points) // SAMPLED_PIXELS)])
    centers, _ = cluster(sample, np.ones(len(sample), np.float32), N_TEXTONS, 0, restarts=TEXTON_STARTS)
    return nearest_center(points, centers).astype(np.uint8).reshape(quarter.shape)


def boundary_strength(lab: Floats, texture: npt.NDArray[np.uint8]) -> Floats:
    """Measure how much colour and texture differ between the two sides of a line through each pixel.

    Parameters
    ----------
    lab : float32 (H, W, 3)
    texture : uint8 (h, w)
        From `textons`.

    Returns
    -------
    float32 (DIRECTIONS, h, w)
        At a quarter of the size; 0 to 4, the sum over lightness, a, b and texture, averaged over the sizes of disc. For
        the directions see `half_disc_gradient`.

    Notes
    -----
    The oriented gradients of D. Martin, C. Fowlkes, J. Malik, IEEE TPAMI 26(5), 2004, doi:10.1109/TPAMI.2004.1273918.
    """
    height, width = texture.shape
    return _mean_gradients([(texture.astype(np.float32), N_TEXTONS), *_channels(lab, height, width)])


def color_strength(lab: Floats, height: int, width: int) -> Floats:
    """Measure the same by colour alone, at any size: float32 (DIRECTIONS, height, width), 0 to 3."""
    return _mean_gradients(_channels(lab, height, width))


def _channels(lab: Floats, height: int, width: int) -> list[tuple[Floats, int]]:
    """Shrink lightness, a and b, in bins; with how many there are."""
    small = cv2.resize(lab, (width, height), interpolation=cv2.INTER_AREA).reshape(height, width, 3)
    return [
        (np.clip((small[:, :, part] - low) / (high - low), 0, 1) * np.float32(BINS - 1), BINS)
        for part, (low, high) in enumerate(CHANNELS)
    ]


def _mean_gradients(planes: list[tuple[Floats, int]]) -> Floats:
    strength = np.zeros((DIRECTIONS, *planes[0][0].shape), np.float32)
    for radius in RADII:
        for values, n_bins in planes:
            strength += half_disc_gradient(values, n_bins, radius, DIRECTIONS)
    return strength / np.float32(len(RADII))


def color_gradient(lab: Floats) -> Floats:
    """Return the length of the gradient in Lab units a pixel, float32 (H, W)."""
    smooth = cv2.GaussianBlur(lab, (0, 0), 1.0)
    squared = np.zeros(lab.shape[:2], np.float32)
    for right, down in ((1, 0), (0, 1)):
        slope = cv2.Sobel(smooth, -1, right, down, ksize=3, scale=1 / 8)
        squared += (slope.reshape(*squared.shape, 3) ** 2).sum(axis=2)
    return np.sqrt(squared)
