"""Filters that several methods share, against SciPy."""

import numpy as np
import pytest
from scipy import ndimage

from prebrush.segmentation.filters import squared_gradient


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 5, 3), (40, 31, 3)])
def test_the_squared_gradient_is_that_of_sobel_over_all_channels(shape):
    image = np.random.default_rng(3).uniform(-50, 50, shape).astype(np.float32)
    channels = [image[..., channel] for channel in range(3)]
    slopes = [ndimage.sobel(channel, axis=axis, mode="nearest") / 8 for channel in channels for axis in (0, 1)]
    truth = sum(slope**2 for slope in slopes)
    np.testing.assert_allclose(squared_gradient(image), truth, rtol=1e-4, atol=1e-3)


def test_a_ramp_has_the_slope_it_has():
    ramp = np.zeros((6, 8, 3), np.float32)
    ramp[..., 1] = 3 * np.arange(8)
    ramp[..., 2] = 4 * np.arange(6)[:, None]
    assert (squared_gradient(ramp)[1:-1, 1:-1] == 25).all()
