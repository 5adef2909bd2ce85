// The map of the code space: crystals as points, their spectra, and what the decoder makes of other codes.
import * as address from "../address.js";
import { get, post } from "../api.js";
import { unpacked } from "../arrays.js";
import { byId, el, fillSelect, formula } from "../dom.js";
import { dosCurve, dosWords, known, learned } from "../known.js";
import { latest } from "../latest.js";
import { announce, attempt } from "../messages.js";
import { drawCurves } from "../plots/curves.js";
import { drawPoints } from "../plots/points.js";

const KIND = "dos";
const SLIDERS = 8; // elements of the code that can be moved: the first vary most
const packed = { arrays: "base64" };

let atlas = null; // points of the API
let range = null; // of each element of the code
let picked = null; // {id, formula, codes, …} of the crystal chosen
let code = null;
let started = false;

async function drawMap() {
  const name = byId("map-colour").value;
  const { values, units } = atlas.properties[name];
  const number = picked ? atlas.ids.indexOf(picked.id) : -1;
  await drawPoints(byId("map"), { x: atlas.x, y: atlas.y, labels: atlas.labels }, {
    values,
    title: units === "1" ? name : `${name} (${units})`,
    words: { x: "first principal component of the codes", y: "second principal component" },
    picked: number < 0 ? [] : [number],
  });
}

// What the mouse is over, or what was chosen.
async function preview(id) {
  const found = await known(id);
  byId("hovered-title").replaceChildren(formula(found.formula));
  byId("hovered-facts").replaceChildren(
    `${found.space_group} · ${found.id} · ${learned(found)} · `,
    el("a", { href: address.format({ view: "known", id }) }, "its powder map"),
  );
  await drawCurves(byId("hovered"), [dosCurve(found.formula, found)], { words: dosWords(), name: found.id, revision: found.id, y: { rangemode: "tozero" } });
}

const hover = latest(async (id) => attempt(byId("map-error"), () => preview(id)));

async function choose(id) {
  picked = await known(id);
  await preview(id);
  await drawMap();
  startTraversal();
  announce(`${picked.formula} chosen`);
}

// ---- traversal

const decode = latest(async () => {
  await attempt(byId("traversal-error"), async () => {
    const found = unpacked(await post("decode", { kind: KIND, code }, packed));
    const curves = [dosCurve("decoded", found)];
    if (picked) curves.unshift(dosCurve(`${picked.formula}, library`, picked, { dash: "dot" }));
    await drawCurves(byId("decoded"), curves, { words: dosWords(), name: "decoded", revision: picked?.id, y: { rangemode: "tozero" } });
  });
});

function startTraversal() {
  code = [...(picked?.codes[KIND] ?? range.mean)];
  byId("elements-of-code").replaceChildren(
    ...Array.from({ length: Math.min(SLIDERS, code.length) }, (_, i) => {
      const low = Math.min(range.low[i], code[i]);
      const high = Math.max(range.high[i], code[i]);
      const input = el("input", { id: `code-${i}`, type: "range", min: low, max: high, step: (high - low) / 200, value: code[i] });
      input.addEventListener("input", () => {
        code[i] = Number(input.value);
        decode();
      });
      return el("div", {}, el("label", { for: input.id }, `Element ${i + 1}`), input);
    }),
  );
  decode();
}

// ---- start

async function start() {
  if (started) return;
  atlas = await get(`codes/${KIND}/map`);
  range = await get(`codes/${KIND}`);
  started = true;
  atlas.labels = atlas.formulas.map((text, i) => `${text}, ${atlas.space_groups[i]}, ${atlas.ids[i]}`);
  fillSelect(byId("map-colour"), Object.keys(atlas.properties));
  byId("map-colour").addEventListener("change", drawMap);
  byId("map-form").addEventListener("submit", (event) => {
    event.preventDefault();
    find(byId("map-find").value.trim());
  });
  byId("reset-code").addEventListener("click", startTraversal);
  await drawMap();
  byId("map").on("plotly_hover", ({ points: [{ pointNumber }] }) => hover(atlas.ids[pointNumber]));
  byId("map").on("plotly_click", ({ points: [{ pointNumber }] }) => address.go({ view: "map", id: atlas.ids[pointNumber] }));
  document.addEventListener("appearance", async () => {
    if (byId("view-map").hidden) return;
    await drawMap();
    if (picked) await preview(picked.id);
    decode();
  });
}

// The way to points without a mouse.
async function find(wanted) {
  if (!wanted) return;
  const hits = await attempt(byId("map-error"), () => get("library", { formula: wanted }));
  if (!hits) return;
  byId("hovered-actions").replaceChildren(
    ...hits.map((hit) => el("a", { class: "button", href: address.format({ view: "map", id: hit.id }) }, formula(hit.formula), ` ${hit.space_group}`)),
  );
  if (!hits.length) byId("hovered-actions").replaceChildren(el("p", { class: "muted" }, `The library has no ${wanted}.`));
  announce(`${hits.length} crystals found`);
}

export async function open(place) {
  await start();
  if (place.id) await choose(place.id);
  else startTraversal();
}
