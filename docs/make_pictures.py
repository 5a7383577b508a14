"""Makes the pictures of the documents with the product itself: ``make pictures``.

Only photographs that are free to republish, all from scikit-image's samples: coffee (CC0), coins and stained tissue (no
known restrictions).
"""

from pathlib import Path

import cv2
import numpy as np
import skimage.data

from prebrush.datatypes import RGBImage
from prebrush.overlay import draw_overlay, encode_png
from prebrush.planning import build_recipe
from prebrush.predictor import compute_segments
from prebrush.segmentation import METHODS
from prebrush.segmentation.method import Method

IMAGES = Path(__file__).parent / "images"
GAP = 12
HEIGHT = 250
JPEG_QUALITY = 88


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
        write_jpeg(name, [masks(image, method) for image in photos])


def first_look(photos: list[RGBImage]) -> RGBImage:
    """Put each photo beside what a project that nobody tuned would get, all in one row."""
    rows = [np.hstack(with_gaps([panel(image), panel(masks(image, METHODS["auto"]))])) for image in photos]
    sheet = np.full((HEIGHT, sum(row.shape[1] for row in rows) + GAP, 3), 255, np.uint8)
    sheet[:, : rows[0].shape[1]], sheet[:, -rows[1].shape[1] :] = rows
    return sheet


def write_jpeg(name: str, images: list[RGBImage]) -> None:
    """Write a strip of images for a method's page."""
    strip = np.hstack(with_gaps([panel(image) for image in images]))
    cv2.imwrite(str(IMAGES / "methods" / f"{name}.jpg"), strip[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])


def masks(image: RGBImage, method: Method[object]) -> RGBImage:
    """Draw what a method makes of an image, every knob and the clean-up at their defaults."""
    segments = compute_segments(image, build_recipe({"method": method.name}))
    return draw_overlay(image, segments.label_map)


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
