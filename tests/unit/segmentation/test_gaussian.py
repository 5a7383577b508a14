"""The blur before colours are compared, against scipy's, which scikit-image uses."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from prebrush.segmentation.kernels.gaussian import blur_colors


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (3, 4), (40, 31)])
@pytest.mark.parametrize("sigma", [0.0, 0.1, 0.8, 2.5, 20.0])
def test_is_the_gaussian(size: tuple[int, int], sigma: float) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    expected = gaussian_filter(image / 255, (sigma, sigma, 0)) if sigma else image / 255
    np.testing.assert_allclose(blur_colors(image, sigma), expected, atol=2e-6)


@pytest.mark.parametrize("flip", [(slice(None, None, -1), slice(None)), (slice(None), slice(None, None, -1))])
def test_a_mirrored_image_gives_the_same_bits(flip: tuple[slice, slice]) -> None:
    image = np.random.default_rng(2).integers(0, 256, (37, 53, 3), np.uint8)
    assert np.array_equal(blur_colors(image[flip], 0.8), blur_colors(image, 0.8)[flip])
