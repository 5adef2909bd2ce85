// The unit that energies are shown in. Factors come from the service; files and requests are always in meV.
import { byId, fillSelect } from "./dom.js";

const KEPT = "inscape-energy-unit";
let factors = { meV: 1 };
let chosen = "meV";

export const energyUnit = () => chosen;
export const shown = (meV) => meV * factors[chosen];
export const fromShown = (value) => value / factors[chosen];
export const density = (perMeV) => perMeV / factors[chosen];
export const shownAll = (values) => Array.from(values, shown);
export const densityAll = (values) => Array.from(values, (value) => (value === null ? null : density(value)));

export function startUnits(table) {
  factors = table;
  const kept = localStorage.getItem(KEPT);
  if (kept in factors) chosen = kept;
  const select = byId("unit");
  fillSelect(select, Object.keys(factors), chosen);
  select.addEventListener("change", () => {
    chosen = select.value;
    localStorage.setItem(KEPT, chosen);
    document.dispatchEvent(new CustomEvent("appearance"));
  });
}
