"""Random walker: each pixel joins the marks that a walker from it, who avoids edges, most likely reaches first."""

from dataclasses import dataclass

import cv2
import numpy as np

from prebrush.datatypes import LabelMap, Prompt, RGBImage
from prebrush.segmentation.color import is_gray
from prebrush.segmentation.filters import blur
from prebrush.segmentation.kernels.components import areas_of
from prebrush.segmentation.kernels.flooding import flood
from prebrush.segmentation.kernels.walking import walk
from prebrush.segmentation.markers import BACKGROUND, OBJECT, draw_markers
from prebrush.segmentation.method import Method, param
from prebrush.segmentation.methods import watershed
from prebrush.segmentation.stages import stage

CORE = 0.2
"""Where objects are found automatically: how far from their edge, in radii, a pixel's side is certain."""


@dataclass(frozen=True, slots=True)
class Params:
    """Knobs."""

    beta: float = param(130.0, low=0, high=100_000, help="Higher makes edges harder to cross.")
    tol: float = param(
        0.002, low=0, high=0.1, help="Share of pixels that may still change sides when refining ends; lower is slower."
    )
    sigma: float = param(0.0, low=0, high=50, unit="px", help="Blur before colours are compared; 0 is none.")


def segment(image: RGBImage, params: Params, prompt: Prompt) -> LabelMap:
    """Share the image out between what is marked, by random walks.

    A walker goes from pixel to pixel, the less likely the more their colours differ. Without a prompt, the objects that
    `watershed` finds are the marks, without a band along their edges, and so is the background; only what is in the
    band is decided by walks, and touching objects are parted where `watershed` parts them.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB, read-only. Gray images are compared in their one channel.
    params : Params
        ``beta`` means what it does in scikit-image, for images of the same kind: 10 crosses noise, 1000 stops at faint
        edges. ``tol`` ends the refinement.
    prompt : Prompt
        Marks of one object; see `draw_markers`.

    Returns
    -------
    int32 (H, W)
        1..n objects, 0 background; the object is 1 with a prompt. Without one, all 0 on a flat image.

    Notes
    -----
    Cost: linear in pixels, about 0.06 s a megapixel with a prompt and another 0.2 s without one. Fails where marks are
    few and far from the object's edge: the way through an even area is long, and a weak edge hardly delays it.

    Source: L. Grady, IEEE TPAMI 28(11), 2006, doi:10.1109/TPAMI.2006.233.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((9, 20, 3), np.uint8)
    >>> image[:, 12:] = 90
    >>> prompt = Prompt(points=((4, 16, True), (4, 3, False)))
    >>> segment(image, Params(), prompt)[4, [0, 11, 12, 19]].tolist()
    [0, 0, 1, 1]
    """
    colors = blur(image, params.sigma)
    colors = colors[:, :, :1] if is_gray(image) else colors
    if prompt:
        markers = draw_markers(prompt, *image.shape[:2])
        return np.asarray(walk(colors, markers, params.beta, params.tol) == OBJECT, np.int32)
    found, cores = stage(_find_cores, image)
    if not found.any():
        return found
    objects = walk(colors, cores, params.beta, params.tol) == OBJECT
    # pixels that an object gained are its own where the way to it is shortest
    return flood(np.zeros(found.shape, np.uint16), np.where(objects, found, np.int32(0)), objects)


def _find_cores(image: RGBImage) -> tuple[LabelMap, LabelMap]:
    """Return the objects that `watershed` finds, and the marks made of them."""
    found = watershed.segment(image, watershed.Params(), Prompt())
    return found, _draw_cores(found) if found.any() else found


def _draw_cores(label_map: LabelMap) -> LabelMap:
    """Mark objects and background, all but a band along the edges: int32 (H, W), as `draw_markers` does."""
    objects = label_map > 0
    count = int(label_map.max())
    radius = float(np.sqrt(np.median(areas_of(label_map, count)[1:]) / np.pi))
    inwards = cv2.distanceTransform(objects.astype(np.uint8), cv2.DIST_L2, 5)
    outwards = cv2.distanceTransform((~objects).astype(np.uint8), cv2.DIST_L2, 5)
    deepest = np.zeros(count + 1, np.float32)
    np.maximum.at(deepest, label_map.ravel(), inwards.ravel())
    markers = np.where(outwards > CORE * radius, np.int32(BACKGROUND), np.int32(0))
    # every object keeps a core, however small it is
    markers[objects & (inwards > CORE * np.minimum(deepest, radius)[label_map])] = OBJECT
    return markers


METHOD = Method(
    segment, Params, version=1, prompts=("points", "boxes", "scribble"), class_name="foreground", uses=("watershed",)
)
