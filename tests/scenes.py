"""Drawn images with known truth."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scene:
    """An image, uint8 (H, W, 3), and the true label map, int (H, W): 0 background, 1..n objects."""

    name: str
    image: np.ndarray
    truth: np.ndarray


def disc(height: int, width: int, row: float, col: float, radius: float) -> np.ndarray:
    """Return bool (height, width), True inside the circle."""
    rows, cols = np.mgrid[:height, :width]
    return (rows - row) ** 2 + (cols - col) ** 2 <= radius**2


def paint(truth: np.ndarray, colors: list[tuple[int, int, int]], noise: float = 6.0, seed: int = 0) -> np.ndarray:
    """Fill each number with its colour and add noise."""
    image = np.array(colors, np.float64)[truth]
    image += np.random.default_rng(seed).normal(0, noise, image.shape)
    return image.clip(0, 255).astype(np.uint8)


def two_discs() -> Scene:
    """Two bright discs on dark ground."""
    truth = np.zeros((80, 120), np.int32)
    truth[disc(80, 120, 40, 30, 18)] = 1
    truth[disc(80, 120, 35, 85, 24)] = 2
    return Scene("two bright discs", paint(truth, [(30, 30, 30), (190, 190, 190), (210, 210, 210)]), truth)


def dark_cells() -> Scene:
    """Purple cells on a pale pink ground, one of them cut by the border."""
    truth = np.zeros((100, 100), np.int32)
    for number, (row, col) in enumerate(((25, 25), (30, 70), (72, 50), (95, 90)), start=1):
        truth[disc(100, 100, row, col, 14)] = number
    return Scene("dark cells", paint(truth, [(235, 210, 230)] + [(100, 50, 140)] * 4), truth)


def equal_brightness() -> Scene:
    """A red square on green of the same brightness: only colour tells them apart."""
    truth = np.zeros((60, 60), np.int32)
    truth[15:45, 20:50] = 1
    return Scene("equal brightness", paint(truth, [(60, 140, 60), (192, 72, 60)], noise=4.0), truth)


def stripes() -> Scene:
    """Three upright stripes, dark to bright: a partition, no background."""
    truth = np.ones((60, 90), np.int32)
    truth[:, 30:60] = 2
    truth[:, 60:] = 3
    return Scene("stripes", paint(truth, [(0, 0, 0), (40, 30, 60), (60, 150, 90), (240, 220, 200)], noise=4.0), truth)


def crop_rows() -> Scene:
    """Plants in rows on brown soil with stones, one half of the field in the shade."""
    rng = np.random.default_rng(5)
    height, width = 160, 220
    truth = np.zeros((height, width), np.int32)
    for row in range(20, height, 40):
        for col in range(15, width, 30):
            for turn in rng.uniform(0, np.pi, 3):  # three leaves
                rows, cols = np.mgrid[:height, :width] - np.array([row, col])[:, None, None]
                along, across = cols * np.cos(turn) + rows * np.sin(turn), rows * np.cos(turn) - cols * np.sin(turn)
                truth[(along / 11) ** 2 + (across / 3.5) ** 2 <= 1] = 1
    stones = np.zeros((height, width), np.bool_)
    for _ in range(25):
        stones |= disc(height, width, rng.uniform(0, height), rng.uniform(0, width), rng.uniform(1, 5))
    numbers = np.where(truth > 0, 1, np.where(stones, 2, 0))
    colors = np.array([(118, 92, 70), (78, 128, 52), (175, 168, 160)], np.float64)[numbers]
    colors *= rng.normal(1, 0.12, (height, width, 1)) * np.where(np.arange(width) < 110, 1.0, 0.4)[None, :, None]
    image = (colors + rng.normal(0, 5, colors.shape)).clip(0, 255).astype(np.uint8)
    return Scene("crop rows", image, truth)


OBJECT_SCENES = (two_discs(), dark_cells(), equal_brightness())
ALL_SCENES = (*OBJECT_SCENES, stripes())


def iou(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two bool masks; 1 where both are empty."""
    union = np.count_nonzero(one | other)
    return 1.0 if union == 0 else np.count_nonzero(one & other) / union


def overlaps(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return the IoU of each number of ``truth`` with each of ``found``, 0 included: float (n + 1, m + 1)."""
    n, m = int(truth.max()) + 1, int(found.max()) + 1
    common = np.bincount((truth.astype(np.int64) * m + found).ravel(), minlength=n * m).reshape(n, m)
    return common / np.maximum(common.sum(1)[:, None] + common.sum(0) - common, 1)


def covering(truth: np.ndarray, found: np.ndarray) -> float:
    """How well the best segment of ``found`` covers each of ``truth``, weighted by area."""
    areas = np.bincount(truth.ravel())
    return float((overlaps(truth, found).max(axis=1)[: areas.size] * areas).sum() / areas.sum())


def average_precision(truth: np.ndarray, found: np.ndarray) -> float:
    """Instance average precision at IoU 0.5, as in the Data Science Bowl 2018: TP / (TP + FP + FN)."""
    hits = int((overlaps(truth, found)[1:, 1:] > 0.5).sum())
    return hits / max(1, int(truth.max()) + int(found.max()) - hits)
