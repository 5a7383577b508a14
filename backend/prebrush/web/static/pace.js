// How long each knob's masks take, learned from the answers, and how small a draft must be to come at once.

/** The server's share of what a hand takes for "at once"; the way there and the drawing take some of it as well. */
const AT_ONCE_MS = 90;
const DRAFT_MS = 45;
/** As the server takes them: it works at no more pixels, and on fewer there is nothing to see. */
const MOST_PIXELS = 1_000_000;
const LEAST_PIXELS = 10_000;
/** Of a method's first draft: small enough for every method, also for those that hardly gain by fewer pixels. */
const FIRST_PIXELS = 60_000;

/** What is found again at once says little of the next value: a knob's pace is forgotten slowly, a method's never. */
const FORGET = 0.7;

/** Milliseconds for a pixel, by method and by the knob that was moved: of exact masks, and apart from them of drafts. */
const exactPaces = new Map();
const draftPaces = new Map();

const workOf = ({ width, height }) => Math.min(MOST_PIXELS, width * height);

function learn(paces, method, knob, pace) {
  const key = `${method} ${knob}`;
  paces.set(key, Math.max(pace, (knob ? FORGET : 1) * (paces.get(key) ?? 0)));
}

/**
 * Remember how long an answer took.
 *
 * @param knob the one that was moved, or "".
 * @param draftPixels of a draft; 0 of exact masks.
 */
export function learnPace(method, knob, bitmap, milliseconds, draftPixels = 0) {
  if (!draftPixels) return learn(exactPaces, method, knob, milliseconds / workOf(bitmap));
  for (const each of [knob, ""]) learn(draftPaces, method, each, milliseconds / draftPixels);
}

/** The pixels of a draft; 0 where the exact masks come soon enough. */
export function draftSize(method, knob, bitmap) {
  const work = workOf(bitmap);
  const paceIn = (paces) => paces.get(`${method} ${knob}`) ?? paces.get(`${method} `);
  if ((paceIn(exactPaces) ?? 0) * work <= AT_ONCE_MS) return 0;
  const draftPace = paceIn(draftPaces);
  const pixels = draftPace ? Math.max(LEAST_PIXELS, Math.round(DRAFT_MS / draftPace)) : FIRST_PIXELS;
  return pixels < work ? pixels : 0;
}
