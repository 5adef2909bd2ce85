// A measured spectrum: shown, cleaned, searched with, compared with a result.
import * as address from "../address.js";
import { get, post, upload } from "../api.js";
import { unpacked } from "../arrays.js";
import { colourControls } from "../colours.js";
import { byId, el, fillSelect, formula } from "../dom.js";
import { onFile } from "../drop.js";
import { announce, attempt, clearError } from "../messages.js";
import { drawCurves } from "../plots/curves.js";
import { densityUnit, drawPowder, scaledTo } from "../plots/powder.js";
import { recent } from "../recent.js";
import { energyUnit, shownAll } from "../units.js";

const packed = { arrays: "base64" };
const CARDS = ["clean-card", "hits-card", "comparison-card"];
const TOP = 20; // crystals found

let measured = null; // of the API
let clean = null;
let colours = null;
let started = false;

const isMap = () => measured.facts.kind === "powder map";

function drawSpectrum(node, { axes }, variable, options) {
  if (isMap()) {
    return drawPowder(node, { q: axes.q, energy: axes.energy, values: variable.values, units: variable.units }, colours, { symbol: "I", revision: measured.id, ...options });
  }
  const curve = { name: "measured", x: shownAll(axes.energy.values), y: Array.from(variable.values) };
  return drawCurves(node, [curve], {
    words: { x: { name: "Energy transfer", symbol: "E", unit: energyUnit() }, y: { name: "I", symbol: "I", unit: variable.units } },
    revision: measured.id,
  });
}

const drawMeasured = () => drawSpectrum(byId("measured"), measured, measured.variables.intensity, { name: "measured" });

async function drawAll() {
  if (!measured) return;
  await drawMeasured();
  if (clean) await drawSpectrum(byId("clean"), clean, clean.variables.clean, { name: "clean" });
}

const FACTS = { incident_energy_meV: ["Incident energy", "meV"], temperature_K: ["Temperature", "K"], units: ["Unit", ""], instrument: ["Instrument", ""], source: ["File", ""] };

async function show(found) {
  measured = found;
  clean = null;
  for (const id of CARDS) byId(id).hidden = true;
  byId("measured-welcome").hidden = true;
  byId("measured-card").hidden = byId("measured-actions").hidden = false;
  byId("measured-title").textContent = `${found.name}: ${found.facts.kind}`;
  byId("measured-facts").replaceChildren(
    ...Object.entries(FACTS)
      .filter(([key]) => found.facts[key] !== undefined && found.facts[key] !== "")
      .map(([key, [name, unit]]) => el("div", {}, el("dt", {}, name), el("dd", {}, `${found.facts[key]} ${unit}`))),
  );
  byId("denoise").hidden = byId("measured-colours").hidden = !isMap();
  byId("measured-title").focus();
  await drawMeasured();
}

async function take(file) {
  const query = { name: file.name, temperature: byId("measured-temperature").value, incident_energy: byId("measured-ei").value, ...packed };
  announce(`Reading ${file.name}`);
  const found = await attempt(byId("measured-error"), () => upload("measurements", file, query));
  if (found) address.go({ view: "measurement", id: found.id });
}

async function denoise() {
  clearError(byId("action-error"));
  const found = await attempt(byId("action-error"), () => post(`measurements/${measured.id}/denoise`, {}, packed));
  if (!found) return;
  clean = unpacked(found);
  byId("clean-card").hidden = false;
  const warning = byId("clean-warning");
  warning.hidden = !clean.facts.foreign;
  warning.textContent = clean.facts.foreign ? `Take care, this map is unlike those learned from: ${clean.facts.foreign_reason}` : "";
  const filled = clean.variables.filled.values.reduce((total, flag) => total + flag, 0);
  const share = ((100 * filled) / clean.variables.filled.values.length).toFixed(0);
  byId("clean-caption").textContent = `${share} % of the bins were not measured and are filled; their uncertainty is larger.`;
  announce("Noise removed");
  await drawAll();
  byId("clean-card").scrollIntoView({ block: "nearest" });
}

const row = (cells, tag = "td") => el("tr", {}, ...cells.map((cell) => el(tag, tag === "th" ? { scope: "col" } : { class: "number" }, cell)));
const rounded = (value, digits = 3) => (value === null ? "–" : value.toPrecision(digits));

async function search() {
  const found = await attempt(byId("action-error"), () => post(`measurements/${measured.id}/search`, { top: TOP }, packed));
  if (!found) return;
  byId("hits-card").hidden = false;
  byId("hits").replaceChildren(
    el(
      "table",
      {},
      el("thead", {}, row(["Crystal", "Space group", "Cosine", "χ²", "Energies times"], "th")),
      el(
        "tbody",
        {},
        ...found.matches.map((match) =>
          row([
            el("a", { href: address.format({ view: "known", id: match.id }) }, formula(match.formula), ` ${match.id}`),
            match.space_group,
            rounded(match.score),
            rounded(match.chi2),
            rounded(match.stretch, 4),
          ]),
        ),
      ),
    ),
    ...found.notes.map((note) => el("p", { class: "small muted" }, note)),
  );
  byId("hits-title").focus();
  announce(`${found.matches.length} crystals found`);
}

async function compare() {
  const result = byId("compare-with").value;
  const found = await attempt(byId("action-error"), () => post(`measurements/${measured.id}/fit`, { result }, packed));
  if (!found) return;
  const { fit } = found;
  const { axes, variables } = unpacked(found);
  byId("comparison-card").hidden = false;
  byId("comparison").replaceChildren(
    el("p", {}, `Scale ${rounded(fit.scale)} ± ${rounded(fit.scale_error, 2)}, χ² of a free bin ${rounded(fit.reduced_chi_square)}.`),
    ...(fit.notes ?? []).map((note) => el("p", { class: "small muted" }, note)),
  );
  if (isMap()) {
    await drawPowder(byId("comparison-plot"), { q: axes.q, energy: axes.energy, values: variables.model.values, units: variables.model.units }, colours, { symbol: "I", name: "model", revision: `model ${measured.id}` });
  } else {
    const x = shownAll(axes.energy.values);
    const curves = ["intensity", "model"].map((name) => ({ name, x, y: Array.from(scaledTo(variables[name].units, variables[name].values)) }));
    await drawCurves(byId("comparison-plot"), curves, {
      words: { x: { name: "Energy transfer", symbol: "E", unit: energyUnit() }, y: { name: "I", symbol: "I", unit: densityUnit(variables.model.units) } },
      name: "comparison",
    });
  }
  byId("comparison-title").focus();
}

function start() {
  if (started) return;
  started = true;
  colours = colourControls(byId("measured-colours"), "measured", drawAll);
  onFile(byId("measured-drop"), byId("measured-file"), take);
  byId("upload-form").addEventListener("submit", (event) => event.preventDefault());
  byId("denoise").addEventListener("click", denoise);
  const forms = { "look-alike-form": search, "compare-form": compare };
  for (const [id, act] of Object.entries(forms)) {
    byId(id).addEventListener("submit", (event) => {
      event.preventDefault();
      clearError(byId("action-error"));
      act();
    });
  }
  document.addEventListener("appearance", () => byId("view-measurement").hidden || drawAll());
}

function offerRecent() {
  fillSelect(byId("compare-with"), recent().map(({ id, words }) => [id, words]));
  byId("compare-form").querySelector("button").disabled = recent().length === 0;
}

export async function open(place) {
  start();
  offerRecent();
  if (place.id && place.id !== measured?.id) await show(unpacked(await get(`measurements/${place.id}`, packed)));
}
