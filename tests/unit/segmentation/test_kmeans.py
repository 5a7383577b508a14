"""k-means against OpenCV's, its order, seed and few colours, the number it chooses, and blur."""

import cv2
import numpy as np
import pytest
from skimage import data

from prebrush import segment
from prebrush.segmentation.color import COLOR_SPACES, to_lab
from prebrush.segmentation.kernels.absorbing import absorb
from prebrush.segmentation.kernels.clustering import cluster
from prebrush.segmentation.kernels.color_bins import color_bins, look_up
from prebrush.segmentation.kernels.components import connected_components
from prebrush.segmentation.kernels.settling import settle
from prebrush.segmentation.number_of_clusters import MOST_CLUSTERS, distortions
from scenes import disc, iou, stripes


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
    # three clusters may cost a little more, to hang together
    assert inertia(points, ours) < (1.1 if n_clusters == 3 else 1.01) * inertia(points, owner.ravel())


def settled(image: np.ndarray, n_clusters: int, share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cluster an image, then settle it: the nearest clusters, the settled ones, and the squared distance to each."""
    colors, weights, places = color_bins(image)
    points = to_lab(colors[None] / np.float32(255))[0]
    centers, owner = cluster(points, weights, n_clusters, 0)
    costs = ((points[:, None] - centers) ** 2).sum(axis=2)
    place = look_up(image, places, np.arange(len(points), dtype=np.int32))
    moved = settle(image, places, weights, costs, share).astype(np.int32)
    return look_up(image, places, owner), moved, costs[place]


@pytest.mark.parametrize("share", [0.0, 0.005, 0.03])
@pytest.mark.parametrize("n_clusters", [2, 5])
def test_settling_keeps_to_its_price(n_clusters: int, share: float) -> None:
    image = data.astronaut()[::2, ::2]
    _, owner, costs = settled(image, n_clusters, share)
    paid = np.take_along_axis(costs, owner[..., None], axis=2).sum(dtype=np.float64)
    least = costs.min(axis=2).sum(dtype=np.float64)
    assert least <= paid <= (1 + share + 1e-5) * least
    # no pixel went to a centre that is more than twice as far away
    assert (np.take_along_axis(costs, owner[..., None], axis=2)[..., 0] <= 4.001 * costs.min(axis=2)).all()


def test_settling_leaves_fewer_pieces() -> None:
    for photo in (data.astronaut(), data.coffee(), data.chelsea()):
        before, after, _ = settled(photo, 2, 0.1)
        pieces = [connected_components(owner, with_background=True)[1].size for owner in (before, after)]
        assert pieces[1] < 0.75 * pieces[0]


def test_small_things_of_a_clear_colour_are_not_settled() -> None:
    noise = np.random.default_rng(0).normal(0, 6, (200, 300, 3))
    thin = np.zeros((200, 300), np.bool_)
    thin[100:102, 20:280] = True  # a crack
    thin[30:33, 40:43] = True  # a speck
    image = np.clip(np.where(thin, 40, 170)[..., None] + noise, 0, 255).astype(np.uint8)
    assert iou(segment(image, method="kmeans", n_clusters=2).label_map == 1, thin) > 0.99


def absorbed(image: np.ndarray, n_clusters: int, most: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cluster an image, then let pieces be absorbed: clusters before and after, and the squared distances."""
    colors, weights, places = color_bins(image)
    points = to_lab(colors[None] / np.float32(255))[0]
    centers, owner = cluster(points, weights, n_clusters, 0)
    costs = ((points[:, None] - centers) ** 2).sum(axis=2)
    place = look_up(image, places, np.arange(len(points), dtype=np.int32))
    before = look_up(image, places, owner.astype(np.uint8))
    least = float((weights * costs.min(axis=1)).sum(dtype=np.float64))
    return before, absorb(image, places, costs, before, most * least), costs[place]


@pytest.mark.parametrize("most", [1.0, 1.01, 1.1])
@pytest.mark.parametrize("n_clusters", [2, 4])
def test_whole_small_pieces_of_mixed_colours_are_absorbed_for_a_price(n_clusters: int, most: float) -> None:
    image = data.astronaut()[::2, ::2]
    before, after, costs = absorbed(image, n_clusters, most)
    pieces, _ = connected_components(before.astype(np.int32) + 1)
    moved = before != after
    assert moved.any() == (most > 1)
    now, then = (np.take_along_axis(costs, owner[..., None].astype(int), 2)[..., 0] for owner in (before, after))
    assert then.sum(dtype=np.float64) <= (most + 1e-5) * now.sum(dtype=np.float64)
    for piece in np.unique(pieces[moved]):
        here = pieces == piece
        assert moved[here].all()
        assert here.sum() <= 0.01 * here.size
        assert then[here].sum() <= 9.001 * now[here].sum()
        assert len(np.unique(after[here])) == 1


def test_of_two_small_things_the_one_of_a_mixed_colour_is_absorbed() -> None:
    levels = np.full((100, 150, 1), 50.0)
    levels[:, 75:] = 200
    levels[40:48, 20:28] = 130  # hardly nearer to the bright cluster
    levels[40:48, 50:58] = 200
    image = (levels + np.random.default_rng(0).normal(0, 8, (100, 150, 3))).astype(np.uint8)
    found = segment(image, method="kmeans", n_clusters=2).label_map
    assert (found[38:50, 18:30] == 1).all()
    assert (found[40:48, 50:58] == 2).all()


def test_as_much_of_every_image_is_in_a_cluster() -> None:
    for shape in ((1, 1), (1, 40), (40, 1), (5, 3), (7, 64)):
        image = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
        label_map = segment(image, method="kmeans", n_clusters=3).label_map
        assert label_map.shape == shape
        assert set(np.unique(label_map)) == set(range(1, label_map.max() + 1))


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


def mosaic(n_colors: int, noise: float, seed: int) -> np.ndarray:
    """Cells of well separated colours, three of each, slightly blurred: uint8 (160, 160, 3)."""
    rng = np.random.default_rng(seed)
    colors: list[np.ndarray] = []
    while len(colors) < n_colors:
        color = rng.uniform(20, 235, 3)
        lab = to_lab((np.array([[color, *colors]]) / 255).astype(np.float32))[0]
        if (np.linalg.norm(lab[1:] - lab[0], axis=1) > 25).all():
            colors.append(color)
    sites = rng.uniform(0, 160, (3 * n_colors, 2))
    rows, cols = np.mgrid[:160, :160]
    cell = ((rows[..., None] - sites[:, 0]) ** 2 + (cols[..., None] - sites[:, 1]) ** 2).argmin(axis=2)
    image = cv2.GaussianBlur(np.array(colors)[cell % n_colors], (0, 0), 0.7)
    return np.clip(image + rng.normal(0, noise, image.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("noise", [0, 1, 4])
@pytest.mark.parametrize("n_colors", range(2, 11))
def test_chooses_as_many_clusters_as_there_are_colours(n_colors: int, noise: float) -> None:
    label_map = segment(mosaic(n_colors, noise, seed=n_colors), method="kmeans", n_clusters=0).label_map
    assert label_map.max() == n_colors


@pytest.mark.parametrize("spatial_weight", [0, 0.1])
def test_the_chosen_number_is_used(spatial_weight: float) -> None:
    scene = stripes()
    knobs = {"method": "kmeans", "spatial_weight": spatial_weight}
    chosen, given = (segment(scene.image, n_clusters=count, **knobs).label_map for count in (0, 3))
    assert np.array_equal(chosen, given)


@pytest.mark.parametrize("photo", ["astronaut", "coffee", "rocket"])
def test_distortions_are_those_of_all_pixels(photo: str) -> None:
    image = getattr(data, photo)()[::4, ::4]
    lab = to_lab(image.astype(np.float32) / 255).reshape(-1, 3)
    colors, weights, _ = color_bins(image)
    ours = distortions(colors, weights, to_lab(colors[None] / np.float32(255))[0], seed=0)
    criteria = (cv2.TERM_CRITERIA_MAX_ITER, 30, 0)
    cv2.setRNGSeed(0)
    found = [cv2.kmeans(lab, k, None, criteria, 5, cv2.KMEANS_PP_CENTERS)[1].ravel() for k in range(1, 7)]
    reference = np.array([inertia(lab, owner) for owner in found]) / len(lab)
    assert ours.shape == (MOST_CLUSTERS,)
    assert (np.diff(ours) <= 0).all()
    np.testing.assert_allclose(ours[:6], reference, rtol=0.05)


def test_one_cluster_is_the_whole_image() -> None:
    assert (segment(data.coffee()[::4, ::4], method="kmeans", n_clusters=1).label_map == 1).all()


def test_blur_leaves_fewer_specks_and_keeps_small_things() -> None:
    places = [(row, col) for row in range(20, 400, 40) for col in range(20, 400, 40)]
    discs = [disc(400, 400, row, col, 7) for row, col in places]  # each a thousandth of the image
    truth = np.any(discs, axis=0)
    noise = np.random.default_rng(0).normal(0, 15, (400, 400, 3))
    image = np.clip(np.where(truth, 150, 60)[..., None] + noise, 0, 255).astype(np.uint8)
    sharp, smooth = (segment(image, method="kmeans", n_clusters=4, sigma=sigma).label_map for sigma in (0.0, 1.0))
    assert connected_components(smooth)[1].size < 0.5 * connected_components(sharp)[1].size
    bright, _ = connected_components((smooth >= 4).astype(np.int32))
    assert len({int(bright[place]) for place in places} - {0}) == 100
