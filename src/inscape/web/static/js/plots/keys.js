// Plots without a mouse: + and − zoom, arrows move, 0 shows all.

const STEP = 0.15;

const moved = ([low, high], share) => [low + share * (high - low), high + share * (high - low)];
const scaled = ([low, high], factor) => {
  const middle = (low + high) / 2;
  return [middle + factor * (low - middle), middle + factor * (high - middle)];
};

const KEYS = {
  "+": (x, y) => [scaled(x, 0.8), scaled(y, 0.8)],
  "=": (x, y) => [scaled(x, 0.8), scaled(y, 0.8)],
  "-": (x, y) => [scaled(x, 1.25), scaled(y, 1.25)],
  ArrowLeft: (x, y) => [moved(x, -STEP), y],
  ArrowRight: (x, y) => [moved(x, STEP), y],
  ArrowDown: (x, y) => [x, moved(y, -STEP)],
  ArrowUp: (x, y) => [x, moved(y, STEP)],
};

export function listenToKeys(node, Plotly) {
  node.tabIndex = 0;
  node.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== node) return;
    const { xaxis, yaxis } = node._fullLayout;
    if (event.key === "0") {
      Plotly.relayout(node, { "xaxis.autorange": true, "yaxis.autorange": true });
    } else if (event.key in KEYS) {
      const [x, y] = KEYS[event.key](xaxis.range, yaxis.range);
      Plotly.relayout(node, { "xaxis.range": x, "yaxis.range": y });
    } else return;
    event.preventDefault();
  });
}
