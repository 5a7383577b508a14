"""Clicks and boxes: an annotator with Label Studio's smart tools, from the mark to the saved mask."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Browser

from demo.processes import Server, wait_for
from demo.project import BOX_LABEL, POINT_LABEL, smart_config
from demo.studio import Studio
from end_to_end.browser import Annotator, open_page
from end_to_end.connected import complaints_of
from end_to_end.masks import decode_masks, overlap
from end_to_end.pictures import ALONE, TOUCHED, TOUCHING, draw_discs

PICTURE, (FIRST, SECOND, THIRD) = draw_discs()


@pytest.fixture(scope="module")
def annotator(studio: Studio, browser: Browser) -> Iterator[Annotator]:
    """A page with a profile of its own: the browser keeps the switch of Auto-Annotation."""
    annotator = Annotator(open_page(browser), studio)
    annotator.log_in()
    yield annotator
    annotator.page.close()


def open_discs(studio: Studio, prebrush: Server, annotator: Annotator, attributes: str = "") -> int:
    """Open the drawn discs in a project of their own, with Auto-Annotation on and no region; return the task's id."""
    project = studio.create_project("clicks", smart_config(attributes=attributes))
    # a point cannot be started on a mask, and the prediction would show one on each disc
    studio.call("PATCH", f"/api/projects/{project}/", {"show_collab_predictions": False})
    studio.connect(project, prebrush.url)
    task = studio.upload(project, PICTURE.name, PICTURE.content)
    annotator.open_task(project, task, empty=True)
    annotator.switch_on_auto_annotation()
    return task


def wait_for_mask(annotator: Annotator, truth: npt.NDArray[np.bool_], bar: float = 0.9) -> None:
    """Wait until what is painted on the screen is the true mask; a mark that lies on it hides a little."""
    wait_for(lambda: overlap(annotator.look().painted(), truth) > bar, "the mask on the screen")


def test_points_mark_what_is_saved(studio: Studio, prebrush: Server, annotator: Annotator) -> None:
    task = open_discs(studio, prebrush, annotator)

    annotator.choose_smart_tool("key-point-tool", label=POINT_LABEL)
    (both,) = annotator.point(*TOUCHING)
    wait_for_mask(annotator, FIRST | SECOND)
    annotator.choose_label(POINT_LABEL)
    (one,) = annotator.point(*TOUCHED, negative=True)
    assert one["id"] != both["id"]
    wait_for_mask(annotator, FIRST)
    assert not annotator.look().painted()[TOUCHED[0], TOUCHED[1] + 10]
    annotator.accept_suggestion()
    wait_for_mask(annotator, FIRST, 0.95)
    # the points are gone with the suggestion
    assert annotator.region_count() == 1
    annotator.submit()

    (saved,) = studio.annotations(task)
    (region,) = saved["result"]
    assert region["id"] == one["id"]
    assert region["from_name"] == "mask"
    assert region["value"]["brushlabels"] == ["Object"]
    mask = decode_masks(saved["result"])
    assert np.array_equal(mask, decode_masks([one]))
    assert overlap(mask, FIRST) > 0.95
    assert mask[TOUCHING]
    assert not mask[TOUCHED]


def test_box_marks_what_is_saved(studio: Studio, prebrush: Server, annotator: Annotator) -> None:
    task = open_discs(studio, prebrush, annotator)

    annotator.choose_smart_tool("rectangle-tool", label=BOX_LABEL)
    row, col = ALONE
    (suggested,) = annotator.drag_box((row - 50, col - 45), (row + 50, col + 45))
    # the box has the label's color as well
    wait_for_mask(annotator, THIRD, 0.8)
    annotator.accept_suggestion()
    wait_for_mask(annotator, THIRD, 0.95)
    assert annotator.region_count() == 1
    annotator.submit()

    (saved,) = studio.annotations(task)
    mask = decode_masks(saved["result"])
    assert np.array_equal(mask, decode_masks([suggested]))
    assert overlap(mask, THIRD) > 0.95


def test_box_over_a_region_replaces_it(studio: Studio, prebrush: Server, annotator: Annotator) -> None:
    task = open_discs(studio, prebrush, annotator, 'model_prompt_refine="true"')
    annotator.choose_smart_tool("key-point-tool", label=POINT_LABEL)
    (accepted,) = annotator.point(*ALONE)
    annotator.accept_suggestion()
    wait_for_mask(annotator, THIRD, 0.95)
    # Label Studio sends what it has stored, and its editor stores a change within five seconds
    wait_for(lambda: accepted["id"] in str(studio.call("GET", f"/api/tasks/{task}/drafts")), "the draft")

    annotator.choose_smart_tool("rectangle-tool", label=BOX_LABEL)
    (changed,) = annotator.drag_box((40, 30), (200, 350))
    assert changed["id"] == accepted["id"]
    annotator.accept_suggestion()
    wait_for_mask(annotator, FIRST | SECOND | THIRD, 0.95)
    assert annotator.region_count() == 1
    annotator.submit()

    (saved,) = studio.annotations(task)
    assert [region["id"] for region in saved["result"]] == [accepted["id"]]
    assert overlap(decode_masks(saved["result"]), FIRST | SECOND | THIRD) > 0.95


def test_server_complained_about_nothing(prebrush: Server) -> None:
    assert complaints_of(prebrush) == []
