"""Overlays: what is coloured, what is left alone, and that any size works."""

import io

import numpy as np
import pytest
from PIL import Image

from prebrush.overlay import PALETTE, draw_overlay, encode_png
from scenes import two_discs


def test_background_is_untouched_and_segments_take_their_colour() -> None:
    scene = two_discs()
    before = scene.image.copy()
    drawn = draw_overlay(scene.image, scene.truth, colors=((255, 0, 0), (0, 0, 255)))
    assert np.array_equal(scene.image, before)
    assert np.array_equal(drawn[0], scene.image[0])
    assert drawn[40, 30, 0] > scene.image[40, 30, 0] > drawn[40, 30, 2]
    assert drawn[35, 85, 2] > scene.image[35, 85, 2] > drawn[35, 85, 0]


def test_the_outline_is_drawn_in_full_colour() -> None:
    truth = np.zeros((40, 40), np.int32)
    truth[10:30, 10:30] = 1
    drawn = draw_overlay(np.zeros((40, 40, 3), np.uint8), truth)
    assert tuple(drawn[10, 20]) == PALETTE[0]
    assert tuple(drawn[20, 20]) != PALETTE[0]
    assert not drawn[9, 20].any()


def test_one_colour_for_each_name() -> None:
    label_map = np.arange(1, 4, dtype=np.int32).repeat(30).repeat(40).reshape(90, 40)
    drawn = draw_overlay(np.full((90, 40, 3), 128, np.uint8), label_map, names=("cell", "vessel", "cell"))
    assert np.array_equal(drawn[15, 20], drawn[75, 20])
    assert not np.array_equal(drawn[15, 20], drawn[45, 20])


def test_segments_named_none_are_left_out() -> None:
    label_map = np.arange(1, 3, dtype=np.int32).repeat(200).reshape(20, 20)
    pixels = np.full((20, 20, 3), 128, np.uint8)
    drawn = draw_overlay(pixels, label_map, names=(None, "cell"))
    assert (drawn[:9] == 128).all()
    assert (drawn[12:] != 128).any()


def test_the_legend_shows_only_where_there_is_room_and_names() -> None:
    label_map = np.zeros((300, 400), np.int32)
    label_map[250:290, 350:390] = 1
    pixels = np.zeros((300, 400, 3), np.uint8)
    corner = np.s_[:60, :150]
    assert draw_overlay(pixels, label_map, names=("nucleus",))[corner].any()
    assert not draw_overlay(pixels, label_map, names=("",))[corner].any()
    assert not draw_overlay(pixels, label_map)[corner].any()
    tiny = draw_overlay(pixels[:12, :12], label_map[:12, :12], names=("nucleus",))
    assert not tiny.any()


@pytest.mark.parametrize("names", [(), tuple(f"class number {n} with a rather long name" for n in range(1, 31))])
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 2), (64, 64), (3000, 4000)])
def test_any_size(size: tuple[int, int], names: tuple[str, ...]) -> None:
    label_map = (np.arange(size[1], dtype=np.int32) * 30 // size[1] + 1)[None].repeat(size[0], axis=0)
    _, numbered = np.unique(label_map, return_inverse=True)
    numbered = numbered.reshape(size).astype(np.int32) + 1
    drawn = draw_overlay(np.zeros((*size, 3), np.uint8), numbered, names[: int(numbered.max())])
    assert drawn.shape == (*size, 3)
    assert drawn.dtype == np.uint8


def test_png_is_what_was_drawn() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    with Image.open(io.BytesIO(encode_png(pixels))) as image:
        assert np.array_equal(np.array(image), pixels)
    assert encode_png(pixels, as_data_url=True).startswith("data:image/png;base64,")
