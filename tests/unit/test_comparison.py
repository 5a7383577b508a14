"""The sheet of all methods: every tile is there, whatever the image's shape."""

import numpy as np
import pytest
from PIL import Image

from prebrush.comparison import GAP, compare_methods
from prebrush.errors import ImageUnreadable, PrebrushError
from prebrush.settings import Settings


@pytest.mark.parametrize("shape", [(1, 1), (40, 60), (900, 30), (20, 1500), (700, 900)])
def test_any_image_makes_a_sheet(tmp_path, shape):
    path, target = tmp_path / "photo.png", tmp_path / "new" / "sheet.png"
    image = np.zeros((*shape, 3), np.uint8)
    image[: shape[0] // 2] = (200, 30, 90)
    Image.fromarray(image).save(path)
    done = []
    tiles = compare_methods(path, ("kmeans", "threshold", "felzenszwalb"), target, Settings(), done.append)
    assert done == [tile.method for tile in tiles] == ["kmeans", "threshold", "felzenszwalb"]
    assert all(tile.seconds > 0 for tile in tiles)
    with Image.open(target) as sheet:
        pixels = np.array(sheet)
    picture = tiles[0].picture
    # the image itself comes first, then the methods
    assert np.array_equal(pixels[GAP + picture.shape[0] // 4, GAP], image[shape[0] // 4, 0])
    assert pixels.shape[0] >= picture.shape[0] + 2 * GAP
    assert pixels.shape[0] * pixels.shape[1] >= 4 * picture.shape[0] * picture.shape[1]


def test_what_goes_wrong_is_named(tmp_path):
    path = tmp_path / "notes.png"
    path.write_text("hello")
    with pytest.raises(ImageUnreadable, match=r"notes\.png"):
        compare_methods(path, ("kmeans",), tmp_path / "sheet.png", Settings(), print)
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(path)
    with pytest.raises(PrebrushError, match="cannot write"):
        compare_methods(path, ("kmeans",), path / "sheet.png", Settings(), lambda _: None)
