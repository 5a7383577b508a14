"""Compiled loops against plain twins."""

import numpy as np
import pytest
from skimage.measure import label

from prebrush.segmentation.kernels import warm_all
from prebrush.segmentation.kernels.boundaries import _majority, _upscale, majority, upscale
from prebrush.segmentation.kernels.clustering import _improve, _seed_centers, cluster
from prebrush.segmentation.kernels.color_bins import _color_bins, color_bins
from prebrush.segmentation.kernels.components import (
    areas_of,
    connected_components,
    keep_numbers,
    occurring,
    replace_numbers,
)
from prebrush.segmentation.kernels.graph_merging import _merge, _sort_edges, merge_along_edges
from prebrush.segmentation.kernels.histogram import _count
from prebrush.segmentation.kernels.region_stats import _inner_sums, _pair_sums, region_sums
from prebrush.segmentation.kernels.runs import _link_runs, fill_holes


def random_map(seed: int, numbers: int = 4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 25, 2)
    return rng.integers(0, numbers, (height, width)).astype(np.int32)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("diagonal", [True, False])
def test_components_equal_scikit_image(seed: int, diagonal: bool) -> None:
    label_map = random_map(seed)
    connectivity = 2 if diagonal else 1
    pieces, origin = connected_components(label_map, diagonal=diagonal)
    assert np.array_equal(pieces, label(label_map, background=0, connectivity=connectivity))
    assert np.array_equal(origin[pieces], label_map)
    pieces, origin = connected_components(label_map, diagonal=diagonal, with_background=True)
    assert np.array_equal(pieces, label(label_map, background=-1, connectivity=connectivity))
    assert np.array_equal(origin[pieces], label_map)


def test_a_spiral_is_one_piece() -> None:
    spiral = np.zeros((9, 9), np.int32)
    for inset in (0, 2, 4):
        spiral[inset : 9 - inset, inset : 9 - inset] = 1
        spiral[inset + 1 : 8 - inset, inset + 1 : 8 - inset] = 0
    spiral[1, 0] = 0
    spiral[2, 1] = spiral[4, 3] = 1
    assert connected_components(spiral, diagonal=False)[1].size - 1 == 1


@pytest.mark.parametrize("seed", range(6))
def test_areas_and_numbers(seed: int) -> None:
    label_map = random_map(seed, numbers=9)
    count = int(label_map.max())
    assert np.array_equal(areas_of(label_map, count), np.bincount(label_map.ravel(), minlength=count + 1))
    assert np.array_equal(np.flatnonzero(occurring(label_map, count)), np.unique(label_map))
    numbers = np.random.default_rng(seed).permutation(count + 1).astype(np.int32)
    assert np.array_equal(replace_numbers(label_map, numbers), numbers[label_map])


def plain_region_sums(label_map: np.ndarray, colors: np.ndarray, count: int) -> dict[str, np.ndarray]:
    height, width = label_map.shape
    colors = colors.astype(np.float64)
    names = ("area", "squares", "sides", "across", "within", "pairs")
    sums = {name: np.zeros(count + 1) for name in names} | {n: np.zeros((count + 1, 3)) for n in ("color", "outside")}
    for row, col in np.ndindex(height, width):
        number = label_map[row, col]
        sums["area"][number] += 1
        sums["color"][number] += colors[row, col]
        sums["squares"][number] += (colors[row, col] ** 2).sum()
        for down, right in ((0, 1), (1, 0)):
            if row + down >= height or col + right >= width:
                continue
            other = label_map[row + down, col + right]
            before = colors[max(row - down, 0), max(col - right, 0)]
            behind = colors[min(row + 2 * down, height - 1), min(col + 2 * right, width - 1)]
            distance = np.linalg.norm(behind - before)
            if other == number:
                if (row + col) % 4 == 0:
                    sums["within"][number] += distance
                    sums["pairs"][number] += 1
                continue
            for here, there, color in ((number, other, behind), (other, number, before)):
                assert here != there
                sums["sides"][here] += 1
                sums["across"][here] += distance
                sums["outside"][here] += color
    return sums


@pytest.mark.parametrize("seed", range(6))
def test_region_sums_equal_their_twin(seed: int) -> None:
    label_map = np.repeat(np.repeat(random_map(seed), 3, axis=0), 2, axis=1)
    colors = np.random.default_rng(seed).integers(0, 256, (*label_map.shape, 3), dtype=np.uint8)
    count = int(label_map.max())
    ours = region_sums(label_map, colors, count)
    for name, expected in plain_region_sums(label_map, colors, count).items():
        np.testing.assert_allclose(getattr(ours, name), expected, err_msg=name)


@pytest.mark.parametrize("seed", range(8))
def test_small_pieces_are_left_out(seed: int) -> None:
    label_map = np.repeat(random_map(seed), 2, axis=1)
    pieces, origin = connected_components(label_map, least_area=5)
    everything, _ = connected_components(label_map)
    large = np.bincount(everything.ravel())[everything] >= 5
    assert np.array_equal(pieces > 0, large & (label_map > 0))
    assert np.array_equal(pieces, label(np.where(large, everything, 0), background=0, connectivity=2))
    assert np.array_equal(origin[pieces], np.where(large, label_map, 0))


