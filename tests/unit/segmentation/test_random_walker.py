"""The walker against a direct solution and scikit-image's, the grids against their definition, and what marks do."""

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy import sparse
from scipy.sparse.linalg import spsolve
from skimage.segmentation import random_walker

from prebrush import segment
from prebrush.datatypes import Prompt
from prebrush.segmentation import METHODS
from prebrush.segmentation.kernels import grids as gridding
from prebrush.segmentation.kernels import multigrid
from prebrush.segmentation.kernels.walking import LEAST_WEIGHT, walk
from scenes import disc, equal_brightness, iou, overlaps, paint

NUCLEI = Path(__file__).resolve().parents[2] / "images"


def smooth_noise(seed: int, shape: tuple[int, int], sigma: float = 3.0) -> np.ndarray:
    noise = cv2.GaussianBlur(np.random.default_rng(seed).random((*shape, 3)), (0, 0), sigma)
    return ((noise - noise.min()) / np.ptp(noise) * 255).astype(np.uint8)


def some_seeds(seed: int, shape: tuple[int, int], count: int) -> np.ndarray:
    seeds = np.zeros(shape, np.int32)
    places = np.random.default_rng(seed).choice(seeds.size, 2 * count, replace=False)
    seeds.ravel()[places] = np.tile(np.arange(1, count + 1), 2)
    return seeds


def plain_chances(image: np.ndarray, seeds: np.ndarray, beta: float) -> np.ndarray:
    """Solve the walker's system directly: float64 (labels, H, W)."""
    colors = image.astype(np.float64) / 255
    spread = colors.std()
    numbers = np.arange(seeds.size).reshape(seeds.shape)
    ends, weights = [], []
    for axis in (0, 1):
        squares = (np.diff(colors, axis=axis) ** 2).sum(axis=2)
        steepness = beta / (10 * spread * np.sqrt(image.shape[2])) if spread else 0.0
        weights.append((np.exp(-steepness * squares) + LEAST_WEIGHT).ravel())
        one, other = (numbers[:-1], numbers[1:]) if axis == 0 else (numbers[:, :-1], numbers[:, 1:])
        ends.append((one.ravel(), other.ravel()))
    one, other = (np.concatenate(parts) for parts in zip(*ends, strict=True))
    weight = np.concatenate(weights)
    pulls = sparse.coo_array((weight, (one, other)), shape=(seeds.size,) * 2)
    pulls = (pulls + pulls.T).tocsr()
    system = sparse.diags_array(pulls.sum(axis=1)) - pulls
    free, held = np.flatnonzero(seeds.ravel() == 0), np.flatnonzero(seeds.ravel() > 0)
    labels = np.unique(seeds[seeds > 0])
    known = (seeds.ravel()[held][:, None] == labels).astype(np.float64)
    chances = np.zeros((seeds.size, labels.size))
    chances[held] = known
    rows = system.tocsr()[free]
    chances[free] = spsolve(rows[:, free].tocsc(), -(rows[:, held] @ known)).reshape(free.size, -1)
    return chances.T.reshape(-1, *seeds.shape)


@pytest.mark.parametrize("beta", [0.0, 10.0, 130.0, 1000.0])
@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("shape", [(40, 50), (33, 7), (1, 60), (64, 64), (21, 1)])
def test_equals_the_direct_solution(beta: float, count: int, shape: tuple[int, int]) -> None:
    image, seeds = smooth_noise(count, shape), some_seeds(7, shape, count)
    chances = np.sort(plain_chances(image, seeds, beta), axis=0)
    expected = plain_chances(image, seeds, beta).argmax(axis=0) + 1
    clear = (chances[-1] - chances[-2] > 0.01) | (seeds > 0)
    found = walk(image, seeds, beta, 0.0)
    assert clear.mean() > 0.7
    assert np.array_equal(found[clear], expected[clear])


@pytest.mark.parametrize("name", ["nuc_305a8baaf726", "nuc_5d2c98fd6fda"])
@pytest.mark.parametrize("beta", [10, 130])
def test_labels_a_photograph_as_scikit_image_does(name: str, beta: float) -> None:
    image = np.asarray(Image.open(NUCLEI / f"{name}.png").convert("RGB"))[:200, :200]
    seeds = some_seeds(1, image.shape[:2], 4)
    expected = random_walker(image, seeds, beta=beta, mode="bf", channel_axis=-1)
    assert (walk(image, seeds, beta, 0.001) == expected).mean() > 0.99


def test_labels_a_noisy_gray_image_as_scikit_image_does() -> None:
    scene = np.full((100, 100), 90.0)
    scene[disc(100, 100, 50, 50, 30)] = 150
    noisy = (scene + np.random.default_rng(0).normal(0, 20, scene.shape)).clip(0, 255).astype(np.uint8)
    seeds = np.where(noisy < 60, 1, np.where(noisy > 180, 2, 0)).astype(np.int32)
    expected = random_walker(noisy, seeds, beta=10, mode="bf")
    assert (walk(noisy[..., None], seeds, 10, 0.001) == expected).mean() > 0.99


