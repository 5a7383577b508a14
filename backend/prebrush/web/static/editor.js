// One method, one photo: sliders with live masks, and marks as in Label Studio.

import { byId, complain, duration, plural, say } from "./dom.js";
import { drawKnobs } from "./knobs.js";
import { Marks } from "./marks.js";
import { colorsOf, paint } from "./overlay.js";
import { draftSize, learnPace } from "./pace.js";
import { currentPhoto } from "./photos.js";
import { Lane } from "./server.js";
import { askedLabels, changed, choiceOf, methodOf, onChange, state } from "./state.js";
import { buildPane, Viewer } from "./viewer.js";

/** Rest after a change that was shown as a draft, before the exact masks are asked for. */
const REST_MS = 180;

const lane = new Lane("editor");
// of its own: what is exact may take its time, and the next draft does not wait for it
const exactLane = new Lane("editor-exact");
const marks = new Marks();
let viewer = null;
let pending = null;
let cross = null;
let corner = null;
let answer = null;
let resting = 0;
let repainting = 0;
let paintedReach = 1;

const mode = () => document.querySelector("input[name=mode]:checked").value;
const isNegative = (event) => event.altKey || event.shiftKey || byId("negative").getAttribute("aria-pressed") === "true";

const tool = {
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
    mindOutlines();
  },
};

const boxOf = (from, to) => [Math.min(from.row, to.row), Math.min(from.col, to.col), Math.max(from.row, to.row) + 1, Math.max(from.col, to.col) + 1];

function mark(place, positive) {
  marks.addPoint(place.row, place.col, positive);
  marksChanged();
}

function finishBox(from, to, positive) {
  if (marks.addBox(from, to, positive)) marksChanged();
  else viewer.render();
}

/**
 * Ask for the masks of what is set, and show them; older questions are given up. Where the exact masks take longer than
 * a hand waits, a draft is shown first.
 *
 * @param knob the one that was moved, if one was: what it cost before tells what it will.
 */
export async function segment(knob = "") {
  const photo = currentPhoto();
  if (!photo?.bitmap || byId("editor").hidden) return;
  const ask = { choice: choiceOf(state.method), labels: askedLabels(), ...marks.asked() };
  const { method } = state;
  const size = knob && !marks.count ? draftSize(method, knob, photo.bitmap) : null;
  clearTimeout(resting);
  exactLane.drop();
  byId("result").setAttribute("aria-busy", "true");
  if (!size) return show(lane, photo, ask, method, knob);
  const isShown = await show(lane, photo, { ...ask, draft_pixels: size }, method, knob);
  if (!isShown) return;
  clearTimeout(resting);
  resting = setTimeout(() => show(exactLane, photo, ask, method, knob), REST_MS);
}

/** Show the answer to a question; tells whether one came. */
async function show(way, photo, ask, method, knob) {
  const isDraft = "draft_pixels" in ask;
  try {
    const found = await way.ask(photo, ask);
    if (!found || photo !== currentPhoto()) return false;
    answer = found;
    if (!marks.count) learnPace(method, knob, photo.bitmap, found.milliseconds, ask.draft_pixels);
    drawAnswer();
    if (isDraft) say("A draft; the exact masks follow …");
    else tell(found);
  } catch (error) {
    complain(error);
  }
  if (!isDraft) byId("result").setAttribute("aria-busy", "false");
  return true;
}

function tell({ segments, milliseconds, method, why, note }) {
  if (note) return say(note);
  const isElse = marks.count > 0 && method !== state.method;
  const chosen = why.slice(method.length + 2);
  say(`${plural(segments, "segment")} in ${duration(milliseconds)}${isElse ? ` by ${method}` : ""}${chosen ? `: ${chosen}` : ""}`);
}

function drawAnswer() {
  if (!answer || !currentPhoto().bitmap) return;
  const { look, names, form } = state;
  const colors = colorsOf(answer, { palette: form.palette, labels: names, byLabel: look.byLabel });
  // what was marked has no label of its own: a blue that few things have
  if (marks.count) colors.fill(form.palette[1]);
  paintedReach = reachOf();
  paint(byId("result").querySelector(".overlay"), answer, colors, { ...look, reach: paintedReach });
}

