// Clicks and boxes on the picture, by pointer and by keys, as in Label Studio; and the keys that move the picture.

import { byId, say } from "./dom.js";
import { Marks } from "./marks.js";
import { currentPhoto } from "./photos.js";

const marks = new Marks();
let viewer = null;
/** Told after every change of the marks. */
let listener = () => {};
/** The box that is being drawn, the keyboard's cross, and the first corner that it has set. */
let pending = null;
let cross = null;
let corner = null;

export const isMarked = () => marks.count > 0;
export const askedMarks = () => marks.asked();

/** Forget all marks: they were of another photo. */
export function clearMarks() {
  marks.clear();
  cross = corner = pending = null;
  drawTools();
}

const mode = () => document.querySelector("input[name=mode]:checked").value;
const isNegative = (event) => event.altKey || event.shiftKey || byId("negative").getAttribute("aria-pressed") === "true";

/** What the viewer tells of what is not moving. */
export const pointer = {
  isDrawing: () => mode() === "box",
  tap(place, event) {
    if (mode() === "click") mark(place, !isNegative(event));
  },
  drag(from, to) {
    pending = from && boxOf(from, to);
    viewer.render();
  },
  release(from, to, event) {
    pending = null;
    finishBox(from, to, !isNegative(event));
  },
  draw(svg, place) {
    marks.draw(svg, place, { pending, cross: document.activeElement === byId("result") ? cross : null });
  },
};

const boxOf = (from, to) => [Math.min(from.row, to.row), Math.min(from.col, to.col), Math.max(from.row, to.row) + 1, Math.max(from.col, to.col) + 1];

function mark(place, positive) {
  if (!currentPhoto().bitmap) return;
  marks.addPoint(place.row, place.col, positive);
  marksChanged();
}

function finishBox(from, to, positive) {
  if (currentPhoto().bitmap && marks.addBox(from, to, positive)) marksChanged();
  else viewer.render();
}

/** Arrows move the cross or the picture, plus and minus zoom, Enter marks. */
function pressed(event) {
  const arrows = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const step = arrows[event.key];
  const marking = mode() !== "move";
  const zooms = { "+": 1.25, "=": 1.25, "-": 0.8 };
  if (event.ctrlKey || event.metaKey) return;
  if (zooms[event.key]) viewer.zoomBy(zooms[event.key]);
  else if (event.key === "0") viewer.fit();
  else if (step && marking) moveCross(step, event.shiftKey ? 1 : 10);
  else if (step && viewer.zoom > 1) viewer.panBy(-step[1] * 60, -step[0] * 60);
  else if (event.key === "Enter" && marking) markCross(event);
  else if (event.key === "Backspace" && marks.count) undo();
  else return;
  event.preventDefault();
  event.stopPropagation();
}

function moveCross([down, right], by) {
  const photo = currentPhoto().bitmap;
  if (!photo) return;
  cross ??= viewer.middle();
  const inside = (value, size) => Math.min(size - 1, Math.max(0, value));
  const pixels = Math.max(1, Math.round(by / viewer.scale));
  cross = { row: inside(cross.row + down * pixels, photo.height), col: inside(cross.col + right * pixels, photo.width) };
  if (corner) pending = boxOf(corner, cross);
  viewer.reveal(cross);
}

function markCross(event) {
  cross ??= viewer.middle();
  if (mode() === "click") return mark(cross, !isNegative(event));
  if (!corner) {
    corner = cross;
    return say("First corner set; move to the other one and press Enter.");
  }
  const from = corner;
  corner = pending = null;
  finishBox(from, cross, !isNegative(event));
}

function undo() {
  if (!marks.count) return;
  marks.undo();
  marksChanged();
}

function clear() {
  if (!marks.count) return;
  marks.clear();
  marksChanged();
}

function marksChanged() {
  corner = pending = null;
  viewer.render();
  drawTools();
  listener();
}

/** Show the tools for marks where there are any, or may be. */
function drawTools() {
  const marking = mode() !== "move";
  byId("negative").hidden = !marking;
  for (const id of ["undo", "clear"]) {
    const button = byId(id);
    if (button === document.activeElement && !marking && !marks.count) byId("result").focus();
    button.hidden = !marking && !marks.count;
    // not disabled: who has just used it would lose the focus
    button.setAttribute("aria-disabled", String(!marks.count));
  }
}

function modeChanged() {
  byId("panes").dataset.mode = mode();
  corner = pending = null;
  viewer.render();
  drawTools();
}

/** @param changed called after every change of the marks. */
export function startPointing(moved, changed) {
  viewer = moved;
  listener = () => changed();
  const negative = byId("negative");
  negative.addEventListener("click", () => negative.setAttribute("aria-pressed", String(negative.getAttribute("aria-pressed") !== "true")));
  byId("undo").addEventListener("click", undo);
  byId("clear").addEventListener("click", clear);
  byId("zoom-in").addEventListener("click", () => viewer.zoomBy(1.5));
  byId("zoom-out").addEventListener("click", () => viewer.zoomBy(1 / 1.5));
  byId("fit").addEventListener("click", () => viewer.fit());
  for (const radio of document.querySelectorAll("input[name=mode]")) radio.addEventListener("change", modeChanged);
  byId("result").addEventListener("keydown", pressed);
  for (const event of ["focus", "blur"]) byId("result").addEventListener(event, () => viewer.render());
}
