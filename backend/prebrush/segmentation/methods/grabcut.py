"""GrabCut: graph cut between colour models of object and background, from a box, marks, or by itself."""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Mask, Prompt, RGBImage
from prebrush.segmentation.color import to_lab
from prebrush.segmentation.color_models import ColorHistogram
from prebrush.segmentation.cut_scene import Scene, draw_boxes, draw_guess, draw_marks
from prebrush.segmentation.graph_cut import likeness, links_of, outline_contrast
from prebrush.segmentation.kernels.boundaries import upscale
from prebrush.segmentation.kernels.max_flow import GridCut
from prebrush.segmentation.markers import inside_boxes
from prebrush.segmentation.method import Method, param
from prebrush.segmentation.methods.threshold import clearest_cut
from prebrush.segmentation.scaling import shrink, shrink_prompt, working_size

SOLVE_PIXELS = 40_000
"""The cut is solved at about this size: colours and shape need no more, and the outline is refined afterwards."""
SURROUNDINGS = 0.3
"""How far around the boxes the background is learned, as a share of their sides."""
LOOSENED = 0.04
"""How much wider boxes are taken than they are drawn, as a share of their sides; the mask is then held to them."""
LEAST_LINK = 0.05
"""What an outline along a sharp edge costs, as a share of what it costs within one colour."""
STRONGEST = 6.0
"""Most that a colour may say for or against the object, in natural logarithms: a colour is never proof."""
REJECTED = 1.2
"""How much denser a colour must be in the negative marks than in the object for it to be left out at first."""
THIN = 2
"""Boxes that are at most so many pixels wide or high have no room for background: where nothing is found, all of it."""
WIDTHS = (0.15, 0.5)
"""Of the colour models, see `ColorHistogram`."""
AGREEMENT, DECIDED = 0.5, 2.0
"""How much it counts that a mask of a box agrees with what is expected of places, and the most that each may say."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Params:
    """Knobs."""

    iterations: int = param(4, low=1, high=20, help="Rounds of learning the colours and cutting, at most.")
    gamma: float = param(6.0, low=0, high=100, help="Higher makes smoother outlines; what parting like pixels costs.")
    margin: float = param(
        0.02, low=0, high=0.4, help="Share of the image's sides that is background where nothing is marked."
    )


@dataclass(frozen=True, slots=True)
class _Guess:
    """One way to weigh what is known of places; the cut only ever finds the best mask near its start.

    Attributes
    ----------
    place : float
        What is expected of a place counts so many times.
    bias : float
        For the object, everywhere.
    shape : float
        The place in the box counts so many times more.
    """

    place: float = 1.5
    bias: float = 0.0
    shape: float = 0.0


GUESSES = (_Guess(), _Guess(bias=1.0), _Guess(bias=-1.0), _Guess(place=1.0, shape=1.0))
"""What may be right of a box: an object that fills it or not, contours that say where it ends or not."""


def segment(image: RGBImage, params: Params, prompt: Prompt) -> LabelMap:
    """Cut one object out of its background.

    Colour models of both sides and the exact minimum cut between them are improved in turn, at a small size and near
    the boxes only. In a box, the contours between a superpixel and what is outside tell how likely it belongs to the
    object. That is weighed in several ways, and the mask is taken whose outline runs along edges, that comes near the
    sides of the box, hardly runs over its rim, and holds what is likely.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB, read-only.
    params : Params
    prompt : Prompt
        What lies outside the boxes is background; positive marks are object, negative ones are not, always. A box of
        one or two pixels' width or height is all object where nothing is found in it. Without a prompt, the clearest
        threshold's objects are the first guess and the frame is background.

    Returns
    -------
    int32 (H, W)
        1 object, 0 background; all 0 where there is nothing to tell object and background apart.

    Notes
    -----
    Cost: about 0.1 s, whatever the size. Fails where object and background share their colours, and where the object
    goes on beyond its box.

    Source: C. Rother, V. Kolmogorov, A. Blake, ACM Transactions on Graphics 23(3), 2004, doi:10.1145/1015706.1015720;
    that a mask should come near the box's sides: V. Lempitsky et al., ICCV 2009, doi:10.1109/ICCV.2009.5459262.
    """
    height, width = image.shape[:2]
    label_map = np.zeros((height, width), np.int32)
    loose = _loosen(prompt, height, width)
    top, left, bottom, right = _window(loose, height, width)
    if bottom > top and right > left:
        window = image[top:bottom, left:right]
        inner = _move(loose, top, left, bottom, right)
        size = working_size(bottom - top, right - left, SOLVE_PIXELS)
        small = shrink(window, *size) if size != window.shape[:2] else np.ascontiguousarray(window)
        scene = _draw(small, params, shrink_prompt(inner, (bottom - top, right - left), size), marked=bool(prompt))
        found = _solve(scene, params, with_box=bool(prompt.boxes)).astype(np.int32)
        label_map[top:bottom, left:right] = found if small.shape == window.shape else upscale(found, small, window)
    _keep_inside(label_map, prompt)
    return label_map


def _loosen(prompt: Prompt, height: int, width: int) -> Prompt:
    """Widen the boxes a little: in one that fits tightly, the object would lie along what is sure to be background."""
    boxes = []
    for top, left, bottom, right in prompt.boxes:
        down, across = round((bottom - top) * LOOSENED), round((right - left) * LOOSENED)
        # a side outside the image stays where it is
        boxes.append(
            (
                min(top, max(0, top - down)),
                min(left, max(0, left - across)),
                max(bottom, min(height, bottom + down)),
                max(right, min(width, right + across)),
            )
        )
    return dataclasses.replace(prompt, boxes=tuple(boxes))


def _window(prompt: Prompt, height: int, width: int) -> tuple[int, int, int, int]:
    """Find the part of the image that is looked at: the boxes with their surroundings and all marks, else all."""
    if not prompt.boxes:
        return 0, 0, height, width
    sides = []
    for top, left, bottom, right in prompt.boxes:
        down, across = math.ceil((bottom - top) * SURROUNDINGS) + 2, math.ceil((right - left) * SURROUNDINGS) + 2
        sides.append((top - down, left - across, bottom + down, right + across))
    sides += [(row, col, row + 1, col + 1) for row, col, _ in prompt.points]
    if prompt.scribble is not None and prompt.scribble.any():
        rows, cols = np.flatnonzero(prompt.scribble.any(axis=1)), np.flatnonzero(prompt.scribble.any(axis=0))
        sides.append((int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1))
    tops, lefts, bottoms, rights = zip(*sides, strict=True)
    return max(0, min(tops)), max(0, min(lefts)), min(height, max(bottoms)), min(width, max(rights))


def _move(prompt: Prompt, top: int, left: int, bottom: int, right: int) -> Prompt:
    """Count the prompt from the window's corner."""
    return dataclasses.replace(
        prompt,
        points=tuple((row - top, col - left, inside) for row, col, inside in prompt.points),
        boxes=tuple((box[0] - top, box[1] - left, box[2] - top, box[3] - left) for box in prompt.boxes),
        scribble=None if prompt.scribble is None else prompt.scribble[top:bottom, left:right].copy(),
    )


