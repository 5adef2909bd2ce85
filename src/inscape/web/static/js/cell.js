// The crystal's cell, turnable: 3Dmol, loaded when it is first needed.
import { byId, el } from "./dom.js";
import { colour } from "./theme.js";

const TURN = 15; // degrees a key
const KEYS = { ArrowLeft: [-TURN, "y"], ArrowRight: [TURN, "y"], ArrowUp: [-TURN, "x"], ArrowDown: [TURN, "x"] };
const BALL = 0.28;
const STICK = 0.09;

let loading = null;
let viewer = null;

function library() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "/static/vendor/3Dmol-min.js";
    script.addEventListener("load", () => resolve(window.$3Dmol));
    script.addEventListener("error", () => reject(new Error("the structure viewer could not be loaded: reload the page")));
    document.head.append(script);
  });
  return loading;
}

const point = ([x, y, z]) => ({ x, y, z });
const hex = (number) => `#${number.toString(16).padStart(6, "0")}`;

// The twelve edges of the cell, as pairs of points.
function edgesOf(lattice) {
  const corner = (bits) => lattice[0].map((_, axis) => lattice.reduce((sum, row, i) => sum + bits[i] * row[axis], 0));
  const edges = [];
  for (let i = 0; i < 3; i += 1) {
    for (const [a, b] of [[0, 0], [0, 1], [1, 0], [1, 1]]) {
      const bits = [a, b];
      bits.splice(i, 0, 0);
      const end = [...bits];
      end[i] = 1;
      edges.push([corner(bits), corner(end)]);
    }
  }
  return edges;
}

function legend(colours, elements) {
  byId("cell-legend").replaceChildren(
    ...elements.map((symbol) => {
      const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
      swatch.style.background = hex(colours[symbol] ?? 0xff1493);
      return el("li", {}, swatch, ` ${symbol}`);
    }),
  );
}

// cell: of the API, lattice and positions in Å, bonds as pairs of numbers of atoms; words say what it is to screen readers.
export async function showCell(cell, words) {
  const node = byId("cell");
  node.setAttribute("aria-label", `${words}; arrow keys turn it`);
  const $3Dmol = await library();
  legend($3Dmol.elementColors.Jmol, [...new Set(cell.symbols)]);
  viewer ??= start($3Dmol, node);
  if (viewer === null) return;
  viewer.removeAllModels();
  viewer.removeAllShapes();
  const atoms = cell.symbols.map((symbol, i) => {
    const partners = cell.bonds.filter((pair) => pair.includes(i)).map(([a, b]) => (a === i ? b : a));
    return { elem: symbol, ...point(cell.positions[i]), serial: i, bonds: partners, bondOrder: partners.map(() => 1) };
  });
  viewer.addModel().addAtoms(atoms);
  viewer.setStyle({}, {
    sphere: { scale: BALL, colorscheme: "Jmol" },
    stick: { radius: STICK, colorscheme: "Jmol" },
  });
  for (const [from, end] of edgesOf(cell.lattice)) {
    viewer.addCylinder({ start: point(from), end: point(end), radius: 0.03, color: colour("edge") });
  }
  viewer.zoomTo();
  viewer.render();
}

// A viewer that keys turn; null, with the reason in its place, where there is no WebGL.
function start($3Dmol, node) {
  let made;
  try {
    made = $3Dmol.createViewer(node, { backgroundColor: colour("card"), antialias: true });
  } catch {
    made = null;
  }
  if (!made) {
    node.replaceChildren(el("p", { class: "muted" }, "This browser has no WebGL: the cell cannot be drawn."));
    return null;
  }
  made.rotate(-75, "x");
  made.rotate(15, "y");
  node.addEventListener("keydown", (event) => {
    if (!(event.key in KEYS)) return;
    made.rotate(...KEYS[event.key]);
    event.preventDefault();
  });
  document.addEventListener("appearance", () => {
    made.setBackgroundColor(colour("card"));
    made.render();
  });
  new ResizeObserver(() => made.resize()).observe(node);
  return made;
}
