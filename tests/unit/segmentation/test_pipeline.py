"""The whole way from an image to cleaned segments at its size."""

import numpy as np
import pytest

from prebrush import segment
from prebrush.datatypes import Prompt
from prebrush.errors import InvalidPrompt
from prebrush.segmentation import METHODS
from prebrush.segmentation.cleanup import Cleanup
from prebrush.segmentation.pipeline import run
from scenes import disc, iou, paint


@pytest.fixture(scope="module")
def large() -> tuple[np.ndarray, np.ndarray]:
    """A noisy image of 1.4 megapixels with two discs and a speck, and the discs."""
    truth = np.zeros((1000, 1400), np.int32)
    truth[disc(1000, 1400, 400, 400, 220)] = 1
    truth[disc(1000, 1400, 600, 1000, 150)] = 2
    with_speck = truth.copy()
    with_speck[50:54, 50:54] = 1
    return paint(with_speck, [(40, 60, 50), (200, 80, 60), (210, 190, 60)], noise=12), truth


# the scene has no thin structure for ridge to find
@pytest.mark.parametrize("method", sorted(set(METHODS) - {"ridge"}))
def test_the_result_has_the_size_of_the_image(method: str, large: tuple[np.ndarray, np.ndarray]) -> None:
    image, _ = large
    segments = run(image, METHODS[method], METHODS[method].params_class(), Cleanup(), working_pixels=60_000)
    assert segments.label_map.shape == image.shape[:2]
    assert 1 <= len(segments) <= 30
    assert segments.scores is not None


@pytest.mark.parametrize("working_pixels", [60_000, 200_000, 0])
def test_working_size_hardly_changes_the_masks(large: tuple[np.ndarray, np.ndarray], working_pixels: int) -> None:
    image, truth = large
    method = METHODS["threshold"]
    segments = run(image, method, method.parse_params({"sigma": 3}), Cleanup(), working_pixels=working_pixels)
    assert len(segments) == 2
    for number in (1, 2):
        assert iou(segments.label_map == number, truth == number) > 0.985


def test_areas_in_pixels_mean_pixels_of_the_image(large: tuple[np.ndarray, np.ndarray]) -> None:
    image, truth = large
    method = METHODS["threshold"]
    area = float((truth == 2).sum())
    for working_pixels in (60_000, 0):
        for min_area, count in ((0.9 * area, 2), (1.1 * area, 1)):
            segments = run(
                image,
                method,
                method.parse_params({"sigma": 3}),
                Cleanup(min_area=min_area),
                working_pixels=working_pixels,
            )
            assert len(segments) == count


def test_without_clean_up_the_method_s_own_segments(large: tuple[np.ndarray, np.ndarray]) -> None:
    image = large[0][:200, :200]
    method = METHODS["felzenszwalb"]
    plain = method.segment(image, method.params_class(), Prompt())
    through = segment(image, method="felzenszwalb")
    assert np.array_equal(plain.label_map, through.label_map)
    assert through.scores is not None


def test_wanted_classes_only() -> None:
    image = paint(np.arange(4).repeat(400).reshape(40, 40), [(20,) * 3, (90,) * 3, (160,) * 3, (230,) * 3], noise=2)
    method = METHODS["kmeans"]
    segments = run(image, method, method.parse_params({}), Cleanup(), classes=("cluster-3",))
    assert segments.classes == ("cluster-3",)
    assert (image[segments.label_map > 0] > 200).all()


@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if method.prompts])
def test_prompts_that_do_not_fit_are_refused_in_words(method: str) -> None:
    image = np.zeros((20, 30, 3), np.uint8)
    for wrong in (
        {"scribble": np.ones((5, 5), np.int8)},
        {"scribble": np.full((20, 30), 5, np.int8)},
        {"scribble": np.ones((20, 30))},
        {"scribble": [[1]]},
        {"points": ((1.5, 2.5, True),)},
        {"points": ((1, 2),)},
        {"points": (1, 2, True)},
        {"boxes": ((1.2, 2.2, 3.7, 9.9),)},
        {"boxes": ((50, 50, 60, 60),)},
    ):
        with pytest.raises(InvalidPrompt):
            segment(image, method=method, prompt=Prompt(**wrong))


def test_numbers_of_numpy_are_numbers() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    prompt = Prompt(points=((np.int64(3), np.int32(4), np.True_),), boxes=((np.int64(-4), 0, 900, np.int64(30)),))
    assert segment(image, method="grabcut", prompt=prompt).label_map[3, 4] == 1
    knobs = {"scale": np.float32(300), "min_size": np.int64(3)}
    assert np.array_equal(
        segment(image, method="felzenszwalb", **knobs).label_map,
        segment(image, method="felzenszwalb", scale=300, min_size=3).label_map,
    )
