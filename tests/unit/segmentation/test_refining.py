import numpy as np
import pytest

from prebrush.datatypes import Prompt
from prebrush.errors import InvalidPrompt
from prebrush.segmentation.refining import refine

PARTS = np.array([[1] * 6 + [2] * 6 + [3] * 4] * 9)
"""A plain with three parts, from left to right."""


def find(prompt: Prompt) -> np.ndarray:
    """Mean the part that is clicked, as a method would; the whole plain for part 3, save what is nearer to a no."""
    found = np.zeros(PARTS.shape, np.bool_)
    rows, columns = np.indices(PARTS.shape)
    for row, col, positive in prompt.points:
        if positive:
            found |= np.equal(PARTS, PARTS[row, col]) if PARTS[row, col] < 3 else True
    for row, col, positive in prompt.points:
        if not positive:
            for yes in (point for point in prompt.points if point[2]):
                far = (rows - yes[0]) ** 2 + (columns - yes[1]) ** 2
                found &= (rows - row) ** 2 + (columns - col) ** 2 > far
    return found


def test_a_positive_click_adds_its_part():
    changed = refine(PARTS == 1, Prompt(points=((4, 8, True),)), find)
    assert np.array_equal(changed, PARTS <= 2)


def test_a_negative_click_takes_its_part_away_and_nothing_else():
    changed = refine(PARTS <= 2, Prompt(points=((4, 8, False),)), find)
    assert np.array_equal(changed, PARTS == 1)


def test_a_negative_click_that_means_everything_leaves_the_middle_of_the_rest():
    changed = refine(PARTS <= 3, Prompt(points=((4, 14, False),)), find)
    assert changed[4, 4]
    assert not changed[4, 14]
    assert 0 < changed.sum() < PARTS.size


def test_a_negative_click_on_the_only_pixel_leaves_nothing():
    only = np.zeros(PARTS.shape, np.bool_)
    only[4, 14] = True
    with pytest.raises(InvalidPrompt, match="delete it in the editor"):
        refine(only, Prompt(points=((4, 14, False),)), find)


def test_clicks_are_kept_to_the_pixel():
    prompt = Prompt(points=((4, 8, True), (4, 9, False), (4, 2, False)))
    changed = refine(PARTS == 1, prompt, find)
    assert changed[4, 8]
    assert not changed[4, 9]
    assert not changed[4, 2]


def test_a_stroke_of_ground_is_taken_away_but_not_the_corners_beside_a_box():
    scribble = np.zeros(PARTS.shape, np.int8)
    scribble[:, 3] = -1
    carved = refine(PARTS == 1, Prompt(scribble=scribble), find)
    assert np.array_equal(carved, (PARTS == 1) & (scribble == 0))
    kept = refine(PARTS == 1, Prompt(scribble=scribble, boxes=((0, 2, 9, 5),)), find)
    assert np.array_equal(kept, PARTS == 1)
