"""Pointing at the picture: clicks and boxes as in Label Studio, zoom and pan in step."""

import cv2
import numpy as np

from .screen import covered, expect, open_method, place_of, settled


def test_clicks_and_boxes_mark_as_in_label_studio(open_page, photos):
    page = open_page()
    page.set_input_files("#file", photos[1])
    open_method(page, "auto")
    disc = np.zeros((240, 320), np.uint8)
    cv2.circle(disc, (160, 120), 35, 1, -1)

    def overlap() -> float:
        found = covered(page)
        return np.count_nonzero(found & (disc > 0)) / max(1, np.count_nonzero(found | (disc > 0)))

    page.get_by_role("radio", name="Click").check()
    page.mouse.click(*place_of(page, 120, 160))
    settled(page, "1 segment in", "by prompt")
    assert overlap() > 0.9
    # a second disc joins; the mark that says "not this" takes it away
    page.mouse.click(*place_of(page, 120, 60))
    expect(page.locator("#result svg circle")).to_have_count(2)
    settled(page)
    assert overlap() < 0.7
    page.click("#undo")
    page.keyboard.down("Alt")
    page.mouse.click(*place_of(page, 30, 60))
    page.keyboard.up("Alt")
    expect(page.locator("#result svg circle.unwanted")).to_have_count(1)
    settled(page, "1 segment in")
    assert overlap() > 0.9
    page.click("#clear")
    settled(page, " by threshold")
    assert overlap() < 0.7
    page.get_by_role("radio", name="Box").check()
    page.mouse.move(*place_of(page, 78, 118))
    page.mouse.down()
    page.mouse.move(*place_of(page, 140, 190), steps=4)
    page.mouse.move(*place_of(page, 162, 202), steps=4)
    page.mouse.up()
    settled(page, "1 segment in", "by prompt")
    assert overlap() > 0.9
    # with Alt, what is in a box is not the object
    page.keyboard.down("Alt")
    page.mouse.move(*place_of(page, 60, 160))
    page.mouse.down()
    page.mouse.move(*place_of(page, 180, 230), steps=4)
    page.mouse.up()
    page.keyboard.up("Alt")
    expect(page.locator("#result svg rect.unwanted")).to_have_count(1)
    settled(page)
    expect(page.locator("#result")).to_have_attribute("aria-busy", "false")
    assert not covered(page)[65:175, 165:225].any()


def test_both_pictures_move_in_step(open_page, photos):
    page = open_page()
    page.set_input_files("#file", photos[0])
    open_method(page, "threshold")

    def stages() -> list[str]:
        return [page.locator(f"#{pane} .stage").get_attribute("style") for pane in ("original", "result")]

    seen = {stages()[0]}

    def moved() -> None:
        original, result = stages()
        assert original == result
        assert original not in seen
        seen.add(original)

    page.mouse.move(*place_of(page, 120, 160))
    page.mouse.wheel(0, -400)
    expect(page.locator("#original.is-zoomed")).to_have_count(1)
    moved()
    page.mouse.down()
    page.mouse.move(*place_of(page, 100, 120), steps=3)
    page.mouse.up()
    moved()
    page.focus("#result")
    for key in ("+", "ArrowRight", "-"):
        page.keyboard.press(key)
        moved()
    page.keyboard.press("0")
    expect(page.locator("#original.is-zoomed")).to_have_count(0)


def test_two_fingers_zoom(open_page, photos):
    page = open_page(has_touch=True)
    page.set_input_files("#file", photos[0])
    open_method(page, "threshold")
    x, y = place_of(page, 120, 160)
    touch = page.context.new_cdp_session(page)
    for kind, apart in (("touchStart", 20), ("touchMove", 40), ("touchMove", 80), ("touchEnd", 0)):
        points = [] if kind == "touchEnd" else [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    expect(page.locator("#original.is-zoomed")).to_have_count(1)
    assert page.locator("#result .stage").get_attribute("style") == page.locator("#original .stage").get_attribute(
        "style"
    )
