"""Against plain twins, and against what people draw."""

import numpy as np
import pytest
import skimage.data
from skimage import data
from skimage.measure import label

from prebrush import segment
from prebrush.segmentation.hierarchy import build_hierarchy
from prebrush.segmentation.kernels.half_discs import half_disc_gradient
from prebrush.segmentation.kernels.nearest import nearest_center
from prebrush.segmentation.kernels.region_graph import Evidence, Weights, merge_regions, region_graph, replay
from scenes import covering


def plain_gradient(values: np.ndarray, n_bins: int, radius: int, directions: int) -> np.ndarray:
    """Two histograms and their chi-squared distance, pixel by pixel."""
    height, width = values.shape
    found = np.zeros((directions, height, width))
    for direction, row, col in np.ndindex(found.shape):
        angle = np.pi * direction / directions
        halves = np.zeros((2, n_bins + 1))
        for near_row, near_col in np.ndindex(height, width):
            down, right = near_row - row, near_col - col
            side = -down * np.cos(angle) - right * np.sin(angle)
            if down**2 + right**2 > (radius + 0.4) ** 2 or abs(side) < 1e-6:
                continue
            low = int(values[near_row, near_col])
            share = round((values[near_row, near_col] - low) * 16) / 16
            halves[int(side < 0), low] += 1 - share
            halves[int(side < 0), low + 1] += share
        if halves.sum(axis=1).all():
            one, other = halves / halves.sum(axis=1, keepdims=True)
            found[direction, row, col] = 0.5 * ((one - other) ** 2 / np.maximum(one + other, 1e-9)).sum()
    return found


@pytest.mark.parametrize("seed", range(4))
def test_half_discs_equal_the_plain_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 12, 2)
    # on sixteenths, where both round alike
    values = (rng.integers(0, 16 * 5 + 1, (height, width)) / 16).astype(np.float32)
    found = half_disc_gradient(values, 6, 3, 4)
    assert np.allclose(found, plain_gradient(values, 6, 3, 4), atol=1e-5)


def test_half_discs_answer_in_the_direction_of_the_edge() -> None:
    values = np.zeros((21, 21), np.float32)
    values[:10] = 4
    assert half_disc_gradient(values, 5, 4, 8)[:, 10, 10].argmax() == 0
    assert half_disc_gradient(np.ascontiguousarray(values.T), 5, 4, 8)[:, 10, 10].argmax() == 4


def test_nearest_center_is_the_nearest() -> None:
    rng = np.random.default_rng(0)
    points, centers = rng.random((50, 4)).astype(np.float32), rng.random((6, 4)).astype(np.float32)
    distances = np.linalg.norm(points[:, None] - centers, axis=2)
    assert np.array_equal(nearest_center(points, centers), distances.argmin(axis=1))


def random_regions(seed: int) -> tuple[np.ndarray, int]:
    rng = np.random.default_rng(seed)
    label_map = label(rng.integers(0, 4, rng.integers(2, 9, 2)), background=-1, connectivity=1).astype(np.int32)
    return label_map, int(label_map.max())


@pytest.mark.parametrize("seed", range(8))
def test_region_graph_lists_what_touches(seed: int) -> None:
    label_map, count = random_regions(seed)
    pairs: dict[tuple[int, int], int] = {}
    for row, col in np.ndindex(label_map.shape):
        for near_row, near_col in ((row + 1, col), (row, col + 1)):
            if near_row < label_map.shape[0] and near_col < label_map.shape[1]:
                ends = tuple(sorted((int(label_map[row, col]) - 1, int(label_map[near_row, near_col]) - 1)))
                if ends[0] != ends[1]:
                    pairs[ends] = pairs.get(ends, 0) + 1
    graph = region_graph(label_map, count)
    assert {tuple(ends): length for ends, length in zip(graph.nodes.tolist(), graph.lengths, strict=True)} == pairs


def plain_cost(length: float, strength: float, one: dict, other: dict, total: float, weights: Weights) -> float:
    def chi_squared(number: int) -> float:
        here, there = one[number] / one["area"], other[number] / other["area"]
        both = here + there
        return 0.5 * float(((here - there) ** 2 / np.where(both > 0, both, 1)).sum())

    share = one["area"] * other["area"] / (one["area"] + other["area"]) / total
    return (
        weights.boundary * np.sqrt(strength / length)
        + sum(weight * np.sqrt(chi_squared(number)) for number, weight in enumerate(weights.tallies))
        + weights.size * np.log(share)
        + weights.contact * min(1.0, length / min(one["perimeter"], other["perimeter"]))
    )


def plain_merging(graph, evidence: Evidence, weights: Weights) -> list[float]:
    """Price every edge anew before each merge; return what the merges cost."""
    sums = {"area": evidence.area, "perimeter": evidence.perimeter, **dict(enumerate(evidence.tallies))}
    regions = [{name: np.array(values[at]) for name, values in sums.items()} for at in range(evidence.area.size)]
    total = evidence.area.sum()
    edges = {
        (int(one), int(other)): (length, strength)
        for (one, other), length, strength in zip(graph.nodes, graph.lengths, evidence.strength, strict=True)
    }
    costs = []
    while edges:
        price = {
            ends: plain_cost(*known, regions[ends[0]], regions[ends[1]], total, weights)
            for ends, known in edges.items()
        }
        kept, gone = min(price, key=price.__getitem__)
        costs.append(price[kept, gone])
        for name in sums:
            regions[kept][name] = regions[kept][name] + regions[gone][name]
        regions[kept]["perimeter"] = regions[kept]["perimeter"] - 2 * edges.pop((kept, gone))[0]
        for ends in [ends for ends in edges if gone in ends]:
            known = edges.pop(ends)
            neighbour = ends[0] if ends[1] == gone else ends[1]
            new = (min(kept, neighbour), max(kept, neighbour))
            before = edges.get(new, (0.0, 0.0))
            edges[new] = (before[0] + known[0], before[1] + known[1])
    return costs


