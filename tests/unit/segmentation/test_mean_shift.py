"""Against plain twins, and against what people draw."""

import cv2
import numpy as np
import pytest
from skimage import data
from skimage.measure import label

from prebrush import segment
from prebrush.segmentation.kernels.mode_seeking import fuse_basins, gather_samples, seek_modes
from scenes import covering, disc


def pixels_as_samples(planes: np.ndarray) -> np.ndarray:
    _, height, width = planes.shape
    owner = np.arange(height * width, dtype=np.int32).reshape(height, width)
    return gather_samples(owner, planes, height, width)


def plain_modes(samples: np.ndarray, spatial_radius: float, color_radius: float) -> np.ndarray:
    """Shift every sample to the weighted mean of all samples within the radii, however far they are stored."""
    points, weights = samples[:5].reshape(5, -1).T.astype(np.float64), samples[5].ravel()
    scale = np.array([1 / color_radius] * 3 + [1 / spatial_radius] * 2)
    modes = []
    for start in points:
        at = start
        for _ in range(20):
            gaps = (points - at) * scale
            inside = ((gaps[:, :3] ** 2).sum(axis=1) <= 1) & ((gaps[:, 3:] ** 2).sum(axis=1) <= 1) & (weights > 0)
            before, at = at, np.average(points[inside], axis=0, weights=weights[inside])
            if (((at - before) * scale) ** 2).sum() < 1e-4:
                break
        modes.append(at[:3])
    return np.array(modes).reshape(*samples.shape[1:], 3)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("radius", [1.0, 2.7, 6.1])
def test_modes_of_pixels_equal_the_plain_twin(seed: int, radius: float) -> None:
    rng = np.random.default_rng(seed)
    planes = (rng.random((3, *rng.integers(1, 14, 2))) * 30).astype(np.float32)
    samples = pixels_as_samples(planes)
    found = seek_modes(samples, *planes.shape[1:], radius, 12.0)
    close = np.abs(found - plain_modes(samples, radius, 12.0)).max(axis=2) < 0.01
    # a sample that lies on a radius, but for rounding, may be counted by one of the two alone
    assert close.mean() > 0.97


def test_modes_of_cells_equal_the_plain_twin() -> None:
    rng = np.random.default_rng(0)
    planes = (rng.random((3, 30, 40)) * 30).astype(np.float32)
    rows, cols = np.indices((30, 40))
    samples = gather_samples((rows // 3 * 10 + cols // 4).astype(np.int32), planes, 10, 10)
    assert samples[5].sum() == 30 * 40
    assert np.allclose(samples[:3, 2, 5], planes[:, 6:9, 20:24].mean(axis=(1, 2)), rtol=1e-5)
    found = seek_modes(samples, 30, 40, 9.0, 8.0)
    assert np.abs(found - plain_modes(samples, 9.0, 8.0)).max() < 0.01


def test_cells_without_pixels_are_passed_over() -> None:
    samples = gather_samples(np.array([[0, 0, 2, 2]], np.int32), np.full((3, 1, 4), 7, np.float32), 1, 3)
    modes = seek_modes(samples, 1, 4, 2.0, 1.0)
    assert modes[0, :, 0].tolist() == [7, 0, 7]
    assert len(set(fuse_basins(modes, samples[5], 1.0, 3.0)[0].tolist())) == 1


def test_neighbours_are_fused_by_colour_and_specks_with_the_nearest() -> None:
    levels = np.array([[0, 0, 1, 2, 50, 50, 60], [0, 0, 1, 2, 55, 50, 60], [0, 0, 1, 2, 50, 50, 60]], np.float32)
    modes = np.stack((levels, levels * 0, levels * 0), axis=2)
    basins = fuse_basins(modes, np.ones((3, 7), np.float32), 1.5, 1.0)
    assert np.array_equal(basins[0] == basins[0, 0], levels[0] < 3)
    assert len(np.unique(basins)) == 4
    basins = fuse_basins(modes, np.ones((3, 7), np.float32), 1.5, 4.0)
    # 55 is as near to 50 as can be, and so is 60 once nothing else is left
    assert len(np.unique(basins)) == 2


def test_filtering_takes_noise_away_and_leaves_the_edge() -> None:
    clean = np.where(np.arange(60) < 30, 40.0, 60.0)[None, None] * np.ones((3, 40, 1))
    planes = (clean + np.random.default_rng(0).normal(0, 2, clean.shape)).astype(np.float32)
    modes = seek_modes(pixels_as_samples(planes), 40, 60, 6.0, 12.0)
    assert np.abs(modes - clean.transpose(1, 2, 0)).mean() < 0.3 * np.abs(planes - clean).mean()


def test_color_radius_parts_what_differs_by_more() -> None:
    image = np.full((80, 120, 3), 100, np.uint8)
    image[disc(80, 120, 40, 30, 20)] = 130  # 12 steps of lightness
    image[disc(80, 120, 40, 85, 20)] = 220
    counts = [len(segment(image, method="mean_shift", color_radius=radius)) for radius in (8, 25, 100)]
    assert counts == [3, 2, 1]


def test_segments_are_connected_and_large_enough() -> None:
    found = segment(data.astronaut()[:300, :400], method="mean_shift", color_radius=6, min_size=300).label_map
    assert np.array_equal(found, label(found, background=0, connectivity=1))
    assert np.bincount(found.ravel())[1:].min() >= 300


def test_radii_follow_the_working_size() -> None:
    photo = data.astronaut()
    full = segment(photo, method="mean_shift").label_map
    half = segment(photo, method="mean_shift", working_pixels=photo.size // 12).label_map
    assert covering(full, half) > 0.6


def test_no_worse_on_scenes_than_opencv_filtering(shared_scenes: list) -> None:
    """OpenCV filters at the same radii on an image pyramid; its result is fused and pruned as ours is."""
    table = []
    for image, truths in shared_scenes:
        lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
        filtered = cv2.pyrMeanShiftFiltering(lab, 16, 10 * 2.55, maxLevel=0).astype(np.float32)
        filtered[:, :, 0] /= 2.55
        theirs = fuse_basins(filtered, np.ones(filtered.shape[:2], np.float32), 7.0, 1000.0)
        ours = segment(image, method="mean_shift").label_map
        theirs = np.unique(theirs, return_inverse=True)[1].reshape(ours.shape) + 1
        table.append([np.mean([covering(truth, found) for truth in truths]) for found in (ours, theirs)])
    ours, theirs = np.mean(table, axis=0)
    assert ours >= theirs - 0.01
    assert ours > 0.58
