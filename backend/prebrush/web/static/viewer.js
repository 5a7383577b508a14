// Original and result side by side, moved and zoomed in step: wheel, drag, two fingers, keys.

import { make } from "./dom.js";

const MOST_ZOOM = 40;
/** Pixels of the screen that a hand may shake without it being a drag. */
const SHAKE_PX = 5;

export class Viewer {
  #panes;
  #size = { width: 1, height: 1 };
  #view = { x: 0.5, y: 0.5, zoom: 1 };
  #fingers = new Map();
  #gesture = null;

  /**
   * @param panes elements with a `.stage` that is moved and an `svg` that is drawn on.
   * @param tool told of what is not moving: `isDrawing()`, `tap(place, event)`, `drag(from, to)`, `release(from, to, event)`,
   *   and `draw(svg, toScreen)` after each move.
   */
  constructor(panes, tool) {
    this.#panes = panes;
    this.tool = tool;
    for (const pane of panes) {
      pane.addEventListener("pointerdown", (event) => this.#down(event, pane));
      pane.addEventListener("pointermove", (event) => this.#move(event));
      for (const end of ["pointerup", "pointercancel"]) pane.addEventListener(end, (event) => this.#up(event));
      pane.addEventListener("wheel", (event) => this.#wheel(event, pane), { passive: false });
    }
    new ResizeObserver(() => this.render()).observe(panes.at(-1));
  }

  get zoom() {
    return this.#view.zoom;
  }

  /** Show a picture of this size; the view stays where it is if the size does, so that photos can be compared. */
  setPicture(bitmap) {
    const { width, height } = bitmap;
    if (width !== this.#size.width || height !== this.#size.height) this.#view = { x: 0.5, y: 0.5, zoom: 1 };
    this.#size = { width, height };
    for (const pane of this.#panes) {
      const canvas = pane.querySelector(".photo");
      Object.assign(canvas, { width, height });
      canvas.getContext("2d").drawImage(bitmap, 0, 0);
    }
    this.render();
  }

  /** Show no picture, until the next one is there. */
  clear() {
    for (const pane of this.#panes) {
      for (const canvas of pane.querySelectorAll("canvas")) canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    }
    this.render();
  }

  /** Screen pixels for one of the picture. */
  get scale() {
    const pane = this.#pane();
    return Math.min(pane.clientWidth / this.#size.width, pane.clientHeight / this.#size.height) * this.#view.zoom;
  }

  /** Zoom by a factor about a place of the pane, or about its middle. */
  zoomBy(factor, at = null) {
    const pane = this.#pane();
    const { x, y } = at ?? { x: pane.clientWidth / 2, y: pane.clientHeight / 2 };
    const before = this.#toPicture(x, y);
    this.#view.zoom = Math.min(MOST_ZOOM, Math.max(1, this.#view.zoom * factor));
    const after = this.#toPicture(x, y);
    this.#shift((before.x - after.x) / this.#size.width, (before.y - after.y) / this.#size.height);
  }

  fit() {
    this.#view = { x: 0.5, y: 0.5, zoom: 1 };
    this.render();
  }

  /** Move by pixels of the screen. */
  panBy(x, y) {
    this.#shift(-x / this.scale / this.#size.width, -y / this.scale / this.#size.height);
  }

  /** Move as little as shows a pixel of the picture well inside the pane. */
  reveal({ row, col }) {
    const pane = this.#pane();
    const { x, y } = this.#toScreen(row, col);
    const beyond = (at, size) => Math.max(0, 30 - at) - Math.max(0, at - size + 30);
    this.panBy(beyond(x, pane.clientWidth), beyond(y, pane.clientHeight));
  }

  /** The pixel in the middle of the view. */
  middle() {
    return this.#pixel(this.#pane().clientWidth / 2, this.#pane().clientHeight / 2);
  }

  render() {
    const scale = this.scale;
    const pane = this.#pane();
    const left = pane.clientWidth / 2 - this.#view.x * this.#size.width * scale;
    const top = pane.clientHeight / 2 - this.#view.y * this.#size.height * scale;
    for (const each of this.#panes) {
      const stage = each.querySelector(".stage");
      stage.style.width = `${this.#size.width * scale}px`;
      stage.style.height = `${this.#size.height * scale}px`;
      stage.style.transform = `translate(${left}px, ${top}px)`;
      stage.classList.toggle("is-magnified", scale > 3);
      each.classList.toggle("is-zoomed", this.#view.zoom > 1);
      this.tool.draw(each.querySelector("svg"), (row, col) => this.#toScreen(row, col));
    }
  }

  #pane() {
    return this.#panes.at(-1);
  }

  #shift(x, y) {
    const { scale } = this;
    const pane = this.#pane();
    // no further than the picture's edge to the pane's, and in the middle where it is smaller
    const within = (value, size, room) => {
      const half = room / 2 / (size * scale);
      return half >= 0.5 ? 0.5 : Math.min(1 - half, Math.max(half, value));
    };
    this.#view.x = within(this.#view.x + x, this.#size.width, pane.clientWidth);
    this.#view.y = within(this.#view.y + y, this.#size.height, pane.clientHeight);
    this.render();
  }

  #toPicture(x, y) {
    const pane = this.#pane();
    return {
      x: this.#view.x * this.#size.width + (x - pane.clientWidth / 2) / this.scale,
      y: this.#view.y * this.#size.height + (y - pane.clientHeight / 2) / this.scale,
    };
  }

  #toScreen(row, col) {
    const pane = this.#pane();
    return {
      x: pane.clientWidth / 2 + (col - this.#view.x * this.#size.width) * this.scale,
      y: pane.clientHeight / 2 + (row - this.#view.y * this.#size.height) * this.scale,
    };
  }

  #pixel(x, y) {
    const place = this.#toPicture(x, y);
    const clip = (value, size) => Math.min(size - 1, Math.max(0, Math.floor(value)));
    return { row: clip(place.y, this.#size.height), col: clip(place.x, this.#size.width) };
  }

  #at(event, pane) {
    const box = pane.getBoundingClientRect();
    return { x: event.clientX - box.left - pane.clientLeft, y: event.clientY - box.top - pane.clientTop };
  }

  #down(event, pane) {
    if (event.button > 0) return;
    pane.setPointerCapture(event.pointerId);
    const at = this.#at(event, pane);
    this.#fingers.set(event.pointerId, at);
    if (this.#fingers.size === 1) this.#gesture = { pane, start: at, isDrag: false, draws: this.tool.isDrawing() };
    else this.#gesture = { pane, isPinch: true };
  }

  #move(event) {
    const before = this.#fingers.get(event.pointerId);
    if (!before || !this.#gesture) return;
    const at = this.#at(event, this.#gesture.pane);
    if (this.#gesture.isPinch) this.#pinch(event.pointerId, before, at);
    else this.#drag(before, at);
    this.#fingers.set(event.pointerId, at);
  }

  #pinch(id, before, at) {
    const other = [...this.#fingers].find(([key]) => key !== id)?.[1];
    if (!other) return;
    const apart = (one) => Math.hypot(one.x - other.x, one.y - other.y) || 1;
    this.panBy((at.x - before.x) / 2, (at.y - before.y) / 2);
    this.zoomBy(apart(at) / apart(before), { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 });
  }

  #drag(before, at) {
    const gesture = this.#gesture;
    gesture.isDrag ||= Math.hypot(at.x - gesture.start.x, at.y - gesture.start.y) > SHAKE_PX;
    if (!gesture.isDrag) return;
    if (gesture.draws) this.tool.drag(this.#pixel(gesture.start.x, gesture.start.y), this.#pixel(at.x, at.y));
    else this.panBy(at.x - before.x, at.y - before.y);
  }

  #up(event) {
    const gesture = this.#gesture;
    const at = this.#fingers.get(event.pointerId);
    this.#fingers.delete(event.pointerId);
    if (this.#fingers.size) return;
    this.#gesture = null;
    if (!gesture || !at || gesture.isPinch || event.type === "pointercancel") return void this.tool.drag(null, null);
    if (!gesture.isDrag) this.tool.tap(this.#pixel(at.x, at.y), event);
    else if (gesture.draws) this.tool.release(this.#pixel(gesture.start.x, gesture.start.y), this.#pixel(at.x, at.y), event);
  }

  #wheel(event, pane) {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    this.zoomBy(Math.exp((-event.deltaY * lines) / (event.ctrlKey ? 100 : 400)), this.#at(event, pane));
  }
}

/** Build a pane: the photo, what lies over it, and a place for marks. */
export function buildPane(pane, withOverlay) {
  const stage = make("div", { className: "stage" }, make("canvas", { className: "photo" }));
  if (withOverlay) stage.append(make("canvas", { className: "overlay" }));
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("aria-hidden", "true");
  pane.append(stage, svg);
  return pane;
}
