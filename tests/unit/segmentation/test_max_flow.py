"""Minimum cuts against a general solver on the same graph."""

import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import maximum_flow

from prebrush.segmentation.kernels.max_flow import GridCut

STEPS = ((0, 1), (1, -1), (1, 0), (1, 1))


def pairs(height: int, width: int, down: int, right: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return where the pixels with such a neighbour are, and where these neighbours are."""
    here = slice(0, height - down), slice(max(0, -right), width - max(0, right))
    there = slice(down, height), slice(max(0, right), width + min(0, right))
    return here, there


def cost(mask: np.ndarray, evidence: np.ndarray, links: np.ndarray) -> float:
    total = np.abs(evidence[mask != (evidence > 0)]).sum()
    for weights, step in zip(links, STEPS, strict=True):
        here, there = pairs(*mask.shape, *step)
        total += weights[here][mask[here] != mask[there]].sum()
    return float(total)


def least_cost(evidence: np.ndarray, links: np.ndarray) -> int:
    """Let SciPy find the maximum flow, which is the cost of the minimum cut."""
    size = evidence.size
    numbers = np.arange(size).reshape(evidence.shape)
    edges = [
        (np.full(size, size), numbers.ravel(), np.maximum(evidence, 0).ravel()),
        (numbers.ravel(), np.full(size, size + 1), np.maximum(-evidence, 0).ravel()),
    ]
    for weights, step in zip(links, STEPS, strict=True):
        here, there = pairs(*evidence.shape, *step)
        one, other, weight = numbers[here].ravel(), numbers[there].ravel(), weights[here].ravel()
        edges += [(one, other, weight), (other, one, weight)]
    starts, ends, weights = (np.concatenate(part) for part in zip(*edges, strict=True))
    graph = coo_matrix((weights.astype(np.int32), (starts, ends)), shape=(size + 2, size + 2)).tocsr()
    return int(maximum_flow(graph, size, size + 1).flow_value)


@pytest.mark.parametrize("seed", range(40))
def test_costs_what_the_maximum_flow_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 16, 2)
    links = rng.integers(0, rng.integers(2, 26), (4, height, width)).astype(np.float32)
    evidence = rng.integers(-30, 31, (height, width)).astype(np.float32)
    cut = GridCut(links)
    for _ in range(4):
        assert cost(cut.solve(evidence), evidence, links) == least_cost(evidence, links)
        # the flow is kept from here on
        evidence += rng.integers(-9, 10, evidence.shape) * (rng.random(evidence.shape) < 0.3)


def test_of_equal_cuts_the_smallest() -> None:
    evidence = np.array([[5, 0, 0, 0, -5]], np.float32)
    assert GridCut(np.ones((4, 1, 5), np.float32)).solve(evidence).tolist() == [[True, False, False, False, False]]


def test_infinite_evidence_decides() -> None:
    evidence = np.full((9, 9), -1, np.float32)
    evidence[4, 4] = np.inf
    evidence[4, 5] = -np.inf
    mask = GridCut(np.full((4, 9, 9), 1e4, np.float32)).solve(evidence)
    assert mask[4, 4]
    assert not mask[4, 5]


def test_without_evidence_there_is_no_object() -> None:
    assert not GridCut(np.ones((4, 3, 4), np.float32)).solve(np.zeros((3, 4), np.float32)).any()


def test_links_over_the_border_are_not_read() -> None:
    links = np.ones((4, 5, 6), np.float32)
    evidence = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)
    wild = links.copy()
    wild[0, :, -1] = wild[1:, -1] = wild[1, :, 0] = wild[3, :, -1] = 50
    assert np.array_equal(GridCut(links).solve(evidence), GridCut(wild).solve(evidence))
