"""Automatic choice: objects on an even background are cut out, crowds of them parted, other scenes divided."""

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Mask, Prompt, RGBImage
from prebrush.segmentation.filters import blur
from prebrush.segmentation.kernels.components import replace_numbers
from prebrush.segmentation.method import Method
from prebrush.segmentation.methods import region_merging, threshold, watershed

T = TypeVar("T", np.uint8, np.bool_)

EVEN_SHARE = 0.36
"""Share of the image that must lie near its most common colour to be taken for an even background."""
EVEN_SPREAD = 0.45
"""Most that the background may vary, as a share of its colour distance to the objects."""
NEAR = 16.0
"""Colour distance, in 8-bit Lab units, that is near."""
CROWD = 8
"""Objects from which on touching ones are parted. Of a few, each has a shape of its own, lobes and limbs included."""
LEAST_OBJECT = 0.1
"""Smallest object that is counted, as a share of the largest."""
SIDES = 3
"""A region along this many sides of the frame is the surroundings of a scene's objects, not one of them."""
SIDE_SHARE = 0.2
"""Share of a side that a region must cover to count as lying along it."""


@dataclass(frozen=True, slots=True)
class Params:
    """No knobs: whoever wants to turn one chooses the method."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What suits an image, and why.

    Attributes
    ----------
    method : str
        ``threshold``, ``watershed`` or ``region_merging``.
    params : threshold.Params, watershed.Params or region_merging.Params
    reason : str
        One sentence with the figures that decided.
    """

    method: str
    params: threshold.Params | watershed.Params | region_merging.Params
    reason: str


def choose(image: RGBImage) -> Choice:
    """Choose method and knobs by how even the background is, and by how many objects lie on it.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB.

    Returns
    -------
    Choice
    """
    channel, cut = threshold.clearest_cut(image, "otsu", 128.0, sigma=1.0)
    lab = blur(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), np.uint8), 1.0)
    share = _share_of_commonest(lab)
    spread = _spread_of_background(lab, cut.objects)
    figures = f"{share:.0%} of the image is near one colour, the rest of the background varies by {spread:.2f}"
    if share >= EVEN_SHARE and spread <= EVEN_SPREAD:
        count = _count_objects(cut.objects)
        if count < CROWD:
            single = threshold.Params(algorithm="otsu", channel=channel, polarity=cut.polarity, sigma=1.0)
            return Choice("threshold", single, f"{count} objects on an even background: {figures}")
        crowd = watershed.Params(channel=channel, polarity=cut.polarity)
        return Choice("watershed", crowd, f"a crowd of {count} objects on an even background: {figures}")
    return Choice("region_merging", region_merging.Params(), f"a scene without an even background: {figures}")


def _count_objects(objects: Mask) -> int:
    """Count the connected objects that are of a size with the largest: the others are crumbs of it, or specks."""
    sizes = cv2.connectedComponentsWithStats(objects.view(np.uint8))[2][1:, cv2.CC_STAT_AREA]
    return int((sizes >= max(4, LEAST_OBJECT * int(sizes.max(initial=0)))).sum())


def _share_of_commonest(lab: RGBImage) -> float:
    """Share of pixels near the commonest colour, by a histogram of 32 steps a channel."""
    sample = _thin_out(lab).reshape(-1, 3)
    bins = (sample >> 3).astype(np.int32) @ np.array((1024, 32, 1), np.int32)
    common = int(np.bincount(bins).argmax())
    middle = np.array((common >> 10, common >> 5 & 31, common & 31), np.float32) * 8 + 4
    return float((np.linalg.norm(sample - middle, axis=1) < NEAR).mean())


def _spread_of_background(lab: RGBImage, objects: Mask) -> float:
    """Standard deviation of the background's colour, as a share of the distance between the means of the two sides."""
    sample = _thin_out(lab).reshape(-1, 3).astype(np.float32)
    inside = _thin_out(objects).reshape(-1)
    if inside.all() or not inside.any():
        return float("inf")
    background, foreground = sample[~inside], sample[inside]
    distance = float(np.linalg.norm(background.mean(axis=0) - foreground.mean(axis=0)))
    return float(np.sqrt(background.var(axis=0).sum())) / max(distance, 1e-6)


def _thin_out(image: npt.NDArray[T]) -> npt.NDArray[T]:
    """Take every n-th row and column, so that some 100,000 pixels are left."""
    step = max(1, round((image.shape[0] * image.shape[1] / 100_000) ** 0.5))
    return image[::step, ::step]


def segment(image: RGBImage, params: Params, prompt: Prompt) -> LabelMap:
    """Segment with what `choose` finds.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB, read-only.
    params : Params
        Has no knobs.
    prompt : Prompt
        Not used.

    Returns
    -------
    int32 (H, W)
        Objects 1..n on background 0, as `threshold` or `watershed` gives them, or regions 1..n of `region_merging` on
        what surrounds them on three sides or more; all 0 on a flat image.

    Notes
    -----
    Cost: that of the chosen method and about 15 ms a megapixel. Fails where objects on an even background differ from
    it in texture alone, and where what is wanted is an object within an object, such as a nucleus in a pale cell.
    """
    del params, prompt
    if (image == image[0, 0]).all():
        return np.zeros(image.shape[:2], np.int32)
    choice = choose(image)
    if isinstance(choice.params, threshold.Params):
        return threshold.segment(image, choice.params, Prompt())
    if isinstance(choice.params, watershed.Params):
        return watershed.segment(image, choice.params, Prompt())
    return _drop_surroundings(region_merging.segment(image, choice.params, Prompt()))


def _drop_surroundings(label_map: LabelMap) -> LabelMap:
    """Make background of the regions that reach along at least `SIDES` sides of the frame: what things lie on.

    A segment is one connected region here, so one that runs around an image is its surroundings and not a thing in it.
    If nothing else would be left, the regions stay.
    """
    count = int(label_map.max())
    reached = np.zeros(count + 1, np.int64)
    for side in (label_map[0], label_map[-1], label_map[:, 0], label_map[:, -1]):
        reached += np.bincount(side, minlength=count + 1) >= SIDE_SHARE * side.size
    kept = reached < SIDES
    kept[0] = False
    if not kept.any():
        return label_map
    return replace_numbers(label_map, (np.cumsum(kept) * kept).astype(np.int32))


METHOD = Method(segment, Params, version=1, class_name="foreground", uses=("threshold", "watershed", "region_merging"))
