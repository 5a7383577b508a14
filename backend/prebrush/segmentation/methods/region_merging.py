"""Hierarchical region merging: superpixels join by boundary, colour and texture, up to about a wanted number."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Prompt, RGBImage
from prebrush.segmentation.hierarchy import build_hierarchy
from prebrush.segmentation.kernels.components import areas_of, connected_components, keep_numbers
from prebrush.segmentation.method import Method, param
from prebrush.segmentation.scaling import enlarge, shrink, working_size
from prebrush.segmentation.stages import stage

INNER_PIXELS = 160_000
"""Larger images are divided at this size: scenes need no more, and the radii below are made for it."""
BEND = 0.3
"""How much dearer a merge must be at e times the regions to be left out: between 0 (same cost in every image) and
infinity (same number in every image)."""
LEVEL, SLOPE = 5.6, 1.2
"""Cost at which merging stops, for ``n_regions`` regions on average: level - slope * log(n_regions). Fitted to the
geometric mean of the numbers over photos; it holds within a tenth from 2 to 100 regions."""


@dataclass(frozen=True, slots=True)
class Params:
    """Knobs."""

    n_regions: int = param(
        10, low=1, high=10_000, counts_segments=True,
        help="About how many regions a photo of average detail is cut into.",
    )  # fmt: skip
    threshold: float = param(
        0.0,
        low=0,
        high=100,
        instead_of="n_regions",
        unset=0,
        help="In place of n_regions: merge what costs less, at any number; 2 is fine, 5 coarse, 0 goes by n_regions.",
    )
    adaptive: bool = param(
        True, help="Fewer regions in a plain image, more in a busy one; off gives exactly n_regions, if it has so many."
    )
    stretch: float = param(
        1.0,
        low=1,
        high=10,
        help="With adaptive, stop before the merge that is dearer than the last by most, at up to so many times fewer "
        "or more regions; 1 does not look for it.",
    )


def segment(image: RGBImage, params: Params, prompt: Prompt) -> LabelMap:
    """Divide the image into superpixels and merge them, the two most alike first.

    The superpixels are the basins of boundary strength: how much colour and texture differ between the halves of discs
    of 8, 12 and 20 pixels' radius, cut in any direction. What it costs to merge two touching regions grows with the
    strength of their common boundary, with how differently they share out colours and textures, with how far two
    partitions as by `felzenszwalb` keep them apart, and with their size; it falls with the share of boundary in common.
    With ``adaptive``, merging stops where it becomes dear, so that the number of regions follows the image: it is
    ``n_regions`` on average over photos (their geometric mean), a third to three times as many in a single one. With
    ``stretch`` it is moved to the longest step of the cost nearby: a number at which the regions are most distinct.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB, read-only. Above 160,000 pixels it is divided at that size, and the regions are brought back to full size.
    params : Params
        Useful on photographs: ``n_regions`` 4 (coarse) to 40 (fine).
    prompt : Prompt
        Not used.

    Returns
    -------
    int32 (H, W)
        1..n; every pixel belongs to a region, and regions are connected. A flat image is one region.

    Notes
    -----
    Cost: some 0.05 s up to 160,000 pixels, then 20 ms a megapixel. Fails on things that are thinner than about five
    pixels at that size, which join what surrounds them, and on many small things in a large image.

    Sources: P. Arbelaez, M. Maire, C. Fowlkes, J. Malik, IEEE TPAMI 33(5), 2011, doi:10.1109/TPAMI.2010.161 (boundary
    strength, basins, merging); Z. Li, X.-M. Wu, S.-F. Chang, CVPR 2012, doi:10.1109/CVPR.2012.6247750 (several
    partitions joined).

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((40, 60, 3), np.uint8)
    >>> image[:, 20:] = 120
    >>> image[:, 40:] = 250
    >>> segment(image, Params(n_regions=3, adaptive=False), Prompt())[0, [0, 30, 59]].tolist()
    [1, 2, 3]
    """
    del prompt
    full = (image.shape[0], image.shape[1])
    inner = working_size(*full, INNER_PIXELS)
    small = image if inner == full else shrink(image, *inner)
    hierarchy = stage(build_hierarchy, small)
    regions, origin = connected_components(hierarchy.cut(_wanted_number(hierarchy.costs, params)))
    return regions if inner == full else _enlarge(regions, origin.size - 1, small, image)


def _enlarge(regions: LabelMap, count: int, small: RGBImage, image: RGBImage) -> LabelMap:
    """Bring the regions to full size; one that loses every pixel to its neighbours goes without a gap."""
    label_map = enlarge(regions, small, image)
    return keep_numbers(label_map, areas_of(label_map, count) > 0)


def _wanted_number(costs: npt.NDArray[np.float64], params: Params) -> int:
    """Return how many regions the knobs ask for."""
    if params.threshold > 0:
        return 1 + int((np.maximum.accumulate(costs) > params.threshold).sum())
    if not params.adaptive:
        return params.n_regions
    if params.stretch > 1:
        return _longest_step(costs, params.n_regions, params.stretch)
    return _where_to_stop(costs, params.n_regions)


def _longest_step(costs: npt.NDArray[np.float64], n_regions: int, stretch: float) -> int:
    """Return the number, near the wanted one, whose next merge is dearer than the merge before by most.

    In a tie it is the smallest. One region is none of the numbers: it has no boundary to be distinct by.
    """
    fewest = max(2, _where_to_stop(costs, n_regions / stretch))
    most = min(costs.size, _where_to_stop(costs, n_regions * stretch))
    if fewest >= most:
        return fewest
    dearest = np.concatenate(([0.0], np.maximum.accumulate(costs)))
    left = np.arange(fewest, most + 1)
    return int(left[np.argmax(dearest[1 - left] - dearest[-left])])


def _where_to_stop(costs: npt.NDArray[np.float64], n_regions: float) -> int:
    """Return how many regions are left when merging becomes too dear."""
    dearest = np.maximum.accumulate(costs)
    before = np.arange(costs.size + 1, 1, -1)
    too_dear = dearest - BEND * np.log(before) > LEVEL - SLOPE * np.log(n_regions)
    return int(before[too_dear.argmax()]) if too_dear.any() else 1


METHOD = Method(segment, Params, version=3)
