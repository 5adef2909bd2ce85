// A crystal of the library: the spectra that the index holds of it.
import * as address from "../address.js";
import { colourControls } from "../colours.js";
import { byId, el, formula } from "../dom.js";
import { dosCurve, dosWords, known, learned } from "../known.js";
import { latest } from "../latest.js";
import { announce, attempt } from "../messages.js";
import { drawCurves } from "../plots/curves.js";
import { drawPowder } from "../plots/powder.js";

let place = null;
let crystal = null;
let colours = null;

const drawMap = () => {
  const { axes, variables } = crystal;
  return drawPowder(byId("known-powder"), { ...axes, ...variables.powder }, colours, { name: crystal.id, revision: crystal.id });
};

async function drawAll() {
  await drawCurves(byId("known-dos"), [dosCurve(crystal.formula, crystal)], { words: dosWords(), name: crystal.id, revision: crystal.id, y: { rangemode: "tozero" } });
  await drawMap();
}

const warm = latest((temperature) =>
  attempt(byId("known-error"), async () => {
    crystal = await known(place.id, temperature);
    place = { ...place, options: { ...place.options, temperature } };
    address.remember(place);
    await drawMap();
  }),
);

function start() {
  if (colours) return;
  colours = colourControls(byId("known-colours"), "known", drawMap);
  byId("known-temperature").addEventListener("change", ({ target }) => target.value && warm(target.value));
  document.addEventListener("appearance", () => byId("view-known").hidden || drawAll());
}

export async function open(next) {
  start();
  place = next;
  crystal = await known(place.id, place.options.temperature ?? byId("known-temperature").value);
  byId("known-temperature").value = place.options.temperature ?? byId("known-temperature").value;
  byId("known-title").replaceChildren(formula(crystal.formula), " · library");
  byId("known-facts").replaceChildren(
    ...[["Space group", crystal.space_group], ["Id", crystal.id], ["The models", `have ${learned(crystal)} it`]].map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
  );
  byId("known-on-map").href = address.format({ view: "map", id: crystal.id });
  byId("known-title").focus();
  announce(`${crystal.formula}, crystal of the library`);
  await drawAll();
}
