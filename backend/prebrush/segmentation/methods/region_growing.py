"""Region growing: from seeds outwards, over pixels whose colour is within a tolerance of the region's."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Prompt, RGBImage
from prebrush.segmentation.color import to_lab
from prebrush.segmentation.filters import blur, squared_gradient
from prebrush.segmentation.kernels.components import areas_of, connected_components, keep_numbers
from prebrush.segmentation.kernels.flooding import flood
from prebrush.segmentation.kernels.growing import grow
from prebrush.segmentation.markers import BACKGROUND, OBJECT, draw_markers, inside_boxes
from prebrush.segmentation.method import Method, param
from prebrush.segmentation.stages import stage

GRADIENT_STEPS = 64
"""Levels of the gradient's relief for each unit of colour distance."""


@dataclass(frozen=True, slots=True)
class Params:
    """Knobs."""

    tolerance: float = param(
        20.0,
        low=0,
        high=200,
        help="Largest colour distance from the region's colour, in CIE Lab: black to white is 100.",
    )
    connectivity: int = param(1, low=1, high=2, help="1 grows over sides, 2 over corners as well.")
    reference: str = param(
        "mean", choices=("mean", "seed"), help="The region's colour: the mean of its pixels so far, or its seed's."
    )
    min_size: int = param(
        150, low=1, high=100_000_000, unit="px²", help="Smaller regions are shared out if nothing is marked."
    )
    sigma: float = param(0.5, low=0, high=50, unit="px", help="Blur before colours are compared; 0 is none.")


def segment(image: RGBImage, params: Params, prompt: Prompt) -> LabelMap:
    """Grow regions from what is marked, or from the evenest places.

    Without a prompt, each pixel that no region has reached starts one, those with the lowest gradient first, and grows
    it to its end; what small regions held is then flooded from their neighbours, as `watershed` does.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB, read-only.
    params : Params
        ``tolerance`` 10 (fine) to 30 (coarse) on photographs.
    prompt : Prompt
        Marks of one object. Each positive mark grows a region; negative ones grow regions that stand in its way. Boxes
        are where the object may be; alone, their middles are the seeds.

    Returns
    -------
    int32 (H, W)
        1..n; every pixel belongs to a region, a flat image is one. With a prompt 1 object, 0 background.

    Notes
    -----
    Cost: linear in pixels, about 0.15 s a megapixel. Fails on gradual changes, where regions end without an edge, and
    leaks through gaps in an outline.

    Source: R. Adams, L. Bischof, IEEE TPAMI 16(6), 1994, doi:10.1109/34.295913; here pixels are taken ring by ring.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((20, 30, 3), np.uint8)
    >>> image[:, 15:] = 120
    >>> segment(image, Params(sigma=0.0), Prompt())[0, [0, 14, 15, 29]].tolist()
    [1, 1, 2, 2]
    """
    diagonal, to_mean = params.connectivity == 2, params.reference == "mean"
    if not prompt:
        return _grow_everywhere(image, params, diagonal=diagonal, to_mean=to_mean)
    lab = _smooth_lab(image, params.sigma)
    markers = draw_markers(prompt, *image.shape[:2], frame=False)
    allowed = np.ones(markers.shape, np.bool_)
    if prompt.boxes:
        allowed = inside_boxes(prompt, *image.shape[:2]) | (markers == OBJECT)
    seeds, origin = connected_components(np.where(allowed, markers, 0).astype(np.int32))
    grown = grow(seeds, lab, allowed, params.tolerance, diagonal=diagonal, to_mean=to_mean)
    return np.asarray((origin == OBJECT)[grown] & (markers != BACKGROUND), np.int32)


class _Ground(NamedTuple):
    """What regions grow on: smooth colours in CIE Lab, their gradient, and all pixels, the evenest first."""

    lab: npt.NDArray[np.float32]
    relief: npt.NDArray[np.uint16]
    order: npt.NDArray[np.int64]


def _ground(image: RGBImage, sigma: float) -> _Ground:
    lab = _smooth_lab(image, sigma)
    relief = _gradient(lab)
    return _Ground(lab, relief, np.argsort(relief, axis=None, kind="stable").astype(np.int64))


def _smooth_lab(image: RGBImage, sigma: float) -> npt.NDArray[np.float32]:
    return blur(to_lab(image.astype(np.float32) / np.float32(255)), sigma)


def _grow_everywhere(image: RGBImage, params: Params, *, diagonal: bool, to_mean: bool) -> LabelMap:
    """Divide the whole image into regions, from the evenest pixels on."""
    lab, relief, order = stage(_ground, image, params.sigma)
    nowhere, everywhere = np.zeros(relief.shape, np.int32), np.ones(relief.shape, np.bool_)
    regions = grow(nowhere, lab, everywhere, params.tolerance, order, diagonal=diagonal, to_mean=to_mean)
    areas = areas_of(regions, int(regions.max()))
    kept = areas >= min(params.min_size, int(areas[1:].max()))
    if kept[1:].all():
        return regions
    return flood(relief, keep_numbers(regions, kept), everywhere, diagonal=diagonal)


def _gradient(lab: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """Length of the colour gradient, in `GRADIENT_STEPS` of a unit."""
    return np.asarray(np.sqrt(squared_gradient(lab)) * GRADIENT_STEPS, np.uint16)


METHOD = Method(segment, Params, version=1, prompts=("points", "boxes", "scribble"))
