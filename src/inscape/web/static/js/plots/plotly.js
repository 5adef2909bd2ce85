// Plotly, loaded when the first plot is drawn, and what all plots share: colours of the theme, fonts, buttons, keys.
import { colour } from "../theme.js";
import { listenToKeys } from "./keys.js";

let loading = null;

export function plotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "/static/vendor/plotly-strict.min.js";
    script.addEventListener("load", () => resolve(window.Plotly));
    script.addEventListener("error", () => reject(new Error("the plotting library could not be loaded: reload the page")));
    document.head.append(script);
  });
  return loading;
}

// Colours of elements and curves, told apart by colour-blind eyes too (Okabe and Ito, 2008).
export const COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8A7A00", "#7f7f7f"];

export const axis = (title, more = {}) => ({
  title: { text: title, standoff: 8 },
  gridcolor: colour("line"),
  linecolor: colour("edge"),
  tickcolor: colour("edge"),
  zeroline: false,
  ticks: "outside",
  showline: true,
  mirror: true,
  automargin: true,
  ...more,
});

const layoutOf = (layout) => ({
  paper_bgcolor: "rgba(0,0,0,0)",
  plot_bgcolor: "rgba(0,0,0,0)",
  font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("ink") },
  hoverlabel: { bgcolor: colour("card"), bordercolor: colour("edge"), font: { color: colour("ink") } },
  modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("muted"), activecolor: colour("accent") },
  margin: { l: 56, r: 12, t: 28, b: 48 },
  legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 12 } },
  hovermode: "closest",
  dragmode: "zoom",
  ...layout,
});

const KEPT_BUTTONS = [["toImage"], ["zoom2d", "pan2d"], ["zoomIn2d", "zoomOut2d", "resetScale2d"]];

// Draw, or redraw keeping the zoom of the user as long as ``uirevision`` of the layout stays the same.
export async function draw(node, traces, layout, { name = "inscape", config = {} } = {}) {
  const Plotly = await plotly();
  const first = !node.classList.contains("js-plotly-plot");
  await Plotly.react(node, traces, layoutOf(layout), {
    responsive: true,
    displaylogo: false,
    modeBarButtons: KEPT_BUTTONS,
    toImageButtonOptions: { format: "png", scale: 3, filename: name },
    ...config,
  });
  if (first) listenToKeys(node, Plotly);
  return node;
}
