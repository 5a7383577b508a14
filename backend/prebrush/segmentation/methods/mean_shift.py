"""Mean shift: pixels climb to where position and colour are densest; those that end up together make a segment."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Prompt, RGBImage
from prebrush.segmentation.color import to_lab
from prebrush.segmentation.kernels.components import replace_numbers
from prebrush.segmentation.kernels.mode_seeking import fuse_basins, gather_samples, seek_modes
from prebrush.segmentation.kernels.superpixels import cluster_on_grid, connect
from prebrush.segmentation.method import Method, param
from prebrush.segmentation.stages import stage

SAMPLES_PER_RADIUS = 3.0
"""How many samples lie side by side in a radius; the cost grows with its fourth power, more change little."""
ROUNDS = 3
"""Of k-means, that make the samples of pixels of one colour."""
FUSED = 0.7
"""Distance of two modes that are taken for one, as a share of the colour radius."""


@dataclass(frozen=True, slots=True)
class Params:
    """Knobs."""

    spatial_radius: float = param(16.0, low=1, high=1000, unit="px", help="How far around a pixel others attract it.")
    color_radius: float = param(
        10.0, low=0.1, high=200, help="How different in colour they may be (CIE Lab): higher gives fewer segments."
    )
    min_size: int = param(500, low=1, high=100_000_000, unit="px²", help="Smaller segments join a neighbour.")


def segment(image: RGBImage, params: Params, prompt: Prompt) -> LabelMap:
    """Filter the image by mean shift in position and colour, then fuse neighbours of nearly the same filtered colour.

    A sample is shifted to the mean of all pixels within both radii, again and again, until it stays. Samples are small
    clusters of pixels of one colour, about three to a spatial radius; at a radius of up to three pixels they are the
    pixels themselves. Two that touch belong together if their modes are closer than 0.7 colour radii.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB, read-only.
    params : Params
        Useful on photographs: ``color_radius`` 6 (fine) to 14 (coarse).
    prompt : Prompt
        Not used.

    Returns
    -------
    int32 (H, W)
        1..n in scan order; every pixel belongs to a segment, and segments are connected by sides of pixels. A flat
        image is one segment.

    Notes
    -----
    Cost: linear in pixels, about 0.15 s a megapixel at the default radius, less at larger ones and up to 1 s at three
    pixels. Fails on gradual
    changes, along which segments leak into each other, and on coarse texture, which falls apart.

    Source: D. Comaniciu, P. Meer, IEEE TPAMI 24(5), 2002, doi:10.1109/34.1000236

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((40, 60, 3), np.uint8)
    >>> image[:, 20:] = 250
    >>> segment(image, Params(min_size=100), Prompt())[0, [0, 19, 20, 59]].tolist()
    [1, 1, 2, 2]
    """
    del prompt
    owner, modes, sizes = stage(_shift_samples, image, params.spatial_radius, params.color_radius)
    basins = fuse_basins(modes, sizes, FUSED * params.color_radius, params.min_size)
    # a basin of samples may leave a few pixels apart from the rest
    return connect(replace_numbers(owner, basins.ravel()), params.min_size)


def _shift_samples(
    image: RGBImage, spatial_radius: float, color_radius: float
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return each pixel's sample, int32 (H, W) from 0, and of the samples the modes and the numbers of pixels."""
    height, width = image.shape[:2]
    planes = to_lab(image.astype(np.float32) * np.float32(1 / 255)).transpose(2, 0, 1)
    cell = max(1.0, spatial_radius / SAMPLES_PER_RADIUS)
    n_rows, n_cols = max(1, round(height / cell)), max(1, round(width / cell))
    # both radii count alike, as they do in the shifts
    owner = cluster_on_grid(planes, n_rows, n_cols, color_radius / spatial_radius, ROUNDS if cell > 1 else 0)
    samples = gather_samples(owner, planes, n_rows, n_cols)
    return owner, seek_modes(samples, height, width, spatial_radius, color_radius), samples[5]


METHOD = Method(segment, Params, version=1)
