// A crystal: its structure, its spectra, and what can be done with them.
import { post } from "../api.js";
import * as address from "../address.js";
import { showCell } from "../cell.js";
import { colourControls } from "../colours.js";
import { drawCut, shapeOf, startCut } from "../cut.js";
import { byId } from "../dom.js";
import { latest } from "../latest.js";
import { showLook, startLook } from "../look.js";
import { announce, attempt, clearError } from "../messages.js";
import { drawCurves } from "../plots/curves.js";
import { drawDos } from "../plots/dos.js";
import { densityUnit, drawPowder, scaledTo } from "../plots/powder.js";
import { keepRecent } from "../recent.js";
import { banksOf, dosOf, heatOf, load, loadSeen, powderOf } from "../result.js";
import { settingsOf } from "../settings.js";
import { followJob, showFigures, startSimulate, stopFollowing } from "../simulate.js";
import { drawSlice, forgetPlane, showPlane, startSingle } from "../single.js";
import { startStructure } from "../structure.js";
import { showDownloads } from "../taking.js";
import { colour } from "../theme.js";
import { showFacts, showTrust } from "../trust.js";
import { energyUnit, shownAll } from "../units.js";

let place = null; // the address of what is shown
let result = null; // as loaded with the settings of the address
let beside = null; // another result with the same settings
let started = false;
let powderColours = null;
let cut = null;

const settings = () => settingsOf(place.options);
const setOptions = (options) => {
  place = { ...place, options: { ...place.options, ...options } };
  address.remember(place);
};

const HELD = "The band holds the truth nine times out of ten. ";

async function drawDensityOfStates() {
  const dos = dosOf(result);
  byId("panel-dos").hidden = !dos;
  if (!dos) return;
  const other = beside && dosOf(beside);
  await drawDos(byId("dos"), dos, { beside: other && { ...other, name: beside.kind }, revision: result.id });
  byId("dos-caption").textContent = `${dos.band ? HELD : ""}The area is three times the number of atoms of the primitive cell.`;
}

async function drawHeat() {
  const heat = heatOf(result);
  byId("panel-heat").hidden = !heat;
  if (!heat) return;
  const temperature = Number(byId("temperature-number").value);
  const curves = [result, beside].filter(Boolean).map((one, i) => ({
    name: one.kind,
    x: Array.from(heatOf(one).temperature),
    y: Array.from(heatOf(one).values),
    band: heatOf(one).band,
    dash: i ? "dash" : "solid",
  }));
  const line = { type: "line", x0: temperature, x1: temperature, y0: 0, y1: 1, yref: "paper", line: { color: colour("accent"), width: 1.5, dash: "dot" } };
  await drawCurves(byId("heat"), curves, {
    words: { x: { name: "Temperature", symbol: "T", unit: "K" }, y: { name: "C<sub>V</sub>", symbol: "C<sub>V</sub>", unit: heat.units } },
    shapes: [line],
    name: "heat-capacity",
    revision: result.id,
    y: { rangemode: "tozero" },
  });
  const nearest = heat.temperature.findIndex((value) => value >= temperature);
  const value = nearest < 0 ? "" : `${heat.values[nearest].toPrecision(4)} ${heat.units} per mole of atoms at ${heat.temperature[nearest]} K. `;
  byId("heat-caption").textContent = `${value}${heat.band ? HELD : ""}`;
}

async function drawPowderMap() {
  const map = powderOf(result);
  byId("panel-powder").hidden = byId("panel-cut").hidden = !map;
  if (!map) return;
  await drawPowder(byId("powder"), map, powderColours, { shapes: [shapeOf(map)], revision: result.id });
  cut.listen();
  cut.showBand();
  const seen = map.name === "instrument_map";
  byId("powder-caption").textContent = seen
    ? "As the instrument sees it, broadened by its resolution. Grey: no detector reaches it."
    : "Average over all directions of a powder.";
  const other = beside && powderOf(beside);
  byId("panel-beside").hidden = !other;
  if (other) {
    byId("beside-title").textContent = `Laid beside: ${beside.kind}, ${beside.summary.engine}`;
    await drawPowder(byId("beside-powder"), other, powderColours, { name: "beside", revision: beside.id });
    byId("beside-caption").textContent = "In the colours of the map above, limits too if you set them.";
  }
}

async function drawBanks() {
  const spectrum = banksOf(result);
  byId("panel-banks").hidden = !spectrum;
  if (!spectrum) return;
  const curves = spectrum.banks.map(({ name, values }) => ({ name, x: shownAll(spectrum.energy), y: Array.from(scaledTo(spectrum.units, values)) }));
  await drawCurves(byId("banks"), curves, {
    words: { x: { name: "Energy transfer", symbol: "E", unit: energyUnit() }, y: { name: "S", symbol: "S", unit: densityUnit(spectrum.units) } },
    name: "banks",
    revision: `${result.id} ${energyUnit()}`,
    y: { rangemode: "tozero" },
  });
}

