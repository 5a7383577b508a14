// How long each knob's exact masks take, learned from the answers, and how small a draft must be to come at once.

/** The server's share of what a hand takes for "at once"; the way there and the drawing take some of it as well. */
const AT_ONCE_MS = 90;
const DRAFT_MS = 45;
/** As the server takes them: it works at no more pixels, and on fewer there is nothing to see. */
const MOST_PIXELS = 1_000_000;
const LEAST_PIXELS = 10_000;

/** What is found again at once says little of the next value: a pace is forgotten slowly. */
const FORGET = 0.7;

/** Milliseconds for a pixel, by method and by the knob that was moved. */
const paces = new Map();

const workOf = ({ width, height }) => Math.min(MOST_PIXELS, width * height);

/** Remember how long an answer took, by a knob of a method or, with "", by the method alone. */
export function learnPace(method, knob, bitmap, milliseconds, pixels = workOf(bitmap)) {
  const key = `${method} ${knob}`;
  paces.set(key, Math.max(milliseconds / pixels, FORGET * (paces.get(key) ?? 0)));
}

/** The pixels of a draft; null where the exact masks come soon enough. */
export function draftSize(method, knob, bitmap) {
  const pace = paces.get(`${method} ${knob}`) ?? paces.get(`${method} `) ?? 0;
  const work = workOf(bitmap);
  if (pace * work <= AT_ONCE_MS) return null;
  const pixels = Math.max(LEAST_PIXELS, Math.round(DRAFT_MS / pace));
  return pixels < work ? pixels : null;
}
