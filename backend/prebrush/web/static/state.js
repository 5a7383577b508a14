// What is chosen: method, knobs, labels, looks. One object, and one event when it changes.

const events = new EventTarget();

export const state = {
  /** What the server told of methods and knobs. */
  form: null,
  method: "",
  /** Values that differ from where the sliders start, by section; those of methods by the method's name. */
  params: {},
  regions: {},
  labels: {},
  prompts: {},
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

export const defaultsOf = (knobs) => Object.fromEntries(knobs.map((knob) => [knob.name, knob.default]));

/** Set a knob; a value equal to the start is left out. */
export function setKnob(values, knob, value) {
  if (value === knob.default) delete values[knob.name];
  else values[knob.name] = value;
}

/** What the server is asked for: only what differs from its own start. */
export function choiceOf(method) {
  const { params, regions, labels, prompts } = state;
  return { method, params: params[method] ?? {}, regions, labels, prompts };
}

/** The same with every value named, so that nothing further down can change it. */
export function wholeChoice() {
  const { form, method } = state;
  const choice = choiceOf(method);
  return {
    method,
    params: { ...defaultsOf(methodOf(method).knobs), ...choice.params },
    regions: { ...defaultsOf(form.regions), ...choice.regions },
    labels: { ...defaultsOf(form.labels), ...choice.labels },
    prompts: { ...defaultsOf(form.prompts), ...choice.prompts },
  };
}

/** Take over a choice, as a project has it in force. */
export function takeChoice(choice) {
  const differing = (knobs, values) => {
    const found = {};
    for (const knob of knobs) if (knob.name in values) setKnob(found, knob, values[knob.name]);
    return found;
  };
  state.method = choice.method;
  state.params[choice.method] = differing(methodOf(choice.method).knobs, choice.params);
  for (const section of ["regions", "labels", "prompts"]) {
    state[section] = differing(state.form[section], choice[section]);
  }
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
