// Draws the form from the methods' own descriptions, sends the image, shows the masks.
"use strict";

const byId = (id) => document.getElementById(id);
const state = { methods: [], running: null };

function makeInput(knob) {
  const input = document.createElement(knob.choices.length ? "select" : "input");
  input.id = `knob-${knob.name}`;
  input.name = knob.name;
  if (knob.choices.length) {
    for (const choice of knob.choices) input.add(new Option(choice, choice));
    input.value = knob.default;
  } else if (knob.kind === "bool") {
    input.type = "checkbox";
    input.checked = knob.default;
  } else {
    input.type = knob.kind === "str" ? "text" : "number";
    if (knob.kind === "float") input.step = "any";
    if (knob.low !== null) input.min = knob.low;
    if (knob.high !== null) input.max = knob.high;
    input.value = knob.default;
  }
  return input;
}

function showMethod() {
  const method = state.methods.find((entry) => entry.name === byId("method").value);
  byId("summary").textContent = method.summary;
  const legend = byId("knobs").querySelector("legend");
  byId("knobs").replaceChildren(legend);
  for (const knob of method.knobs) {
    const label = document.createElement("label");
    const hint = document.createElement("span");
    const input = makeInput(knob);
    label.htmlFor = input.id;
    label.append(knob.unit ? `${knob.name} (${knob.unit})` : knob.name);
    hint.className = "hint";
    hint.id = `${input.id}-hint`;
    hint.textContent = knob.help;
    input.setAttribute("aria-describedby", hint.id);
    label.append(input, hint);
    byId("knobs").append(label);
  }
}

// Only what differs from the defaults: that is what belongs in a labeling config.
function changedParams() {
  const method = state.methods.find((entry) => entry.name === byId("method").value);
  const params = {};
  for (const knob of method.knobs) {
    const input = byId(`knob-${knob.name}`);
    let value = input.value;
    if (knob.kind === "bool") value = input.checked;
    else if (knob.kind === "int" || knob.kind === "float") value = Number(input.value);
    if (value !== knob.default) params[knob.name] = value;
  }
  return params;
}

function showTag() {
  const escape = (text) => String(text).replace(/&/g, "&amp;").replace(/"/g, "&quot;").replace(/</g, "&lt;");
  const attributes = Object.entries(changedParams()).map(([name, value]) => ` model_${name}="${escape(value)}"`);
  byId("tag").value = `<BrushLabels name="mask" toName="image" model_method="${byId("method").value}"${attributes.join("")}>`;
}

function say(text, isError = false) {
  byId("status").textContent = text;
  byId("status").classList.toggle("error", isError);
}

async function segment() {
  showTag();
  const file = byId("file").files[0];
  if (!file) return;
  if (state.running) state.running.abort();
  const running = (state.running = new AbortController());
  const body = new FormData();
  body.append("image", file);
  body.append("choice", JSON.stringify({ method: byId("method").value, params: changedParams() }));
  say("Segmenting …");
  try {
    const response = await fetch("playground/segment", { method: "POST", body, signal: running.signal });
    const answer = await response.json();
    if (!response.ok) return say(answer.detail, true);
    byId("overlay").src = answer.overlay;
    byId("overlay").alt = `${answer.segments} segments by ${answer.method}`;
    byId("overlay").hidden = false;
    say(`${answer.segments} segments by ${answer.why} in ${answer.milliseconds} ms (${answer.width} x ${answer.height})`);
  } catch (error) {
    if (error.name !== "AbortError") say(`The server does not answer: ${error.message}`, true);
  }
}

async function start() {
  const answer = await (await fetch("playground/methods")).json();
  state.methods = answer.methods;
  for (const method of state.methods) byId("method").add(new Option(method.name, method.name));
  byId("method").value = answer.default;
  showMethod();
  showTag();
  byId("method").addEventListener("change", () => { showMethod(); segment(); });
  byId("knobs").addEventListener("change", segment);
  byId("file").addEventListener("change", segment);
  byId("form").addEventListener("submit", (event) => event.preventDefault());
}

start();
