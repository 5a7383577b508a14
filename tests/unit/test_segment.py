"""The library's one-line use."""

import subprocess
import sys

import numpy as np
import pytest

import prebrush
from prebrush import segment
from prebrush.errors import InvalidParams, UnknownMethod
from prebrush.segmentation.cleanup import Cleanup


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.float32),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 1), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
    ],
)
def test_wrong_images_are_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"uint8 \(H, W, 3\)"):
        segment(image)


def test_wrong_names_are_refused() -> None:
    image = np.zeros((4, 4), np.uint8)
    with pytest.raises(UnknownMethod):
        segment(image, method="magic")
    with pytest.raises(UnknownMethod, match="there is no method None"):
        segment(image, method=None)
    with pytest.raises(InvalidParams, match="scale"):
        segment(image, method="felzenszwalb", scale=-1)


def test_clean_up_only_when_asked() -> None:
    image = np.zeros((100, 100), np.uint8)
    image[20:60, 20:60] = 200
    image[80, 80] = 200
    assert len(segment(image, method="threshold")) == 1  # one binary segment, speck and all
    assert segment(image, method="threshold").label_map[80, 80] == 1
    cleaned = segment(image, method="threshold", cleanup=Cleanup())
    assert len(cleaned) == 1
    assert cleaned.label_map[80, 80] == 0


def test_a_clean_up_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InvalidParams, match=r"cleanup: smoothing=-1\.0 is out of range: a number from 0 to 50 px"):
        segment(np.zeros((9, 9), np.uint8), method="threshold", cleanup=Cleanup(smoothing=-1.0))


def test_a_clean_up_may_be_its_knobs_by_name() -> None:
    image = np.random.default_rng(1).integers(0, 256, (60, 60), np.uint8)
    by_name = segment(image, method="kmeans", cleanup={"max_regions": 3, "min_area": 5})
    assert len(by_name) == 3
    whole = segment(image, method="kmeans", cleanup=Cleanup(max_regions=3, min_area=5))
    assert np.array_equal(by_name.label_map, whole.label_map)
    with pytest.raises(InvalidParams, match="cleanup has no parameter 'min_size'"):
        segment(image, method="kmeans", cleanup={"min_size": 5})


@pytest.mark.parametrize("wrong", [{"cleanup": True}, {"cleanup": "min_area"}, {"prompt": (1, 2, True)}])
def test_what_is_no_clean_up_or_prompt_is_told(wrong: dict) -> None:
    with pytest.raises(TypeError, match=f"{next(iter(wrong))} must be"):
        segment(np.zeros((9, 9), np.uint8), method="kmeans", **wrong)


def test_importing_the_package_stays_light() -> None:
    code = "import sys, prebrush; print([m for m in ('numpy', 'cv2', 'numba', 'skimage', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_segmentation_does_not_load_scikit_image() -> None:
    code = (
        "import sys, numpy as np, prebrush; prebrush.segment(np.zeros((8, 8), np.uint8));"
        "print('skimage' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_version_is_text() -> None:
    assert prebrush.__version__.count(".") == 2
