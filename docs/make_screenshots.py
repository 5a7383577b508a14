"""Makes the pictures of Label Studio's editor by driving the real one: ``make screenshots``.

The photos are scikit-image's: astronaut (NASA, public domain), coffee (CC0) and coins (no known restrictions).
"""

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from playwright.sync_api import Browser, FloatRect, ViewportSize

from demo.prebrush_server import run_prebrush
from demo.processes import Server, wait_for
from demo.project import BOX_LABEL, POINT_LABEL, smart_config
from demo.studio import Studio, run_studio
from end_to_end.browser import Annotator, open_browser, open_page

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images" / "editor"
JPEG_QUALITY = 88
FACE, COLLAR = (100, 230), (240, 150)
"""On the astronaut, (row, col)."""
AROUND_ALL = ((14, 70), (392, 484))
"""Corners of a box around cup and saucer."""
COFFEE, BELOW_RIM = (150, 285), (211, 298)
"""In the cup, and so near below its inside that a click there extends it."""
VIEWPORT: ViewportSize = {"width": 1240, "height": 960}
VIEWPORTS: dict[str, ViewportSize] = {"astronaut.png": VIEWPORT, "coffee.png": {"width": 1240, "height": 760}}
"""So large that photo and labels fit without scrolling."""
MARGIN_PX, TOOLS_PX = 10, 66
"""What is shown around the photo, and of the tools to its right."""
FORM: FloatRect = {"x": 220, "y": 117, "width": 800, "height": 710}
"""Where the form to connect is."""
SETTLE_MS = 700
"""The editor fades its hints and draws masks a moment after its answer."""


