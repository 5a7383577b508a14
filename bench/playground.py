"""The playground in a real browser beside a real server: from moving a knob until new masks are on the screen.

A hand that drags does not wait for the exact masks, and a draft is shown where those take long. So the bar is on the
first masks after each move of a drag; what the exact ones take is told beside them.
"""

import itertools
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import skimage.data
from playwright.sync_api import Page, expect, sync_playwright

import prebrush
from bench.harness import Row, WrongResultError
from demo.prebrush_server import run_prebrush
from prebrush.datatypes import RGBImage
from prebrush.recipes import build_recipe
from prebrush.segmenter import compute_segments
from prebrush.warming import warm_kernels

LIMIT_MS = 150
SIZE = (1224, 816)
"""Width and height of the photo: 1 MP."""
STEP, MOST_VALUES = 10, 30
"""By how many of its 1000 positions a slider is dragged at a time, and between how many values at most."""
EXACT = 3
"""Moves that the exact masks are waited for."""
FLAGS = ["--no-sandbox", "--disable-gpu"]

WATCH = """() => {
  const put = CanvasRenderingContext2D.prototype.putImageData;
  const isBusy = () => document.getElementById("result").getAttribute("aria-busy") === "true";
  let painted = () => {};
  CanvasRenderingContext2D.prototype.putImageData = function (...all) {
    put.apply(this, all);
    if (this.canvas.matches("#result .overlay")) painted(performance.now());
  };
  // milliseconds until the first masks after a move or, with `isExact`, until the exact ones
  window.moveKnob = ({ id, value, isExact }) => new Promise((resolve, reject) => {
    const control = document.getElementById(id);
    const start = performance.now();
    const late = setTimeout(() => reject(new Error(`no masks after ${id} = ${value}`)), 20000);
    painted = (now) => {
      if (!isExact) done(now - start);
      // the page says so in the same task, after the drawing
      else queueMicrotask(() => setTimeout(() => isBusy() || done(now - start)));
    };
    const done = (time) => {
      clearTimeout(late);
      painted = () => {};
      resolve(time);
    };
    if (control.type === "checkbox") control.checked = value;
    else control.value = value;
    for (const kind of ["input", "change"]) control.dispatchEvent(new Event(kind, { bubbles: true }));
  });
}"""

VALUES = """async ({ name, places }) => {
  const [{ valueAt }, { methodOf, state }] = await Promise.all(
    ["scale", "state"].map((part) => import(`/playground/static/${part}.js`)),
  );
  const knob = methodOf(state.method).knobs.find((each) => each.name === name);
  return places.map((place) => valueAt(knob, place));
}"""


@dataclass(slots=True)
class Drag:
    """A knob of the method that is open, moved to one value after the other."""

    page: Page
    id: str
    values: Iterator[Any]
    times: list[float] = field(default_factory=list)
    """Milliseconds until the first masks, of every move."""

    def move(self) -> None:
        """Move it and wait for the first masks."""
        self.times.append(self._move(is_exact=False))

    def move_and_wait(self) -> float:
        """Return the milliseconds until the exact masks."""
        return self._move(is_exact=True)

    def _move(self, *, is_exact: bool) -> float:
        move = {"id": self.id, "value": next(self.values), "isExact": is_exact}
        return float(self.page.evaluate("move => window.moveKnob(move)", move))


def rows() -> Iterator[Row]:
    warm_kernels()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        raise RuntimeError("there is no Chromium on this machine; install one to measure the playground")
    pixels = np.ascontiguousarray(cv2.resize(skimage.data.coffee(), SIZE, interpolation=cv2.INTER_CUBIC))
    environment = {"PYTHONPATH": str(Path(prebrush.__file__).parents[1])}
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        photo = Path(name) / "coffee.png"
        cv2.imwrite(str(photo), pixels[..., ::-1])
        with run_prebrush(Path(name), Path(name) / "server.log", environment) as server:
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"{server.url}/playground")
            page.set_input_files("#file", photo)
            expect(page.locator("#status")).to_contain_text("methods in", timeout=120_000)
            page.evaluate(WATCH)
            form = page.evaluate("fetch('playground/methods').then((answer) => answer.json())")
            page.locator(".card").first.click()
            for method in form["methods"]:
                settle(page)
                page.select_option("#method", method["name"])
                settle(page)
                for knob in method["knobs"]:
                    yield from knob_rows(page, pixels, method["name"], knob)
            browser.close()


def knob_rows(page: Page, pixels: RGBImage, method: str, knob: dict[str, Any]) -> Iterator[Row]:
    """Give the row of a knob; none of one whose text cannot be dragged."""
    page.click("#reset")
    settle(page)
    drag = drag_of(page, knob)
    if drag is None:
        return

    def check(_: None, __: None) -> str:
        settle(page)
        exact = [drag.move_and_wait() for _ in range(EXACT)]
        settle(page)
        shown = int(page.inner_text("#status").split()[0].replace(",", ""))
        choice = {"method": method, "params": {knob["name"]: value_of(page, knob)}}
        count = len(compute_segments(pixels, build_recipe(choice)))
        if shown != count:
            raise WrongResultError(f"{shown} segments are shown, and there are {count}")
        return f"first move {drag.times[0]:.0f} ms; exact masks after {statistics.median(exact):.0f} ms"

    yield Row(f"{method}: {knob['name']}", "coffee, 1 MP", drag.move, check, limit_ms=LIMIT_MS)


def drag_of(page: Page, knob: dict[str, Any]) -> Drag | None:
    """Plan where a knob is moved: to values nobody has asked for, as far as there are so many."""
    control = f"params-{knob['name']}"
    if knob["choices"]:
        others = [choice for choice in knob["choices"] if choice != knob["default"]]
        return Drag(page, control, itertools.cycle([*others, knob["default"]]))
    if knob["kind"] == "bool":
        return Drag(page, control, itertools.cycle([not knob["default"], knob["default"]]))
    if knob["kind"] not in ("int", "float"):
        return None
    start = int(page.input_value(f"#{control}-slider"))
    places = sorted(range(0, 1001, STEP), key=lambda place: abs(place - start))
    values = page.evaluate(VALUES, {"name": knob["name"], "places": places})
    # the nearest place of each other value
    nearest = dict(reversed(list(zip(values, places, strict=True))))
    nearest.pop(knob["default"], None)
    ordered = sorted(nearest.values(), key=lambda place: abs(place - start))[:MOST_VALUES]
    # where there is one other value it goes to and fro
    return Drag(page, f"{control}-slider", itertools.cycle([*ordered, *([start] if len(ordered) == 1 else [])]))


def settle(page: Page) -> None:
    """Wait until the exact masks are shown."""
    expect(page.locator("#result")).to_have_attribute("aria-busy", "false", timeout=60_000)


def value_of(page: Page, knob: dict[str, Any]) -> Any:
    """Read a knob's value from the page."""
    control = page.locator(f"#params-{knob['name']}")
    if knob["kind"] == "bool":
        return control.is_checked()
    text = control.input_value()
    return {"int": int, "float": float}.get(knob["kind"], str)(text)
