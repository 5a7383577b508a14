"""What the automatic choice chooses."""

import numpy as np
import pytest
from skimage import data

from prebrush.segmentation.methods.auto import choose
from scenes import dark_cells, two_discs


@pytest.mark.parametrize("scene", [two_discs(), dark_cells()], ids=lambda scene: scene.name)
def test_objects_on_an_even_background_are_cut_out(scene) -> None:
    choice = choose(scene.image)
    assert choice.method == "threshold"
    assert "even background" in choice.reason


@pytest.mark.parametrize("photo", ["astronaut", "coffee", "chelsea"])
def test_photographs_are_divided_into_regions(photo: str) -> None:
    choice = choose(getattr(data, photo)())
    assert choice.method == "felzenszwalb"
    assert "%" in choice.reason


def test_the_choice_does_not_hang_on_the_size() -> None:
    for image in (data.astronaut(), two_discs().image):
        assert choose(image).method == choose(np.ascontiguousarray(image[::2, ::2])).method
