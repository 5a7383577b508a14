// The projects of Label Studio that this server knows: their tasks as photos, their setting as a start, and saved back.

import { byId, complain, plural, say } from "./dom.js";
import { setLabels } from "./labels.js";
import { addPhotos } from "./photos.js";
import { getJson, postJson } from "./server.js";
import { choiceOf, freeColor, state, takeChoice } from "./state.js";

const query = (project) => `project?project=${encodeURIComponent(project)}`;

/** Show the projects, where there are any; `taken` is called after a project's setting was taken over. */
export async function startProjects(taken) {
  const { projects } = await getJson("projects");
  if (!projects.length) return;
  for (const list of [byId("project"), byId("save-project")]) {
    for (const { project, number, host } of projects) list.add(new Option(`Project ${number} at ${host}`, project));
  }
  byId("projects").hidden = byId("save").hidden = false;
  byId("open-project").addEventListener("click", () => open(taken).catch(complain));
  byId("save-setting").addEventListener("click", () => save(choiceOf(state.method)).catch(complain));
  byId("unsave").addEventListener("click", () => save({}).catch(complain));
  await showTitles(new Map(projects.map((each) => [each.project, each])));
}

/** Call the projects by their titles, once Label Studio has told them; the number stays with those it has not told. */
async function showTitles(projects) {
  const { titles } = await getJson("titles");
  for (const option of document.querySelectorAll("#project option, #save-project option")) {
    const title = titles[option.value];
    const { number, host } = projects.get(option.value);
    if (title) option.textContent = `${title} (${number}) at ${host}`;
  }
}

async function open(taken) {
  const project = byId("project").value;
  say("Asking Label Studio for the project's tasks …");
  const { tasks, labels, choice, tag } = await getJson(query(project));
  if (!tasks.length) return say("This project has no tasks.", { isError: true });
  takeChoice(choice);
  state.tag = { ...tag, isKnown: true };
  state.names = [];
  for (const { name, predicted_values: values } of labels) {
    state.names.push({ name, color: freeColor(), values: values.join(",") });
  }
  setLabels(state.names);
  byId("save-project").value = project;
  taken();
  say(`${plural(tasks.length, "task")}, and the setting in force there.`);
  addPhotos(tasks.map(({ id, name }) => ({ name: `Task ${name}`, task: { project, task: id } })));
}

async function save(choice) {
  const project = byId("save-project").value;
  const { model_version: version, note } = await postJson("save", { project, choice });
  const told = "method" in choice ? "Saved" : "Taken back";
  say(`${told}; new predictions are ${version}.${note ? ` But ${note}.` : ""}`);
}
