// The powder map of a result or a measurement: everything in the unit that energies are shown in.
import { transposed } from "../arrays.js";
import { density, energyUnit, shownAll } from "../units.js";
import { drawMap, limitsOf } from "./map.js";

const ELASTIC = 1; // meV; colour limits are set by what lies above: below, S rises without bound

// Units of the API end in 1/meV or meV⁻¹ where a value is a density of energy.
export const densityUnit = (unit) => unit.replace("1/meV", `1/${energyUnit()}`).replace("meV⁻¹", energyUnit() === "cm⁻¹" ? "cm" : `${energyUnit()}⁻¹`);
export const isDensity = (unit) => unit.includes("meV");
export const scaledTo = (unit, values) => (isDensity(unit) ? values.map(density) : values);

function aboveElastic(values, [n, m], energy) {
  const from = energy.findIndex((value) => value > ELASTIC);
  const kept = [];
  for (let i = 0; i < n; i += 1) for (let j = Math.max(from, 0); j < m; j += 1) kept.push(values[i * m + j]);
  return kept;
}

// map: {q, energy (axes), values flat (q, energy), units}; colours: the answer of colourControls, or fixed limits.
export function drawPowder(node, map, colours, { symbol = "S", shapes = [], name = "powder", revision = 0, top = null } = {}) {
  const shape = [map.q.values.length, map.energy.values.length];
  const values = scaledTo(map.units, map.values);
  const suited = (log) => limitsOf(aboveElastic(values, shape, map.energy.values), log);
  const look = colours.of(suited);
  return drawMap(node, {
    x: map.q.edges ?? map.q.values,
    y: shownAll(map.energy.edges ?? map.energy.values),
    values: transposed(values, shape),
    words: {
      x: { name: "|Q|", symbol: "|Q|", unit: "1/Å" },
      y: { name: "Energy transfer", symbol: "E", unit: energyUnit(), axis: top ? { range: [0, top] } : {} },
      z: { symbol, unit: densityUnit(map.units) },
    },
    ...look,
    shapes,
    name,
    revision: `${revision} ${energyUnit()}`,
  });
}
