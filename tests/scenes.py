"""Drawn images with known truth."""

from dataclasses import dataclass

import cv2
import numpy as np

from prebrush.segmentation.filters import blur


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


def spotted_discs() -> tuple[np.ndarray, np.ndarray]:
    """Two plain discs, one of them with a spot, on noisy ground."""
    rng = np.random.default_rng(0)
    image = np.full((120, 160, 3), (60, 110, 60), np.uint8)
    image[disc(120, 160, 60, 45, 28)] = (190, 60, 50)
    image[disc(120, 160, 60, 115, 28)] = (60, 70, 180)
    image[disc(120, 160, 60, 115, 10)] = (220, 210, 90)
    noisy = np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)
    return noisy, disc(120, 160, 60, 45, 28)


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


def grain(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> np.ndarray:
    """Noise of one grain size, standard deviation 1."""
    noise = blur(rng.normal(0, 1, shape).astype(np.float32), sigma)
    return noise / noise.std()


def _draw_leaf(cover: np.ndarray, rng: np.random.Generator, center: tuple[float, float], size: float) -> None:
    """Add one bent, pointed leaf from a (col, row) outwards."""
    steps = np.linspace(0.08, 1, 14)
    angles = rng.uniform(0, 2 * np.pi) + rng.normal(0, 0.5) * steps
    cols = center[0] + np.cumsum(np.cos(angles)) * size / 14
    rows = center[1] + np.cumsum(np.sin(angles)) * size / 14
    half = rng.uniform(0.05, 0.2) * size * np.sin(np.pi * steps) ** 0.7 + 0.5
    left = np.stack((cols - np.sin(angles) * half, rows + np.cos(angles) * half), axis=1)
    right = np.stack((cols + np.sin(angles) * half, rows - np.cos(angles) * half), axis=1)
    outline = np.concatenate((left, right[::-1]))
    cv2.fillPoly(cover, [np.round(outline * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)


def field(seed: int, plants: int = 0) -> Scene:
    """Plants of several greens on soil with clods, stones and straw, under uneven light and with a camera's noise.

    ``plants`` is how many; 0 draws a number between 8 and 30.
    """
    rng = np.random.default_rng(seed)
    shape = (360, 480)
    relief = np.sum([amount * grain(rng, shape, sigma) for sigma, amount in ((1, 0.6), (3, 1.2), (8, 2.4))], axis=0)
    slope = cv2.Sobel(relief, cv2.CV_64F, 1, 0)
    light = np.clip(1 + rng.uniform(0.08, 0.22) * slope / slope.std(), 0.2, 2.0)
    if seed % 3 == 0:  # the shadow of whoever took the photo
        light[:, : int(rng.uniform(100, 300))] *= rng.uniform(0.45, 0.7)
    ground = np.array(
        [(118, 92, 70), (95, 78, 64), (140, 112, 88), (125, 118, 108), (70, 58, 50)][seed % 5], np.float64
    )
    colors = np.tile(ground, (*shape, 1)) * np.exp(0.04 * rng.normal(0, 1, 3) * grain(rng, shape, 6.0)[:, :, None])
    for _ in range(25):  # stones and straw
        place = (int(rng.uniform(0, shape[1])), int(rng.uniform(0, shape[0])))
        cv2.circle(colors, place, int(rng.uniform(1, 6)), (170, 165, 158), -1)
        end = (place[0] + int(rng.uniform(-40, 40)), int(rng.uniform(0, shape[0])) // 4 + place[1])
        cv2.line(colors, place, end, (190, 170, 120), 1)
    colors *= light[:, :, None]
    cover = np.zeros(shape, np.float32)
    for _ in range(plants or int(rng.integers(8, 30))):
        plant = np.zeros(shape, np.float32)
        center = (rng.uniform(0, shape[1]), rng.uniform(0, shape[0]))
        for _ in range(int(rng.integers(3, 9))):
            _draw_leaf(plant, rng, center, rng.uniform(10, 34))
        greens = ((78, 128, 52), (95, 140, 60), (60, 105, 55), (110, 150, 80), (120, 140, 70))
        green = np.array(greens[int(rng.integers(5))]) * rng.uniform(0.75, 1.25)
        shaded = np.clip(1 + 0.15 * grain(rng, shape, 2.0), 0.4, 1.8)[:, :, None] * green
        colors += plant[:, :, None] * (shaded - colors)
        cover = np.maximum(cover, plant)
    colors = cv2.GaussianBlur(colors, (0, 0), 0.6) * rng.uniform((0.92, 0.92, 0.88), (1.1, 1.04, 1.1))
    image = (colors + rng.normal(0, rng.uniform(2, 7), colors.shape)).clip(0, 255).astype(np.uint8)
    return Scene(f"field {seed}", image, (cover > 0.5).astype(np.int32))


def blood_cell(seed: int) -> Scene:
    """A white blood cell with a nucleus of lobes among red ones: 0 ground, 1 cytoplasm, 2 nucleus, 3 red cells."""
    rng = np.random.default_rng(seed)
    side = 240
    truth = np.zeros((side, side), np.int32)
    for angle in rng.uniform(0, 2 * np.pi, 5):
        reach = rng.uniform(95, 130)
        truth[disc(side, side, 120 + reach * np.sin(angle), 120 + reach * np.cos(angle), 24)] = 3
    truth[disc(side, side, 120, 120, 58)] = 1
    for turn in np.arange(3) * 0.9 + rng.uniform(0, 6):
        truth[disc(side, side, 120 + 20 * np.sin(turn), 120 + 20 * np.cos(turn), 19)] = 2
    colors = np.array([(250, 228, 204), (214, 178, 196), (88, 44, 122), (222, 152, 160)], np.float64)[truth]
    colors *= 1 + 0.05 * grain(rng, (side, side), 2.0)[:, :, None] * (truth > 0)[:, :, None]
    colors = cv2.GaussianBlur(colors, (0, 0), 1.0) * rng.uniform(0.88, 1.0, 3)
    return Scene(f"blood cell {seed}", (colors + rng.normal(0, 3, colors.shape)).clip(0, 255).astype(np.uint8), truth)


def walk(rng: np.random.Generator, shape: tuple[int, int], width: float) -> np.ndarray:
    """Draw a wandering crack from the left or the upper side: how much of each pixel it covers, float32 (H, W)."""
    large = np.zeros((shape[0] * 4, shape[1] * 4), np.uint8)
    upright = rng.random() < 0.5
    place = np.array((0.0, rng.uniform(0, shape[1])) if upright else (rng.uniform(0, shape[0]), 0.0))
    course = (np.pi / 2 if upright else 0.0) + rng.uniform(-0.5, 0.5)
    heading, now = course, width
    for _ in range(2 * sum(shape)):
        heading = course + 0.94 * (heading - course) + rng.normal(0, 0.22)
        place = place + np.array((np.sin(heading), np.cos(heading)))
        now = float(np.clip(now + rng.normal(0, 0.06) * width + 0.04 * (width - now), 0.5 * width, 1.8 * width))
        center = (int((place[1] + 0.5) * 32), int((place[0] + 0.5) * 32))
        cv2.circle(large, center, max(1, int(now * 16)), 255, -1, shift=3)
    return cv2.resize(large, shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def cracked_ground(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rough ground with dark cracks, in some scenes under a shadow: image and truth."""
    rng = np.random.default_rng(seed)
    shape = (240, 320)
    rough = rng.uniform(0.4, 1.3)
    image = np.full(shape, rng.uniform(100, 190), np.float32)
    for sigma, amount in ((0.0, 4), (0.8, 9), (1.6, 6), (3.2, 3), (10.0, 2.5)):
        image += rough * amount * grain(rng, shape, sigma)
    specks = grain(rng, shape, 1.2)
    image += rough * 12 * (np.clip(specks - 1.8, 0, None) - np.clip(-specks - 1.8, 0, None))
    truth = np.zeros(shape, np.bool_)
    for _ in range(2):
        covered = walk(rng, shape, rng.uniform(1.6, 7))
        truth |= covered > 0.4
        image -= rng.uniform(35, 75) * blur(covered, 0.7) * np.clip(1 + 0.35 * grain(rng, shape, 12), 0.25, 1.4)
    if seed % 2:
        shadow = np.zeros(shape, np.float32)
        shadow[:, int(rng.uniform(20, 120)) : int(rng.uniform(160, 300))] = 1
        image *= 1 - rng.uniform(0.2, 0.5) * blur(shadow, rng.uniform(1.5, 8))
    image += rng.normal(0, 2, shape)
    return np.repeat(image.clip(0, 255).astype(np.uint8)[:, :, None], 3, axis=2), truth


def written_page(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A page of print with a ruled form, photographed under uneven light: image and the ink."""
    rng = np.random.default_rng(seed)
    height, width = ((620, 460), (700, 540), (520, 720))[seed % 3]
    large = np.zeros((height * 2, width * 2), np.uint8)
    pitch, font = int(rng.integers(36, 60)), (0, 1, 3, 4)[seed % 4]
    for line in range(2 * pitch, 2 * height - pitch, pitch):
        col = 60
        while col < 2 * width - 160 and rng.random() > 0.03:
            word = "".join(chr(rng.integers(97, 123)) for _ in range(int(rng.integers(2, 8))))
            cv2.putText(large, word, (col, line), font, pitch / 50, 255, 2, cv2.LINE_AA)
            col += cv2.getTextSize(word, font, pitch / 50, 2)[0][0] + pitch // 3
    if seed % 2:
        top = int(rng.uniform(0.3, 0.7) * 2 * height)
        large[top : top + 3 * pitch, 40:-40] = 0
        for row in range(top, top + 3 * pitch, pitch):
            cv2.rectangle(large, (40, row), (2 * width - 40, row + pitch), 255, 3)
    ink = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA).astype(np.float64)[:, :, None] / 255
    paper = np.array(((246, 245, 240), (226, 208, 172), (205, 200, 190))[seed % 3], np.float64)
    slope = np.linspace(0, 1, width)[None, :, None] * rng.uniform(0.1, 0.5)
    image = (paper + ((45, 42, 45) - paper) * ink) * (1 - slope)
    image = cv2.GaussianBlur(image, (0, 0), 0.5) + rng.normal(0, 2.5, image.shape)
    return image.clip(0, 255).astype(np.uint8), ink[:, :, 0] > 0.5


def street_map(seed: int) -> np.ndarray:
    """Parks, a river and streets in flat colours on paper-coloured ground."""
    rng = np.random.default_rng(seed)
    image = np.full((400, 560, 3), (238, 232, 214), np.uint8)
    for _ in range(14):
        center, size = rng.uniform((0, 0), (560, 400)), rng.uniform(14, 50)
        corners = center + size * np.stack([(np.cos(a), np.sin(a)) for a in np.sort(rng.uniform(0, 6.28, 6))])
        cv2.fillPoly(image, [corners.astype(np.int32)], ((190, 220, 170), (176, 214, 160))[int(rng.integers(2))])
    river = np.stack((np.linspace(0, 560, 9), 200 + np.cumsum(rng.normal(0, 25, 9))), axis=1)
    cv2.polylines(image, [river.astype(np.int32)], False, (165, 195, 225), 24, cv2.LINE_AA)
    for _ in range(12):
        street = np.cumsum(rng.normal(0, 60, (8, 2)), axis=0) + rng.uniform((0, 0), (560, 400))
        cv2.polylines(image, [street.astype(np.int32)], False, (255, 255, 255), int(rng.integers(2, 6)), cv2.LINE_AA)
    return image


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
