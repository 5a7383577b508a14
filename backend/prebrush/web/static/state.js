// What is chosen: method, knobs, labels, looks. One object, and one event when it changes.

const events = new EventTarget();
const SECTIONS = ["params", "regions", "labels", "prompts"];

export const state = {
  /** What the server told of methods and knobs. */
  form: null,
  method: "",
  /** Values that differ from where the sliders start, by section; those of methods by the method's name. */
  params: {},
  regions: {},
  labels: {},
  prompts: {},
  /** What was in force for the project that was opened; null for photos. */
  inForce: null,
  /** The tag that is copied: of a project that was opened its own, else one as in the documents. */
  tag: { kind: "BrushLabels", name: "mask", toName: "image", isKnown: false },
  /** The labels segments get: {name, color, values}. */
  names: [],
  look: { opacity: 0.45, outlines: true, byLabel: false },
};

/**
 * Be told of changes: `what` is "setting" for all that changes masks, with the knob that was moved as its detail, and
 * "look" for what only the page draws.
 */
export const onChange = (what, listener) => events.addEventListener(what, listener);
export const changed = (what, detail = "") => events.dispatchEvent(new CustomEvent(what, { detail }));

export const methodOf = (name) => state.form.methods.find((method) => method.name === name);

/** Where a knob starts: for the clean-up what suits the method and the photo, once an answer has told it. */
export const startOf = (knob) => knob.start ?? knob.default;

/** Set a knob; a value equal to the start is left out, so that it goes on suiting other photos. */
export function setKnob(values, knob, value) {
  if (value === startOf(knob)) delete values[knob.name];
  else values[knob.name] = value;
}

/** Let the clean-up start from what an answer tells; tells whether anything starts elsewhere than before. */
export function takeStarts(cleanup) {
  const moved = state.form.regions.filter((knob) => knob.name in cleanup && cleanup[knob.name] !== startOf(knob));
  for (const knob of moved) knob.start = cleanup[knob.name];
  return moved.length > 0;
}

/** What the server is asked for and what is saved: only what somebody set. */
export function choiceOf(method) {
  const { params, regions, labels, prompts } = state;
  return { method, params: params[method] ?? {}, regions, labels, prompts };
}

/** What is copied: the same, and what was taken back of what is in force for the project, as that lies below it. */
export function choiceToCopy() {
  const choice = choiceOf(state.method);
  const { inForce, form } = state;
  if (!inForce) return choice;
  const knobsOf = { ...form, params: inForce.method === choice.method ? methodOf(choice.method).knobs : [] };
  const whole = (section) => {
    const back = knobsOf[section].filter(({ name }) => name in inForce[section] && !(name in choice[section]));
    return { ...choice[section], ...Object.fromEntries(back.map((knob) => [knob.name, startOf(knob)])) };
  };
  return { method: choice.method, ...Object.fromEntries(SECTIONS.map((section) => [section, whole(section)])) };
}

/** Take over a choice, as a project has it in force: it says only what differs from the server's own start. */
export function takeChoice(choice) {
  const { method, params, regions, labels, prompts } = structuredClone(choice);
  Object.assign(state, { method, regions, labels, prompts, inForce: choice });
  state.params[method] = params;
}

export function askedLabels() {
  return state.names
    .filter((label) => label.name.trim())
    .map((label) => ({ name: label.name.trim(), predicted_values: splitValues(label.values) }));
}

export const splitValues = (text) => text.split(",").map((value) => value.trim()).filter(Boolean);

/** A colour for the next label: the palette's first that is free. */
export function freeColor() {
  const used = new Set(state.names.map((label) => label.color));
  return state.form.palette.find((color) => !used.has(color)) ?? state.form.palette[state.names.length % state.form.palette.length];
}
