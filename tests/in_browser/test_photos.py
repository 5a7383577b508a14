"""Photos come in, by drop, file and folder, are flipped through, and say so when they cannot be shown."""

import base64
import re

import cv2
import numpy as np

from servers import Server

from .screen import covered, expect, open_method, settled

DROP = """([files]) => {
  const transfer = new DataTransfer();
  for (const [name, base64] of files) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type: "image/png" }));
  }
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""


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


def test_a_file_that_the_browser_cannot_show_is_shown_by_the_server(open_page, photos, tmp_path):
    cv2.imwrite(str(tmp_path / "scan.tiff"), cv2.imread(str(photos[1])))
    page = open_page()
    page.set_input_files("#file", tmp_path / "scan.tiff")
    open_method(page, "threshold")
    settled(page, "3 segments")
    assert covered(page).shape == (240, 320)
    shown = cv2.imdecode(np.frombuffer(page.locator("#original").screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert shown.std() > 30


def test_what_is_no_image_is_said_in_words(open_page, tmp_path, photos):
    (tmp_path / "broken.png").write_bytes(photos[0].read_bytes()[:200])
    (tmp_path / "notes.txt").write_text("no image")
    page = open_page(allowed="415")
    page.set_input_files("#file", tmp_path / "notes.txt")
    expect(page.locator("#status.error")).to_contain_text("no image")
    page.set_input_files("#file", tmp_path / "broken.png")
    expect(page.locator("#status.error")).to_contain_text("cannot be decoded", timeout=30_000)


def test_what_is_left_out_of_many_files_stays_said_until_it_was_read(open_page, photos, tmp_path):
    for name in ("IMG_0001.HEIC", "paper.pdf"):
        (tmp_path / name).write_bytes(b"no image of a kind that is read")
    page = open_page()
    page.set_input_files("#file", tmp_path / "IMG_0001.HEIC")
    expect(page.locator("#status.error")).to_contain_text("IMG_0001.HEIC is no image of a kind that is read here")
    page.set_input_files("#file", [tmp_path / "IMG_0001.HEIC", photos[0], tmp_path / "paper.pdf"])
    expect(page.locator("#status")).to_contain_text("Left out: IMG_0001.HEIC and paper.pdf.")
    expect(page.locator("#place")).to_have_text("1 of 1")
    expect(page.locator(".is-waiting")).to_have_count(0, timeout=60_000)
    expect(page.locator("#status")).to_contain_text("methods in", timeout=60_000)


def test_a_broken_photo_among_good_ones_is_named_and_shows_nothing_of_the_one_before(open_page, photos, tmp_path):
    (tmp_path / "cut.png").write_bytes(photos[0].read_bytes()[:200])
    (tmp_path / "nothing.png").write_bytes(b"")
    page = open_page(allowed="415")
    page.set_input_files("#file", [photos[0], tmp_path / "cut.png", tmp_path / "nothing.png", photos[1]])
    open_method(page, "threshold")
    assert covered(page).any()
    page.click("#later")
    expect(page.locator("#status.error")).to_contain_text("cut.png: ")
    assert not covered(page).any()
    page.keyboard.press("Escape")
    expect(page.locator(".card .facts").first).to_have_text("not tried")
    page.click("#later")
    expect(page.locator("#status.error")).to_have_text("nothing.png: the file is empty")
    page.click("#later")
    open_method(page, "threshold")
    settled(page, "3 segments")


def test_a_folder_is_chosen_in_the_order_of_its_names(open_page, photos, tmp_path):
    folder = tmp_path / "field"
    folder.mkdir()
    for name in ("10.png", "9.png", "notes.txt"):
        (folder / name).write_bytes(photos[0].read_bytes())
    page = open_page()
    page.set_input_files("#folder", folder)
    expect(page.locator("#place")).to_have_text("1 of 2")
    assert page.inner_text("#photo-name") == "9.png"


def test_a_server_that_stops_is_said(open_page, photos, tmp_path):
    with Server(tmp_path) as server:
        page = open_page(allowed="ERR_CONNECTION_REFUSED", url=server.url)
        page.set_input_files("#file", photos[0])
        open_method(page, "threshold")
        settled(page, "2 segments")
        server.stop()
        page.fill("#params-sigma", "3")
        page.keyboard.press("Tab")
        expect(page.locator("#status.error")).to_have_text("The server does not answer. Is it still running?")
        expect(page.locator("#result")).to_have_attribute("aria-busy", "false")
        assert covered(page).any()
