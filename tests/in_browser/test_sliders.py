"""Sliders with live masks, and looks that ask nobody."""

import json

import cv2
import numpy as np

from prebrush.recipes import build_recipe
from prebrush.segmenter import compute_segments

from .screen import covered, expect, open_method, place_of, settled


def test_a_slider_moves_the_masks(open_page, photos):
    page = open_page()
    page.set_input_files("#file", photos[1])
    open_method(page, "threshold")
    settled(page, "3 segments")
    drawn = covered(page)
    truth = cv2.imread(str(photos[1]), cv2.IMREAD_GRAYSCALE) > 60
    assert np.count_nonzero(drawn & truth) / np.count_nonzero(drawn | truth) > 0.95
    before = page.locator("#result").screenshot()
    page.get_by_text("Clean-up").click()
    slider = page.get_by_label("max_regions, slider")
    slider.focus()
    page.keyboard.press("Home")
    settled(page, "1 segment in")
    assert page.input_value("#regions-max_regions") == "1"
    assert page.locator("#result").screenshot() != before
    assert np.count_nonzero(covered(page)) < np.count_nonzero(drawn) / 2
    page.fill("#regions-max_regions", "2")
    page.keyboard.press("Tab")
    settled(page, "2 segments")
    page.click("#reset")
    settled(page, "3 segments")


def test_a_slider_dragged_quickly_ends_at_its_last_value(open_page, photos):
    page = open_page()
    asked = []
    page.on("request", lambda request: asked.append(request) if request.url.endswith("/segment") else None)
    page.set_input_files("#file", photos[1])
    open_method(page, "slic")
    asked.clear()
    box = page.get_by_label("n_segments, slider").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    for step in range(60):
        page.mouse.move(box["x"] + box["width"] * (0.5 - step / 300), box["y"] + box["height"] / 2)
    page.mouse.up()
    n_segments = int(page.input_value("#params-n_segments"))
    assert 1 < n_segments < 200
    choice = {"method": "slic", "params": {"n_segments": n_segments}}
    pixels = cv2.imread(str(photos[1]))[..., ::-1]
    count = len(compute_segments(np.ascontiguousarray(pixels), build_recipe(choice)))
    settled(page, f"{count} segment")
    assert 0 < len(asked) <= 60
    last = json.loads(asked[-1].post_data)
    assert last["choice"]["params"] == {"n_segments": n_segments}
    # one at a time: each has a number of its own, and none is asked for twice
    assert [json.loads(each.post_data)["number"] for each in asked] == list(range(2, len(asked) + 2))


def test_looks_change_without_asking_the_server(open_page, photos):
    page = open_page()
    page.set_input_files("#file", photos[0])
    open_method(page, "threshold")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for change in (
        lambda: page.locator("#opacity").press("ArrowRight"),
        lambda: page.locator("#outlines").uncheck(),
        lambda: page.locator("#both").click(),
        lambda: page.locator("#theme").click(),
    ):
        before = page.screenshot()
        change()
        page.wait_for_timeout(300)
        assert page.screenshot() != before
    assert asked == []


def test_labels_name_the_segments_and_colour_them(open_page, photos):
    page = open_page()
    page.set_input_files("#file", photos[0])
    open_method(page, "threshold")
    before = page.locator("#result").screenshot()
    page.locator("summary", has_text="Labels").click()
    page.click("#add-label")
    settled(page, "2 segments")
    expect(page.locator("#by-label")).to_be_checked()
    page.get_by_label("Name of label 1").fill("Cell")
    page.keyboard.press("Tab")
    settled(page, "2 segments")
    same = page.locator("#result").screenshot()
    assert same != before
    page.get_by_label("Colour of label 1").fill("#00ff00")
    page.wait_for_timeout(200)
    assert page.locator("#result").screenshot() != same
    assert '<Label value="Cell"/>' in page.input_value("#setting")
    page.get_by_label("predicted_values of label 1").fill("nothing")
    page.keyboard.press("Tab")
    settled(page, "0 segments")


