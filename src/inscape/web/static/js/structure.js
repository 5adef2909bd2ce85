// The ways in: a file, pasted text, an example, a crystal of the library.
import { get } from "./api.js";
import { go } from "./address.js";
import { byId, el, formula } from "./dom.js";
import { onFile } from "./drop.js";
import { announce, attempt } from "./messages.js";
import { predict } from "./result.js";

const HITS = 50;
const error = () => byId("structure-error");

// Predict a structure and open the result.
async function take(structure) {
  announce(`Predicting ${structure.name}`);
  const id = await attempt(error(), () => predict(structure));
  if (id) go({ view: "result", id });
}

async function takeFile(file, { max_structure_bytes: most }) {
  await attempt(error(), async () => {
    if (file.size > most) throw new Error(`${file.name} has ${file.size} bytes, at most ${most} are taken here: give the primitive cell`);
    await take({ text: await file.text(), name: file.name });
  });
}

async function showExamples() {
  const examples = await attempt(error(), () => get("examples"));
  byId("examples").replaceChildren(
    ...(examples ?? []).map(({ id, label, format, text }) => {
      const [name, chemical] = label.split(", ");
      const choose = () => take({ text, format, name: `${id}.${format === "poscar" ? "vasp" : format}` });
      return el("li", {}, el("button", { type: "button", onclick: choose, title: name }, `${id === chemical.toLowerCase() ? "" : `${name}, `}`, formula(chemical)));
    }),
  );
}

async function search() {
  const wanted = byId("search").value.trim();
  if (!wanted) return;
  const hits = await attempt(error(), () => get("library", { formula: wanted, limit: HITS }));
  if (!hits) return;
  const list = byId("search-hits");
  list.hidden = false;
  list.replaceChildren(
    ...hits.map((hit) => {
      const open = () => go({ view: "known", id: hit.id });
      return el("li", {}, el("button", { type: "button", onclick: open }, formula(hit.formula), el("span", { class: "muted small" }, `${hit.space_group} · ${hit.id}`)));
    }),
  );
  if (!hits.length) list.replaceChildren(el("li", { class: "muted small" }, `The library has no ${wanted}; systems are written Si-O.`));
  announce(`${hits.length} crystals found`);
}

export function startStructure(about) {
  onFile(byId("drop"), byId("file"), (file) => takeFile(file, about));
  byId("paste-form").addEventListener("submit", (event) => {
    event.preventDefault();
    take({ text: byId("paste").value, name: "pasted text" });
  });
  byId("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  showExamples();
}
