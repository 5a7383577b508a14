"""Makes the pictures of the documents with the product itself: ``.venv/bin/python docs/make_pictures.py``.

Only photographs that are free to republish: scikit-image's (coffee, CC0; coins, no known restrictions).
"""

from pathlib import Path

import cv2
import numpy as np
import skimage.data

from prebrush.datatypes import RGBImage
from prebrush.overlay import draw_overlay, encode_png
from prebrush.planning import build_recipe
from prebrush.predictor import compute_segments

IMAGES = Path(__file__).parent / "images"
GAP = 12
HEIGHT = 250


def main() -> None:
    """Write every picture."""
    IMAGES.mkdir(exist_ok=True)
    coffee = skimage.data.coffee()
    coins = np.repeat(skimage.data.coins()[..., None], 3, axis=2)
    cv2.imwrite(str(IMAGES / "coffee.jpg"), coffee[..., ::-1])
    rows = [np.hstack(with_gaps([panel(image), panel(masks(image))])) for image in (coffee, coins)]
    width = sum(row.shape[1] for row in rows) + GAP
    sheet = np.full((HEIGHT, width, 3), 255, np.uint8)
    sheet[:, : rows[0].shape[1]], sheet[:, -rows[1].shape[1] :] = rows
    (IMAGES / "first_look.png").write_bytes(encode_png(sheet))


def masks(image: RGBImage) -> RGBImage:
    """Draw what a project that nobody tuned would get."""
    segments = compute_segments(np.ascontiguousarray(image), build_recipe({}))
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
