// All methods on one photo: a card each, filled in as its answer arrives, two at a time.

import { byId, complain, duration, make, plural, say } from "./dom.js";
import { colorsOf, paint } from "./overlay.js";
import { currentPhoto } from "./photos.js";
import { Lane } from "./server.js";
import { askedLabels, choiceOf, state } from "./state.js";

const AT_ONCE = 2;
const CARD_PIXELS = 200_000;

const lanes = Array.from({ length: AT_ONCE }, (_, number) => new Lane(`gallery-${number}`));
const cards = new Map();
let run = 0;
/** What is shown already: of which photo, and for each method with which setting. */
let shownPhoto = null;
const shown = new Map();

/** Draw a card for each method; `open` is called with the name of the one that is chosen. */
export function drawGallery(open) {
  const first = (name) => (name === state.form.default ? 0 : 1);
  const methods = [...state.form.methods].sort((a, b) => first(a.name) - first(b.name));
  for (const { name, summary } of methods) {
    const photo = make("canvas", { className: "photo" });
    const overlay = make("canvas", { className: "overlay" });
    const facts = make("span", { className: "facts" }, "waiting");
    const title = make("span", {}, make("span", { className: "name" }, name));
    if (name === state.form.default) title.append(" ", make("span", { className: "chip" }, "default"));
    const text = make("span", { className: "text" }, title, facts, make("span", { className: "summary" }, summary));
    const card = make("button", { type: "button", className: "card" }, make("span", { className: "picture", "aria-hidden": "true" }, photo, overlay), text);
    card.addEventListener("click", () => open(name));
    byId("cards").append(make("li", {}, card));
    cards.set(name, { card, photo, overlay, facts });
  }
}

export function leaveGallery() {
  run += 1;
  for (const lane of lanes) lane.drop();
}

/** Fill the cards for the current photo; those whose setting has not changed keep their answer. */
export async function fillGallery() {
  leaveGallery();
  const mine = run;
  const photo = currentPhoto();
  try {
    await startCards(photo);
    if (mine !== run) return;
    const waiting = [...cards.keys()].filter((name) => shown.get(name)?.setting !== settingOf(name));
    // looks may have changed meanwhile
    for (const [name, { answer }] of shown) draw(name, answer);
    if (!waiting.length) return;
    for (const name of waiting) setFacts(name, "waiting");
    if (!photo.digest) say(`Sending ${photo.name} …`);
    await photo.send();
    if (mine !== run) return;
    say(`Trying ${plural(waiting.length, "method")} on ${photo.name} …`);
    const started = performance.now();
    const count = waiting.length;
    await Promise.all(lanes.map((lane) => work(lane, photo, waiting, () => mine === run)));
    if (mine === run) say(`${plural(count, "method")} in ${duration(performance.now() - started)}`);
  } catch (error) {
    if (mine !== run) return;
    for (const name of cards.keys()) if (!shown.has(name)) setFacts(name, "not tried");
    complain(error);
  }
}

/** What is shown of a method with the setting as it is now, in few pixels; null where that was not tried. */
export function answerInGallery(photo, name) {
  const found = shownPhoto === photo ? shown.get(name) : null;
  return found?.setting === settingOf(name) ? found.answer : null;
}

/** Put the photo under every card. */
async function startCards(photo) {
  if (shownPhoto === photo) return;
  clearCards();
  const bitmap = await photo.show();
  if (!bitmap) return;
  const scale = Math.min(1, Math.sqrt(CARD_PIXELS / (bitmap.width * bitmap.height)));
  const size = { width: Math.max(1, Math.round(bitmap.width * scale)), height: Math.max(1, Math.round(bitmap.height * scale)) };
  const small = Object.assign(document.createElement("canvas"), size);
  const context = small.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, size.width, size.height);
  byId("cards").style.setProperty("--aspect", Math.min(1.9, Math.max(0.8, size.width / size.height)));
  for (const card of cards.values()) {
    Object.assign(card.photo, size).getContext("2d").drawImage(small, 0, 0);
    Object.assign(card.overlay, size);
  }
  shownPhoto = photo;
}

/** Show nothing of the photo before: this one may be long in coming, or no photo at all. */
function clearCards() {
  shown.clear();
  shownPhoto = null;
  for (const [name, { card, photo, overlay }] of cards) {
    for (const canvas of [photo, overlay]) canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    card.classList.add("is-waiting");
    setFacts(name, "waiting");
  }
}

const settingOf = (name) => JSON.stringify([choiceOf(name), askedLabels()]);

async function work(lane, photo, waiting, isWanted) {
  while (waiting.length && isWanted()) {
    const name = waiting.shift();
    setFacts(name, "working …");
    const ask = { choice: choiceOf(name), labels: askedLabels(), most_pixels: CARD_PIXELS, is_urgent: false };
    const answer = await lane.ask(photo, ask).catch((error) => error);
    if (!isWanted()) return;
    if (answer instanceof Error && (!answer.isTold || answer.isSilence)) throw answer;
    if (answer instanceof Error) setFacts(name, answer.message);
    else if (answer) {
      draw(name, answer);
      shown.set(name, { setting: settingOf(name), answer });
    }
  }
}

function draw(name, answer) {
  const { card, overlay } = cards.get(name);
  const { look, names, form } = state;
  const colors = colorsOf(answer, { palette: form.palette, labels: names, byLabel: look.byLabel });
  paint(overlay, answer, colors, look);
  card.classList.remove("is-waiting");
  setFacts(name, `${plural(answer.segments, "segment")} in ${duration(answer.milliseconds)}`);
}

function setFacts(name, text) {
  cards.get(name).facts.textContent = text;
}