const drawCutOfAll = latest(async () => {
  const map = result && powderOf(result);
  if (!map) return;
  const all = [result, beside].filter(Boolean);
  await drawCut(all.map((one) => ({ id: one.id, settings: settings(), name: one.kind })), map.name);
});

async function drawAll() {
  showFacts(result);
  await drawDensityOfStates();
  await drawPowderMap();
  await drawBanks();
  await drawHeat();
  await drawSlice();
  await drawCutOfAll();
}

// Another temperature, instrument or isotope: only what depends on it is loaded.
const redraw = latest(async () => {
  await attempt(byId("look-error"), async () => {
    const wanted = settings();
    const found = await Promise.all([result, beside].filter(Boolean).map((one) => loadSeen(one.id, wanted)));
    [result, beside] = [result, beside].map((one, i) => one && { ...one, ...newer(one, found[i]) });
    byId("exactness").textContent = result.notes.join(" ");
    showDownloads(result, wanted);
    await drawPowderMap();
    await drawBanks();
    await drawHeat();
    await drawCutOfAll();
    await showPlane(result.id, wanted, result.settings.plane);
  });
});

const OF_DOS = ["dos", "partial_dos", "dos_lower", "dos_upper", "heat_capacity", "heat_capacity_error"];

// A result with the spectra that were loaded anew in place of those it had of that kind.
function newer(before, { axes, variables, reproduce, notes }) {
  const same = OF_DOS.filter((name) => before.variables[name]).map((name) => [name, before.variables[name]]);
  return { axes: { ...before.axes, ...axes }, variables: { ...variables, ...Object.fromEntries(same) }, reproduce, notes };
}

async function layBeside(id) {
  await attempt(byId("simulate-error"), async () => {
    beside = await load(id, settings());
    showFigures(await post("compare", { reference: result.id, other: id }));
    await drawAll();
  });
}

function start(about) {
  if (started) return;
  started = true;
  // What modes depend on, and all spectra with them.
  const modes = () => JSON.stringify([settings().road ?? result.settings.road, settings().isotopes]);
  const changed = (options) => {
    const before = modes();
    setOptions(options);
    if (modes() === before) redraw();
    else attempt(byId("look-error"), () => open(place, about));
  };
  powderColours = colourControls(byId("powder-colours"), "powder", () => drawPowderMap());
  startStructure(about);
  startLook(about, changed);
  startSingle(about, (options) => {
    setOptions(options);
    showPlane(result.id, settings(), result.settings.plane);
  });
  cut = startCut(
    async () => {
      await drawPowderMap();
      await drawCutOfAll();
    },
    () => powderOf(result),
  );
  startSimulate(about, () => ({ result, settings: settings() }), (job) => {
    setOptions({ job });
    follow(job);
  });
  byId("copy-link").addEventListener("click", copyLink);
  document.addEventListener("appearance", () => result && !byId("view-crystal").hidden && drawAll());
}

async function copyLink() {
  await navigator.clipboard.writeText(location.href);
  announce("Link copied");
  byId("copy-link").textContent = "Copied";
  setTimeout(() => (byId("copy-link").textContent = "Copy link"), 1500);
}

const follow = (job) =>
  followJob(job, (id) => {
    setOptions({ beside: id });
    return layBeside(id);
  });

export async function open(next, about) {
  start(about);
  stopFollowing();
  place = next;
  if (!place.id) return;
  result = await load(place.id, settings());
  beside = null;
  byId("beside").hidden = true;
  forgetPlane();
  for (const name of ["look", "cut", "single", "simulate", "structure"]) clearError(byId(`${name}-error`));
  byId("welcome").hidden = true;
  byId("result").hidden = byId("cell-card").hidden = false;
  showFacts(result);
  showTrust(result);
  showLook(place.options, result.settings, result.kind);
  byId("exactness").textContent = result.notes.join(" ");
  showDownloads(result, settings());
  keepRecent(result.id, `${result.summary.formula}, ${result.kind} of ${result.name}`);
  byId("result-title").focus();
  announce(`${result.summary.formula}, ${result.kind}`);
  await drawAll();
  await showPlane(result.id, settings(), result.settings.plane);
  await showCell(result.cell, `Unit cell of ${result.summary.formula}, ${result.summary.space_group}`);
  if (place.options.job) follow(place.options.job);
  else if (place.options.beside) await layBeside(place.options.beside);
}