def test_what_is_slow_is_shown_as_a_draft_and_then_exactly(open_page, photos, tmp_path):
    large, other = tmp_path / "large.png", tmp_path / "other.png"
    cv2.imwrite(str(large), cv2.resize(cv2.imread(str(photos[1])), (640, 480), interpolation=cv2.INTER_CUBIC))
    cv2.imwrite(str(other), cv2.resize(cv2.imread(str(photos[0])), (640, 480), interpolation=cv2.INTER_CUBIC))
    page = open_page()
    asked = []
    page.on("request", lambda request: asked.append(request) if request.url.endswith("/segment") else None)

    held, is_held = [], False

    def slow_down(route) -> None:
        if is_held and "draft_pixels" not in route.request.post_data:
            # the draft is looked at first
            held.append(route)
            return
        # as if the method had taken a second, on any machine
        response = route.fetch()
        line, _, numbers = response.body().partition(b"\n")
        head = json.loads(line) | {"milliseconds": 1000.0}
        route.fulfill(status=200, body=json.dumps(head).encode() + b"\n" + numbers)

    page.set_input_files("#file", [large, other])
    expect(page.locator("#status")).to_contain_text("methods in", timeout=60_000)
    page.route("**/playground/segment", slow_down)
    open_method(page, "threshold")
    settled(page, "3 segments in 1.0 s")
    asked.clear()
    is_held = True
    page.fill("#params-sigma", "3")
    page.keyboard.press("Tab")
    expect(page.locator("#status")).to_contain_text("A draft")
    height, width = covered(page).shape
    assert 50_000 < height * width < 70_000
    is_held = False
    for route in held:
        slow_down(route)
    settled(page, "3 segments in 1.0 s")
    assert covered(page).shape == (480, 640)
    sizes = [json.loads(request.post_data).get("draft_pixels", 0) for request in asked]
    assert sizes == [60_000, 0]
    # marks are always answered exactly
    page.get_by_role("radio", name="Click").check()
    page.mouse.click(*place_of(page, 240, 320, (480, 640)))
    settled(page, "1 segment in 1.0 s")
    assert json.loads(asked[-1].post_data).get("draft_pixels", 0) == 0
    # the next photo comes as a draft, too
    asked.clear()
    page.click("#later")
    settled(page, "2 segments in 1.0 s")
    assert [json.loads(request.post_data).get("draft_pixels", 0) > 0 for request in asked] == [True, False]


def test_what_the_gallery_found_is_shown_before_the_server_answers(open_page, photos):
    page = open_page()
    page.set_input_files("#file", photos[1])
    expect(page.locator("#status")).to_contain_text("methods in", timeout=60_000)
    held = []
    page.route("**/playground/segment", lambda route: held.append(route))
    page.locator(".card", has=page.get_by_text("threshold", exact=True)).click()
    expect(page.locator("#status")).to_contain_text("A draft")
    truth = cv2.imread(str(photos[1]), cv2.IMREAD_GRAYSCALE) > 60
    drawn = covered(page)
    assert np.count_nonzero(drawn & truth) / np.count_nonzero(drawn | truth) > 0.95
    expect(page.locator("#result")).to_have_attribute("aria-busy", "true")
    (route,) = held
    route.continue_()
    settled(page, "3 segments in")


def test_a_knob_that_was_slow_is_asked_for_exactly_once_it_is_not(open_page, photos):
    page = open_page()
    page.set_input_files("#file", photos[1])
    expect(page.locator("#status")).to_contain_text("methods in", timeout=60_000)
    asked, times = [], iter((1.0, 120.0, 1.0, 1.0))

    def answer(route) -> None:
        response = route.fetch()
        line, _, numbers = response.body().partition(b"\n")
        asked.append(json.loads(route.request.post_data).get("draft_pixels", 0))
        # that a draft takes long says nothing of the exact masks, whose work may be done already
        head = json.loads(line) | {"milliseconds": 1000.0 if asked[-1] else next(times)}
        route.fulfill(status=200, body=json.dumps(head).encode() + b"\n" + numbers)

    page.route("**/playground/segment", answer)
    open_method(page, "threshold")
    for sigma, expected, told in (("1", [0], "120 ms"), ("2", [60_000, 0], "1.0 ms"), ("3", [0], "1.0 ms")):
        asked.clear()
        page.fill("#params-sigma", sigma)
        page.keyboard.press("Tab")
        settled(page, f"3 segments in {told}")
        assert asked == expected


def test_an_object_has_a_light_rim_where_outlines_are_drawn(open_page, photos):
    page = open_page()
    page.set_input_files("#file", photos[0])
    open_method(page, "threshold")
    count = """() => {
      const canvas = document.querySelector("#result .overlay");
      const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      let white = 0;
      for (let at = 0; at < data.length; at += 4) {
        white += data[at + 3] > 0 && Math.min(data[at], data[at + 1], data[at + 2]) === 255;
      }
      return white;
    }"""
    # about the length around two discs of 35 pixels' radius
    assert 300 < page.evaluate(count) < 700
    page.locator("#outlines").uncheck()
    assert page.evaluate(count) == 0
