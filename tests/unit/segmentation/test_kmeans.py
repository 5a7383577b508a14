"""k-means against OpenCV's, and its order, seed and few colours."""

import cv2
import numpy as np
import pytest
from skimage import data

from prebrush import segment
from prebrush.segmentation.color import COLOR_SPACES
from scenes import stripes


def inertia(points: np.ndarray, owner: np.ndarray) -> float:
    """Sum of squared distances to the mean of each cluster."""
    return sum(float(((points[owner == k] - points[owner == k].mean(axis=0)) ** 2).sum()) for k in np.unique(owner))


@pytest.mark.parametrize("photo", ["astronaut", "coffee", "rocket"])
@pytest.mark.parametrize("n_clusters", [3, 5])
def test_as_tight_as_opencv(photo: str, n_clusters: int) -> None:
    image = getattr(data, photo)()[::2, ::2]
    points = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).reshape(-1, 3)
    cv2.setRNGSeed(0)
    criteria = (cv2.TERM_CRITERIA_MAX_ITER, 10, 0)
    _, owner, _ = cv2.kmeans(points, n_clusters, None, criteria, 3, cv2.KMEANS_PP_CENTERS)
    ours = segment(image, method="kmeans", n_clusters=n_clusters).label_map.ravel()
    assert inertia(points, ours) < 1.01 * inertia(points, owner.ravel())


@pytest.mark.parametrize("spatial_weight", [0, 0.5])
@pytest.mark.parametrize("space", sorted(COLOR_SPACES))
def test_clusters_are_ordered_by_brightness(space: str, spatial_weight: float) -> None:
    image = data.coffee()[::4, ::4]
    segments = segment(image, method="kmeans", n_clusters=5, color_space=space, spatial_weight=spatial_weight)
    luma = image @ np.array((0.299, 0.587, 0.114))
    means = [luma[segments.label_map == number].mean() for number in range(1, 6)]
    assert means == sorted(means)
    assert segments.classes == ("cluster-0", "cluster-1", "cluster-2", "cluster-3", "cluster-4")


@pytest.mark.parametrize("spatial_weight", [0, 1e-6])
def test_fewer_colours_than_clusters(spatial_weight: float) -> None:
    image = np.zeros((6, 8, 3), np.uint8)
    image[:, 4:] = (250, 10, 10)
    label_map = segment(image, method="kmeans", n_clusters=7, spatial_weight=spatial_weight).label_map
    if spatial_weight == 0:
        assert label_map.max() == 2
    # whatever position adds, no cluster holds both colours
    assert not set(label_map[:, :4].ravel()) & set(label_map[:, 4:].ravel())


def test_seeds_are_different_starts_and_repeat_themselves() -> None:
    image = data.astronaut()[::4, ::4]
    one, again, other = (segment(image, method="kmeans", n_clusters=12, seed=seed).label_map for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_position_makes_clusters_compact() -> None:
    image = np.random.default_rng(0).integers(100, 140, (64, 64, 3), dtype=np.uint8)
    label_map = segment(image, method="kmeans", n_clusters=4, spatial_weight=5).label_map
    spread = [np.argwhere(label_map == number).std(axis=0).max() for number in range(1, 5)]
    scattered = segment(image, method="kmeans", n_clusters=4).label_map
    assert max(spread) < 14 < np.argwhere(scattered == 1).std(axis=0).min()


def test_hue_is_a_circle() -> None:
    image = np.full((4, 30, 3), (255, 0, 12), np.uint8)
    image[:, 10:20] = (255, 12, 0)  # the other side of red
    image[:, 20:] = (0, 255, 255)
    label_map = segment(image, method="kmeans", n_clusters=2, color_space="hsv").label_map
    assert len(set(label_map[:, :20].ravel())) == 1
    assert label_map[0, 0] != label_map[0, 29]


def test_stripes_by_colour() -> None:
    scene = stripes()
    label_map = segment(scene.image, method="kmeans", n_clusters=3).label_map
    assert (label_map == scene.truth).mean() > 0.999
