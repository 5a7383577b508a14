// The labels a project has: their names decide which label a segment gets, their colours how it is drawn.

import { byId, make } from "./dom.js";
import { changed, freeColor, state } from "./state.js";

const MOST_LABELS = 50;

export function drawLabels() {
  byId("names").replaceChildren(...state.names.map(drawLabel));
  byId("by-label").disabled = !state.names.length;
  byId("by-label").checked = state.look.byLabel;
}

function drawLabel(label, index) {
  const number = index + 1;
  const color = make("input", { type: "color", value: label.color, "aria-label": `Colour of label ${number}` });
  const name = make("input", { type: "text", value: label.name, maxLength: 200, placeholder: "Name", "aria-label": `Name of label ${number}`, autocomplete: "off" });
  const values = make("input", { type: "text", value: label.values, maxLength: 400, placeholder: "predicted_values", "aria-label": `predicted_values of label ${number}`, spellcheck: false, autocomplete: "off" });
  const remove = make("button", { type: "button", className: "quiet", "aria-label": `Remove label ${label.name || number}` }, "✕");
  color.addEventListener("input", () => {
    label.color = color.value;
    changed("look");
  });
  name.addEventListener("change", () => {
    label.name = name.value;
    changed("setting");
  });
  values.addEventListener("change", () => {
    label.values = values.value;
    changed("setting");
  });
  remove.addEventListener("click", () => {
    state.names.splice(index, 1);
    setLabels(state.names);
    byId("add-label").focus();
  });
  return make("li", {}, color, name, values, remove);
}

/** Replace all labels, and colour by them where there are any. */
export function setLabels(names) {
  state.names = names;
  state.look.byLabel = names.length > 0;
  drawLabels();
  changed("setting");
}

export function startLabels() {
  byId("add-label").addEventListener("click", () => {
    if (state.names.length >= MOST_LABELS) return;
    setLabels([...state.names, { name: `Label ${state.names.length + 1}`, color: freeColor(), values: "" }]);
    byId("names").lastElementChild.querySelector("input[type=text]").select();
  });
  byId("by-label").addEventListener("change", () => {
    state.look.byLabel = byId("by-label").checked;
    changed("look");
  });
  drawLabels();
}
