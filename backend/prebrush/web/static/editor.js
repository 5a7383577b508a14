// One method, one photo: sliders with live masks.

import { byId, complain, duration, plural, say } from "./dom.js";
import { answerInGallery } from "./gallery.js";
import { drawKnobs } from "./knobs.js";
import { colorsOf, paint } from "./overlay.js";
import { learnPace, draftSize } from "./pace.js";
import { currentPhoto } from "./photos.js";
import { askedMarks, clearMarks, isMarked, pointer, startPointing } from "./pointing.js";
import { Lane } from "./server.js";
import { askedLabels, changed, choiceOf, methodOf, onChange, startOf, state, takeStarts } from "./state.js";
import { buildPane, Viewer } from "./viewer.js";

/** From a change that was shown as a draft until the exact masks are asked for: a hand that drags moves on by then. */
const REST_MS = 90;

const lane = new Lane("editor");
// of its own: what is exact may take its time, and the next draft does not wait for it
const exactLane = new Lane("editor-exact");
let viewer = null;
let answer = null;
/** What was asked last. */
let newest = null;
let resting = 0;
let repainting = 0;
let paintedReach = 1;

/**
 * Ask for the masks of what is set, and show them; older questions are given up. Where the exact masks take longer than
 * a hand waits, a draft is shown first.
 *
 * @param knob the one that was moved, if one was: what it cost before tells what it will.
 * @param mayDraft off where what was found before is enough, as for labels.
 */
export async function segment(knob = "", mayDraft = knob !== "") {
  const photo = currentPhoto();
  if (!photo?.bitmap || byId("editor").hidden) return;
  const ask = { choice: choiceOf(state.method), labels: askedLabels(), ...askedMarks() };
  const question = (newest = { photo, ask, method: state.method, knob });
  const since = performance.now();
  clearTimeout(resting);
  exactLane.drop();
  byId("result").setAttribute("aria-busy", "true");
  const isThere = isMarked() || (!knob && showFromGallery(question));
  const draftPixels = mayDraft && !isThere ? draftSize(question.method, knob, photo.bitmap) : 0;
  if (!draftPixels) return show(lane, question);
  const isShown = await show(lane, question, draftPixels);
  if (!isShown || question !== newest) return;
  resting = setTimeout(() => show(exactLane, question), Math.max(0, REST_MS - (performance.now() - since)));
}

/** Show the answer to a question, a draft of so many pixels or the exact one; tells whether one came. */
async function show(way, question, draftPixels = 0) {
  const { photo, ask, method, knob } = question;
  try {
    const found = await way.ask(photo, draftPixels ? { ...ask, draft_pixels: draftPixels } : ask);
    if (!found || photo !== currentPhoto()) return false;
    if (!isMarked()) learnPace(method, knob, photo.bitmap, found.milliseconds, draftPixels);
    follow(found, method);
    draw(found, draftPixels > 0);
  } catch (error) {
    complain(error);
  }
  if (!draftPixels && question === newest) byId("result").setAttribute("aria-busy", "false");
  return true;
}

/** What the gallery has found with this setting is there at once; tells whether it has. */
function showFromGallery({ photo, method }) {
  const found = answerInGallery(photo, method);
  if (found) {
    follow(found, method);
    draw(found, true);
  }
  return found !== null;
}

/** Sliders of the clean-up that nobody moved show what is in force: it suits the method and the photo. */
function follow(found, method) {
  if (method === state.method && takeStarts(found.cleanup)) drawSection("regions");
}

function draw(found, isDraft) {
  answer = found;
  drawAnswer();
  if (isDraft) say("A draft; the exact masks follow …");
  else tell(found);
}

function tell({ segments, milliseconds, method, why, note }) {
  const reason = why.slice(method.length + 2);
  if (!isMarked()) byId("why").textContent = reason && `Here: ${reason}.`;
  byId("why").classList.remove("is-old");
  if (note) return say(note);
  const isElse = isMarked() && method !== state.method;
  const [chosen] = reason.split(", ");
  const most = state.regions.max_regions ?? startOf(state.form.regions.find((knob) => knob.name === "max_regions"));
  const isFull = !isMarked() && segments === most;
  const facts = [isElse && ` by ${method}`, chosen && ` by ${chosen}`, isFull && ", cut at max_regions"];
  say(`${plural(segments, "segment")} in ${duration(milliseconds)}${facts.filter(Boolean).join("")}`);
}

function drawAnswer() {
  if (!answer || !currentPhoto().bitmap) return;
  const { look, names, form } = state;
  const colors = colorsOf(answer, { palette: form.palette, labels: names, byLabel: look.byLabel });
  // what was marked has no label of its own: a blue that few things have
  if (isMarked()) colors.fill(form.palette[1]);
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
  answer = null;
  // not emptied: all below it would jump up, and down again with the answer
  byId("why").classList.add("is-old");
  clearMarks();
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
    byId("why").textContent = "";
    byId("result").setAttribute("aria-busy", "false");
    return complain(error);
  }
  await segment("", true);
}

/** What a method that reads marks is to be told with: "Click or Box". */
const MARKING = { points: "Click", boxes: "Box" };

export function drawMethod() {
  const method = methodOf(state.method);
  byId("method").value = method.name;
  const marking = method.marks.map((kind) => MARKING[kind]).join(" or ");
  byId("summary").textContent = `${method.summary}.${marking && ` ${marking}, under the picture, tells it what to find.`}`;
  byId("why").textContent = "";
  state.params[method.name] ??= {};
  drawKnobs(byId("params"), "params", method.knobs, state.params[method.name], (knob) => changed("setting", knob));
  for (const section of ["regions", "labels", "prompts"]) drawSection(section);
}

function drawSection(section) {
  drawKnobs(byId(section), section, state.form[section], state[section], (knob) => changed("setting", knob));
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
  viewer = new Viewer(panes, pointer, mindOutlines);
  startPointing(viewer, segment);
  const list = byId("method");
  for (const { name } of state.form.methods) list.add(new Option(name, name));
  list.addEventListener("change", () => choose(list.value));
  byId("reset").addEventListener("click", reset);
  startLook();
  onChange("setting", ({ detail }) => segment(detail));
}
