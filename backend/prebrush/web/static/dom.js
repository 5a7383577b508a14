// Small things every part of the page needs: finding and making elements, saying what happened.

export const byId = (id) => document.getElementById(id);

/** Make an element: `make("p", {className: "hint", "aria-label": "..."}, "text", child)`. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element && !name.includes("-")) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Turn a sentence with `names` into nodes. */
export const phrase = (text) => text.split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part));

/** Until what was said has been read; where the line lies over the page, it then leaves. */
const READ_MS = 5000;
let reading = 0;
/** What comes while something must be read first: the newest is said when it was. */
let held = 0;
let later = null;

/**
 * Show a sentence in the status line, which screen readers read out.
 *
 * @param isHeld whether it stays until it was read, though more is said that is no error.
 */
export function say(text, { isError = false, isHeld = false } = {}) {
  if (held && !isError && !isHeld) return void (later = text);
  clearTimeout(held);
  held = isHeld ? setTimeout(release, READ_MS) : 0;
  later = null;
  const status = byId("status");
  status.classList.toggle("error", isError);
  status.classList.remove("is-old");
  clearTimeout(reading);
  reading = setTimeout(() => status.classList.add("is-old"), READ_MS);
  if (status.textContent !== text) status.textContent = text;
}

function release() {
  held = 0;
  if (later !== null) say(later);
}

/** Say what went wrong; what was cancelled did not. */
export function complain(error) {
  if (error?.name === "AbortError") return;
  if (error?.isTold) return say(error.message, { isError: true });
  console.error(error);
  say(`This page has failed: ${error?.message ?? error}`, { isError: true });
}

export const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

export function duration(milliseconds) {
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}
