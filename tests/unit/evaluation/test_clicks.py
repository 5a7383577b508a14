"""The simulated person: where the next click goes, and when it is enough."""

import numpy as np

from prebrush.evaluation.clicks import MOST_CLICKS, count_clicks
from scenes import disc

OBJECT = disc(60, 80, 30, 40, 15).astype(np.int32)


def test_one_click_is_enough_for_a_perfect_answer():
    asked = []

    def answer(prompt):
        asked.append(prompt)
        return OBJECT

    assert count_clicks(OBJECT, answer) == 1
    assert asked[0].points == ((30, 40, True),)


def test_further_clicks_go_into_the_widest_mistake():
    # a bar beside the object is missed, then the ground is taken, then all is right
    truth = OBJECT.copy()
    truth[10:50, 64:74] = 1
    answers = [OBJECT, np.ones_like(OBJECT), truth]
    asked = []

    def answer(prompt):
        asked.append(prompt.points[-1])
        return answers[len(asked) - 1]

    assert count_clicks(truth, answer) == 3
    assert asked[0] == (30, 40, True)
    row, col, positive = asked[1]
    assert positive
    assert 68 <= col <= 69
    row, col, positive = asked[2]
    assert not positive
    assert truth[row, col] == 0


def test_undecided_pixels_are_neither_right_nor_wrong():
    truth = OBJECT.copy()
    truth[disc(60, 80, 30, 40, 22) & (OBJECT == 0)] = -1
    found = disc(60, 80, 30, 40, 22).astype(np.int32)
    assert count_clicks(truth, lambda _: found) == 1


def test_who_is_never_content_gives_up():
    assert count_clicks(OBJECT, lambda _: np.zeros_like(OBJECT)) == MOST_CLICKS
