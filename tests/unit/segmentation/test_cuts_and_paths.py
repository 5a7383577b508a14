"""Cuts through graphs of superpixels and ways along them, against plain references."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra, maximum_flow

from prebrush.segmentation.kernels.region_graph import replay
from prebrush.segmentation.kernels.region_paths import connected, distances, joining_heights, list_neighbours
from prebrush.segmentation.kernels.sparse_cut import cut_band, cut_graph


def random_graph(seed: int, whole: bool = False) -> tuple[int, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 40))
    pairs = [(one, other) for one in range(count) for other in range(one + 1, count)]
    ends = [pair for pair in pairs if rng.random() < 0.15 or (whole and pair[1] == pair[0] + 1)]
    return count, np.array(ends, np.int64).reshape(-1, 2), rng


def matrix(count: int, ends: np.ndarray, weights: np.ndarray) -> csr_matrix:
    one, other = ends.T
    places = (np.concatenate((one, other)), np.concatenate((other, one)))
    return csr_matrix((np.concatenate((weights, weights)), places), shape=(count, count))


@pytest.mark.parametrize("seed", range(20))
def test_cut_is_the_best_one(seed: int) -> None:
    count, ends, rng = random_graph(seed)
    weights, gain = rng.integers(0, 9, len(ends)), rng.integers(-12, 13, count)
    chosen = cut_graph(list_neighbours(ends, count), weights.astype(np.float64), gain.astype(np.float64))
    lost = np.maximum(gain, 0)[~chosen].sum() + np.maximum(-gain, 0)[chosen].sum()
    lost += weights[chosen[ends[:, 0]] != chosen[ends[:, 1]]].sum()
    whole = np.zeros((count + 2, count + 2), np.int32)
    whole[:count, :count] = matrix(count, ends, weights).toarray()
    whole[count, :count], whole[:count, count + 1] = np.maximum(gain, 0), np.maximum(-gain, 0)
    assert lost == maximum_flow(csr_matrix(whole), count, count + 1).flow_value


def price(mask: np.ndarray, colors: np.ndarray, gain: np.ndarray) -> float:
    """What a mask costs, pair by pair."""
    total = -gain[mask].sum()
    for row, col in np.ndindex(mask.shape):
        for near_row, near_col in ((row, col + 1), (row + 1, col - 1), (row + 1, col), (row + 1, col + 1)):
            if 0 <= near_row < mask.shape[0] and 0 <= near_col < mask.shape[1]:
                apart = np.hypot(near_row - row, near_col - col)
                squared = ((colors[row, col] - colors[near_row, near_col]) ** 2).sum()
                total += (mask[row, col] != mask[near_row, near_col]) * 2.0 * np.exp(-0.5 * squared) / apart
    return float(total)


@pytest.mark.parametrize("seed", range(6))
def test_cut_of_a_band_is_the_best_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((4, 5)) < 0.5
    band = np.zeros((4, 5), np.bool_)
    band.ravel()[rng.permutation(20)[:10]] = True
    colors, gain = rng.random((4, 5, 3)).astype(np.float32), rng.normal(size=(4, 5))
    found = cut_band(band, mask, colors, gain, 2.0, 0.5)
    assert np.array_equal(found[~band], mask[~band])
    best = np.inf
    for bits in range(1 << 10):
        candidate = mask.copy()
        candidate[band] = (bits >> np.arange(10)) & 1
        best = min(best, price(candidate, colors, gain))
    assert price(found, colors, gain) == pytest.approx(best)


@pytest.mark.parametrize("seed", range(8))
def test_distances_equal_scipys(seed: int) -> None:
    count, ends, rng = random_graph(seed)
    steps = rng.integers(1, 9, len(ends)).astype(np.float64)
    sources, everywhere = np.array([0, count - 1]), np.ones(count, np.bool_)
    found = distances(list_neighbours(ends, count), steps, sources, everywhere, 99.0)
    expected = dijkstra(matrix(count, ends, steps), indices=sources, min_only=True)
    assert np.array_equal(found, np.minimum(expected, 99.0))
    # the highest step: the lowest level at which the edges up to it connect
    highest = distances(list_neighbours(ends, count), steps, sources[:1], everywhere, 99.0, highest=True)
    for node in range(1, count):
        levels = [
            level for level in range(1, 9)
            if np.equal(*connected_components(matrix(count, ends[steps <= level], steps[steps <= level]))[1][[0, node]])
        ]  # fmt: skip
        assert highest[node] == (levels[0] if levels else 99.0)


@pytest.mark.parametrize("seed", range(8))
def test_connected_equals_scipys(seed: int) -> None:
    count, ends, rng = random_graph(seed)
    allowed = rng.random(count) < 0.7
    both = allowed[ends].all(axis=1)
    pieces = connected_components(matrix(count, ends[both], np.ones(both.sum())))[1]
    found = connected(list_neighbours(ends, count), np.array([0]), allowed)
    assert np.array_equal(found, allowed & (pieces == pieces[0]) & allowed[0])


@pytest.mark.parametrize("seed", range(4))
def test_heights_are_where_regions_join(seed: int) -> None:
    count, ends, rng = random_graph(seed, whole=True)
    # any order of merges along the chain is one
    merges = np.array([(0, node) for node in range(1, count)])
    costs = rng.random(count - 1)
    heights = joining_heights(ends, merges, costs, count)
    for (one, other), height in zip(ends, heights, strict=True):
        left = next(
            left for left in range(count, 0, -1) if np.equal(*replay(merges, count, left)[[one + 1, other + 1]])
        )
        assert height == costs[: count - left].max()