def plain_filling(label_map: np.ndarray, largest: float) -> np.ndarray:
    filled = label_map.copy()
    holes = label(label_map == 0, connectivity=1)
    for number in range(1, holes.max() + 1):
        hole = np.pad(holes == number, 1)
        around = np.zeros_like(hole)
        for way in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            around |= np.roll(hole, way, (0, 1))
        numbers = np.unique(np.pad(label_map, 1)[around & ~hole])
        if numbers.size == 1 and hole.sum() <= largest:
            filled[hole[1:-1, 1:-1]] = numbers[0]
    return filled


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("largest", [1, 4, 1000])
def test_filled_holes_equal_their_twin(seed: int, largest: float) -> None:
    label_map = random_map(seed, numbers=3 + seed % 2)
    label_map[np.random.default_rng(seed).random(label_map.shape) < 0.4] = 1
    assert np.array_equal(fill_holes(label_map, largest), plain_filling(label_map, largest))


def test_a_hole_between_two_segments_and_a_bay_stay_open() -> None:
    label_map = np.ones((7, 9), np.int32)
    label_map[:, 6:] = 2
    label_map[2, 2] = 0  # within 1
    label_map[4, 5:7] = 0  # between 1 and 2
    label_map[0, 0] = 0  # open to the frame
    filled = fill_holes(label_map, 100)
    assert filled[2, 2] == 1
    assert not filled[4, 5:7].any()
    assert filled[0, 0] == 0


def plain_majority(label_map: np.ndarray, band: np.ndarray, radius: int) -> np.ndarray:
    smooth = label_map.copy()
    rows, cols = np.indices(label_map.shape)
    for row, col in np.argwhere(band):
        near = label_map[(rows - row) ** 2 + (cols - col) ** 2 <= (radius + 0.5) ** 2]
        votes = np.bincount(near)
        if votes.max() > votes[label_map[row, col]]:
            tied = set(np.flatnonzero(votes == votes.max()).tolist())
            smooth[row, col] = next(int(number) for number in near if int(number) in tied)
    return smooth


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("radius", [1, 2, 3])
def test_majority_equals_its_twin(seed: int, radius: int) -> None:
    label_map = random_map(seed)
    band = np.random.default_rng(seed).random(label_map.shape) < 0.7
    assert np.array_equal(majority(label_map, band, radius), plain_majority(label_map, band, radius))


def test_upscale_is_exact_for_flat_blocks() -> None:
    small = random_map(3)
    colors = (small * 60).astype(np.uint8)[..., None].repeat(3, axis=2)
    large = colors.repeat(4, axis=0).repeat(4, axis=1)
    assert np.array_equal(upscale(small, colors, large), small.repeat(4, axis=0).repeat(4, axis=1))


def test_upscale_follows_the_edges_of_the_large_image() -> None:
    rows, cols = np.mgrid[:120, :120]
    truth = ((rows - 60) ** 2 + (cols - 57) ** 2 < 40**2).astype(np.int32)
    large = np.where(truth[..., None], (200, 60, 50), (40, 80, 160)).astype(np.uint8)
    small_colors = large.reshape(24, 5, 24, 5, 3).mean(axis=(1, 3)).astype(np.uint8)
    small = (truth.reshape(24, 5, 24, 5).mean(axis=(1, 3)) > 0.5).astype(np.int32)
    nearest = small.repeat(5, axis=0).repeat(5, axis=1)
    wrong = np.count_nonzero(upscale(small, small_colors, large) != truth)
    assert wrong < 0.1 * np.count_nonzero(nearest != truth)


def test_color_bins_keep_every_pixel() -> None:
    image = np.random.default_rng(0).integers(0, 256, (31, 17, 3), dtype=np.uint8)
    colors, weights, _ = color_bins(image)
    assert weights.sum() == 31 * 17
    np.testing.assert_allclose(weights @ colors, image.reshape(-1, 3).sum(axis=0), rtol=1e-5)


def test_cluster_separates_what_is_apart() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 500)
    points = (np.array([[0, 0], [0, 50], [50, 0], [50, 50]])[truth] + rng.normal(0, 2, (500, 2))).astype(np.float32)
    centers, owner = cluster(points, np.ones(500, np.float32), 4, seed=0)
    assert len(centers) == 4
    assert len(set(zip(truth.tolist(), owner.tolist(), strict=True))) == 4


def test_one_compiled_version_serves_read_only_and_writable_arrays() -> None:
    warm_all()
    for writable in (True, False):
        label_map = np.ones((5, 6), np.int32)
        image = np.zeros((5, 6, 3), np.uint8)
        smooth = np.zeros((5, 6, 3), np.float32)
        for array in (label_map, image, smooth):
            array.flags.writeable = writable
        connected_components(label_map)
        region_sums(label_map, image, 1)
        majority(label_map, label_map > 0, 1)
        upscale(label_map, image, image)
        merge_along_edges(smooth, 1.0, 1)
        cluster(*color_bins(image)[:2], 2, 0)
    kernels = (_link_runs, _inner_sums, _pair_sums, _majority, _upscale, _sort_edges, _merge, _color_bins,
               _seed_centers, _improve, _count)  # fmt: skip
    assert {kernel.__name__: len(kernel.signatures) for kernel in kernels} == {k.__name__: 1 for k in kernels}


def test_what_is_not_kept_is_background_and_leaves_no_gap() -> None:
    label_map = np.array([[0, 1, 2], [3, 3, 4]], np.int32)
    kept = np.array([True, True, False, True, False])
    assert keep_numbers(label_map, kept).tolist() == [[0, 1, 0], [2, 2, 0]]
    assert keep_numbers(label_map, np.array([False, True, True, True, True])).tolist() == label_map.tolist()
    assert not keep_numbers(label_map, np.zeros(5, np.bool_)).any()
