"""Every figure against its definition, pixel by pixel on small maps, and against scikit-image where it has one."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from skimage.metrics import adapted_rand_error, contingency_table
from skimage.metrics import variation_of_information as reference_vi

from prebrush.evaluation import metrics
from scenes import average_precision, covering, two_discs

SHAPE = st.tuples(st.integers(1, 7), st.integers(1, 7))
MAPS = SHAPE.flatmap(
    lambda shape: st.tuples(*[arrays.arrays(np.int32, shape, elements=st.integers(0, 4)) for _ in range(2)])
)
MASKS = SHAPE.flatmap(lambda shape: st.tuples(*[arrays.arrays(np.bool_, shape) for _ in range(2)]))


def jaccard(one, other):
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


@given(MAPS)
def test_overlaps_are_counted(maps):
    truth, found = maps
    overlaps = metrics.count_overlaps(truth, found)
    table = np.zeros((truth.max() + 1, found.max() + 1), int)
    table[overlaps.truth, overlaps.found] = overlaps.shared
    assert np.array_equal(table, contingency_table(truth, found).toarray())
    assert overlaps.shared.all()
    for one, other, value in zip(overlaps.truth, overlaps.found, overlaps.iou(), strict=True):
        assert value == pytest.approx(jaccard(truth == one, found == other))


def test_overlaps_of_many_numbers_are_the_same_by_sorting():
    rng = np.random.default_rng(0)
    truth, found = (rng.integers(0, 3000, (90, 80)).astype(np.int32) for _ in range(2))
    overlaps = metrics.count_overlaps(truth, found)
    expected = contingency_table(truth, found).tocoo()
    assert sorted(zip(overlaps.truth, overlaps.found, overlaps.shared, strict=True)) == sorted(
        zip(expected.row, expected.col, expected.data, strict=True)
    )


def test_undecided_pixels_are_left_out():
    truth = np.array([[1, 1, -1, 0]], np.int32)
    overlaps = metrics.count_overlaps(truth, np.array([[1, 1, 2, 0]], np.int32))
    assert overlaps.pixels == 3
    assert metrics.average_precision(overlaps) == 1
    with pytest.raises(ValueError, match="one shape"):
        metrics.count_overlaps(truth, truth.T)


@given(MASKS)
def test_iou_and_dice(masks):
    truth, found = masks
    either, both = np.count_nonzero(truth | found), np.count_nonzero(truth & found)
    assert metrics.iou(truth, found) == (both / either if either else 1)
    iou = metrics.iou(truth, found)
    assert metrics.dice(truth, found) == pytest.approx(2 * iou / (1 + iou))


@given(MAPS)
def test_covering(maps):
    truth, found = maps
    expected = sum(
        np.count_nonzero(truth == region)
        * max(jaccard(truth == region, found == segment) for segment in np.unique(found))
        for region in np.unique(truth)
    )
    assert metrics.covering(metrics.count_overlaps(truth, found)) == pytest.approx(expected / truth.size)
    assert covering(truth, found) == pytest.approx(expected / truth.size)


@given(MAPS)
def test_rand_index(maps):
    truth, found = maps[0].ravel(), maps[1].ravel()
    pairs = list(combinations(range(truth.size), 2))
    alike = sum((truth[i] == truth[j]) == (found[i] == found[j]) for i, j in pairs)
    value = metrics.rand_index(metrics.count_overlaps(*maps))
    assert value == pytest.approx(alike / len(pairs) if pairs else 1)


def test_rand_index_by_the_pair_counts_of_scikit_image():
    rng = np.random.default_rng(1)
    truth, found = (rng.integers(1, 6, (40, 50)) // rng.integers(1, 3, (40, 1)) + 1 for _ in range(2))
    _, precision, recall = adapted_rand_error(truth, found)
    in_truth = sum(math.comb(int(area), 2) for area in np.bincount(truth.ravel()))
    in_found = sum(math.comb(int(area), 2) for area in np.bincount(found.ravel()))
    # adapted_rand_error: pairs together in both, as a share of those together in one map and in the other
    in_both = min(precision * in_found, precision * in_truth, key=lambda pairs: abs(pairs - recall * in_truth))
    expected = 1 - (in_truth + in_found - 2 * in_both) / math.comb(truth.size, 2)
    overlaps = metrics.count_overlaps(truth.astype(np.int32), found.astype(np.int32))
    assert metrics.rand_index(overlaps) == pytest.approx(expected)


@given(MAPS)
def test_variation_of_information(maps):
    value = metrics.variation_of_information(metrics.count_overlaps(*maps))
    assert value == pytest.approx(sum(reference_vi(*maps)), abs=1e-9)


@given(MAPS)
def test_average_precision(maps):
    truth, found = maps
    objects, segments = np.unique(truth[truth > 0]), np.unique(found[found > 0])
    hits = sum(jaccard(truth == one, found == other) > 0.5 for one in objects for other in segments)
    total = objects.size + segments.size - hits
    overlaps = metrics.count_overlaps(truth, found)
    assert metrics.average_precision(overlaps) == (hits / total if total else 1)


def test_average_precision_as_the_other_tests_have_it():
    scene = two_discs()
    found = (scene.image[..., 0] > 100).astype(np.int32)
    overlaps = metrics.count_overlaps(scene.truth, found)
    assert metrics.average_precision(overlaps) == average_precision(scene.truth, found)


@given(MAPS)
def test_best_overlap(maps):
    truth, found = maps
    segments = np.unique(found[found > 0])
    best = [
        max((jaccard(truth == number, found == segment) for segment in segments), default=0)
        for number in np.unique(truth[truth > 0])
    ]
    value = metrics.best_overlap(metrics.count_overlaps(truth, found))
    assert value == pytest.approx(np.mean(best) if best else 1)


@given(MAPS)
def test_joined_segments_lie_mostly_in_the_class(maps):
    truth, found = maps
    chosen = metrics.joined_segments(metrics.count_overlaps(truth, found), 1)
    for segment in range(int(found.max()) + 1):
        inside = (truth[found == segment] == 1).mean() if (found == segment).any() else 0
        assert chosen[segment] == (segment > 0 and inside > 0.5)


def near(mask, row, col, tolerance):
    return any(math.hypot(row - r, col - c) <= tolerance for r, c in np.argwhere(mask))


@given(MASKS, st.sampled_from([0.0, 1.0, 1.5, 2.0]))
def test_near_f1(masks, tolerance):
    truth, found = masks
    if truth.any() and found.any():
        precision = np.mean([near(truth, row, col, tolerance) for row, col in np.argwhere(found)])
        recall = np.mean([near(found, row, col, tolerance) for row, col in np.argwhere(truth)])
        expected = 2 * precision * recall / (precision + recall) if precision + recall else 0
    else:
        expected = float(truth.any() == found.any())
    assert metrics.near_f1(truth, found, tolerance) == pytest.approx(expected)


@given(MAPS)
def test_boundary_pixels_differ_from_their_right_or_lower_neighbour(maps):
    truth, found = maps
    boundary = metrics.boundary_of(truth)
    height, width = truth.shape
    for row, col in np.ndindex(height, width):
        neighbours = truth[row, col + 1 : col + 2].tolist() + truth[row + 1 : row + 2, col].tolist()
        assert boundary[row, col] == any(other != truth[row, col] for other in neighbours)
    expected = metrics.near_f1(boundary, metrics.boundary_of(found), 1)
    assert metrics.boundary_f(truth, found, 1) == expected


def test_a_boundary_that_is_a_little_off_is_forgiven():
    truth = np.zeros((20, 30), np.int32)
    truth[:, 10:] = 1
    moved = np.roll(truth, 2, axis=1)
    moved[:, :2] = 0
    assert metrics.boundary_f(truth, moved, 2) == 1
    assert metrics.boundary_f(truth, moved, 1) == 0


@given(MAPS)
def test_a_map_agrees_with_itself_however_it_is_numbered(maps):
    truth = maps[0] + 1
    overlaps = metrics.count_overlaps(truth, 7 - truth)
    for figure in (metrics.covering, metrics.rand_index, metrics.average_precision, metrics.best_overlap):
        assert figure(overlaps) == pytest.approx(1)
    assert metrics.variation_of_information(overlaps) == pytest.approx(0)
    assert metrics.boundary_f(truth, 7 - truth, 0) == 1


def test_best_setting_for_all_images_and_for_each():
    best = metrics.best_setting(np.array([[0.2, 0.6, 0.5], [0.9, 0.6, 0.2]]))
    assert (best.place, best.ods, best.ois) == (1, pytest.approx(0.6), pytest.approx(0.75))
