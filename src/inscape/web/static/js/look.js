// The controls of sample and instrument: they show the settings of the address and tell when they change.
import { byId, fillSelect } from "./dom.js";

const DEFAULT_TEMPERATURE = 300;
const KINEMATICS = "kinematics";
const ROADS = [["auto", "the better of both"], ["force-constants", "force constants: sharp"], ["code", "codes: fastest"]];

let instruments = [];

const known = (name) => instruments.find((instrument) => instrument.name === name);

function showEnergyField() {
  const name = byId("instrument").value;
  const direct = name === KINEMATICS || known(name)?.geometry === "direct";
  byId("ei-field").hidden = !direct;
  const allowed = known(name)?.allowed;
  byId("ei").placeholder = allowed ? `${allowed[0]} to ${allowed[1]}` : "";
}

// changed(options, {now}) is called with what is to be different; ``now`` where a slider moves.
export function startLook(about, changed) {
  instruments = about.instruments;
  const names = instruments.map(({ name, geometry }) => [name, `${name} (${geometry ?? "any"})`]);
  fillSelect(byId("road"), ROADS);
  fillSelect(byId("instrument"), [["", "none: all of S(|Q|, E)"], [KINEMATICS, "any: kinematic limits of Eᵢ"], ...names]);
  byId("instrument").addEventListener("change", showEnergyField);
  const slider = byId("temperature");
  const number = byId("temperature-number");
  slider.addEventListener("input", () => {
    number.value = slider.value;
    changed({ temperature: slider.value });
  });
  number.addEventListener("change", () => {
    if (number.value === "" || !(Number(number.value) >= 0)) return;
    slider.value = number.value;
    changed({ temperature: number.value });
  });
  byId("look-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = byId("instrument").value;
    changed({
      road: byId("road-field").hidden ? null : byId("road").value,
      instrument: name === KINEMATICS ? null : name || null,
      ei: byId("ei-field").hidden ? null : byId("ei").value || null,
      multiphonon: byId("multiphonon").checked ? "true" : null,
      isotopes: byId("isotopes").value.trim() || null,
    });
  });
}

// Let the controls show the settings of a result.
export function showLook(options, settings, kind) {
  byId("road-field").hidden = kind !== "prediction";
  byId("road").value = options.road ?? settings.road ?? "auto";
  const temperature = options.temperature ?? settings.temperature ?? DEFAULT_TEMPERATURE;
  byId("temperature").value = byId("temperature-number").value = temperature;
  const name = options.instrument ?? settings.instrument;
  const ei = options.ei ?? settings.ei;
  byId("instrument").value = name ?? (ei ? KINEMATICS : "");
  byId("ei").value = ei ?? "";
  byId("multiphonon").checked = options.multiphonon === "true" || settings.multiphonon === true;
  byId("isotopes").value = options.isotopes ?? (settings.isotopes ?? []).join(", ");
  showEnergyField();
}
