"""Normalized cuts: superpixels are parted where the parts are least alike for how much holds each together."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Prompt, RGBImage
from prebrush.segmentation.color import to_lab
from prebrush.segmentation.kernels.components import areas_of, replace_numbers
from prebrush.segmentation.kernels.normalized_cuts import cut_graph, link_nodes
from prebrush.segmentation.kernels.region_graph import region_graph
from prebrush.segmentation.method import Method, param
from prebrush.segmentation.methods.slic import find_superpixels
from prebrush.segmentation.stages import stage

ALIKE = 5.0
"""Lab distance of two superpixels at which their likeness has fallen to 1 / e."""
FURTHER = 0.5
"""Weight of the likeness of superpixels with one between them, beside that of neighbours."""
LEAST = 1e-4
"""Likeness of the most different neighbours: it keeps the graph in one piece."""
LOOP = 1.0
"""Likeness of a superpixel to itself, as in scikit-image: the more, the cheaper it is to cut single ones off."""


@dataclass(frozen=True, slots=True)
class Params:
    """Knobs."""

    threshold: float = param(0.007, low=0, high=2, help="A region is cut in two while that costs no more than this.")
    n_regions: int = param(
        60, low=1, high=2000, counts_segments=True,
        help="At most this many regions; the cheapest cuts are made first.",
    )  # fmt: skip
    n_segments: int = param(400, low=2, high=2000, help="About how many superpixels are sorted into regions.")
    compactness: float = param(20.0, low=0, high=1000, help="Of the superpixels: higher gives squarer ones.")


def segment(image: RGBImage, params: Params, prompt: Prompt) -> LabelMap:
    """Cut the graph of superpixels in two, and the parts again, until every further cut is too dear.

    Superpixels that touch, and those with one between them, are linked by how alike their mean colours are:
    ``exp(-(distance / 5) ** 2)`` in CIE Lab. A cut costs the links it severs, as a share of all links of the one side
    plus as a share of those of the other. It is found along the second eigenvector of the graph's normalized Laplacian,
    at the best of all thresholds. The part whose cut is cheapest is cut first.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB, read-only.
    params : Params
        Useful on photographs: ``threshold`` 0.001 (coarse) to 0.05 (fine).
    prompt : Prompt
        Not used.

    Returns
    -------
    int32 (H, W)
        1..n in scan order; every pixel belongs to a region. A region may have several pieces, close to each other. A
        flat image is one region.

    Notes
    -----
    Cost: linear in pixels, about 0.15 s a megapixel, plus a millisecond a cut, which grows with the square of
    ``n_segments``. Fails on
    texture whose parts are as large as superpixels, and on things smaller than these.

    Source: J. Shi, J. Malik, IEEE TPAMI 22(8), 2000, doi:10.1109/34.868688

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((40, 60, 3), np.uint8)
    >>> image[:, 20:] = 120
    >>> image[:, 40:] = 250
    >>> segment(image, Params(), Prompt())[0, [0, 30, 59]].tolist()
    [1, 2, 3]
    """
    del prompt
    superpixels, colors = stage(_superpixels, image, params.n_segments, params.compactness)
    owner = cut_superpixels(superpixels, colors, params.threshold, params.n_regions)
    _, first, part = np.unique(owner, return_index=True, return_inverse=True)
    # superpixels are in scan order, so the first of each part tells which part comes first
    ranks = np.argsort(np.argsort(first)) + 1
    return replace_numbers(superpixels, np.concatenate(([0], ranks[part])).astype(np.int32))


def _superpixels(image: RGBImage, n_segments: int, compactness: float) -> tuple[LabelMap, npt.NDArray[np.float64]]:
    """Return superpixels and their mean colours in CIE Lab."""
    lab = to_lab(image.astype(np.float32) * np.float32(1 / 255))
    superpixels = find_superpixels(lab, n_segments, compactness)
    return superpixels, mean_colors(superpixels, lab)


def mean_colors(superpixels: LabelMap, lab: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return the mean colour of each superpixel, float64 (n, 3)."""
    count = int(superpixels.max())
    nodes = superpixels.ravel() - 1
    sums = [np.bincount(nodes, weights=lab[:, :, part].ravel(), minlength=count) for part in range(3)]
    return np.asarray(np.stack(sums, axis=1) / areas_of(superpixels, count)[1:, None], np.float64)


def cut_superpixels(
    superpixels: LabelMap, colors: npt.NDArray[np.float64], threshold: float, n_regions: int
) -> npt.NDArray[np.int32]:
    """Sort superpixels into regions.

    Parameters
    ----------
    superpixels : int32 (H, W)
        Numbers 1..n.
    colors : float64 (n, 3)
        Their mean colours in CIE Lab.
    threshold : float
    n_regions : int
        At most.

    Returns
    -------
    int32 (n,)
        The region of each, from 0.
    """
    if np.ptp(colors, axis=0).max() == 0:
        return np.zeros(len(colors), np.int32)  # on a line, a cut through nothing may be cheap
    links = link_nodes(region_graph(superpixels, len(colors)).nodes, len(colors))
    one = np.repeat(np.arange(len(colors)), np.diff(links.starts))
    squared = ((colors[one] - colors[links.ends]) ** 2).sum(axis=1)
    weights = np.exp(-squared / ALIKE**2) * np.where(links.steps == 1, 1.0, FURTHER)
    weights[links.steps == 1] += LEAST
    return cut_graph(links, weights, LOOP, threshold, n_regions)


METHOD = Method(segment, Params, version=1, uses=("slic",))