def test_an_evenly_coloured_island_without_a_seed_joins_what_surrounds_it() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[10:20, 40:50] = 255
    seeds = np.zeros(image.shape[:2], np.int32)
    seeds[:, 0], seeds[:, -1] = 1, 2
    found = walk(image, seeds, 10_000.0, 0.0)
    assert (found[10:20, 40:50] == 2).all()


def test_seeds_keep_their_labels_however_they_lie() -> None:
    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, (30, 41, 3), dtype=np.uint8)
    seeds = (rng.integers(0, 4, (30, 41)) * 5).astype(np.int32)  # touching, with gaps in the numbers
    found = walk(image, seeds, 130.0, 0.001)
    assert np.array_equal(found[seeds > 0], seeds[seeds > 0])
    assert set(np.unique(found)) == {5, 10, 15}


def test_degenerate_seeds() -> None:
    image = np.zeros((5, 6, 3), np.uint8)
    nothing = np.zeros((5, 6), np.int32)
    assert not walk(image, nothing, 130.0, 0.001).any()
    one = nothing.copy()
    one[2, 3] = 7
    assert (walk(image, one, 130.0, 0.001) == 7).all()
    full = np.arange(30, dtype=np.int32).reshape(5, 6) + 1
    assert np.array_equal(walk(image, full, 130.0, 0.001), full)
    assert walk(image[:1, :1], nothing[:1, :1], 130.0, 0.001).tolist() == [[0]]


def test_a_flat_image_is_halved() -> None:
    seeds = np.zeros((9, 21), np.int32)
    seeds[:, 0], seeds[:, 20] = 1, 2
    found = walk(np.full((9, 21, 3), 90, np.uint8), seeds, 130.0, 0.0)
    assert (found[:, :10] == 1).all()
    assert (found[:, 11:] == 2).all()


