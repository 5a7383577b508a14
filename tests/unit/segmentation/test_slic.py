"""Against a plain twin, and against scikit-image's slic on the same images."""

import cv2
import numpy as np
import pytest
from skimage import data, segmentation
from skimage.measure import label

from prebrush import segment
from prebrush.segmentation.kernels.superpixels import cluster_on_grid, connect


def plain_clustering(planes: np.ndarray, n_rows: int, n_cols: int, per_pixel: float, rounds: int) -> np.ndarray:
    """Do k-means pixel by pixel; only centres of the own and the touching cells are looked at."""
    _, height, width = planes.shape
    rows, cols = np.indices((height, width))
    cell_rows, cell_cols = rows * n_rows // height, cols * n_cols // width
    owner = cell_rows * n_cols + cell_cols
    points = np.concatenate((planes, [rows * per_pixel, cols * per_pixel])).astype(np.float64)
    centers = np.zeros((n_rows * n_cols, 5))
    for _ in range(rounds):
        for number in range(len(centers)):
            if (owner == number).any():
                centers[number] = points[:, owner == number].mean(axis=1)
        for row, col in np.ndindex(height, width):
            near = [
                number
                for number in range(len(centers))
                if abs(number // n_cols - cell_rows[row, col]) <= 1 and abs(number % n_cols - cell_cols[row, col]) <= 1
            ]
            owner[row, col] = min(near, key=lambda number: ((points[:, row, col] - centers[number]) ** 2).sum())
    return owner


@pytest.mark.parametrize("seed", range(8))
def test_clustering_equals_the_plain_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 24, 2)
    # cells of less than 16 lines, of which none are left out
    n_rows, n_cols = rng.integers(min(2, height), height + 1), rng.integers(1, width + 1)
    planes = rng.random((3, height, width)).astype(np.float32) * 50
    found = cluster_on_grid(planes, n_rows, n_cols, 4.0, 3)
    # sums in another order may decide a near tie otherwise
    assert np.mean(found == plain_clustering(planes, n_rows, n_cols, 4.0, 3)) > 0.99


def test_lines_longer_than_a_strip() -> None:
    planes = np.random.default_rng(0).random((3, 2, 1300)).astype(np.float32) * 50
    assert np.mean(cluster_on_grid(planes, 1, 40, 3.0, 2) == plain_clustering(planes, 1, 40, 3.0, 2)) > 0.99


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("min_size", [1, 3, 10, 10_000])
def test_pieces_are_connected_and_large_enough(seed: int, min_size: int) -> None:
    rng = np.random.default_rng(seed)
    owner = rng.integers(0, 3, rng.integers(1, 30, 2)).astype(np.int32)
    pieces = connect(owner, min_size)
    # numbered as scikit-image does, so equal numbers mean that each is one piece
    assert np.array_equal(pieces, label(pieces, background=0, connectivity=1))
    assert pieces.max() == 1 or np.bincount(pieces.ravel())[1:].min() >= min_size
    if min_size == 1:
        assert np.array_equal(pieces, label(owner, background=-1, connectivity=1))


def test_a_speck_joins_what_surrounds_it() -> None:
    owner = np.zeros((9, 12), np.int32)
    owner[:, 6:] = 1
    owner[3:5, 4:7] = 2  # three quarters of its boundary are on the left
    pieces = connect(owner, 8)
    assert pieces.max() == 2
    assert (pieces[3:5, 4:7] == 1).all()


def boundary_length(label_map: np.ndarray) -> int:
    return np.count_nonzero(label_map[:, 1:] != label_map[:, :-1]) + np.count_nonzero(label_map[1:] != label_map[:-1])


def test_compactness_means_what_it_does_in_scikit_image() -> None:
    photo = data.astronaut()[:300, :400]
    lengths = []
    for compactness in (5, 20, 80):
        ours = segment(photo, method="slic", n_segments=150, compactness=compactness).label_map
        theirs = segmentation.slic(photo, n_segments=150, compactness=compactness)
        # of a superpixel: the numbers differ
        lengths.append(boundary_length(ours) / ours.max() ** 0.5)
        assert lengths[-1] == pytest.approx(boundary_length(theirs) / theirs.max() ** 0.5, rel=0.15)
    assert lengths == sorted(lengths, reverse=True)


@pytest.mark.parametrize("count", [1, 2, 30, 400, 3000])
def test_about_as_many_as_asked_for(count: int) -> None:
    found = len(segment(data.astronaut()[:300, :400], method="slic", n_segments=count))
    assert count * 0.8 <= found <= count * 1.2


def under_segmentation(truth: np.ndarray, found: np.ndarray) -> float:
    """Share of pixels on the smaller side of a true boundary within their superpixel (Neubert and Protzel 2012)."""
    table = np.zeros((truth.max() + 1, found.max() + 1), np.int64)
    np.add.at(table, (truth, found), 1)
    return np.minimum(table, table.sum(axis=0) - table).sum() / truth.size


def boundary_recall(truth: np.ndarray, found: np.ndarray) -> float:
    """Share of true boundary pixels with a found one within two pixels."""
    edges = [segmentation.find_boundaries(label_map, mode="inner") for label_map in (truth, found)]
    near = cv2.dilate(edges[1].astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return np.count_nonzero(edges[0] & near) / np.count_nonzero(edges[0])


@pytest.mark.parametrize("compactness", [10, 30])
def test_scenes_are_cut_no_worse_than_by_scikit_image(shared_scenes: list, compactness: int) -> None:
    table = []
    for image, truths in shared_scenes:
        theirs = segmentation.slic(image, n_segments=400, compactness=compactness)
        # as many as it really gives, not as many as it was asked for
        ours = segment(image, method="slic", n_segments=int(theirs.max()), compactness=compactness).label_map
        measures = [(measure, found) for found in (ours, theirs) for measure in (under_segmentation, boundary_recall)]
        table += [[measure(truth, found) for measure, found in measures] for truth in truths]
    error, recall, their_error, their_recall = np.mean(table, axis=0)
    assert error <= their_error
    assert recall >= their_recall - 0.005


@pytest.mark.parametrize("shape", [(1, 2000), (2000, 1), (3, 900), (900, 3), (300, 120), (120, 300)])
@pytest.mark.parametrize("n_segments", [1, 2, 20])
def test_a_strip_has_as_many_superpixels_as_are_asked_for(shape: tuple[int, int], n_segments: int) -> None:
    ramp = np.add.outer(np.arange(shape[0]), np.arange(shape[1])) % 250
    found = segment(ramp.astype(np.uint8), method="slic", n_segments=n_segments, compactness=1000).label_map.max()
    assert 0.6 * n_segments <= found <= 1.4 * n_segments
