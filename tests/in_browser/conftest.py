"""A real server process and a real browser; whatever the browser complains of on its console fails the test."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from servers import Server

sync_api = pytest.importorskip("playwright.sync_api")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, server) -> Iterator[Callable[..., Any]]:
    """Open the playground in a browser of its own; `allowed` names what may be on the console, `url` another server."""
    contexts, faults = [], []

    def open_one(allowed: str = "", url: str = "", **context: Any) -> Any:
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context}))
        page = contexts[-1].new_page()

        def note(text: str) -> None:
            # the tests themselves read canvases back, which the page never does
            if not (allowed and allowed in text) and "willReadFrequently" not in text:
                faults.append(text)

        page.on("console", lambda message: note(message.text) if message.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: note(str(error)))
        page.goto(f"{url or server.url}/playground")
        page.wait_for_selector("#ready", state="attached")
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def photos(tmp_path) -> tuple[Path, Path]:
    """Two photos of discs on dark ground: two discs, and three."""
    found = []
    for count in (2, 3):
        image = np.full((240, 320, 3), 30, np.uint8)
        for place in range(count):
            cv2.circle(image, (60 + 100 * place, 120), 35, (40, 220 - 60 * place, 250), -1)
        found.append(tmp_path / f"discs{count}.png")
        cv2.imwrite(str(found[-1]), image)
    return found[0], found[1]
