// The calls to the server. Addresses are relative, so that a prefix in front of the server is kept.

const BASE = "playground/";
/** A request under way is given up for a newer one after so long; before that its answer is worth showing. */
const PATIENCE_MS = 250;

// not crypto.randomUUID, which pages without https do not have
const session = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** What the server answered in place of a result. */
export class Refusal extends Error {
  isTold = true;

  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

class Silence extends Error {
  isTold = true;
  isSilence = true;

  constructor() {
    super("The server does not answer. Is it still running?");
  }
}

/** Ask the server and read its answer with `read`. */
async function reach(read, address, options) {
  try {
    return await read(await checked(await fetch(address, options)));
  } catch (error) {
    // all that fetch says of a server that is not there, or goes away in the middle of its answer
    throw error instanceof TypeError ? new Silence() : error;
  }
}

async function checked(response) {
  if (response.ok) return response;
  let detail = `the server answers ${response.status}`;
  try {
    detail = (await response.json()).detail ?? detail;
  } catch {
    // a proxy's own page: the number is all there is to say
  }
  throw new Refusal(response.status, detail);
}

export function getJson(path, signal) {
  return reach((response) => response.json(), BASE + path, { signal });
}

function post(read, path, body, signal) {
  const headers = { "Content-Type": "application/json" };
  return reach(read, BASE + path, { method: "POST", body: JSON.stringify(body), headers, signal });
}

export const postJson = (path, body, signal) => post((response) => response.json(), path, body, signal);

/** Send a photo; the answer names it for all further requests. */
export function sendImage(blob, signal) {
  const headers = { "Content-Type": "application/octet-stream" };
  return reach((response) => response.json(), `${BASE}images`, { method: "POST", body: blob, headers, signal });
}

/** Take a photo as the server sees it. */
export const fetchImage = (digest) => reach((response) => response.blob(), `${BASE}images/${digest}`);

export const fetchSample = (path) => reach((response) => response.blob(), path);

/** A line of JSON, then a number for each pixel, the low byte first. */
function parseSegments(buffer) {
  const bytes = new Uint8Array(buffer);
  const end = bytes.indexOf(10);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)));
  const Numbers = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array }[head.bytes];
  return { ...head, numbers: new Numbers(buffer.slice(end + 1)) };
}

async function askSegments(photo, ask, signal) {
  for (let attempt = 0; ; attempt += 1) {
    const image = await photo.send(signal);
    try {
      return parseSegments(await post((response) => response.arrayBuffer(), "segment", { ...ask, image }, signal));
    } catch (error) {
      // the server keeps photos for a while only
      if (error.status !== 404 || attempt) throw error;
      photo.forget();
    }
  }
}

/**
 * A place in the page that shows one answer: one request is under way, the newest waits, those between are dropped.
 * The server, too, leaves out what waits there behind a newer one of the same lane.
 */
export class Lane {
  #number = 0;
  #running = null;
  #waiting = null;

  constructor(name) {
    this.name = `${session}-${name}`;
  }

  /** Ask for segments: resolves to the answer, or to null where a newer request took the place of this one. */
  ask(photo, ask) {
    return new Promise((resolve, reject) => {
      this.#waiting?.resolve(null);
      this.#waiting = { photo, ask, resolve, reject };
      if (!this.#running) return this.#next();
      const age = performance.now() - this.#running.since;
      const { cancel } = this.#running;
      setTimeout(() => this.#waiting && this.#running?.cancel === cancel && cancel.abort(), Math.max(0, PATIENCE_MS - age));
    });
  }

  /** Give up what is under way and what waits. */
  drop() {
    this.#waiting?.resolve(null);
    this.#waiting = null;
    this.#running?.cancel.abort();
  }

  async #next() {
    const { photo, ask, resolve, reject } = this.#waiting;
    const cancel = new AbortController();
    this.#waiting = null;
    this.#running = { cancel, since: performance.now() };
    try {
      this.#number += 1;
      resolve(await askSegments(photo, { ...ask, lane: this.name, number: this.#number }, cancel.signal));
    } catch (error) {
      if (error.name === "AbortError" || error.status === 409) resolve(null);
      else reject(error);
    } finally {
      this.#running = null;
      if (this.#waiting) this.#next();
    }
  }
}
