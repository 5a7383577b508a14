"""Against scikit-image and against a plain twin."""

import numpy as np
import pytest
from skimage import data
from skimage.segmentation import felzenszwalb

from prebrush import segment
from prebrush.segmentation.kernels.graph_merging import merge_along_edges, merge_at_scales
from scenes import covering


def plain_edges(image: np.ndarray) -> list[tuple[float, int, int]]:
    """Every pair of 8-neighbours with its colour distance, cheapest first."""
    height, width = image.shape[:2]
    edges = []
    for row, col in np.ndindex(height, width):
        for down, right in ((0, 1), (1, -1), (1, 0), (1, 1)):
            if row + down < height and 0 <= col + right < width:
                weight = float(np.linalg.norm(image[row, col] - image[row + down, col + right]))
                edges.append((weight, row * width + col, (row + down) * width + col + right))
    return sorted(edges, key=lambda edge: edge[0])


def plain_merge(image: np.ndarray, scale: float, min_size: int) -> np.ndarray:
    """The algorithm as the paper states it, on exact weights; int (H, W) with arbitrary numbers."""
    height, width = image.shape[:2]
    edges = plain_edges(image)
    segment_of = list(range(height * width))
    members = {pixel: [pixel] for pixel in segment_of}
    inner = dict.fromkeys(segment_of, 0.0)

    def join(one: int, other: int) -> None:
        for pixel in members.pop(other):
            segment_of[pixel] = one
            members[one].append(pixel)

    for weight, start, end in edges:
        one, other = segment_of[start], segment_of[end]
        if one != other and all(weight < inner[each] + scale / len(members[each]) for each in (one, other)):
            join(one, other)
            inner[one] = weight
    for _, start, end in edges:
        one, other = segment_of[start], segment_of[end]
        if one != other and min(len(members[one]), len(members[other])) < min_size:
            join(one, other)
    return np.array(segment_of).reshape(height, width)


def same_partition(one: np.ndarray, other: np.ndarray) -> bool:
    pairs = np.unique(np.stack((one.ravel(), other.ravel()), axis=1), axis=0)
    return len(pairs) == len(np.unique(one)) == len(np.unique(other))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("scale", "min_size"), [(0.5, 1), (0.5, 6), (4.0, 3)])
def test_equals_the_plain_twin(seed: int, scale: float, min_size: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 14, 2)
    image = rng.random((height, width, 3)).astype(np.float32)
    assert same_partition(merge_along_edges(image, scale, min_size), plain_merge(image, scale, min_size))


@pytest.mark.parametrize("photo", ["astronaut", "coffee", "rocket"])
@pytest.mark.parametrize(("scale", "sigma", "min_size"), [(100, 0.8, 20), (300, 0.5, 50), (100, 0.0, 20)])
def test_agrees_with_scikit_image(photo: str, scale: float, sigma: float, min_size: int) -> None:
    image = getattr(data, photo)()[::2, ::2]
    theirs = felzenszwalb(image, scale=scale, sigma=sigma, min_size=min_size)
    ours = segment(image, method="felzenszwalb", scale=scale, sigma=sigma, min_size=min_size).label_map
    assert abs(int(ours.max()) - int(theirs.max()) - 1) <= 0.03 * (theirs.max() + 1)
    assert covering(theirs, ours) > 0.9


def test_numbers_come_in_scan_order() -> None:
    label_map = segment(data.astronaut()[::4, ::4], method="felzenszwalb", scale=100).label_map
    _, first = np.unique(label_map, return_index=True)
    assert first.tolist() == sorted(first.tolist())


def test_no_segment_is_below_min_size() -> None:
    label_map = segment(data.coffee()[::4, ::4], method="felzenszwalb", scale=20, min_size=40).label_map
    assert np.bincount(label_map.ravel())[1:].min() >= 40


def test_segments_are_connected() -> None:
    from skimage.measure import label

    label_map = segment(data.coffee()[::4, ::4], method="felzenszwalb", scale=50).label_map
    assert label(label_map, connectivity=2).max() == label_map.max()


def test_more_scale_gives_fewer_segments() -> None:
    image = data.astronaut()[::3, ::3]
    counts = [len(segment(image, method="felzenszwalb", scale=scale)) for scale in (20, 100, 500, 2500)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


def test_several_scales_at_once_are_those_one_by_one() -> None:
    image = data.coffee()[::8, ::8].astype(np.float32) / 255
    scales = (0.2, 3.0, 0.8)
    for scale, label_map in zip(scales, merge_at_scales(image, scales, 5), strict=True):
        assert np.array_equal(label_map, merge_along_edges(image, scale, 5))
