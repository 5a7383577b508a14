"""Geodesic contours: a closed line that shrinks or grows until it lies along edges, kept smooth."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Mask, Prompt, RGBImage
from prebrush.segmentation.color import is_flat
from prebrush.segmentation.filters import blur
from prebrush.segmentation.kernels.snakes import geodesic_snake
from prebrush.segmentation.markers import inside_boxes
from prebrush.segmentation.method import Method, param
from prebrush.segmentation.methods.threshold import clearest_cut
from prebrush.segmentation.scaling import shrink, shrink_prompt, working_size

SOLVE_PIXELS = 60_000
"""The contour travels at about this size, where it has fewer pixels to cross, and settles at full size."""
WIDENED = 5
"""Pixels by which the objects of the clearest cut are widened to make a start."""
CLICK_RADIUS = 4
"""Pixels around a click that the contour starts from."""


@dataclass(frozen=True, slots=True)
class Params:
    """Knobs."""

    num_iter: int = param(300, low=1, high=5000, help="Most moves of the contour; it stops when nothing changes.")
    smoothness: int = param(1, low=0, high=10, help="Rounds of smoothing after each move.")
    balloon: float = param(
        -1.0,
        low=-3,
        high=3,
        help="Below 0 the contour shrinks over even ground, over 0 it grows; the other way at clicks.",
    )
    threshold: float = param(0.5, low=0, high=1, help="The contour stops on edges below this; 1 is even ground.")
    alpha: float = param(300.0, low=1, high=10000, help="How steeply a gradient counts as an edge.")
    sigma: float = param(1.5, low=0, high=50, unit="px", help="Blur before the gradient.")


def segment(image: RGBImage, params: Params, prompt: Prompt) -> LabelMap:
    """Fit contours to edges, by morphological geodesic active contours.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB, read-only. The largest gradient of the three channels counts.
    params : Params
        ``alpha``, ``sigma`` and ``threshold`` as in scikit-image.
    prompt : Prompt
        The contour starts at the boxes, a pixel inside the image where they take all of it, and shrinks, or around
        positive clicks and grows. Without either it starts a little outside the objects of the clearest threshold.
        Around negative clicks it does not start. What is clicked is in or out, always.

    Returns
    -------
    int32 (H, W)
        1 inside, 0 outside; all 0 where the contour shrinks to nothing or takes the whole image.

    Notes
    -----
    Cost: linear in pixels, some 100 ms for the first megapixel. Fails where edges have long gaps, and
    where there are other edges between the start and the object, as on textured ground.

    Source: P. Márquez-Neila, L. Baumela, L. Álvarez, IEEE TPAMI 36(1), 2014, doi:10.1109/TPAMI.2013.106; V. Caselles,
    R. Kimmel, G. Sapiro, IJCV 22(1), 1997, doi:10.1023/A:1007979827043.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((40, 40, 3), 20, np.uint8)
    >>> image[10:30, 10:30] = 200
    >>> label_map = segment(image, Params(), Prompt())
    >>> int(label_map[12:28, 12:28].min()), int(label_map[:8].max())
    (1, 0)
    """
    height, width = image.shape[:2]
    if is_flat(image):
        return _hold(np.zeros((height, width), np.int32), prompt)
    working = working_size(height, width, SOLVE_PIXELS)
    factor = max(working) / max(height, width)
    marks = shrink_prompt(prompt, (height, width), working)
    small = shrink(image, *working) if working != (height, width) else image
    start, balloon = _start(small, params.balloon, marks)
    speed = _speed(small, params.alpha, max(params.sigma * factor, min(params.sigma, 1.0)))
    inside = geodesic_snake(speed, start, params.num_iter, params.smoothness, params.threshold, balloon)
    if working != (height, width):
        enlarged = cv2.resize(inside.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_LINEAR)
        moves = min(params.num_iter, int(np.ceil(3 / factor)))
        speed = _speed(image, params.alpha, params.sigma)
        inside = geodesic_snake(speed, enlarged > 127, moves, params.smoothness, params.threshold, 0.0)
    return _hold(np.zeros((height, width), np.int32) if inside.all() else inside.astype(np.int32), prompt)


def _hold(label_map: LabelMap, prompt: Prompt) -> LabelMap:
    """Put in and out what is clicked: the contour may have left it behind, as a speck, or flowed back over it."""
    height, width = label_map.shape
    for row, col, positive in prompt.points:
        if 0 <= row < height and 0 <= col < width:
            label_map[row, col] = positive
    return label_map


def _speed(image: RGBImage, alpha: float, sigma: float) -> npt.NDArray[np.float32]:
    """How freely the contour moves: 1 on even ground, near 0 on edges; float32 (H, W)."""
    smooth = blur(image.astype(np.float32) / np.float32(255), sigma)
    down = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=1, scale=0.5, borderType=cv2.BORDER_REPLICATE)
    across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=1, scale=0.5, borderType=cv2.BORDER_REPLICATE)
    squared = down * down + across * across
    gradient = np.sqrt(np.maximum(np.maximum(squared[..., 0], squared[..., 1]), squared[..., 2]))
    return np.asarray(1 / np.sqrt(1 + np.float32(alpha) * gradient), np.float32)


def _start(image: RGBImage, balloon: float, prompt: Prompt) -> tuple[Mask, float]:
    """Draw the first contour's inside, and tell which way it is pushed."""
    height, width = image.shape[:2]
    start: npt.NDArray[np.uint8] = np.zeros((height, width), np.uint8)
    clicks = [(row, col) for row, col, positive in prompt.points if positive]
    if prompt.boxes:
        start = inside_boxes(prompt, height, width).astype(np.uint8)
        if start.all():
            # without an outside there would be no contour to move
            start[[0, -1]] = 0
            start[:, [0, -1]] = 0
    elif prompt.points:
        balloon = -balloon
        for row, col in clicks:
            cv2.circle(start, (col, row), CLICK_RADIUS, 1, -1)
    else:
        objects = clearest_cut(image, "otsu", 128.0, 1.0)[1].objects.astype(np.uint8)
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * WIDENED + 1, 2 * WIDENED + 1))
        start = np.asarray(cv2.dilate(objects, disc) if balloon < 0 else objects, np.uint8)
    for row, col, positive in prompt.points:
        if not positive:
            cv2.circle(start, (col, row), CLICK_RADIUS, 0, -1)
    return start > 0, balloon


METHOD = Method(segment, Params, version=2, prompts=("points", "boxes"), class_name="foreground", uses=("threshold",))
