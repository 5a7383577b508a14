"""An annotator: a headless browser in Label Studio's labeling page, and what is to be seen there."""

import io
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from demo.processes import wait_for
from demo.studio import PASSWORD, USERNAME, Studio

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # Chromium would look for its maker's hosts at every start
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_VIEWPORT: ViewportSize = {"width": 1400, "height": 900}
_LIMIT_S = 30
"""How long any one step of the page may take; it is 1 s or less on an idle machine."""
_COLORFUL = 60
"""Pixels of a gray picture under a mask differ by over 100 between red, green and blue, others by less than 10."""

_IMAGE = "img[alt=image]"
"""The picture itself: Label Studio gives it the name of its tag in the labeling config."""
_REGION = ".lsf-outliner-item"
"""A line in the list of regions beside the picture."""
_CHOSEN = "lsf-label_selected"
"""The mark of the label that the next region gets."""
_ACCEPT = "[data-testid=bottombar-accept-suggestions-button]"
"""Takes all that a smart tool has suggested."""


@dataclass(frozen=True)
class View:
    """The picture as it is on the screen, sampled back to its own size.

    Attributes
    ----------
    colors : uint8 (H, W, 3)
        What a person sees at each pixel of the picture, masks included.
    visible : bool (H, W)
        False where the editor's zoom has pushed the pixel out of sight.
    """

    colors: npt.NDArray[np.uint8]
    visible: npt.NDArray[np.bool_]

    def painted(self) -> npt.NDArray[np.bool_]:
        """Tell which pixels of a gray picture are under a colored mask, bool (H, W)."""
        spread = self.colors.max(axis=2).astype(int) - self.colors.min(axis=2)
        painted: npt.NDArray[np.bool_] = self.visible & (spread > _COLORFUL)
        return painted


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start Chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise RuntimeError("no Chromium found; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(_FLAGS))
        yield browser
        browser.close()


def open_page(browser: Browser) -> Page:
    """Open an empty page with a profile of its own."""
    page = browser.new_page(viewport=_VIEWPORT)
    page.set_default_timeout(_LIMIT_S * 1000)
    return page


@dataclass
class Annotator:
    """A person at the labeling page."""

    page: Page
    studio: Studio

    def log_in(self) -> None:
        """Fill in the login form."""
        self.page.goto(f"{self.studio.url}/user/login/")
        self.page.fill("#email", USERNAME)
        self.page.fill("#password", PASSWORD)
        self.page.get_by_role("button", name="Log In").click()
        self.page.wait_for_url(lambda url: "/login" not in url)

    def open_task(self, project: int, task: int, *, empty: bool = False) -> None:
        """Open a task from the data manager's list; wait for picture, regions (if any) and tools."""
        self.page.goto(f"{self.studio.url}/projects/{project}/data?task={task}")
        self.page.wait_for_selector(f"{_IMAGE}[src]", state="attached")
        self.page.wait_for_function(f"document.querySelector('{_IMAGE}').naturalWidth > 0")
        self.page.wait_for_selector(".konvajs-content canvas")
        if not empty:
            self.page.wait_for_selector(_REGION)
        self.choose_tool("move-tool")

    def choose_tool(self, name: str) -> None:
        """Press a button of the toolbar until it stays down: ``move-tool``, ``brush-tool``, ``eraser``."""
        button = self.page.locator(f"button[aria-label={name}]")

        def is_down() -> bool:
            if "lsf-tool_active" in (button.get_attribute("class") or ""):
                return True
            button.click()
            return False

        wait_for(is_down, f"the editor's {name}", _LIMIT_S)
        # off the button, whose hint would lie over the picture
        self.page.mouse.move(0, 0)

    def switch_on_auto_annotation(self) -> None:
        """Turn on the switch below the picture, so that the toolbar has the smart tools."""
        # the box itself lies hidden under the drawn switch
        self.page.locator("[data-testid=bottombar-auto-annotation-toggle]").check(force=True)

    def choose_smart_tool(self, name: str, *, label: int) -> None:
        """Take a smart tool, ``key-point-tool`` or ``rectangle-tool``, and a label to mark with.

        Parameters
        ----------
        name : str
            The tool in the list that unfolds beside the wand.
        label : int
            Place of the label among those below the picture, which are in the order of the labeling config.
        """
        tool = self.page.locator(f"button.lsf-tool_smart[aria-label={name}]")
        self.page.locator(".lsf-tool:has(.lsf-tool__extra)").hover()
        tool.click()
        self.page.mouse.move(0, 0)
        self.choose_label(label)
        assert "lsf-tool_active" in (tool.get_attribute("class") or ""), f"the smart {name} did not stay chosen"

    def choose_label(self, label: int) -> None:
        """Press a label unless it is chosen; each mark that is made lets go of it."""
        button = self.page.locator(".lsf-label").nth(label)
        if _CHOSEN not in (button.get_attribute("class") or ""):
            button.click()
        self.page.locator(f".lsf-label.{_CHOSEN}").wait_for()

    def point(self, row: int, col: int, *, negative: bool = False) -> list[dict[str, Any]]:
        """Click with the smart key point, a negative one with Alt, and return the regions that come back."""

        def click() -> None:
            if negative:
                self.page.keyboard.down("Alt")
            self.page.mouse.click(*self._page_position(row, col))
            if negative:
                self.page.keyboard.up("Alt")

        return self._suggested_after(click)

    def drag_box(self, start: tuple[int, int], end: tuple[int, int]) -> list[dict[str, Any]]:
        """Draw the smart rectangle from one (row, col) to another and return the regions that come back."""
        return self._suggested_after(lambda: self.drag(start, end))

    def _suggested_after(self, mark: Callable[[], None]) -> list[dict[str, Any]]:
        with self.page.expect_response(lambda answer: answer.url.endswith("/interactive-annotating")) as answered:
            mark()
        # off the picture, where the pointer would highlight what is under it
        self.page.mouse.move(0, 0)
        content = answered.value.json()
        assert "data" in content, f"the smart tool was answered {answered.value.status}: {str(content)[:500]}"
        regions: list[dict[str, Any]] = content["data"]["result"]
        return regions

    def accept_suggestion(self) -> None:
        """Press the green button below the picture, and see that no suggestion is left."""
        self.page.click(_ACCEPT)
        self.page.wait_for_selector(_ACCEPT, state="detached")

    def region_count(self) -> int:
        """Count the regions in the list beside the picture."""
        return self.page.locator(_REGION).count()

    def select_region_at(self, row: int, col: int) -> None:
        """Click on a mask."""
        # once more: while it loads, the editor may go back to its first tool, and with that a click would paint
        self.choose_tool("move-tool")
        self.page.mouse.click(*self._page_position(row, col))
        self.page.wait_for_selector("button[aria-label=eraser]:not(.lsf-tool_disabled)")

    def drag(self, *positions: tuple[int, int]) -> None:
        """Press the mouse at the first (row, col) of the picture, draw it through the others, let go at the last."""
        first, *others = [self._page_position(row, col) for row, col in positions]
        self.page.mouse.move(*first)
        self.page.mouse.down()
        for position in others:
            self.page.mouse.move(*position, steps=10)
        self.page.mouse.up()

    def submit(self) -> dict[str, Any]:
        """Press Submit and return the annotation as Label Studio stored it."""
        with self.page.expect_response(
            lambda answer: answer.request.method == "POST" and "/annotations" in answer.url
        ) as answered:
            self.page.click("[data-testid=bottombar-submit-button]")
        answer = answered.value
        assert answer.status == 201, f"Submit was answered {answer.status}: {answer.text()[:500]}"
        stored: dict[str, Any] = answer.json()
        return stored

    def look(self) -> View:
        """Take a screenshot and read the picture's own pixels from it."""
        shot = np.asarray(Image.open(io.BytesIO(self.page.screenshot())).convert("RGB"))
        height, width = self._natural_size()
        rows, cols = np.mgrid[:height, :width]
        left, top, scale_x, scale_y = self._placement()
        x = np.floor(left + (cols + 0.5) * scale_x).astype(int)
        y = np.floor(top + (rows + 0.5) * scale_y).astype(int)
        stage = self.page.locator(".konvajs-content").first.bounding_box()
        assert stage, "the editor's stage is not displayed"
        visible = (x >= stage["x"]) & (x < stage["x"] + stage["width"])
        visible &= (y >= stage["y"]) & (y < stage["y"] + stage["height"])
        visible &= (x >= 0) & (x < shot.shape[1]) & (y >= 0) & (y < shot.shape[0])
        colors = np.zeros((height, width, 3), np.uint8)
        colors[visible] = shot[y[visible], x[visible]]
        return View(colors, visible)

    def screenshot(self, path: Path) -> None:
        """Save what is on the screen."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path)

    def _natural_size(self) -> tuple[int, int]:
        """Return the picture's (height, width) as the browser turned it."""
        size = self.page.eval_on_selector(_IMAGE, "image => [image.naturalHeight, image.naturalWidth]")
        return int(size[0]), int(size[1])

    def _placement(self) -> tuple[float, float, float, float]:
        """Return the picture's left and top on the page, and the page's pixels per picture's pixel in x and y."""
        box = self.page.eval_on_selector(
            _IMAGE,
            "image => { const box = image.getBoundingClientRect(); return [box.x, box.y, box.width, box.height] }",
        )
        height, width = self._natural_size()
        return box[0], box[1], box[2] / width, box[3] / height

    def _page_position(self, row: int, col: int) -> tuple[float, float]:
        left, top, scale_x, scale_y = self._placement()
        return left + (col + 0.5) * scale_x, top + (row + 0.5) * scale_y
