"""The playground in a real browser against a real server: what a person does there, by mouse, by keys, on a phone."""

import base64
import json
import re

import cv2
import numpy as np
import pytest

from prebrush.recipes import build_recipe
from prebrush.segmenter import compute_segments

sync_api = pytest.importorskip("playwright.sync_api")
Axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe

READ_OVERLAY = """() => {
  const canvas = document.querySelector("#result .overlay");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return [canvas.height, canvas.width, Array.from(data.filter((_, index) => index % 4 === 3))];
}"""
DROP = """([files]) => {
  const transfer = new DataTransfer();
  for (const [name, base64] of files) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type: "image/png" }));
  }
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""


def expect(locator):
    return sync_api.expect(locator)


def settled(page, *words: str) -> str:
    """Wait until an answer with these words is shown."""
    for word in words:
        expect(page.locator("#status")).to_contain_text(word, timeout=30_000)
    expect(page.locator("#result")).to_have_attribute("aria-busy", "false", timeout=30_000)
    return page.inner_text("#status")


def covered(page) -> np.ndarray:
    """Return which pixels of the photo are coloured: bool (H, W)."""
    height, width, alphas = page.evaluate(READ_OVERLAY)
    return np.array(alphas, np.uint8).reshape(height, width) > 0


def open_method(page, name: str) -> None:
    page.locator(".card", has=page.get_by_text(name, exact=True)).click()
    settled(page, "segment", " in ")


def place_of(page, row: int, col: int, shape=(240, 320)) -> tuple[float, float]:
    """Return where on the screen a pixel of the photo is while all of it is seen."""
    box = page.locator("#result").bounding_box()
    scale = min(box["width"] / shape[1], box["height"] / shape[0])
    return (
        box["x"] + box["width"] / 2 + (col + 0.5 - shape[1] / 2) * scale,
        box["y"] + box["height"] / 2 + (row + 0.5 - shape[0] / 2) * scale,
    )


def test_dropped_photos_go_through_every_method(open_page, photos):
    page = open_page()
    files = [[path.name, base64.b64encode(path.read_bytes()).decode()] for path in photos]
    page.evaluate(DROP, [files])
    expect(page.locator("#place")).to_have_text("1 of 2")
    expect(page.locator("#status")).to_contain_text("methods in", timeout=60_000)
    cards = page.locator(".card")
    assert cards.count() > 15
    for facts in page.locator(".card .facts").all_inner_texts():
        assert re.fullmatch(r"\d+ segments? in [\d.]+ m?s", facts), facts
    # the keys flip on, and the gallery is of the other photo
    threshold = page.locator(".card", has=page.get_by_text("threshold", exact=True))
    expect(threshold).to_contain_text("2 segments")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#place")).to_have_text("2 of 2")
    expect(threshold).to_contain_text("3 segments", timeout=60_000)


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
    settled(page, ": ")
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


def test_the_setting_holds_from_photo_to_photo(open_page, photos):
    page = open_page()
    page.set_input_files("#file", photos)
    open_method(page, "threshold")
    settled(page, "2 segments")
    page.click("#later")
    expect(page.locator("#place")).to_have_text("2 of 2")
    settled(page, "3 segments")
    page.locator("#result").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#place")).to_have_text("1 of 2")
    settled(page, "2 segments")
    page.get_by_role("button", name="All methods").click()
    expect(page.locator("#gallery-title")).to_be_focused()


def test_a_photo_that_the_server_forgot_is_sent_again(open_page, photos):
    page = open_page(allowed="404")
    page.set_input_files("#file", photos[0])
    open_method(page, "threshold")
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.url.endswith("/images") else None)
    answers = iter([404])

    def forget(route) -> None:
        if next(answers, None):
            route.fulfill(status=404, json={"error": "image_not_found", "detail": "gone"})
        else:
            route.continue_()

    page.route("**/playground/segment", forget)
    page.fill("#params-sigma", "1")
    page.keyboard.press("Tab")
    page.wait_for_event("response", lambda response: response.url.endswith("/segment") and response.ok)
    settled(page, "2 segments")
    assert len(sent) == 1


def test_the_setting_is_copied_in_every_form(open_page, photos):
    import yaml

    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.set_input_files("#file", photos[0])
    open_method(page, "kmeans")
    page.fill("#params-n_clusters", "6")
    page.keyboard.press("Tab")
    settled(page, "segment")
    page.get_by_text("Clean-up").click()
    page.select_option("#regions-instances", "merge")
    settled(page, "segment")

    def copied(form: str) -> str:
        page.get_by_role("radio", name=form).check()
        page.click("#copy")
        expect(page.locator("#status")).to_have_text("Copied.")
        return page.evaluate("navigator.clipboard.readText()")

    assert copied("Tag") == (
        '<BrushLabels name="mask" toName="image" model_method="kmeans" model_n_clusters="6" model_instances="merge">'
    )
    choice = {"method": "kmeans", "params": {"n_clusters": 6}, "regions": {"instances": "merge"}}
    assert json.loads(copied("JSON")) == choice
    assert yaml.safe_load(copied("YAML")) == {"default": choice}


def test_a_task_of_a_project_is_tried_and_its_setting_saved(open_page, server, file_server, photos):
    """The stand-in for Label Studio gives a list of tasks and their images."""
    folder = file_server.folder
    (folder / "data/upload/1").mkdir(parents=True)
    (folder / "api").mkdir()
    tasks = []
    for number, photo in enumerate(photos, start=41):
        (folder / "data/upload/1" / photo.name).write_bytes(photo.read_bytes())
        tasks.append({"id": number, "data": {"image": f"/data/upload/1/{photo.name}"}})
    (folder / "api/tasks").write_text(json.dumps({"tasks": tasks}))
    config = (
        '<View><Image name="image" value="$image"/><BrushLabels name="mask" toName="image" >'
        '<Label value="Disc"/></BrushLabels></View>'
    )
    setup = {"project": "7.1700000000", "schema": config, "hostname": file_server.url, "access_token": "t"}
    setup["extra_params"] = json.dumps({"labels": {"rule": "size"}})
    before = server.ask("POST", "/setup", json=setup).json()["model_version"]
    page = open_page()
    page.select_option("#project", "7.1700000000")
    page.click("#open-project")
    expect(page.locator("#place")).to_have_text("1 of 2")
    expect(page.locator("#status")).to_contain_text("methods in", timeout=60_000)
    open_method(page, "threshold")
    settled(page, "2 segments")
    expect(page.get_by_label("Name of label 1")).to_have_value("Disc")
    assert page.input_value("#labels-rule") == "size"
    page.keyboard.press("ArrowRight")
    settled(page, "3 segments")
    page.click("#save-setting")
    expect(page.locator("#status")).to_contain_text("new predictions are prebrush-threshold-")
    saved = re.search(r"prebrush-threshold-[0-9a-f]{8}", page.inner_text("#status"))[0]
    assert server.ask("POST", "/setup", json=setup).json()["model_version"] == saved != before
    page.click("#unsave")
    expect(page.locator("#status")).to_contain_text("Taken back")
    assert server.ask("POST", "/setup", json=setup).json()["model_version"] == before


def test_a_file_that_the_browser_cannot_show_is_shown_by_the_server(open_page, photos, tmp_path):
    cv2.imwrite(str(tmp_path / "scan.tiff"), cv2.imread(str(photos[1])))
    page = open_page()
    page.set_input_files("#file", tmp_path / "scan.tiff")
    open_method(page, "threshold")
    settled(page, "3 segments")
    assert covered(page).shape == (240, 320)
    shown = cv2.imdecode(np.frombuffer(page.locator("#original").screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert shown.std() > 30


def tab_to(page, selector: str) -> None:
    """Press Tab until an element has the focus, as a person without a mouse does."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement?.matches(selector)", selector):
            return
    raise AssertionError(f"Tab never comes to {selector}")


