"""SLIC superpixels: many small regions of one colour and about one size, by k-means in colour and position."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Prompt, RGBImage
from prebrush.segmentation.color import is_flat, to_lab
from prebrush.segmentation.kernels.superpixels import cluster_on_grid, connect
from prebrush.segmentation.method import Method, param

ROUNDS = 10
"""The paper's number; the remaining error hardly falls with more."""
SMALLEST_SHARE = 0.25
"""Least size of a superpixel, as a share of the average, as in the authors' program."""


@dataclass(frozen=True, slots=True)
class Params:
    """Knobs, with scikit-image's names and meaning."""

    n_segments: int = param(200, low=1, high=1_000_000, counts_segments=True, help="About how many superpixels.")
    compactness: float = param(
        10.0,
        low=0,
        high=1000,
        help="Lab distance that counts as much as a superpixel's width: higher gives squarer ones.",
    )


def segment(image: RGBImage, params: Params, prompt: Prompt) -> LabelMap:
    """Divide the image into superpixels that follow its edges.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB, read-only.
    params : Params
        Useful on photographs: ``compactness`` 5 (ragged, close to faint edges) to 40 (nearly squares).
    prompt : Prompt
        Not used.

    Returns
    -------
    int32 (H, W)
        1..n in scan order; every pixel belongs to a superpixel, and superpixels are connected by sides of pixels. An
        image of a single colour, where there is nothing to follow, is one segment.

    Notes
    -----
    Cost: linear in pixels, below 0.1 s a megapixel of a photograph and about 0.2 s of pure noise, where many pieces
    are joined, whatever the number. Fails as a segmentation on its own: things are cut to pieces; and details smaller
    than a quarter of a superpixel are lost.

    Source: R. Achanta et al., IEEE TPAMI 34(11), 2012, doi:10.1109/TPAMI.2012.120

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((20, 40, 3), np.uint8)
    >>> image[:, 23:] = 255
    >>> segment(image, Params(n_segments=2), Prompt())[5, [0, 22, 23, 39]].tolist()
    [1, 1, 2, 2]
    """
    del prompt
    if is_flat(image):
        return np.ones(image.shape[:2], np.int32)
    lab = to_lab(image.astype(np.float32) * np.float32(1 / 255))
    return find_superpixels(lab, params.n_segments, params.compactness)


def find_superpixels(
    lab: npt.NDArray[np.float32], n_segments: int, compactness: float, rounds: int = ROUNDS
) -> LabelMap:
    """Divide an image that is in CIE Lab already.

    Parameters
    ----------
    lab : float32 (H, W, 3)
    n_segments : int
    compactness : float
    rounds : int
        Of k-means.

    Returns
    -------
    int32 (H, W)
        1..n.
    """
    height, width = lab.shape[:2]
    step = max(1.0, (height * width / n_segments) ** 0.5)
    # a strip narrower than a step has one column of them
    n_rows = min(height, n_segments, max(1, round(height / step)))
    n_cols = min(width, max(1, round(n_segments / n_rows)))
    owner = cluster_on_grid(lab.transpose(2, 0, 1), n_rows, n_cols, compactness / step, rounds)
    return connect(owner, max(1, round(SMALLEST_SHARE * height * width / (n_rows * n_cols))))


METHOD = Method(segment, Params, version=2)
