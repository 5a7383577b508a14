"""The images of the end-to-end project: photographs, nuclei, and drawn scenes whose mask is known."""

import io
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

_PHOTOS = (
    "astronaut.png",
    "camera.png",
    "cell.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "moon.png",
    "retina.jpg",
    "rocket.jpg",
)
_NUCLEI = Path(__file__).resolve().parents[1] / "images"
_ORIENTATION_TAG = 274
"""EXIF's number for how the picture must be turned."""
_TURN_CLOCKWISE = 6
"""The orientation of a phone held upright: the stored picture must be turned by 90 degrees clockwise."""

DISC = (85, 105)
"""Middle of the scene's disc, (row, col)."""
_RADIUS = 48

TOUCHING, TOUCHED, ALONE = (120, 110), (120, 190), (120, 300)
"""Middles of the three discs, (row, col): the first two run into each other, the third stands apart."""


@dataclass(frozen=True)
class Picture:
    """An image file, and what a person would mark on it where that is known."""

    name: str
    content: bytes
    truth: npt.NDArray[np.bool_] | None = None


def ordinary_pictures() -> list[Picture]:
    """Twelve images: one drawn scene, a few nuclei of this repository's own, and photographs of scikit-image."""
    nuclei = sorted(_NUCLEI.glob("nuc*.png"))[:4]
    photos = [Picture(name, (files("skimage.data") / name).read_bytes()) for name in _PHOTOS]
    found = [Picture(path.name, path.read_bytes()) for path in nuclei] + photos
    gray, truth = _draw_scene()
    return [Picture("scene.png", _save(Image.fromarray(gray), "PNG"), truth), *found[:11]]


def awkward_pictures() -> list[Picture]:
    """Four files that a careless decoder turns, flattens or blackens; all show the drawn scene."""
    gray, truth = _draw_scene()
    return [
        Picture("turned.jpg", _turned_jpeg(gray), truth),
        Picture("transparent.png", _transparent_png(truth), truth),
        Picture("sixteen_bit.png", _save(Image.fromarray(gray.astype(np.uint16) * 257), "PNG"), truth),
        Picture("cmyk.jpg", _save(Image.fromarray(gray).convert("CMYK"), "JPEG", quality=95), truth),
    ]


def _draw_scene() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Draw a bright disc and a bright L on dark ground.

    No turn and no mirror image looks the same, and all is gray, so that colour on the screen can only be a mask.
    """
    rows, cols = np.mgrid[:240, :360]
    truth = (rows - DISC[0]) ** 2 + (cols - DISC[1]) ** 2 < _RADIUS**2
    truth[130:215, 225:255] = True
    truth[190:215, 225:330] = True
    return np.where(truth, 215, 45).astype(np.uint8), truth


def draw_discs() -> tuple[Picture, tuple[npt.NDArray[np.bool_], ...]]:
    """Draw three bright discs on dark ground, all gray, and tell which pixels are the first, second and third one's."""
    rows, cols = np.mgrid[:240, :360]
    places = ((TOUCHING, 50), (TOUCHED, 42), (ALONE, 38))
    first, second, third = ((rows - row) ** 2 + (cols - col) ** 2 < radius**2 for (row, col), radius in places)
    bright = first | second | third
    content = _save(Image.fromarray(np.where(bright, 215, 45).astype(np.uint8)), "PNG")
    return Picture("discs.png", content, bright), (first, second & ~first, third)


def _turned_jpeg(gray: npt.NDArray[np.uint8]) -> bytes:
    """Store the scene lying on its side, with the tag that says so."""
    exif = Image.Exif()
    exif[_ORIENTATION_TAG] = _TURN_CLOCKWISE
    return _save(Image.fromarray(np.ascontiguousarray(np.rot90(gray))), "JPEG", quality=95, exif=exif)


def _transparent_png(truth: npt.NDArray[np.bool_]) -> bytes:
    """Draw the scene in the alpha channel alone: whoever drops that channel sees one flat gray."""
    pixels = np.full((*truth.shape, 4), 80, np.uint8)
    pixels[..., 3] = truth * 255
    return _save(Image.fromarray(pixels), "PNG")


def _save(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
