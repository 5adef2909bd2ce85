// Cuts through the powder map: a band in the map that is dragged, or two numbers, and the average as a curve.
import { get } from "./api.js";
import { unpacked } from "./arrays.js";
import { byId } from "./dom.js";
import { attempt, clearError } from "./messages.js";
import { drawCurves } from "./plots/curves.js";
import { densityUnit, scaledTo } from "./plots/powder.js";
import { withoutPlane } from "./settings.js";
import { colour } from "./theme.js";
import { energyUnit, fromShown, shown, shownAll } from "./units.js";

const WIDTHS = { q: 0.5, energy: 5 }; // 1/Å and meV: of the first cut, about the middle of the map

let band = null; // {axis, low, high}: 1/Å or meV
let listening = false;

const inMeV = (axis, value) => (axis === "energy" ? fromShown(value) : value);
const inShown = (axis, value) => (axis === "energy" ? shown(value) : value);

function middle(map, axis) {
  const { edges } = map[axis];
  const centre = (edges[0] + edges[edges.length - 1]) / 2;
  return { axis, low: centre - WIDTHS[axis] / 2, high: centre + WIDTHS[axis] / 2 };
}

function showBand() {
  byId("cut-axis").value = band.axis;
  byId("cut-low").value = inShown(band.axis, band.low).toPrecision(4);
  byId("cut-high").value = inShown(band.axis, band.high).toPrecision(4);
  byId("cut-unit").textContent = band.axis === "q" ? "1/Å" : energyUnit();
}

// The band as a shape of the map, which Plotly lets the user drag.
export function shapeOf(map) {
  band ??= middle(map, "q");
  const along = band.axis === "q" ? ["x", "y"] : ["y", "x"];
  return {
    type: "rect",
    editable: true,
    [`${along[0]}0`]: inShown(band.axis, band.low),
    [`${along[0]}1`]: inShown(band.axis, band.high),
    [`${along[1]}0`]: 0,
    [`${along[1]}1`]: 1,
    [`${along[1]}ref`]: "paper",
    line: { color: colour("accent"), width: 2 },
    fillcolor: "rgba(122,184,245,0.22)",
  };
}

async function average({ id, settings }, of) {
  const query = { of, ...band, ...withoutPlane(settings), arrays: "base64" };
  const { variable, axes } = await get(`results/${id}/cut`, query);
  const found = unpacked({ axes, variables: { variable } });
  return { axis: found.axes[variable.dims[0]], ...found.variables.variable };
}

// results: [{id, settings, name}], the one looked at and perhaps one beside it; of: the variable of each.
export async function drawCut(results, of) {
  clearError(byId("cut-error"));
  await attempt(byId("cut-error"), async () => {
    const found = await Promise.all(results.map((result) => average(result, of)));
    const alongEnergy = band.axis === "q";
    const x = (axis) => (alongEnergy ? shownAll(axis.values) : Array.from(axis.values));
    const curves = found.map((one, i) => ({ name: results[i].name, x: x(one.axis), y: Array.from(scaledTo(one.units, one.values)), dash: i ? "dash" : "solid" }));
    const words = {
      x: alongEnergy ? { name: "Energy transfer", symbol: "E", unit: energyUnit() } : { name: "|Q|", symbol: "|Q|", unit: "1/Å" },
      y: { name: "S", symbol: "S", unit: densityUnit(found[0].units) },
    };
    const top = alongEnergy ? highestAboveElastic(found[0]) : null;
    await drawCurves(byId("cut"), curves, { words, name: "cut", revision: `${band.axis} ${energyUnit()}`, y: top ? { range: [0, 1.1 * top] } : { rangemode: "tozero" } });
  });
}

// Near no loss of energy S rises without bound: the axis ends at the highest value elsewhere.
function highestAboveElastic({ axis, units, values }) {
  const above = scaledTo(units, values).filter((value, i) => axis.values[i] > 2 && Number.isFinite(value));
  return above.length ? Math.max(...above) : null;
}

// redraw() is called after the band was moved.
export function startCut(redraw, mapShown) {
  const move = (next) => {
    band = next;
    showBand();
    redraw();
  };
  byId("cut-axis").addEventListener("change", () => move(middle(mapShown(), byId("cut-axis").value)));
  byId("cut-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const [low, high] = ["cut-low", "cut-high"].map((id) => inMeV(band.axis, Number(byId(id).value)));
    move({ ...band, low: Math.min(low, high), high: Math.max(low, high) });
  });
  return { showBand, listen: () => listenToDrags(move) };
}

function listenToDrags(move) {
  if (listening) return;
  listening = true;
  byId("powder").on("plotly_relayout", (change) => {
    const letter = band.axis === "q" ? "x" : "y";
    const [a, b] = [change[`shapes[0].${letter}0`], change[`shapes[0].${letter}1`]].map(Number);
    if (!Number.isFinite(a) || !Number.isFinite(b)) return;
    move({ ...band, low: inMeV(band.axis, Math.min(a, b)), high: inMeV(band.axis, Math.max(a, b)) });
  });
}