@pytest.mark.parametrize("seed", range(8))
def test_merging_equals_the_plain_twin(seed: int) -> None:
    label_map, count = random_regions(seed)
    rng = np.random.default_rng(seed)
    graph = region_graph(label_map, count)
    evidence = Evidence(
        area=np.bincount(label_map.ravel())[1:].astype(np.float64),
        perimeter=np.bincount(graph.nodes.ravel(), np.repeat(graph.lengths, 2), count).astype(np.float64),
        tallies=tuple(rng.integers(0, 3, (count, kinds)).astype(np.float32) for kinds in (3, 4, 5)),
        strength=rng.random(graph.lengths.size) * graph.lengths,
    )
    weights = Weights(2.0, (1.5, 1.0, 0.5), 0.3, -1.0)
    merges, costs = merge_regions(graph, evidence, weights)
    assert len(merges) == count - 1
    assert np.allclose(costs, plain_merging(graph, evidence, weights), rtol=1e-4, atol=1e-5)


def test_replay_stops_anywhere() -> None:
    merges = np.array([(2, 3), (2, 0), (2, 1)])
    assert replay(merges, 4, 9).tolist() == [0, 1, 2, 3, 4]
    assert replay(merges, 4, 3).tolist() == [0, 1, 2, 3, 3]
    assert replay(merges, 4, 2).tolist() == [0, 1, 2, 1, 1]
    assert replay(merges, 4, 1).tolist() == [0, 1, 1, 1, 1]


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return data.astronaut()[::2, ::2]


@pytest.mark.parametrize("count", [1, 2, 7, 50])
def test_exact_numbers(photo: np.ndarray, count: int) -> None:
    assert len(segment(photo, method="region_merging", n_regions=count, adaptive=False)) == count


def test_regions_are_connected_and_nested(photo: np.ndarray) -> None:
    hierarchy = build_hierarchy(photo)
    coarse, fine = hierarchy.cut(8), hierarchy.cut(40)
    assert label(fine, connectivity=2).max() == 40
    assert len(np.unique(np.stack((coarse.ravel(), fine.ravel())), axis=1).T) == 40


def test_plain_images_get_fewer_regions(photo: np.ndarray) -> None:
    plain = np.full_like(photo, 70)
    plain[60:180, 80:200] = (200, 60, 40)
    assert len(segment(plain, method="region_merging", n_regions=12)) == 2
    counts = [len(segment(photo, method="region_merging", n_regions=count)) for count in (3, 10, 30, 100)]
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


def test_large_images_are_divided_alike(photo: np.ndarray) -> None:
    large = data.astronaut()
    found = segment(large, method="region_merging", n_regions=12).label_map
    assert found.shape == large.shape[:2]
    assert covering(segment(photo, method="region_merging", n_regions=12).label_map, found[::2, ::2]) > 0.6


def test_stretch_stops_before_the_longest_step() -> None:
    photo = data.astronaut()[::2, ::2]
    costs = np.maximum.accumulate(build_hierarchy(photo).costs)
    fewest, most = (len(segment(photo, method="region_merging", n_regions=count)) for count in (4, 16))
    # with so many regions left, what the next merge costs more than the one before
    steps = {left: costs[1 - left] - costs[-left] for left in range(fewest, most + 1)}
    found = len(segment(photo, method="region_merging", n_regions=8, stretch=2))
    assert found == max(steps, key=lambda left: steps[left])


def test_stretch_never_asks_for_one_region() -> None:
    image = np.random.default_rng(0).integers(100, 110, (60, 80, 3), dtype=np.uint8)
    assert len(segment(image, method="region_merging", n_regions=1)) == 1
    assert len(segment(image, method="region_merging", n_regions=1, stretch=2)) == 2
    assert len(segment(np.zeros((5, 5, 3), np.uint8), method="region_merging", stretch=2)) == 1


def test_scenes_over_n_regions(shared_scenes: list) -> None:
    table = []
    for image, truths in shared_scenes:
        found = [segment(image, method="region_merging", n_regions=count).label_map for count in (4, 6, 10, 20)]
        table.append([np.mean([covering(truth, label_map) for truth in truths]) for label_map in found])
    assert np.mean(table, axis=0).max() > 0.65
    assert np.max(table, axis=1).mean() > 0.68


def test_a_threshold_merges_what_costs_less() -> None:
    image = skimage.data.coffee()[::2, ::2]
    counts = [segment(image, method="region_merging", threshold=cost).label_map.max() for cost in (1, 2, 3, 5, 100)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 2 * counts[2]
    assert counts[-1] == 1
    by_number = segment(image, method="region_merging", threshold=0).label_map
    assert np.array_equal(by_number, segment(image, method="region_merging").label_map)
