// "Simulate instead": the crystal of a prediction, computed by lattice dynamics in the background.
import { getText, post } from "./api.js";
import { byId, el, fillSelect } from "./dom.js";
import { cancelJob, jobElement, openLink, watch } from "./jobs.js";
import { attempt } from "./messages.js";

const LENGTH = 10; // Å, as `inscape simulate` takes it unless told otherwise

let watching = new AbortController();

// started(job id) is called with a new job.
export function startSimulate(about, current, started) {
  fillSelect(byId("engine"), about.engines);
  byId("supercell").value = LENGTH;
  byId("simulate").querySelector("form").hidden = about.engines.length === 0;
  byId("simulate-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const { result, settings } = current();
    const job = await attempt(byId("simulate-error"), async () => {
      const text = await getText(`results/${result.id}/files/cif`);
      const { temperature, plane, isotopes } = settings;
      return post("jobs", {
        structure: { text, format: "cif", name: result.name },
        engine: byId("engine").value,
        length: Number(byId("supercell").value),
        relax: byId("relax").checked,
        ...(temperature ? { temperature: Number(temperature) } : {}),
        ...(plane ? { plane } : {}),
        ...(isotopes?.length ? { isotopes } : {}),
      });
    });
    if (job) started(job.id);
  });
}

// Show the job until it has ended; done(result id) when there is something to lay beside.
export async function followJob(id, done) {
  stopFollowing();
  watching = new AbortController();
  const node = byId("result-jobs");
  const cancel = (job) => attempt(byId("simulate-error"), () => cancelJob(job));
  const show = (job) => {
    const focused = node.contains(document.activeElement);
    node.replaceChildren(jobElement(job, { cancel, actions: job.result ? [openLink(job)] : [] }));
    if (focused) node.querySelector("button, a")?.focus();
  };
  const job = await attempt(byId("simulate-error"), () => watch(id, show, watching.signal));
  if (job?.result) await done(job.result);
}

export function stopFollowing() {
  watching.abort();
  byId("result-jobs").replaceChildren();
}

export function showFigures(comparison) {
  const rows = Object.entries(comparison.figures).flatMap(([kind, figures]) =>
    Object.entries(figures).map(([name, value]) => el("tr", {}, el("td", {}, kind), el("td", {}, name), el("td", { class: "number" }, typeof value === "number" ? value.toPrecision(3) : String(value)))),
  );
  byId("beside").replaceChildren(
    el("p", {}, el("strong", {}, `Beside it: ${comparison.other}.`)),
    el("table", {}, el("thead", {}, el("tr", {}, ...["Spectrum", "Figure", "Value"].map((text) => el("th", { scope: "col" }, text)))), el("tbody", {}, ...rows)),
    ...comparison.notes.map((note) => el("p", { class: "small muted" }, note)),
  );
  byId("beside").hidden = false;
}
