"""Ridge filters: the responses are scikit-image's, and lines are found where they were drawn."""

import cv2
import numpy as np
import pytest
from skimage.filters import frangi, meijering, sato

from prebrush import segment
from prebrush.segmentation.cleanup import Cleanup
from prebrush.segmentation.filters import blur
from prebrush.segmentation.kernels.ridges import FILTERS, line_responses, line_supports, strength_and_length
from scenes import cracked_ground, grain, walk


def near(mask: np.ndarray, tolerance: float) -> np.ndarray:
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) <= tolerance + 1e-3


def f1(found: np.ndarray, truth: np.ndarray, tolerance: float = 2.0) -> float:
    """Harmonic mean of precision and recall, where a miss by up to ``tolerance`` pixels counts as a hit."""
    precision, recall = near(truth, tolerance)[found].mean(), near(found, tolerance)[truth].mean()
    return float(2 * precision * recall / (precision + recall))


SCENES = [cracked_ground(seed) for seed in range(10)]


def test_cracks_with_defaults() -> None:
    values = [f1(segment(image, method="ridge").label_map > 0, truth) for image, truth in SCENES]
    assert np.mean(values) > 0.87
    cleaned = [f1(segment(image, method="ridge", cleanup=Cleanup()).label_map > 0, truth) for image, truth in SCENES]
    assert np.mean(cleaned) > 0.85


def test_better_than_an_adaptive_threshold() -> None:
    # the best of its settings on these very scenes, without its small pieces
    rivals = []
    for image, truth in SCENES:
        mask = cv2.adaptiveThreshold(image[:, :, 0], 1, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY_INV, 51, 15)
        _, pieces, table, _ = cv2.connectedComponentsWithStats(mask)
        rivals.append(f1((table[:, 4] >= 100)[pieces] & (pieces > 0), truth))
    ours = [f1(segment(image, method="ridge").label_map > 0, truth) for image, truth in SCENES]
    assert np.mean(ours) > np.mean(rivals) + 0.03


def wide_crack(seed: int, width: float) -> tuple[np.ndarray, np.ndarray]:
    """A wide crack on rough ground with stains: image and truth."""
    rng = np.random.default_rng(seed)
    shape = (360, 480)
    covered = walk(rng, shape, width)
    image = 150 + 6 * grain(rng, shape, 0.8) + 4 * grain(rng, shape, 4.0)
    for _ in range(6):
        stain = np.zeros(shape, np.float32)
        row, col = rng.uniform(0.1, 0.9, 2) * shape
        cv2.ellipse(stain, (int(col), int(row)), (28, 18), rng.uniform(0, 180), 0, 360, 1, -1)
        image *= 1 - 0.25 * blur(stain, 4.0)
    image *= 1 - 0.5 * blur(covered, 0.7) * np.clip(1 + 0.2 * grain(rng, shape, 12), 0.4, 1.4)
    return np.repeat(image.clip(0, 255).astype(np.uint8)[:, :, None], 3, axis=2), covered > 0.5


@pytest.mark.parametrize("width", [12, 20, 32])
def test_wide_cracks_are_filled(width: int) -> None:
    # number 3 is a stump
    scenes = [wide_crack(seed, width) for seed in (0, 1, 2, 4)]
    values = [f1(segment(image, method="ridge").label_map > 0, truth) for image, truth in scenes]
    assert np.mean(values) > 0.9
    thin_only = [f1(segment(image, method="ridge", max_width=0).label_map > 0, truth) for image, truth in scenes]
    assert np.mean(values) > np.mean(thin_only) + 0.02


def test_bright_lines_by_themselves() -> None:
    rng = np.random.default_rng(3)
    covered = walk(rng, (200, 260), 4.0)
    image = 60 + 90 * blur(covered, 1.0) + 8 * grain(rng, (200, 260), 1.0)
    image = image.clip(0, 255).astype(np.uint8)
    found = segment(image, method="ridge").label_map > 0
    assert f1(found, covered > 0.4) > 0.9
    assert np.array_equal(found, segment(image, method="ridge", polarity="bright").label_map > 0)
    assert f1(segment(255 - image, method="ridge").label_map > 0, covered > 0.4) > 0.9


def test_stains_beside_a_crack_are_no_lines() -> None:
    rng = np.random.default_rng(1)
    image = (170 + 4 * grain(rng, (240, 320), 1.0))[:, :, None].repeat(3, axis=2)
    shape = np.zeros((240, 320), np.uint8)
    for col in (60, 150, 240):
        cv2.ellipse(shape, (col, 60), (28, 7), 20, 0, 360, 1, -1)
    stains = blur(shape.astype(np.float32), 3.0)
    image -= 35 * stains[:, :, None]
    alone = image.clip(0, 255).astype(np.uint8)
    assert segment(alone, method="ridge").label_map[40:80].any()
    image[160:164, 20:300] -= 90
    found = segment(image.clip(0, 255).astype(np.uint8), method="ridge").label_map > 0
    assert found[161, 40:280].all()
    assert not found[:120].any()