def test_everything_is_done_without_a_mouse(open_page):
    page = open_page()
    tab_to(page, "[data-name='cells.jpg']")
    page.keyboard.press("Enter")
    expect(page.locator("#gallery-title")).to_be_focused()
    expect(page.locator("#status")).to_contain_text("methods in", timeout=60_000)
    tab_to(page, ".card")
    page.keyboard.press("Enter")
    settled(page, "segment", " in ")
    tab_to(page, "#result")
    page.keyboard.press("+")
    expect(page.locator("#result.is-zoomed")).to_have_count(1)
    page.keyboard.press("0")
    tab_to(page, "input[name=mode]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+Tab")
    expect(page.locator("#result")).to_be_focused()
    for key in ("ArrowRight", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#result svg circle.wanted")).to_have_count(1)
    settled(page, "by prompt")
    page.keyboard.press("Backspace")
    expect(page.locator("#result svg circle")).to_have_count(0)
    settled(page, ": ")
    # a box: two corners
    tab_to(page, "input[name=mode]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+Tab")
    for key in ("Enter", "ArrowRight", "ArrowRight", "ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#result svg rect")).to_have_count(1)
    settled(page, "segment")
    tab_to(page, "#method")
    page.keyboard.type("slic")
    settled(page, "segment")
    tab_to(page, "#params-n_segments-slider")
    value = page.input_value("#params-n_segments")
    page.keyboard.press("ArrowRight")
    assert page.input_value("#params-n_segments") != value
    page.keyboard.press("Escape")
    expect(page.locator("#gallery-title")).to_be_focused()


