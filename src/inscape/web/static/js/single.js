// The single-crystal map: a slice at one energy, moved by a slider; the whole volume is here, so that it moves at once.
import { slice } from "./arrays.js";
import { byId, fillSelect } from "./dom.js";
import { attempt } from "./messages.js";
import { colourControls } from "./colours.js";
import { drawMap, limitsOf } from "./plots/map.js";
import { densityUnit, scaledTo } from "./plots/powder.js";
import { loadPlane } from "./result.js";
import { energyUnit, shown } from "./units.js";

const OWN = "own";
const PLANES = { HK0: ["H", "K"], H0L: ["H", "L"], "0KL": ["K", "L"], HHL: ["HH", "L"] };
const START = 0.25; // of the way up the energies, where the slider begins

let volume = null; // {h, k, energy, values, shape, units, plane}
let colours = null;

const level = () => Number(byId("energy-slider").value);

export function drawSlice() {
  if (!volume) return undefined;
  const energy = volume.energy.values[level()];
  const words = `${shown(energy).toFixed(2)} ${energyUnit()}`;
  byId("energy-value").textContent = words;
  byId("energy-slider").setAttribute("aria-valuetext", words);
  const rows = slice(volume, level()).map((row) => scaledTo(volume.units, row));
  const look = colours.of((log) => limitsOf(rows.flatMap((row) => Array.from(row)), log));
  const [across, up] = PLANES[volume.plane] ?? ["1st vector", "2nd vector"];
  byId("single-caption").textContent = `Coherent scattering by one phonon at ${words} in the plane ${volume.plane}.`;
  return drawMap(byId("single"), {
    x: volume.h.edges,
    y: volume.k.edges,
    values: rows,
    words: {
      x: { name: across, symbol: across, unit: "r.l.u." },
      y: { name: up, symbol: up, unit: "r.l.u.", axis: { scaleanchor: "x", constrain: "domain" } },
      z: { symbol: "S", unit: densityUnit(volume.units) },
    },
    ...look,
    name: "single-crystal",
    revision: volume.plane,
  });
}

// Nothing is shown until the plane of another result is there.
export function forgetPlane() {
  volume = null;
  byId("panel-single").hidden = true;
}

// Load the volume in the plane of the settings, and draw it.
export async function showPlane(id, settings, ownPlane) {
  await attempt(byId("single-error"), async () => {
    const { axes, variables } = await loadPlane(id, settings).finally(() => (byId("panel-single").hidden = false));
    const before = volume?.energy.values.length;
    volume = { h: axes.h, k: axes.k, energy: axes.energy, ...variables.crystal, plane: settings.plane ?? ownPlane };
    const slider = byId("energy-slider");
    slider.max = volume.energy.values.length - 1;
    if (before !== volume.energy.values.length) slider.value = Math.round(START * volume.energy.values.length);
    byId("plane").value = volume.plane in PLANES ? volume.plane : OWN;
    byId("own-plane-field").hidden = volume.plane in PLANES;
    if (!(volume.plane in PLANES)) byId("own-plane").value = volume.plane;
    await drawSlice();
  });
}

// changed({plane}) is called when another plane is chosen.
export function startSingle(about, changed) {
  fillSelect(byId("plane"), [...about.planes, [OWN, "two vectors"]]);
  colours = colourControls(byId("single-colours"), "single", drawSlice);
  byId("energy-slider").addEventListener("input", drawSlice);
  byId("plane").addEventListener("change", () => {
    byId("own-plane-field").hidden = byId("plane").value !== OWN;
    if (byId("plane").value !== OWN) changed({ plane: byId("plane").value });
  });
  byId("plane-form").addEventListener("submit", (event) => {
    event.preventDefault();
    changed({ plane: byId("plane").value === OWN ? byId("own-plane").value : byId("plane").value });
  });
}
