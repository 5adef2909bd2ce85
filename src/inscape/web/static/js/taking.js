// Downloads of a result, and how to make the same without the page.
import { urlOf } from "./api.js";
import { byId, el } from "./dom.js";

const FORMATS = [
  ["nc", "NetCDF", {}],
  ["csv", "CSV (powder map)", {}],
  ["csv", "CSV (density of states)", { kinds: ["dos"] }],
  ["png", "PNG", {}],
  ["svg", "SVG", {}],
  ["cif", "CIF"],
];
const NXSPE = ["nxspe", "NXspe", {}];

// settings: of the view; NXspe is offered where there is an incident energy.
export function showDownloads(result, settings) {
  const formats = settings.ei ? [...FORMATS, NXSPE] : FORMATS;
  byId("downloads").replaceChildren(
    ...formats.map(([format, words, more]) => {
      const href = urlOf(`results/${result.id}/files/${format}`, more ? { ...settings, ...more } : {});
      return el("a", { class: "button", href, download: "" }, words);
    }),
  );
  byId("command").textContent = result.reproduce.command;
  byId("python").textContent = result.reproduce.python;
}
