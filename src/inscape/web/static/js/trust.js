// How far a result is to be trusted, in words that cannot be overlooked.
import { byId, el, formula } from "./dom.js";
import { energyUnit, shown } from "./units.js";

const fact = (name, value) => el("div", {}, el("dt", {}, name), el("dd", { class: "number" }, value));
const energy = (meV) => `${shown(meV).toPrecision(3)} ${energyUnit()}`;

export function showFacts(result) {
  const { summary } = result;
  byId("result-title").replaceChildren(formula(summary.formula), ` · ${result.kind}`);
  byId("result-facts").replaceChildren(
    ...[
      ["Structure", result.name],
      ["Space group", summary.space_group],
      ["Atoms", summary.atoms],
      ["Engine", summary.engine],
      ["Mean energy", summary.dos_mean_meV && energy(summary.dos_mean_meV)],
      ["Highest", summary.dos_highest_meV && energy(summary.dos_highest_meV)],
    ].flatMap(([name, value]) => (value ? [fact(name, String(value))] : [])),
  );
}

export function showTrust(result) {
  const { summary, accuracy, kind } = result;
  const node = byId("trust");
  const foreign = Boolean(summary.warning);
  node.className = foreign ? "note warn" : "note sure";
  const novelty =
    summary.novelty === null ? null : `Novelty ${summary.novelty.toFixed(2)} of at most ${summary.novelty_threshold.toFixed(2)}. `;
  const verdict = kind === "prediction" ? "This crystal resembles those that the models learned from." : "Computed by lattice dynamics.";
  node.replaceChildren(
    el("p", {}, el("strong", {}, foreign ? `Take care: ${summary.warning}.` : verdict)),
    el("p", { class: "small" }, novelty, accuracy ? `${accuracy[0].toUpperCase()}${accuracy.slice(1)}.` : null),
  );
  byId("simulate").hidden = kind !== "prediction";
  byId("simulate").open = foreign;
}
