// Draws a form from the descriptions of knobs: a slider with its number, a switch, a list or a text for each.

import { make, phrase } from "./dom.js";
import { setKnob, startOf } from "./state.js";
import { POSITIONS, nextValue, parseTyped, positionOf, valueAt } from "./scale.js";

const isNumber = (knob) => knob.kind === "int" || knob.kind === "float";

/**
 * Fill a container with one field for each knob.
 *
 * @param section goes into the ids: "params", "regions" ...
 * @param values where values that differ from the start are kept.
 * @param onInput called with the knob's name after each change.
 */
export function drawKnobs(container, section, knobs, values, onInput) {
  const fields = knobs.map((knob) => {
    const id = `${section}-${knob.name}`;
    const field = make("div", { className: "knob" });
    const apply = (value) => {
      setKnob(values, knob, value);
      field.classList.toggle("is-changed", knob.name in values);
      onInput(knob.name);
    };
    const value = values[knob.name] ?? startOf(knob);
    field.classList.toggle("is-changed", knob.name in values);
    field.append(...drawField(knob, id, value, apply), make("p", { className: "hint", id: `${id}-hint` }, ...phrase(knob.help)));
    return field;
  });
  container.replaceChildren(...fields);
  if (!knobs.length) container.append(make("p", { className: "hint" }, "This method has no parameters."));
}

function drawField(knob, id, value, apply) {
  if (knob.choices.length) return drawList(knob, id, value, apply);
  if (knob.kind === "bool") return drawSwitch(knob, id, value, apply);
  return isNumber(knob) ? drawSlider(knob, id, value, apply) : drawText(knob, id, value, apply);
}

/** A number that was worked out, as a share of the image, without the digits that nobody reads. */
const written = (value) => String(Number.isInteger(value) ? value : Number(value.toPrecision(6)));

const caption = (knob, id) => make("label", { htmlFor: id }, knob.name);

function drawList(knob, id, value, apply) {
  const list = make("select", { id, "aria-describedby": `${id}-hint` });
  for (const choice of knob.choices) list.add(new Option(choice, choice));
  list.value = value;
  list.addEventListener("change", () => apply(list.value));
  return [make("div", { className: "line" }, caption(knob, id), list)];
}

function drawSwitch(knob, id, value, apply) {
  const box = make("input", { id, type: "checkbox", checked: value, "aria-describedby": `${id}-hint` });
  box.addEventListener("change", () => apply(box.checked));
  return [make("div", { className: "line" }, caption(knob, id), box)];
}

function drawText(knob, id, value, apply) {
  const input = make("input", { id, type: "text", value, spellcheck: false, autocomplete: "off", "aria-describedby": `${id}-hint` });
  input.addEventListener("change", () => apply(input.value.trim()));
  return [make("div", { className: "line" }, caption(knob, id), input)];
}

function drawSlider(knob, id, value, apply) {
  let current = value;
  const number = make("input", { id, type: "text", inputMode: "decimal", className: "number", autocomplete: "off", value: written(value), "aria-describedby": `${id}-hint` });
  const slider = make("input", { id: `${id}-slider`, type: "range", min: 0, max: POSITIONS, step: 1 });
  slider.setAttribute("aria-label", `${knob.name}, slider`);
  const show = () => {
    slider.value = positionOf(knob, current);
    slider.setAttribute("aria-valuetext", `${written(current)}${knob.unit ? ` ${knob.unit}` : ""}`);
    slider.style.setProperty("--share", `${slider.value / 10}%`);
  };
  const set = (next, follow = true) => {
    current = next;
    number.value = written(next);
    if (follow) show();
    apply(next);
  };
  let byKey = false;
  slider.addEventListener("keydown", () => (byKey = true));
  slider.addEventListener("pointerdown", () => (byKey = false));
  slider.addEventListener("input", () => {
    const position = Number(slider.value);
    const next = byKey ? nextValue(knob, current, position) : valueAt(knob, position);
    if (next !== current) set(next, byKey);
  });
  slider.addEventListener("change", show);
  number.addEventListener("change", () => {
    const next = parseTyped(knob, number.value);
    if (next === null) number.value = written(current);
    else set(next);
  });
  show();
  const unit = knob.unit ? [make("span", { className: "unit" }, knob.unit)] : [];
  return [make("div", { className: "line" }, caption(knob, id), number, ...unit), slider];
}