def opened(page, photo) -> None:
    """Show everything there is of the editor."""
    page.set_input_files("#file", photo)
    open_method(page, "watershed")
    for summary in page.locator("details:visible > summary").all():
        summary.click()
    page.click("#add-label")
    settled(page, "segment")


def test_a_phone_needs_no_scrolling_sideways(open_page, photos):
    page = open_page(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)

    def overhang() -> int:
        return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    assert overhang() == 0
    page.set_input_files("#file", photos[0])
    expect(page.locator("#status")).to_contain_text("methods in", timeout=60_000)
    assert overhang() == 0
    opened(page, photos[1])
    assert overhang() == 0
    # one column, and the picture stays in sight while a slider far below is moved
    page.get_by_label("min_area, slider").scroll_into_view_if_needed()
    box = page.locator("#result").bounding_box()
    assert box["y"] >= -1
    assert box["width"] >= 359


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_view(open_page, photos, scheme):
    page = open_page(color_scheme=scheme, reduced_motion="reduce")

    def violations() -> list[str]:
        found = Axe().run(page).response["violations"]
        return [f"{each['id']}: {node['html'][:120]}" for each in found for node in each["nodes"]]

    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    assert violations() == []
    page.set_input_files("#file", photos)
    expect(page.locator("#status")).to_contain_text("methods in", timeout=60_000)
    assert violations() == []
    opened(page, photos[0])
    assert violations() == []


def test_the_theme_is_the_systems_until_somebody_chooses(open_page):
    page = open_page(color_scheme="dark")
    dark = page.screenshot()
    page.get_by_role("button", name="Dark colours").click()
    assert page.screenshot() != dark
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "light"


def test_what_is_no_image_is_said_in_words(open_page, tmp_path, photos):
    (tmp_path / "broken.png").write_bytes(photos[0].read_bytes()[:200])
    (tmp_path / "notes.txt").write_text("no image")
    page = open_page(allowed="415")
    page.set_input_files("#file", tmp_path / "notes.txt")
    expect(page.locator("#status.error")).to_contain_text("no image")
    page.set_input_files("#file", tmp_path / "broken.png")
    expect(page.locator("#status.error")).to_contain_text("cannot be decoded", timeout=30_000)
