// "Use it": the setting as attributes of a tag, as extra parameters, as YAML.

import { byId, say } from "./dom.js";
import { askedLabels, choiceToCopy, state } from "./state.js";

const FORMS = {
  tag: { write: writeTag, hint: hintOfTag },
  json: { write: writeJson, hint: () => "For Label Studio: Settings > Model > Edit > extra parameters." },
  yaml: { write: writeYaml, hint: () => "For config.yaml; under projects.<id> it holds for one project only." },
};

const MOST_ROWS = 12;
let restoring = 0;

const escapeXml = (text) => String(text).replace(/&/g, "&amp;").replace(/"/g, "&quot;").replace(/</g, "&lt;");

/** Leave out what is empty. */
function compact() {
  const { method, ...sections } = choiceToCopy();
  const filled = Object.entries(sections).filter(([, values]) => Object.keys(values).length);
  return { method, ...Object.fromEntries(filled) };
}

/** A tag without labels of its own is never written with any. */
const labelsOfTag = () => (state.tag.kind.endsWith("Labels") ? askedLabels() : []);

function hintOfTag() {
  const part = labelsOfTag().length ? "whole tag" : "opening tag";
  const whose = state.tag.isKnown ? `the ${part} of this name; keep what else it says` : `your ${part}; keep its name, toName and what else it says`;
  return `For the labeling config: put it in place of ${whose}.`;
}

function writeTag() {
  const { method, params = {}, regions = {}, labels = {}, prompts = {} } = compact();
  const prefixed = (values, prefix) => Object.entries(values).map(([name, value]) => [prefix + name, value]);
  const all = [["method", method], ...prefixed(params, ""), ...prefixed(regions, ""), ...prefixed(labels, "label_"), ...prefixed(prompts, "prompt_")];
  const attributes = all.map(([name, value]) => ` model_${name}="${escapeXml(value)}"`).join("");
  const { kind, name, toName } = state.tag;
  const open = `<${kind} name="${escapeXml(name)}" toName="${escapeXml(toName)}"${attributes}>`;
  const names = labelsOfTag();
  if (!names.length) return open;
  const lines = names.map(({ name: label, predicted_values: values }) => {
    const wanted = values.length ? ` predicted_values="${escapeXml(values.join(","))}"` : "";
    return `  <Label value="${escapeXml(label)}"${wanted}/>`;
  });
  return [open, ...lines, `</${kind}>`].join("\n");
}

function writeJson() {
  return JSON.stringify(compact());
}

function writeYaml() {
  const { method, ...sections } = compact();
  const lines = ["default:", `  method: ${method}`];
  for (const [section, values] of Object.entries(sections)) {
    lines.push(`  ${section}:`);
    for (const [name, value] of Object.entries(values)) lines.push(`    ${name}: ${JSON.stringify(value)}`);
  }
  return lines.join("\n");
}

const chosen = () => document.querySelector("input[name=form]:checked").value;

export function drawSetting() {
  const { write, hint } = FORMS[chosen()];
  const text = write();
  byId("setting").value = text;
  byId("setting").rows = Math.min(MOST_ROWS, Math.max(3, text.split("\n").length));
  byId("setting-hint").textContent = hint();
}

async function copy() {
  const area = byId("setting");
  try {
    await navigator.clipboard.writeText(area.value);
  } catch {
    // pages without https have no clipboard of their own
    area.select();
    if (!document.execCommand("copy")) return say("Copying is not allowed here; the text is selected, press Ctrl+C.");
    byId("copy").focus();
  }
  say("Copied.");
  // the line that says so is at the other end of the page
  const button = byId("copy");
  button.textContent = "Copied";
  clearTimeout(restoring);
  restoring = setTimeout(() => (button.textContent = "Copy"), 2000);
}

export function startSetting() {
  for (const radio of document.querySelectorAll("input[name=form]")) radio.addEventListener("change", drawSetting);
  byId("copy").addEventListener("click", copy);
}
