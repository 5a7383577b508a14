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
