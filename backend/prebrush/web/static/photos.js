// The photos at hand: files, samples, tasks. One is current; each is sent to the server once, when it is first needed.

import { byId, make, plural, say } from "./dom.js";
import { Refusal, fetchImage, postJson, sendImage } from "./server.js";

const MOST_PHOTOS = 100;
const THUMB_PX = 112;

class Photo {
  #sending = null;

  constructor(name, { blob = null, task = null }) {
    Object.assign(this, { name, blob, task, digest: "", bitmap: null, thumb: null });
  }

  /** Make sure that the server has it; resolves to the name the server knows it by. */
  async send(signal) {
    if (this.digest) return this.digest;
    // not ended by the first who gives up: the next one needs it just the same
    this.#sending ??= this.#upload().finally(() => (this.#sending = null));
    const { image } = await this.#sending;
    this.digest = image;
    signal?.throwIfAborted();
    return image;
  }

  async #upload() {
    try {
      if (this.blob?.size === 0) throw new Refusal(0, "the file is empty");
      return await (this.task ? postJson("task", this.task) : sendImage(this.blob));
    } catch (error) {
      // among many photos it must be said which one it is
      throw error.status === undefined ? error : new Refusal(error.status, `${this.name}: ${error.message}`);
    }
  }

  /** The server does not keep it any more. */
  forget() {
    this.digest = "";
  }

  /** Decode it for the screen; null if another one became current meanwhile. */
  async show() {
    const bitmap = this.bitmap ?? (this.blob && (await createImageBitmap(this.blob).catch(() => null))) ?? (await this.#fetch());
    if (this !== current) {
      bitmap.close();
      return null;
    }
    this.bitmap = bitmap;
    return bitmap;
  }

  /** What the browser cannot show, as TIFF, and what it does not have, is shown as the server sees it. */
  async #fetch() {
    const bitmap = await createImageBitmap(await fetchImage(await this.send()));
    drawCover(this.thumb, bitmap);
    return bitmap;
  }

  /** Let go of the pixels; large ones are some 50 MB each. */
  hide() {
    this.bitmap?.close();
    this.bitmap = null;
  }
}

const photos = [];
let current = null;
let listener = () => {};

export const currentPhoto = () => current;
export const onPhoto = (listen) => (listener = listen);

/** Add photos behind those that are there, and show the first of them. */
export function addPhotos(sources) {
  const room = MOST_PHOTOS - photos.length;
  const added = sources.slice(0, room).map(({ name, ...source }) => new Photo(name, source));
  if (sources.length > room) say(`${MOST_PHOTOS} photos are the most that fit; the others are left out.`, { isError: true });
  photos.push(...added);
  drawStrip();
  if (added.length) choose(added[0]);
}

/** What the server reads, by a file's kind or, where the browser knows none, by its name. */
const READ_KINDS = /^image\/(jpeg|png|webp|tiff|(x-ms-)?bmp|gif)$/;
const READ_NAMES = /\.(jpe?g|png|webp|tiff?|bmp|gif)$/i;
const KINDS = "JPEG, PNG, WebP, TIFF, BMP and GIF";

export function addFiles(files) {
  const isImage = (file) => READ_KINDS.test(file.type) || READ_NAMES.test(file.name);
  const images = files.filter(isImage);
  const others = files.filter((file) => !isImage(file));
  if (!images.length) {
    const subject = files.length === 1 ? `${files[0].name} is no image of a kind that is read here` : "None of these files is an image that is read here";
    return say(`${subject}: ${KINDS} are.`, { isError: true });
  }
  addPhotos(images.map((file) => ({ name: file.name, blob: file })));
  if (!others.length) return;
  const names = others.length > 2 ? plural(others.length, "file") : others.map((file) => file.name).join(" and ");
  say(`Left out: ${names}. Only ${KINDS} are read here.`, { isHeld: true });
}

async function choose(photo) {
  if (photo === current) return;
  current?.hide();
  current = photo;
  markCurrent();
  await listener(photo);
}

/** Go to the next photo, or with -1 to the one before; round at the ends. */
export function flip(step) {
  if (photos.length < 2) return;
  choose(photos[(photos.indexOf(current) + step + photos.length) % photos.length]);
}

function drawStrip() {
  byId("strip").hidden = !photos.length;
  const list = byId("thumbs");
  for (const photo of photos.slice(list.children.length)) {
    photo.thumb = make("canvas", { width: THUMB_PX, height: THUMB_PX, "aria-hidden": "true" });
    const button = make("button", { type: "button", title: photo.name }, photo.thumb, make("span", { className: "unseen" }, photo.name));
    // in place of a picture: a task's image is fetched when it is chosen, and not before, and not every file can be shown
    button.dataset.standin = photo.task ? photo.task.task : photo.name.split(".").at(-1).slice(0, 4);
    button.addEventListener("click", () => choose(photo));
    list.append(make("li", {}, button));
    if (photo.blob) drawThumb(photo);
  }
}

// one after the other: a folder's worth decoded at once would be gigabytes
let queue = Promise.resolve();

function drawThumb(photo) {
  queue = queue.then(async () => {
    const bitmap = await createImageBitmap(photo.blob).catch(() => null);
    if (!bitmap) return;
    drawCover(photo.thumb, bitmap);
    bitmap.close();
  });
}

/** Fill a canvas with the middle of a picture. */
function drawCover(canvas, bitmap) {
  delete canvas.parentElement.dataset.standin;
  const scale = Math.max(canvas.width / bitmap.width, canvas.height / bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
}

function markCurrent() {
  const place = photos.indexOf(current);
  byId("place").textContent = `${place + 1} of ${photos.length}`;
  byId("photo-name").textContent = current.name;
  for (const [index, item] of [...byId("thumbs").children].entries()) {
    const button = item.firstElementChild;
    if (index !== place) {
      button.removeAttribute("aria-current");
      continue;
    }
    button.setAttribute("aria-current", "true");
    if (byId("thumbs").contains(document.activeElement)) button.focus();
    item.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  for (const id of ["earlier", "later"]) byId(id).disabled = photos.length < 2;
}
