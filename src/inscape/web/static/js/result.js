// Results of the API in the form in which plots take them.
import { get, post } from "./api.js";
import { part, sum, unpacked } from "./arrays.js";
import { withoutPlane } from "./settings.js";

const SEEN = ["powder", "powder_multiphonon", "instrument_map", "instrument_spectrum"];

const packed = { arrays: "base64" };

let made = null; // the last prediction, so that it need not be asked for again

export async function predict(structure) {
  made = unpacked(await post("predict", { structure }, packed));
  return made.id;
}

export async function load(id, settings) {
  const asMade = Object.values(withoutPlane(settings)).flat().every((value) => value === null);
  if (asMade && made?.id === id) return made;
  return unpacked(await get(`results/${id}`, { ...withoutPlane(settings), ...packed }));
}

// What changes with temperature and instrument, and no more.
export const loadSeen = async (id, settings) =>
  unpacked(await get(`results/${id}`, { ...withoutPlane(settings), ...packed, variables: SEEN }));

export const loadPlane = async (id, settings) => {
  const { instrument, ei, multiphonon, ...others } = settings; // which change no single-crystal map
  return unpacked(await get(`results/${id}`, { ...others, ...packed, variables: ["crystal"] }));
};

export function dosOf(result) {
  const { partial_dos, dos, dos_lower, dos_upper } = result.variables;
  if (!dos) return null;
  const symbols = [...new Set(result.atoms)];
  const share = (symbol) =>
    sum(result.atoms.flatMap((atom, i) => (atom === symbol ? [part(partial_dos, i)] : [])));
  return {
    energy: result.axes.energy.values,
    total: dos.values,
    elements: symbols.length > 1 ? Object.fromEntries(symbols.map((symbol) => [symbol, share(symbol)])) : {},
    band: dos_lower ? { lower: dos_lower.values, upper: dos_upper.values } : null,
  };
}

// The powder map as it is looked at: by the instrument if there is one, else with as many phonons as were asked for.
export function powderOf({ axes, variables }) {
  const { powder, powder_multiphonon: many, instrument_map: seen } = variables;
  if (!powder && !seen) return null;
  const orders = many ? Array.from({ length: many.shape[0] }, (_, i) => part(many, i)) : [];
  return {
    q: axes.q,
    energy: axes.energy,
    values: seen ? seen.values : sum([powder.values, ...orders]),
    units: (seen ?? powder).units,
    name: seen ? "instrument_map" : "powder",
  };
}

export function banksOf({ axes, variables: { instrument_spectrum: spectrum } }) {
  if (!spectrum) return null;
  return {
    energy: axes.energy.values,
    units: spectrum.units,
    banks: Array.from(axes.bank.values, (name, i) => ({ name: String(name), values: part(spectrum, i) })),
  };
}

export function heatOf({ axes, variables: { heat_capacity: heat, heat_capacity_error: error } }) {
  if (!heat) return null;
  const shifted = (sign) => Array.from(heat.values, (value, i) => value + sign * error.values[i]);
  return {
    temperature: axes.temperature.values,
    values: heat.values,
    units: heat.units,
    band: error ? { lower: shifted(-1), upper: shifted(1) } : null,
  };
}