def main() -> None:
    """Write every picture."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    home = Path(os.environ.get("PREBRUSH_TEST_STUDIO", ROOT / ".venv-studio"))
    with tempfile.TemporaryDirectory(prefix="prebrush-pictures-") as folder, open_browser() as browser:
        place = Path(folder)
        show_report(browser, place)
        (place / "studio").mkdir()
        with run_studio(home, place / "studio", place / "studio.log") as studio:
            settings = {"LABEL_STUDIO_URL": studio.url, "LABEL_STUDIO_API_KEY": studio.create_access_token()}
            with run_prebrush(place, place / "prebrush.log", settings) as prebrush:
                annotator = Annotator(open_page(browser), studio)
                annotator.page.set_viewport_size(VIEWPORT)
                annotator.log_in()
                show_connecting(annotator, studio.create_project("Things", smart_config("Thing")))
                for show in (show_prediction, show_points, show_box, show_refining):
                    show(annotator, studio, prebrush)


def show_report(browser: Browser, place: Path) -> None:
    """The page that `prebrush evaluate` writes."""
    (place / "nuclei").mkdir()
    for path in (ROOT / "tests" / "images").glob("*.png"):
        shutil.copy(path, place / "nuclei" / path.name.replace("_gt", "_mask"))
    command = [sys.executable, "-m", "prebrush", "evaluate", "nuclei", "--methods", "threshold,watershed"]
    subprocess.run(command, cwd=place, check=True)
    page = open_page(browser)
    page.set_viewport_size(VIEWPORT)
    page.goto((place / "report" / "index.html").as_uri())
    page.screenshot(path=IMAGES.parent / "report.jpg", type="jpeg", quality=JPEG_QUALITY)
    page.close()


def show_prediction(annotator: Annotator, studio: Studio, prebrush: Server) -> None:
    """A task whose masks are there when it is opened."""
    project = make_project(studio, prebrush, "Coins", "Coin")
    task = studio.upload(project, "coins.png", sample("coins.png"))
    studio.retrieve_predictions(project)
    wait_for(lambda: studio.predictions(project), "the masks", 120)
    annotator.open_task(project, task)
    take(annotator, "prediction")


def show_connecting(annotator: Annotator, project: int) -> None:
    """The form that connects a backend."""
    page = annotator.page
    page.goto(f"{annotator.studio.url}/projects/{project}/settings/ml")
    page.get_by_text("Connect Model").last.click()
    page.locator("input[name=title]").fill("prebrush")
    page.locator("input[name=url]").fill("http://localhost:9090")
    # the switch itself lies hidden under the drawn one
    page.locator("input[name=is_interactive]").check(force=True)
    take(annotator, "connect", FORM)


def show_points(annotator: Annotator, studio: Studio, prebrush: Server) -> None:
    """Smart tools, a click, a click with Alt, and what was accepted."""
    open_photo(annotator, studio, prebrush, "astronaut.png")
    annotator.page.locator(".lsf-tool:has(.lsf-tool__extra)").hover()
    take_picture(annotator, "smart_tools")
    annotator.choose_smart_tool("key-point-tool", label=POINT_LABEL)
    annotator.point(*FACE)
    take_picture(annotator, "click")
    annotator.choose_label(POINT_LABEL)
    annotator.point(*COLLAR, negative=True)
    take_picture(annotator, "alt_click")
    annotator.accept_suggestion()
    take_picture(annotator, "accepted")


def show_box(annotator: Annotator, studio: Studio, prebrush: Server) -> None:
    """A box around a thing."""
    open_photo(annotator, studio, prebrush, "coffee.png")
    annotator.choose_smart_tool("rectangle-tool", label=BOX_LABEL)
    annotator.drag_box(*AROUND_ALL)
    take_picture(annotator, "box")


def show_refining(annotator: Annotator, studio: Studio, prebrush: Server) -> None:
    """A region that is there already, and a click that extends it."""
    task = open_photo(annotator, studio, prebrush, "coffee.png", 'model_prompt_refine="true"')
    annotator.choose_smart_tool("key-point-tool", label=POINT_LABEL)
    (found,) = annotator.point(*COFFEE)
    annotator.accept_suggestion()
    take_picture(annotator, "before_refining")
    # Label Studio sends what it has stored, and its editor stores a change within five seconds
    wait_for(lambda: found["id"] in str(studio.call("GET", f"/api/tasks/{task}/drafts")), "the draft")
    annotator.choose_smart_tool("key-point-tool", label=POINT_LABEL)
    (changed,) = annotator.point(*BELOW_RIM)
    assert changed["id"] == found["id"], "the second click made a region of its own"
    annotator.accept_suggestion()
    take_picture(annotator, "refined")


def open_photo(annotator: Annotator, studio: Studio, prebrush: Server, name: str, attributes: str = "") -> int:
    """Open a photo in a project of its own, without regions, Auto-Annotation on; return the task's number."""
    project = make_project(studio, prebrush, "Things", "Thing", attributes)
    # a click on a mask that is shown would select it
    studio.call("PATCH", f"/api/projects/{project}/", {"show_collab_predictions": False})
    task = studio.upload(project, name, sample(name))
    annotator.page.set_viewport_size(VIEWPORTS[name])
    annotator.open_task(project, task, empty=True)
    annotator.switch_on_auto_annotation()
    return task


def make_project(studio: Studio, prebrush: Server, title: str, label: str, attributes: str = "") -> int:
    """Make a project that is connected to prebrush, and return its number."""
    project = studio.create_project(title, smart_config(label, attributes))
    studio.connect(project, prebrush.url)
    return project


def sample(name: str) -> bytes:
    """Return one of scikit-image's photos."""
    return (files("skimage.data") / name).read_bytes()


def take(annotator: Annotator, name: str, clip: FloatRect | None = None) -> None:
    """Take a picture of the page, or of a part of it."""
    annotator.page.wait_for_timeout(SETTLE_MS)
    annotator.page.screenshot(path=IMAGES / f"{name}.jpg", type="jpeg", quality=JPEG_QUALITY, clip=clip)


def take_picture(annotator: Annotator, name: str) -> None:
    """Take a picture of the photo in the editor with the tools beside and below it."""
    box = annotator.page.locator(".konvajs-content").first.bounding_box()
    assert box, "the editor's stage is not displayed"
    size = annotator.page.viewport_size or VIEWPORT
    height = size["height"] - box["y"] + MARGIN_PX
    clip: FloatRect = {
        "x": box["x"] - MARGIN_PX,
        "y": box["y"] - MARGIN_PX,
        "width": box["width"] + TOOLS_PX,
        "height": height,
    }
    take(annotator, name, clip)


if __name__ == "__main__":
    main()
