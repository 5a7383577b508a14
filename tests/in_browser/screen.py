"""What the browser shows of the playground, and how a person gets about in it."""

import numpy as np
import pytest

sync_api = pytest.importorskip("playwright.sync_api")

READ_OVERLAY = """() => {
  const canvas = document.querySelector("#result .overlay");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  // white is what lies around an object
  const isColored = (at) => data[at + 3] > 0 && !(data[at] === 255 && data[at + 1] === 255 && data[at + 2] === 255);
  return [canvas.height, canvas.width, Array.from({ length: data.length / 4 }, (_, at) => +isColored(4 * at))];
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
    height, width, colored = page.evaluate(READ_OVERLAY)
    return np.array(colored, np.bool_).reshape(height, width)


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


def tab_to(page, selector: str) -> None:
    """Press Tab until an element has the focus, as a person without a mouse does."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement?.matches(selector)", selector):
            return
    raise AssertionError(f"Tab never comes to {selector}")
