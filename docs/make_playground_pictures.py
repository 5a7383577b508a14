"""Makes the pictures of the playground's page in a real browser: part of ``make pictures``."""

import logging
import shutil
import tempfile
import threading
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright
from werkzeug.serving import make_server

from prebrush.settings import Settings, StorageSettings
from prebrush.warming import warm_kernels
from prebrush.web import create_app

IMAGES = Path(__file__).parent / "images"
FLAGS = ["--no-sandbox", "--disable-gpu"]
JPEG_QUALITY = 88


def main() -> None:
    """Write every picture."""
    warm_kernels()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        settings = Settings(storage=StorageSettings(url=f"sqlite:///{folder}/data"))
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        server = make_server("127.0.0.1", 0, create_app(settings), threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        # seen once before, so that the times told are not those of a first time
        for name, size, scheme, steps in (
            ("playground", (1280, 800), "light", gallery),
            ("playground", (1280, 800), "light", gallery),
            ("playground_sliders", (1280, 800), "dark", sliders),
            ("playground_clicks", (1280, 720), "light", clicks),
            ("playground_phone", (390, 780), "light", phone),
        ):
            context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
            page = context.new_page()
            page.goto(f"http://127.0.0.1:{server.server_port}/playground")
            page.wait_for_selector("#ready", state="attached")
            steps(page)
            write(page, name)
            context.close()
        browser.close()
        server.shutdown()


def gallery(page: Page) -> None:
    """Show all methods on one photo."""
    begin(page, "coffee")


def sliders(page: Page) -> None:
    """Show one method on stained cells, two sliders moved."""
    begin(page, "cells")
    open_method(page, "watershed")
    for knob, value in (("params-neck", "0.95"), ("params-depth", "4")):
        page.fill(f"#{knob}", value)
        page.keyboard.press("Tab")
        settle(page)


def clicks(page: Page) -> None:
    """Show an object that was clicked on, and a click on what is not part of it."""
    begin(page, "coffee")
    open_method(page, "auto")
    page.get_by_role("radio", name="Click").check()
    result = page.locator("#result")
    width, height = result.evaluate("pane => [pane.clientWidth, pane.clientHeight]")
    result.click(position={"x": 0.475 * width, "y": 0.375 * height})
    settle(page)
    result.click(position={"x": 0.25 * width, "y": 0.7 * height}, modifiers=["Alt"])
    settle(page)


def phone(page: Page) -> None:
    """Show a method on a narrow screen, scrolled to its sliders."""
    begin(page, "cells")
    open_method(page, "watershed")
    page.evaluate("scrollTo(0, 560)")
    page.wait_for_timeout(300)


def begin(page: Page, sample: str) -> None:
    """Open a sample photo and wait for all methods."""
    page.click(f"[data-name='{sample}.jpg']")
    expect(page.locator("#status")).to_contain_text("methods in", timeout=120_000)
    page.wait_for_timeout(400)


def open_method(page: Page, name: str) -> None:
    """Open one method's card."""
    page.locator(".card", has=page.get_by_text(name, exact=True)).click()
    settle(page)


def settle(page: Page) -> None:
    """Wait for the masks of what is set."""
    page.wait_for_timeout(200)
    expect(page.locator("#result")).to_have_attribute("aria-busy", "false", timeout=60_000)


def write(page: Page, name: str) -> None:
    """Write what the page shows, with nothing under the pointer."""
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(400)
    page.screenshot(path=IMAGES / f"{name}.jpg", type="jpeg", quality=JPEG_QUALITY)


if __name__ == "__main__":
    main()
