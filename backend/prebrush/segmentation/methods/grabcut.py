"""GrabCut: graph cut between colour models of object and background, from a box, marks, or by itself."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Mask, Prompt, RGBImage
from prebrush.segmentation.method import Method, param
from prebrush.segmentation.methods.threshold import clearest_cut
from prebrush.segmentation.scaling import shrink, shrink_prompt, working_size

SOLVE_PIXELS = 80_000
"""The cut is solved at about this size: OpenCV's takes seconds a megapixel, and the models need no more."""

MARK_RADIUS = 3
"""A click stands for a small disc: one pixel is too little to learn a colour from."""


@dataclass(frozen=True, slots=True)
class Params:
    """Knobs."""

    iterations: int = param(5, low=1, high=20, help="Rounds of learning the colours and cutting.")
    margin: float = param(
        0.02, low=0, high=0.4, help="Share of the image's sides that is background where nothing is marked."
    )


def segment(image: RGBImage, params: Params, prompt: Prompt) -> LabelMap:
    """Cut one object out of its background.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB, read-only.
    params : Params
    prompt : Prompt
        What lies outside the boxes is background; positive marks are object, negative ones are not, always. Without a
        prompt, the clearest threshold's objects are the first guess and the frame is background.

    Returns
    -------
    int32 (H, W)
        1 object, 0 background; all 0 where there is nothing to tell object and background apart.

    Notes
    -----
    Cost: about half a second, whatever the size. Fails where object and background share their colours.

    Source: C. Rother, V. Kolmogorov, A. Blake, ACM Transactions on Graphics 23(3), 2004, doi:10.1145/1015706.1015720.
    """
    height, width = image.shape[:2]
    working = working_size(height, width, SOLVE_PIXELS)
    small = shrink(image, *working) if working != (height, width) else np.ascontiguousarray(image)
    trimap = _draw_trimap(small, params, shrink_prompt(prompt, (height, width), working))
    found = _solve(small, trimap, params.iterations)
    enlarged = cv2.resize(found.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_LINEAR_EXACT)
    label_map = (enlarged > 127).astype(np.int32)
    for row, col, positive in prompt.points:
        if 0 <= row < height and 0 <= col < width:
            label_map[row, col] = int(positive)
    return label_map


def _draw_trimap(image: RGBImage, params: Params, prompt: Prompt) -> npt.NDArray[np.uint8]:
    """Mark each pixel as object or background, certain or probable: uint8 (H, W) of OpenCV's four values."""
    height, width = image.shape[:2]
    trimap = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    if prompt.boxes:
        trimap[:] = cv2.GC_BGD
        for top, left, bottom, right in prompt.boxes:
            trimap[max(top, 0) : bottom, max(left, 0) : right] = cv2.GC_PR_FGD
    elif prompt:
        _guess_around_points(trimap, prompt)
    else:
        trimap[clearest_cut(image, "otsu", 0.0, 1.0)[1].objects] = cv2.GC_PR_FGD
        frame = max(1, round(params.margin * min(height, width)))
        for side in (trimap[:frame], trimap[-frame:], trimap[:, :frame], trimap[:, -frame:]):
            side[:] = cv2.GC_BGD
    if prompt.scribble is not None:
        trimap[prompt.scribble > 0] = cv2.GC_FGD
        trimap[prompt.scribble < 0] = cv2.GC_BGD
    for row, col, positive in prompt.points:
        cv2.circle(trimap, (col, row), MARK_RADIUS, cv2.GC_FGD if positive else cv2.GC_BGD, -1)
    return trimap


def _guess_around_points(trimap: npt.NDArray[np.uint8], prompt: Prompt) -> None:
    """Expect the object within a quarter of the image's diagonal around each positive click."""
    height, width = trimap.shape
    reach = max(2, round(0.25 * float(np.hypot(height, width))))
    for row, col, positive in prompt.points:
        if positive:
            cv2.circle(trimap, (col, row), reach, cv2.GC_PR_FGD, -1)


def _solve(image: RGBImage, trimap: npt.NDArray[np.uint8], iterations: int) -> Mask:
    """Run OpenCV's solver where both sides have pixels to learn from; else take the guess as it is."""
    object_side = (trimap == cv2.GC_FGD) | (trimap == cv2.GC_PR_FGD)
    if object_side.all() or not object_side.any() or np.ptp(image.reshape(-1, 3), axis=0).max() == 0:
        return np.zeros(trimap.shape, np.bool_) if not (trimap == cv2.GC_FGD).any() else trimap == cv2.GC_FGD
    models = np.zeros((2, 1, 65))
    # k-means inside the solver draws from OpenCV's global generator: seeded, so that equal input gives equal masks
    cv2.setRNGSeed(0)
    # the rectangle is not read where a mask is given
    cv2.grabCut(image, trimap, (0, 0, 1, 1), models[0], models[1], iterations, cv2.GC_INIT_WITH_MASK)
    solved: Mask = (trimap == cv2.GC_FGD) | (trimap == cv2.GC_PR_FGD)
    return solved


METHOD = Method(
    segment, Params, version=1, prompts=("points", "boxes", "scribble"), class_name="foreground", uses=("threshold",)
)
