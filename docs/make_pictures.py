"""Makes the pictures of the documents with the product itself: ``make pictures``.

Only photographs that are free to republish, all from scikit-image's samples: coffee and retina (CC0), coins and stained
tissue (no known restrictions).
"""

from pathlib import Path

import cv2
import numpy as np
import skimage.data

from prebrush.datatypes import Prompt, RGBImage
from prebrush.overlay import draw_overlay, encode_png
from prebrush.recipes import build_recipe
from prebrush.segmentation import METHODS
from prebrush.segmentation.method import Method
from prebrush.segmenter import compute_segments

IMAGES = Path(__file__).parent / "images"
GAP = 12
HEIGHT = 250
JPEG_QUALITY = 88
MARK_COLOR, MARK_WIDTH = (255, 255, 255), 4
"""Of clicks, boxes and strokes; each has a dark rim, so that it is seen on any ground."""


CLICK = (150, 285, True)
BOX = (10, 299, 78, 369)
STROKE = ((285, 345), (345, 460))
"""What is marked in the picture of `prompt`."""


def main() -> None:
    """Write every picture."""
    (IMAGES / "methods").mkdir(parents=True, exist_ok=True)
    coffee = skimage.data.coffee()
    coins = np.repeat(skimage.data.coins()[..., None], 3, axis=2)
    photos = [np.ascontiguousarray(image) for image in (coffee, coins, skimage.data.immunohistochemistry())]
    cv2.imwrite(str(IMAGES / "coffee.jpg"), coffee[..., ::-1])
    (IMAGES / "first_look.png").write_bytes(encode_png(first_look(photos[:2])))
    write_jpeg("photos", photos)
    for name, method in METHODS.items():
        prompts = example_marks(photos) if name == "prompt" else [Prompt()] * len(photos)
        write_jpeg(name, [masks(image, method, prompt) for image, prompt in zip(photos, prompts, strict=True)])
    write_jpeg("ridge_vessels", vessels())


def first_look(photos: list[RGBImage]) -> RGBImage:
    """Put each photo beside what a project that nobody tuned would get, all in one row."""
    rows = [np.hstack(with_gaps([panel(image), panel(masks(image, METHODS["auto"], Prompt()))])) for image in photos]
    sheet = np.full((HEIGHT, sum(row.shape[1] for row in rows) + GAP, 3), 255, np.uint8)
    sheet[:, : rows[0].shape[1]], sheet[:, -rows[1].shape[1] :] = rows
    return sheet


def vessels() -> list[RGBImage]:
    """Put a retina beside the lines found in it: what `ridge` is for is not in the other photos."""
    retina = np.ascontiguousarray(skimage.data.retina())
    found = compute_segments(retina, build_recipe({"method": "ridge", "params": {"channel": "green"}}))
    return [retina, np.where(found.label_map[..., None] > 0, np.uint8(255), retina // 2)]


def write_jpeg(name: str, images: list[RGBImage]) -> None:
    """Write a strip of images for a method's page."""
    strip = np.hstack(with_gaps([panel(image) for image in images]))
    cv2.imwrite(str(IMAGES / "methods" / f"{name}.jpg"), strip[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])


def example_marks(photos: list[RGBImage]) -> list[Prompt]:
    """Mark each photo in one way: a click on the cup, a box around a coin, a stroke over stained tissue."""
    stroke = np.zeros(photos[2].shape[:2], np.int8)
    cv2.polylines(stroke, [np.array(STROKE)], isClosed=False, color=1, thickness=3)
    return [Prompt(points=(CLICK,)), Prompt(boxes=(BOX,)), Prompt(scribble=stroke)]


def masks(image: RGBImage, method: Method[object], prompt: Prompt) -> RGBImage:
    """Draw what a method makes of an image, every knob and the clean-up at their defaults, and the marks, if any."""
    segments = compute_segments(image, build_recipe({"method": method.name, "regions": {"max": 10_000}}), prompt)
    return draw_marks(draw_overlay(image, segments.label_map), prompt)


def draw_marks(picture: RGBImage, prompt: Prompt) -> RGBImage:
    """Draw clicks, boxes and strokes, first wide and dark, then bright."""
    drawn = picture.copy()
    for color, wider in (((0, 0, 0), 4), (MARK_COLOR, 0)):
        for row, col, _ in prompt.points:
            cv2.circle(drawn, (col, row), MARK_WIDTH + wider // 2, color, -1)
        for top, left, bottom, right in prompt.boxes:
            cv2.rectangle(drawn, (left, top), (right - 1, bottom - 1), color, MARK_WIDTH // 2 + wider // 2)
        if prompt.scribble is not None:
            size = np.ones((MARK_WIDTH + wider, MARK_WIDTH + wider), np.uint8)
            drawn[cv2.dilate((prompt.scribble > 0).astype(np.uint8), size) > 0] = color
    return drawn


def panel(image: RGBImage) -> RGBImage:
    """Scale to the common height."""
    width = round(image.shape[1] * HEIGHT / image.shape[0])
    return np.asarray(cv2.resize(image, (width, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)


def with_gaps(panels: list[RGBImage]) -> list[RGBImage]:
    """Put white between."""
    gap = np.full((HEIGHT, GAP, 3), 255, np.uint8)
    return [piece for one in panels for piece in (gap, one)][1:]


if __name__ == "__main__":
    main()
