// Densities of states: what each element contributes, all together, the error band, and another result beside it.
import { colour } from "../theme.js";
import { densityAll, energyUnit, shownAll } from "../units.js";
import { band, BAND } from "./band.js";
import { axis, COLOURS, draw } from "./plotly.js";

const hover = (label) => `E = %{x:.2~f} ${energyUnit()}<br>g = %{y:.3~g} 1/${energyUnit()}<extra>${label}</extra>`;

// dos: {energy, total, elements: {symbol: values}, band: {lower, upper} | null}, in meV and 1/meV.
// beside: the same of another result, with its name, or null.
export function drawDos(node, dos, { beside = null, name = "dos", revision = 0 } = {}) {
  const energy = shownAll(dos.energy);
  const elements = Object.entries(dos.elements).map(([symbol, values], i) => ({
    type: "scatter",
    mode: "lines",
    x: energy,
    y: densityAll(values),
    name: symbol,
    line: { color: COLOURS[i % COLOURS.length], width: 1.5 },
    hovertemplate: hover(symbol),
  }));
  const total = {
    type: "scatter",
    mode: "lines",
    x: energy,
    y: densityAll(dos.total),
    name: "all",
    line: { color: colour("ink"), width: 2 },
    hovertemplate: hover("all"),
  };
  const other = beside && {
    ...total,
    x: shownAll(beside.energy),
    y: densityAll(beside.total),
    name: beside.name,
    line: { color: COLOURS[5], width: 2, dash: "dash" },
    hovertemplate: hover(beside.name),
  };
  const layout = {
    xaxis: axis(`Energy (${energyUnit()})`, { rangemode: "tozero" }),
    yaxis: axis(`g(E) (1/${energyUnit()})`, { rangemode: "tozero" }),
    uirevision: `${revision} ${energyUnit()}`,
  };
  const held = dos.band ? band(energy, densityAll(dos.band.lower), densityAll(dos.band.upper), BAND) : [];
  return draw(node, [...held, ...elements, total, ...(other ? [other] : [])], layout, { name });
}