def some_fields(seed: int, height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    fields = np.zeros((6, gridding.framed(height), gridding.framed(width)), np.float32)
    fields[gridding.RIGHT, 1 : height + 1, 1:width] = 10.0 ** rng.uniform(-3, 0, (height, width - 1))
    fields[gridding.DOWN, 1:height, 1 : width + 1] = 10.0 ** rng.uniform(-3, 0, (height - 1, width))
    fields[gridding.OUT, 1 : height + 1, 1 : width + 1] = (rng.random((height, width)) < 0.05) * 0.3
    matrix = as_matrix(fields)
    fields[gridding.INVERSE, 1 : height + 1, 1 : width + 1] = (
        1 / matrix.diagonal().reshape(fields.shape[1:])[1 : height + 1, 1 : width + 1]
    )
    return fields


def as_matrix(fields: np.ndarray) -> np.ndarray:
    """Write a grid's weights as the dense matrix of its system, over all pixels of the frame."""
    rows, cols = fields.shape[1:]
    numbers = np.arange(rows * cols).reshape(rows, cols)
    matrix = np.diag(fields[gridding.OUT].astype(np.float64).ravel())
    ways = [(gridding.RIGHT, 0, 1), (gridding.DOWN, 1, 0)]
    if len(fields) > 6:
        ways += [(gridding.DOWN_RIGHT, 1, 1), (gridding.DOWN_LEFT, 1, -1)]
    for field, down, right in ways:
        for row, col in np.argwhere(fields[field] > 0):
            one, other = numbers[row, col], numbers[row + down, col + right]
            weight = np.float64(fields[field, row, col])
            matrix[[one, other], [one, other]] += weight
            matrix[[one, other], [other, one]] -= weight
    return matrix


def spread_of(shares: np.ndarray, fields: np.ndarray) -> np.ndarray:
    """Write the way from a coarse grid to a finer one as a dense matrix, by its effect on each coarse pixel."""
    columns = []
    for place in range(shares[0].size):
        coarse = np.zeros((8, *shares.shape[1:]), np.float32)
        coarse[gridding.VALUE].ravel()[place] = 1
        fine = fields.copy()
        fine[gridding.VALUE] = 0
        multigrid._prolong(coarse, shares, fine)
        columns.append(fine[gridding.VALUE].ravel())
    return np.array(columns, np.float64).T


@pytest.mark.parametrize("shape", [(12, 10), (7, 9), (1, 16)])
def test_a_coarser_grid_is_what_the_finer_one_does_to_coarse_values(shape: tuple[int, int]) -> None:
    fields = some_fields(4, *shape)
    grids = gridding.build_grids(fields, np.zeros(gridding.room_for(*shape), np.float32))
    for fine, coarse in pairwise(grids[:3]):
        spread = spread_of(fine.shares, fine.fields)
        inside = np.zeros(coarse.fields.shape[1:], np.bool_)
        inside[1:-1, 1:-1] = coarse.fields[gridding.INVERSE, 1:-1, 1:-1] > 0
        expected = (spread.T @ as_matrix(fine.fields) @ spread)[np.ix_(inside.ravel(), inside.ravel())]
        found = as_matrix(coarse.fields)[np.ix_(inside.ravel(), inside.ravel())]
        # the few weights that came out negative are set to 0
        off = ~np.eye(len(expected), dtype=np.bool_)
        assert np.allclose(found[off], np.minimum(expected, 0)[off], atol=1e-5)
        assert np.allclose(found.sum(axis=1), np.maximum(expected.sum(axis=1), 0), atol=1e-5)


@pytest.mark.parametrize("shape", [(16, 16), (50, 33), (128, 130)])
def test_a_cycle_is_symmetric_and_leaves_little_whatever_the_size(shape: tuple[int, int]) -> None:
    fields = some_fields(5, *shape)
    grids = gridding.build_grids(fields, np.zeros(gridding.room_for(*shape), np.float32))
    rng = np.random.default_rng(6)
    inner = fields[gridding.INVERSE] > 0

    def solve_roughly(load: np.ndarray) -> np.ndarray:
        fields[gridding.LOAD] = load
        multigrid.precondition(grids)
        return fields[gridding.VALUE].astype(np.float64)

    one, other = (np.where(inner, rng.normal(size=inner.shape), 0) for _ in range(2))
    assert (solve_roughly(one) * other).sum() == pytest.approx((solve_roughly(other) * one).sum(), rel=1e-4)
    assert (solve_roughly(one) * one).sum() > 0
    truth = cv2.GaussianBlur(one, (0, 0), 5) * inner
    values = np.pad(truth, 1)
    load = fields[gridding.OUT] * truth
    for field, ways in ((gridding.RIGHT, (0, 1)), (gridding.DOWN, (1, 0))):
        weights = np.pad(fields[field].astype(np.float64), 1)
        flow = weights * (values - np.roll(values, (-ways[0], -ways[1]), (0, 1)))
        load += (flow - np.roll(flow, ways, (0, 1)))[1:-1, 1:-1]
    gap = truth - solve_roughly(load)
    assert np.linalg.norm(gap) < 0.5 * np.linalg.norm(truth)


def test_marks_always_hold() -> None:
    scene = equal_brightness()
    rng = np.random.default_rng(2)
    for _ in range(10):
        points = tuple((int(row), int(col), bool(rng.random() < 0.5)) for row, col in rng.integers(0, 60, (4, 2)))
        found = segment(scene.image, method="random_walker", prompt=Prompt(points=points)).label_map
        last = {(row, col): inside for row, col, inside in points}
        assert all((found[at] > 0) == inside for at, inside in last.items())


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt(points=((30, 35, True), (5, 5, False))),
        Prompt(points=((30, 35, True),)),
        Prompt(boxes=((10, 15, 50, 55),)),
    ],
    ids=["both", "click", "box"],
)
def test_finds_the_marked_object(prompt: Prompt) -> None:
    scene = equal_brightness()
    found = segment(scene.image, method="random_walker", prompt=prompt).label_map
    assert iou(found > 0, scene.truth > 0) > 0.97


def test_a_scribble_beside_the_object_keeps_a_walker_out() -> None:
    image = np.full((40, 80, 3), 120, np.uint8)
    scribble = np.zeros((40, 80), np.int8)
    scribble[:, 20] = 1
    scribble[:, 30] = -1
    found = METHODS["random_walker"].segment(image, METHODS["random_walker"].params_class(), Prompt(scribble=scribble))
    assert (found.label_map[:, :25] == 1).all()
    assert not found.label_map[:, 26:].any()


def test_touching_objects_stay_parted_without_a_prompt() -> None:
    truth = np.zeros((80, 120), np.int32)
    truth[disc(80, 120, 40, 77, 20)] = 2
    truth[disc(80, 120, 40, 43, 20) & (np.arange(120) < 60)] = 1
    image = paint(truth, [(20, 20, 20), (180, 180, 180), (180, 180, 180)])
    found = segment(image, method="random_walker").label_map
    assert found.max() == 2
    assert overlaps(truth, found)[1:, 1:].max(axis=1).min() > 0.9


def test_gray_is_compared_in_one_channel_as_in_scikit_image() -> None:
    gray = smooth_noise(8, (60, 70))[:, :, 0]
    scribble = np.zeros(gray.shape, np.int8)
    scribble[5, 5:20], scribble[50, 40:60] = 1, -1
    found = METHODS["random_walker"].segment(
        np.dstack([gray] * 3), METHODS["random_walker"].params_class(), Prompt(scribble=scribble)
    )
    seeds = np.where(scribble == 1, 1, np.where(scribble == -1, 2, 0))
    expected = random_walker(gray, seeds, beta=130, mode="bf")
    assert ((found.label_map == 1) == (expected == 1)).mean() > 0.99
