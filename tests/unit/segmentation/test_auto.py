"""What the automatic choice chooses."""

import numpy as np
import pytest
from skimage import data

from prebrush import segment
from prebrush.segmentation.cleanup import Cleanup
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
    assert choice.method == "region_merging"
    assert "%" in choice.reason


def test_the_choice_does_not_hang_on_the_size() -> None:
    for image in (data.astronaut(), two_discs().image):
        assert choose(image).method == choose(np.ascontiguousarray(image[::2, ::2])).method


def test_what_surrounds_the_objects_of_a_scene_is_background() -> None:
    coins = data.coins()
    segments = segment(np.repeat(coins[..., None], 3, axis=2), cleanup=Cleanup())
    assert 20 <= len(segments) <= 30
    edge = np.concatenate((segments.label_map[0], segments.label_map[:, 0], segments.label_map[:, -1]))
    assert (edge == 0).mean() > 0.9
    # the coins are brighter than the board, though not all of the board is darker than all coins
    on_coins, beside = coins[segments.label_map > 0], coins[segments.label_map == 0]
    assert on_coins.mean() - beside.mean() > 50
    assert 0.25 < on_coins.size / coins.size < 0.5


def test_a_scene_of_surroundings_alone_keeps_its_regions() -> None:
    image = np.zeros((60, 80, 3), np.uint8)
    image[:30] = np.random.default_rng(0).integers(0, 255, (30, 80, 3))
    image[30:] = np.linspace(0, 255, 80, dtype=np.uint8)[None, :, None]
    assert len(segment(image)) > 0