def test_of_dark_and_bright_lines_the_dark_ones_unless_the_bright_ones_are_far_more() -> None:
    image = (128 + 2 * grain(np.random.default_rng(0), (480, 320), 1.0))[:, :, None].repeat(3, axis=2)
    image[60:64, 20:300] -= 45
    image[120:124, 20:300] += 65
    one = image.clip(0, 255).astype(np.uint8)
    assert segment(one, method="ridge").label_map[61, 40:280].all()
    for row in (190, 260, 330, 400):
        image[row : row + 4, 20:300] += 65
    several = segment(image.clip(0, 255).astype(np.uint8), method="ridge").label_map
    assert several[121, 40:280].all()
    assert not several[61].any()


@pytest.mark.parametrize("seed", range(3))
def test_grain_alone_has_no_lines(seed: int) -> None:
    image = 128 + 15 * grain(np.random.default_rng(seed), (200, 300), 1.0)
    assert not segment(image.clip(0, 255).astype(np.uint8), method="ridge").label_map.any()


def test_a_shadow_s_edge_is_no_line() -> None:
    image = 160 + 4 * grain(np.random.default_rng(0), (120, 160), 1.0)
    image[:, 80:] *= 0.6
    assert not segment(image.clip(0, 255).astype(np.uint8), method="ridge").label_map.any()


@pytest.mark.parametrize("filter_name", FILTERS)
def test_responses_are_those_of_scikit_image(filter_name: str) -> None:
    gray = SCENES[0][0][:, :, 0].astype(np.float32) / 255
    sigmas = [2.0, 3.0, 4.5]
    # two differences of pixels smooth as well: the variance that they add is taken off
    blurred = [blur(gray, (sigma**2 - 1 / 6) ** 0.5) for sigma in sigmas]
    ours = line_responses(blurred, sigmas, filter_name, two_sided=False)
    theirs = {"sato": sato, "frangi": frangi, "meijering": meijering}[filter_name]
    inner = (slice(20, -20), slice(20, -20))
    for response, black in zip(ours, (True, False), strict=True):
        wanted = theirs(gray, sigmas=sigmas, black_ridges=black)
        # Meijering's scales each width by its largest value, which may lie at the border; so does Frangi's, once
        assert np.corrcoef(response[inner].ravel(), wanted[inner].ravel())[0, 1] > {"meijering": 0.96}.get(
            filter_name, 0.99
        )
        if filter_name == "sato":
            assert np.abs(response[inner] - wanted[inner]).max() < 0.12 * wanted.max()


@pytest.mark.parametrize("filter_name", FILTERS)
def test_every_filter_finds_clear_cracks(filter_name: str) -> None:
    rng = np.random.default_rng(5)
    covered = walk(rng, (200, 260), 4.0)
    image = (170 - 90 * blur(covered, 0.7) + 6 * grain(rng, (200, 260), 1.0)).clip(0, 255).astype(np.uint8)
    assert f1(segment(image, method="ridge", filter=filter_name).label_map > 0, covered > 0.4) > 0.85


def plain_supports(response: np.ndarray, low: float) -> np.ndarray:
    supports = np.zeros_like(response)
    for row, col in np.argwhere(response > low):
        for angle in np.pi * np.arange(12) / 12:
            steps = np.arange(-4, 5)
            rows = (row + np.rint(np.sin(angle) * steps)).astype(int).clip(0, response.shape[0] - 1)
            cols = (col + np.rint(np.cos(angle) * steps)).astype(int).clip(0, response.shape[1] - 1)
            supports[row, col] = max(supports[row, col], response[rows, cols].mean())
    return supports


def test_supports_equal_the_plain_twin() -> None:
    response = np.random.default_rng(2).random((17, 23)).astype(np.float32)
    assert np.allclose(line_supports(response, 0.5), plain_supports(response, 0.5), atol=1e-5)


def test_strength_and_length() -> None:
    pieces = np.array([[1, 1, 0, 0], [0, 1, 0, 2], [0, 0, 0, 2]], np.int32)
    supports = np.arange(12, dtype=np.float32).reshape(3, 4)
    strength, length = strength_and_length(pieces, supports, 2)
    assert strength.tolist() == [0, 5, 11]
    assert length == pytest.approx([0, 8**0.5, 5**0.5])


def test_one_width() -> None:
    image, _ = SCENES[0]
    one = segment(image, method="ridge", sigma_min=3.0, sigma_max=3.0).label_map
    assert np.array_equal(one, segment(image, method="ridge", sigma_min=3.0, sigma_max=3.0, n_sigmas=1).label_map)
    # the width that is not given follows
    wide = segment(image, method="ridge", sigma_min=8.0).label_map
    assert np.array_equal(wide, segment(image, method="ridge", sigma_min=8.0, sigma_max=8.0).label_map)
    thin = segment(image, method="ridge", sigma_max=1.0).label_map
    assert np.array_equal(thin, segment(image, method="ridge", sigma_min=1.0, sigma_max=1.0).label_map)


def test_beside_a_crack_short_pieces_are_grain_but_not_where_it_goes_on() -> None:
    image = np.full((200, 300, 3), 170, np.uint8)
    image[100:103, 5:266] = 80
    image[100:103, 270:296] = 80  # beyond a little gap
    image[30:33, 240:264] = 80  # as long, but by itself
    found = segment(image, method="ridge").label_map > 0
    assert found[101, 15:260].all()
    assert found[101, 274:292].all()
    assert not found[20:45].any()
    alone = image.copy()
    alone[90:110] = 170
    assert (segment(alone, method="ridge").label_map > 0)[31, 244:260].all()
