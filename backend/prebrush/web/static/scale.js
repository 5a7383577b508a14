// Between a slider's position and a knob's value. Where a range spans decades, the slider is logarithmic in effect:
// an exponential curve that starts at the lower end and has the default in the middle.

export const POSITIONS = 1000;

/** How curved the slider is: 0 is straight. */
function bendOf({ low, high, default: start }) {
  const span = high - low;
  const pivot = start > low ? start - low : span / 25;
  const isWide = low >= 0 && span > 1 && span / pivot > 10;
  return isWide ? 2 * Math.log(span / pivot - 1) : 0;
}

const MOST_DIGITS = 6;

function smoothValue(knob, position) {
  const bend = bendOf(knob);
  const share = position / POSITIONS;
  const part = bend ? Math.expm1(bend * share) / Math.expm1(bend) : share;
  return knob.low + (knob.high - knob.low) * part;
}

/** The value at a position, with no more digits than tell it from the positions beside it. */
export function valueAt(knob, position) {
  const value = smoothValue(knob, position);
  const step = Math.abs(smoothValue(knob, position < POSITIONS ? position + 1 : position - 1) - value);
  const digits = knob.kind === "int" ? 0 : Math.min(MOST_DIGITS, Math.max(0, -Math.floor(Math.log10(step))));
  return Math.min(knob.high, Math.max(knob.low, Number(value.toFixed(digits))));
}

export function positionOf(knob, value) {
  const bend = bendOf(knob);
  const part = (value - knob.low) / (knob.high - knob.low);
  return Math.round(POSITIONS * (bend ? Math.log1p(part * Math.expm1(bend)) / bend : part));
}

/** The next other value towards a position: what a key press must reach, however small its move. */
export function nextValue(knob, before, position) {
  const direction = Math.sign(position - positionOf(knob, before));
  let value = valueAt(knob, position);
  for (let at = position; direction && value === before && at > 0 && at < POSITIONS; ) {
    at += direction;
    value = valueAt(knob, at);
  }
  return value;
}

/** Read a number that was typed; null where it is none that fits. */
export function parseTyped(knob, text) {
  const value = Number(text);
  if (!text.trim() || !Number.isFinite(value)) return null;
  const whole = knob.kind === "int" ? Math.round(value) : value;
  return Math.min(knob.high ?? Infinity, Math.max(knob.low ?? -Infinity, whole));
}