def _keep_inside(label_map: LabelMap, prompt: Prompt) -> None:
    """Hold to boxes and marks at full size, where the working size may have rounded them."""
    height, width = label_map.shape
    if prompt.boxes:
        label_map[~inside_boxes(prompt, height, width)] = 0
    for top, left, bottom, right in prompt.boxes:
        part = label_map[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
        if min(part.shape) <= THIN and not part.any():
            part[:] = 1
    if prompt.scribble is not None:
        label_map[prompt.scribble > 0] = 1
        label_map[prompt.scribble < 0] = 0
    for row, col, positive in prompt.points:
        if 0 <= row < height and 0 <= col < width:
            label_map[row, col] = int(positive)


def _draw(image: RGBImage, params: Params, prompt: Prompt, *, marked: bool) -> Scene:
    """Gather what prompt or threshold say of each pixel."""
    lab = to_lab(image.astype(np.float32) / np.float32(255))
    if prompt.boxes:
        return draw_boxes(lab, prompt, SOLVE_PIXELS)
    if marked:
        return draw_marks(lab, prompt)
    height, width = image.shape[:2]
    barred = np.zeros((height, width), np.bool_)
    frame = max(1, round(params.margin * min(height, width)))
    for side in (barred[:frame], barred[-frame:], barred[:, :frame], barred[:, -frame:]):
        side[:] = True
    return draw_guess(lab, clearest_cut(image, "otsu", 0.0, 1.0)[1].objects, barred)


def _solve(scene: Scene, params: Params, *, with_box: bool) -> Mask:
    """Cut from each guess and take the mask that looks best."""
    if np.ptp(scene.lab.reshape(-1, 3), axis=0).max() == 0:
        return scene.marks > 0
    alike = likeness(scene.lab)
    cut = GridCut(links_of(alike, params.gamma, LEAST_LINK))
    colors = ColorHistogram(scene.lab)
    guesses = GUESSES if with_box else GUESSES[:1]
    masks = [_cut_from(guess, scene, colors, cut, params.iterations) for guess in guesses]
    return max(masks, key=lambda mask: _looks(mask, scene, alike)) if len(masks) > 1 else masks[0]


def _cut_from(guess: _Guess, scene: Scene, colors: ColorHistogram, cut: GridCut, iterations: int) -> Mask:
    """Learn the colours and cut, in turn."""
    expected = scene.expected + np.float32(guess.shape) * scene.shape
    chance = (1 / (1 + np.exp(-expected))).astype(np.float32)
    chance[scene.barred] = 0
    outside = scene.outside if scene.outside.any() else chance < 0.3
    share = _first_share(scene, colors, chance, outside)
    ground = _with_marks(outside.astype(np.float32), scene.marks < 0, scene.marks > 0)
    place = np.float32(guess.place) * expected + np.float32(guess.bias)
    place[scene.barred | (scene.marks < 0)] = -np.inf
    place[scene.marks > 0] = np.inf
    mask = np.zeros(chance.shape, np.bool_)
    for _ in range(iterations):
        ratio = np.log(colors.density(share, WIDTHS) / colors.density(ground, WIDTHS))
        found = cut.solve(np.clip(ratio, -STRONGEST, STRONGEST)[colors.cells] + place)
        if not found.any() or np.array_equal(found, mask):
            return found
        mask = found
        share, ground = mask.astype(np.float32), (~mask).astype(np.float32)
    return mask


def _first_share(scene: Scene, colors: ColorHistogram, chance: Floats, outside: Mask) -> Floats:
    """Start from what is unlike the colours outside: float32 (h, w), how much of each pixel may be object."""
    share = chance
    if outside.any():
        rarity = -np.log(colors.density(outside, WIDTHS))[colors.cells]
        common, rare = np.quantile(rarity[outside], (0.8, 0.95))
        share = chance * np.clip((rarity - common) / max(float(rare - common), 1e-3), 0.03, 1).astype(np.float32)
    enough = 0.05 * np.count_nonzero(~scene.barred)
    if share.sum() < enough:
        share = chance
    positive, negative = scene.marks > 0, scene.marks < 0
    if negative.any():
        # what is coloured as a negative mark rather than as the object
        wanted = colors.density(positive if positive.any() else share, WIDTHS)
        kept = (colors.density(negative, WIDTHS) < REJECTED * wanted)[colors.cells]
        share = share * kept if (share * kept).sum() >= enough else share
    return _with_marks(share, positive, negative)


def _with_marks(weights: Floats, marked: Mask, other: Mask) -> Floats:
    """Give marks of a side together half the weight of all else there, and none to marks of the other side."""
    weights = np.where(other, np.float32(0), weights)
    if marked.any():
        weights[marked] = max(1.0, 0.5 * float(weights.sum()) / np.count_nonzero(marked))
    return weights


def _looks(mask: Mask, scene: Scene, alike: Floats) -> float:
    """Score a mask of a box: contrast along the outline, nearness to the sides, an empty rim, and what was expected."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return -1.0
    inside = ~scene.outside
    box_rows, box_cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    gaps = []
    for found, box in ((rows, box_rows), (cols, box_cols)):
        length = box[-1] - box[0] + 1
        gaps += [(found[0] - box[0]) / length, (box[-1] - found[-1]) / length]
    rim = inside & (scene.distance > 0.9)
    covered = np.count_nonzero(mask & rim) / max(1, np.count_nonzero(rim))
    expected = np.clip(scene.expected[inside], -DECIDED, DECIDED)
    agreement = AGREEMENT * float(np.where(mask[inside], expected, -expected).mean())
    return outline_contrast(mask, alike) - 2 * float(max(gaps)) - covered + agreement


METHOD = Method(
    segment,
    Params,
    version=4,
    prompts=("points", "boxes", "scribble"),
    class_name="foreground",
    uses=("threshold",),
)
