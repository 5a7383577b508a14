"""From images to saved masks: a person's way through Label Studio, with a real browser."""

import re

import numpy as np
import pytest

from demo.processes import wait_for
from end_to_end.browser import Annotator
from end_to_end.connected import Connected, complaints_of
from end_to_end.masks import decode_masks, overlap
from end_to_end.pictures import DISC

WITH_TRUTH = ("scene.png", "turned.jpg", "transparent.png", "sixteen_bit.png", "cmyk.jpg")


def test_every_task_has_one_prediction(connected: Connected) -> None:
    predictions = connected.studio.predictions(connected.project)

    assert sorted(each["task"] for each in predictions) == sorted(connected.tasks.values())
    assert len(connected.tasks) == 16
    names = {task: name for name, task in connected.tasks.items()}
    assert [names[each["task"]] for each in predictions if not each["result"]] == []
    (version,) = {each["model_version"] for each in predictions}
    assert re.fullmatch("prebrush-[a-z_]+-[0-9a-f]{8}", version)


def test_retrieving_again_adds_nothing(connected: Connected) -> None:
    before = {each["id"] for each in connected.studio.predictions(connected.project)}

    connected.studio.retrieve_predictions(connected.project)

    assert {each["id"] for each in connected.studio.predictions(connected.project)} == before


@pytest.mark.parametrize("name", WITH_TRUTH)
def test_mask_shows_where_the_object_is(connected: Connected, annotator: Annotator, name: str) -> None:
    truth = connected.pictures[name].truth
    assert truth is not None

    annotator.open_task(connected.project, connected.tasks[name])
    wait_for(lambda: overlap(annotator.look().painted(), truth) > 0.9, f"the mask of {name} on the screen")

    view = annotator.look()
    assert view.visible.mean() > 0.8
    assert overlap(view.painted(), truth & view.visible) > 0.95
    assert view.painted()[DISC]
    assert view.painted()[~truth].mean() < 0.01


def test_mask_of_a_photo_shows(connected: Connected, annotator: Annotator) -> None:
    # gray, so that color is mask; what the mask is to be, is what the prediction holds
    expected = decode_masks(connected.prediction("coins.png")["result"])

    annotator.open_task(connected.project, connected.tasks["coins.png"])

    wait_for(
        lambda: overlap((view := annotator.look()).painted(), expected & view.visible) > 0.9,
        "the mask of coins.png on the screen",
    )


def test_accepted_prediction_is_saved(connected: Connected, annotator: Annotator) -> None:
    prediction = connected.prediction("scene.png")
    webhooks = connected.answered_webhooks()
    annotator.open_task(connected.project, connected.tasks["scene.png"])
    wait_for(lambda: annotator.region_count() == len(prediction["result"]), "the regions in the list")

    annotator.submit()

    (saved,) = connected.studio.annotations(connected.tasks["scene.png"])
    assert saved["parent_prediction"] == prediction["id"]
    assert {region["origin"] for region in saved["result"]} == {"prediction"}
    assert [region["value"]["brushlabels"] for region in saved["result"]] == [["Object"]] * len(prediction["result"])
    assert np.array_equal(decode_masks(saved["result"]), decode_masks(prediction["result"]))
    wait_for(lambda: connected.answered_webhooks() > webhooks, "prebrush's answer to the webhook of the annotation")


def test_corrected_prediction_is_saved(connected: Connected, annotator: Annotator) -> None:
    # on the turned picture, where a stroke lands elsewhere if anything is turned wrongly
    predicted = decode_masks(connected.prediction("turned.jpg")["result"])
    webhooks = connected.answered_webhooks()
    row, col = DISC
    annotator.open_task(connected.project, connected.tasks["turned.jpg"])
    wait_for(lambda: annotator.look().painted()[DISC], "the mask on the screen")

    annotator.select_region_at(row, col)
    annotator.choose_tool("eraser")
    annotator.drag((row, col - 30), (row, col), (row, col + 30))
    wait_for(lambda: not annotator.look().painted()[DISC], "the erased pixels on the screen")
    annotator.submit()

    (saved,) = connected.studio.annotations(connected.tasks["turned.jpg"])
    corrected = decode_masks(saved["result"])
    erased = predicted & ~corrected
    assert erased[row, col - 30 : col + 31].all()
    assert not (corrected & ~predicted).any()
    assert erased.sum() < predicted.sum() / 2
    assert "prediction-changed" in {region["origin"] for region in saved["result"]}
    wait_for(lambda: connected.answered_webhooks() > webhooks, "prebrush's answer to the webhook of the annotation")


def test_server_complained_about_nothing(connected: Connected) -> None:
    assert complaints_of(connected.prebrush) == []
