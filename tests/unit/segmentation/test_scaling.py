"""Working size, knobs and marks at that size, and the way back."""

import numpy as np
import pytest

from prebrush.datatypes import Prompt
from prebrush.segmentation.cleanup import Cleanup
from prebrush.segmentation.methods import felzenszwalb, kmeans, threshold
from prebrush.segmentation.scaling import shrink, shrink_knobs, shrink_prompt, working_size


@pytest.mark.parametrize(
    ("size", "limit", "expected"),
    [
        ((3000, 4000), 1_000_000, (866, 1155)),
        ((1000, 1000), 1_000_000, (1000, 1000)),
        ((3000, 4000), 0, (3000, 4000)),
        ((1, 5_000_000), 1_000_000, (1, 16_000)),
        ((90_000, 10), 1_000_000, (16_000, 2)),
        ((10, 10), 1_000_000, (10, 10)),
    ],
)
def test_working_size(size: tuple[int, int], limit: int, expected: tuple[int, int]) -> None:
    assert working_size(*size, limit) == expected


def test_shrinking_takes_the_mean_of_the_area() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    means = image.reshape(10, 4, 15, 4, 3).mean(axis=(1, 3))
    assert np.abs(shrink(image, 10, 15) - means).max() <= 0.51


def test_lengths_and_areas_shrink_and_nothing_else() -> None:
    small = shrink_knobs(felzenszwalb.Params(scale=300, sigma=2.0, min_size=100), 0.5)
    assert small == felzenszwalb.Params(scale=300, sigma=1.0, min_size=25)
    assert shrink_knobs(felzenszwalb.Params(min_size=3), 0.1).min_size == 1
    assert shrink_knobs(threshold.Params(sigma=4.0, value=100), 0.25) == threshold.Params(sigma=1.0, value=100)
    assert shrink_knobs(kmeans.Params(), 0.1) == kmeans.Params()
    assert shrink_knobs(Cleanup(opening=8.0, smoothing=4.0), 0.25) == Cleanup(opening=2.0, smoothing=1.0)


def test_marks_keep_their_place() -> None:
    scribble = np.zeros((100, 200), np.int8)
    scribble[37, 111] = 1
    scribble[99, 199] = -1
    prompt = Prompt(points=((50, 100, True), (99, 199, False)), boxes=((10, 20, 11, 21),), scribble=scribble, label="a")
    small = shrink_prompt(prompt, (100, 200), (25, 50))
    assert small.points == ((12, 25, True), (24, 49, False))
    assert small.boxes == ((2, 5, 3, 6),)
    assert small.scribble is not None
    assert (small.scribble[9, 27], small.scribble[24, 49]) == (1, -1)
    assert np.count_nonzero(small.scribble) == 2
    assert small.label == "a"
