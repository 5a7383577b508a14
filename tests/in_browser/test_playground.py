"""The playground in a real browser against a real server: drop a photo, change a knob, copy the setting."""

import shutil

import cv2
import numpy as np
import pytest

from servers import Server

sync_api = pytest.importorskip("playwright.sync_api")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@pytest.fixture(scope="module")
def page():
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser.new_page()
        browser.close()


@pytest.fixture
def photo(tmp_path):
    image = np.full((120, 160, 3), 30, np.uint8)
    cv2.circle(image, (50, 60), 25, (40, 220, 250), -1)
    cv2.circle(image, (120, 60), 25, (200, 120, 40), -1)
    cv2.imwrite(str(tmp_path / "photo.png"), image)
    return tmp_path / "photo.png"


def test_a_photo_is_segmented_and_the_setting_can_be_copied(page, photo, tmp_path):
    expect = sync_api.expect  # Playwright's wait_for_function is what the page's security policy forbids
    faults = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    with Server(tmp_path) as server:
        page.set_viewport_size({"width": 1200, "height": 800})
        page.goto(f"{server.url}/playground")
        page.set_input_files("#file", photo)
        page.wait_for_selector("#overlay:not([hidden])")
        page.select_option("#method", "kmeans")
        expect(page.locator("#status")).to_contain_text("by kmeans")
        before = page.get_attribute("#overlay", "src")
        page.fill("#knob-n_clusters", "2")
        page.press("#knob-n_clusters", "Tab")
        expect(page.locator("#overlay")).not_to_have_attribute("src", before)
        assert 'model_method="kmeans" model_n_clusters="2"' in page.input_value("#tag")
        page.fill("#knob-n_clusters", "99")
        page.press("#knob-n_clusters", "Tab")
        page.wait_for_selector("#status.error")
        assert "0 to 32" in page.inner_text("#status")
    # the refused value is answered with 400, which the browser notes on its console; nothing else may be there
    assert [fault for fault in faults if "400" not in fault] == []
