// The controls of a map's colours: scale, linear or logarithmic, limits. Empty limits are those that suit the map.
import { el, fillSelect } from "./dom.js";
import { COLOUR_SCALES } from "./plots/map.js";

const field = (label, input) => el("div", {}, el("label", { for: input.id }, label), input);

// Fills the node; the answer has ``of(suited)``: what to draw with, given a function of log that finds limits that suit.
export function colourControls(node, prefix, redraw) {
  const scale = el("select", { id: `${prefix}-scale` });
  fillSelect(scale, [["log", "log"], ["linear", "linear"]], "log");
  const colours = el("select", { id: `${prefix}-colour-scale` });
  fillSelect(colours, Object.keys(COLOUR_SCALES), "magma");
  const low = el("input", { id: `${prefix}-low`, type: "number", step: "any", min: 0 });
  const high = el("input", { id: `${prefix}-high`, type: "number", step: "any", min: 0 });
  const suit = el("button", { type: "button" }, "Auto");
  node.classList.add("colours");
  node.replaceChildren(
    field("Scale", scale),
    field("Colours", colours),
    field("Lowest", low),
    field("Highest", high),
    suit,
  );
  const number = (input) => (input.value === "" || !(Number(input.value) >= 0) ? null : Number(input.value));
  suit.addEventListener("click", () => {
    low.value = high.value = "";
    redraw();
  });
  scale.addEventListener("change", () => {
    low.value = "";
    redraw();
  });
  for (const input of [colours, low, high]) input.addEventListener("change", redraw);
  return {
    of(suited) {
      const log = scale.value === "log";
      const best = suited(log);
      low.placeholder = Number(best.low.toPrecision(2)).toExponential();
      high.placeholder = Number(best.high.toPrecision(2)).toExponential();
      const limits = { low: number(low) ?? best.low, high: number(high) ?? best.high };
      return { log, colours: colours.value, limits: limits.high > limits.low ? limits : best };
    },
  };
}
