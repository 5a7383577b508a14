// Starts the page: the way in, the gallery of all methods, one method with its sliders.

import { byId, complain, make } from "./dom.js";
import { drawMethod, leaveEditor, segment, showPhoto, startEditor } from "./editor.js";
import { drawGallery, fillGallery, leaveGallery } from "./gallery.js";
import { startLabels } from "./labels.js";
import { addFiles, addPhotos, currentPhoto, flip, onPhoto } from "./photos.js";
import { startProjects } from "./projects.js";
import { fetchSample, getJson } from "./server.js";
import { drawSetting, startSetting } from "./setting.js";
import { onChange, state } from "./state.js";
import { startTheme } from "./theme.js";

const MOST_FILES_OF_A_FOLDER = 500;
const VIEWS = ["start", "gallery", "editor"];
let view = "start";

function show(next) {
  view = next;
  for (const id of VIEWS) byId(id).hidden = id !== next;
  document.body.dataset.view = next;
}

function openGallery() {
  leaveEditor();
  show("gallery");
  fillGallery();
  byId("gallery-title").focus();
}

async function openMethod(name) {
  leaveGallery();
  state.method = name;
  const isOpen = view === "editor";
  show("editor");
  drawMethod();
  drawSetting();
  if (isOpen) return segment();
  byId("editor-title").focus({ preventScroll: true });
  window.scrollTo({ top: 0 });
  await showPhoto(currentPhoto());
}

async function photoChosen(photo) {
  if (view === "editor") return showPhoto(photo);
  if (view === "start") openGallery();
  else fillGallery();
}

async function addSample(path, name) {
  addPhotos([{ name, blob: await fetchSample(path) }]);
}

/** List the files that were dropped, those of folders too. */
async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  const files = [];
  while (entries.length && files.length < MOST_FILES_OF_A_FOLDER) {
    const entry = entries.shift();
    if (entry.isFile) files.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
    else entries.push(...(await readFolder(entry.createReader())));
  }
  return sorted(files);
}

/** A folder's files by name, 9 before 10. */
const sorted = (files) => files.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));

async function readFolder(reader) {
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length || found.length > MOST_FILES_OF_A_FOLDER) return found;
    found.push(...some);
  }
}

function startPhotos() {
  for (const input of document.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => {
      addFiles(input.webkitdirectory ? sorted([...input.files]) : [...input.files]);
      input.value = "";
    });
  }
  for (const button of document.querySelectorAll("[data-sample]")) {
    button.addEventListener("click", () => addSample(button.dataset.sample, button.dataset.name).catch(complain));
  }
  let depth = 0;
  const hover = (change) => {
    depth = change ? depth + change : 0;
    document.body.classList.toggle("is-dropping", depth > 0);
  };
  addEventListener("dragenter", () => hover(1));
  addEventListener("dragleave", () => hover(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    hover(0);
    droppedFiles(event.dataTransfer).then(addFiles).catch(complain);
  });
  addEventListener("paste", (event) => event.clipboardData?.files.length && addFiles([...event.clipboardData.files]));
  byId("earlier").addEventListener("click", () => flip(-1));
  byId("later").addEventListener("click", () => flip(1));
}

/** Left and right flip through the photos, Escape goes back to the gallery; not where the keys mean something else. */
function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (event.key === "Escape" && view === "editor") openGallery();
  else if (step && view !== "start" && !event.target.closest("input, select, textarea")) flip(step);
  else return;
  event.preventDefault();
}

async function start() {
  startTheme();
  state.form = await getJson("methods");
  state.method = state.form.default;
  startLabels();
  startSetting();
  startEditor(openMethod);
  drawGallery(openMethod);
  startPhotos();
  onPhoto(photoChosen);
  onChange("setting", drawSetting);
  byId("back").addEventListener("click", openGallery);
  addEventListener("keydown", pressed);
  show("start");
  document.body.append(make("span", { id: "ready", hidden: true }));
  await startProjects(() => {
    drawMethod();
    drawSetting();
  });
}

start().catch(complain);
