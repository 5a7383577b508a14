// Clicks and boxes on the photo, in its own pixels, and how they are drawn over a pane.

const SVG = "http://www.w3.org/2000/svg";

function draw(tag, attributes, className) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.setAttribute("class", className);
  return element;
}

export class Marks {
  #all = [];

  get count() {
    return this.#all.length;
  }

  addPoint(row, col, positive) {
    this.#all.push({ row, col, positive });
  }

  /** A box from two corners; one of less than three pixels is a slip of the hand. */
  addBox(from, to, positive) {
    const [top, bottom] = [from.row, to.row].sort((a, b) => a - b);
    const [left, right] = [from.col, to.col].sort((a, b) => a - b);
    if (bottom - top < 3 || right - left < 3) return false;
    this.#all.push({ box: [top, left, bottom + 1, right + 1], positive });
    return true;
  }

  undo() {
    this.#all.pop();
  }

  clear() {
    this.#all = [];
  }

  /** As the server takes them. */
  asked() {
    return {
      points: this.#all.filter((mark) => !mark.box).map(({ row, col, positive }) => [row, col, positive]),
      boxes: this.#all.filter((mark) => mark.box).map(({ box, positive }) => [...box, positive]),
    };
  }

  /** Draw all marks, a box that is being drawn, and the keyboard's cross, at screen places given by `place(row, col)`. */
  draw(svg, place, { pending = null, cross = null }) {
    const parts = [];
    for (const mark of this.#all) parts.push(...(mark.box ? [drawBox(mark.box, place, mark.positive)] : drawPoint(mark, place)));
    if (pending) parts.push(drawBox(pending, place, true));
    if (cross) parts.push(...drawCross(cross, place));
    svg.replaceChildren(...parts);
  }
}

function drawBox([top, left, bottom, right], place, positive) {
  const [from, to] = [place(top, left), place(bottom, right)];
  return draw("rect", { x: from.x, y: from.y, width: to.x - from.x, height: to.y - from.y }, positive ? "box" : "box unwanted");
}

function drawPoint({ row, col, positive }, place) {
  const { x, y } = place(row + 0.5, col + 0.5);
  const sign = positive ? `M${x - 4} ${y}H${x + 4}M${x} ${y - 4}V${y + 4}` : `M${x - 4} ${y}H${x + 4}`;
  return [draw("circle", { cx: x, cy: y, r: 8 }, positive ? "wanted" : "unwanted"), draw("path", { d: sign }, "sign")];
}

function drawCross({ row, col }, place) {
  const { x, y } = place(row + 0.5, col + 0.5);
  const lines = `M${x - 14} ${y}H${x + 14}M${x} ${y - 14}V${y + 14}`;
  return [draw("path", { d: lines }, "cross under"), draw("path", { d: lines }, "cross")];
}
