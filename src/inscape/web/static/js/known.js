// Crystals of the library: what it holds of one, loaded once, and its density of states as a curve.
import { get } from "./api.js";
import { unpacked } from "./arrays.js";
import { density, energyUnit, shownAll } from "./units.js";

const EMPTY = 1e-4; // share of the highest value below which nothing is drawn at the end of a curve
const loaded = new Map(); // by id

// At a temperature (K), or at that of the service.
export async function known(id, temperature = null) {
  const key = `${id} ${temperature}`;
  if (!loaded.has(key)) loaded.set(key, unpacked(await get(`library/${id}`, { temperature, arrays: "base64" })));
  return loaded.get(key);
}

export const learned = ({ split }) => (split === "train" ? "learned from" : "not learned from");

export const dosWords = () => ({ x: { name: "Energy", symbol: "E", unit: energyUnit() }, y: { name: "g(E), area 1", symbol: "g", unit: `1/${energyUnit()}` } });

export function dosCurve(name, { axes, variables: { dos } }, more = {}) {
  const end = 2 + dos.values.findLastIndex((value) => value > EMPTY * Math.max(...dos.values));
  const energy = (axes.energy_dos ?? axes.energy).values.slice(0, end);
  return { name, x: shownAll(energy), y: Array.from(dos.values.slice(0, end), density), ...more };
}