/** A line must be about a pixel of the screen to be seen: so many pixels of the answer. */
function reachOf() {
  const shown = currentPhoto().bitmap.width * viewer.scale;
  return Math.min(6, Math.max(1, Math.round(answer.width / shown)));
}

/** Draw the outlines anew after zooming, when the hand rests. */
function mindOutlines() {
  if (!answer || !currentPhoto().bitmap || reachOf() === paintedReach) return;
  clearTimeout(repainting);
  repainting = setTimeout(drawAnswer, 120);
}

export async function showPhoto(photo) {
  marks.clear();
  cross = corner = answer = null;
  drawTools();
  viewer.clear();
  byId("panes").classList.remove("is-unseen");
  try {
    const bitmap = await photo.show();
    if (!bitmap) return;
    byId("panes").style.setProperty("--ratio", bitmap.height / bitmap.width);
    byId("panes").classList.toggle("is-upright", bitmap.height > 0.85 * bitmap.width);
    byId("panes").classList.toggle("is-wide", bitmap.height < 0.4 * bitmap.width);
    viewer.setPicture(bitmap);
  } catch (error) {
    if (photo !== currentPhoto()) return;
    byId("panes").classList.add("is-unseen");
    byId("result").setAttribute("aria-busy", "false");
    return complain(error);
  }
  await segment();
}

export function drawMethod() {
  const method = methodOf(state.method);
  byId("method").value = method.name;
  byId("summary").textContent = `${method.summary}.`;
  state.params[method.name] ??= {};
  drawKnobs(byId("params"), "params", method.knobs, state.params[method.name], (knob) => changed("setting", knob));
  for (const section of ["regions", "labels", "prompts"]) {
    drawKnobs(byId(section), section, state.form[section], state[section], (knob) => changed("setting", knob));
  }
}

export function leaveEditor() {
  answer = null;
  clearTimeout(resting);
  lane.drop();
  exactLane.drop();
}

function reset() {
  state.params[state.method] = {};
  Object.assign(state, { regions: {}, labels: {}, prompts: {} });
  drawMethod();
  changed("setting");
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
  segment();
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

function toggle(button) {
  button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
}

function showBoth(isOn) {
  byId("both").setAttribute("aria-pressed", String(isOn));
  byId("panes").classList.toggle("is-single", !isOn);
  viewer.render();
}

function startLook() {
  const look = () => {
    state.look.opacity = byId("opacity").value / 100;
    state.look.outlines = byId("outlines").checked;
    byId("opacity").style.setProperty("--share", `${byId("opacity").value}%`);
    changed("look");
  };
  byId("opacity").addEventListener("input", look);
  byId("outlines").addEventListener("change", look);
  look();
  onChange("look", drawAnswer);
  byId("both").addEventListener("click", () => showBoth(byId("both").getAttribute("aria-pressed") !== "true"));
  // a phone has no room for two
  showBoth(!matchMedia("(max-width: 760px)").matches);
}

export function startEditor(choose) {
  const panes = [buildPane(byId("original"), false), buildPane(byId("result"), true)];
  viewer = new Viewer(panes, tool);
  const list = byId("method");
  for (const { name } of state.form.methods) list.add(new Option(name, name));
  list.addEventListener("change", () => choose(list.value));
  byId("result").addEventListener("keydown", pressed);
  for (const event of ["focus", "blur"]) byId("result").addEventListener(event, () => viewer.render());
  byId("negative").addEventListener("click", () => toggle(byId("negative")));
  byId("undo").addEventListener("click", undo);
  byId("clear").addEventListener("click", clear);
  byId("reset").addEventListener("click", reset);
  byId("zoom-in").addEventListener("click", () => viewer.zoomBy(1.5));
  byId("zoom-out").addEventListener("click", () => viewer.zoomBy(1 / 1.5));
  byId("fit").addEventListener("click", () => viewer.fit());
  for (const radio of document.querySelectorAll("input[name=mode]")) {
    radio.addEventListener("change", () => {
      byId("panes").dataset.mode = mode();
      corner = pending = null;
      viewer.render();
      drawTools();
    });
  }
  startLook();
  onChange("setting", ({ detail }) => segment(detail));
}
