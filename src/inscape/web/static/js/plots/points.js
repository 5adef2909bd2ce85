// The map of the code space: thousands of points, drawn by WebGL where there is some.
import { colour } from "../theme.js";
import { axis, draw } from "./plotly.js";

const hasWebGL = document.createElement("canvas").getContext("webgl") !== null;

// points: {x, y, labels}; values colour them; picked are the numbers of those to mark.
export function drawPoints(node, points, { values, title, words, picked = [], log = false }) {
  const type = hasWebGL ? "scattergl" : "scatter";
  const numbers = log ? values.map((value) => Math.log10(value)) : values;
  const all = {
    type,
    mode: "markers",
    x: points.x,
    y: points.y,
    text: points.labels,
    customdata: values,
    marker: {
      size: 5,
      opacity: 0.85,
      color: numbers,
      colorscale: "Viridis",
      colorbar: { title: { text: title, side: "right", font: { size: 12 } }, thickness: 14, outlinewidth: 0 },
    },
    hovertemplate: "%{text}<br>%{customdata:.4~g}<extra></extra>",
  };
  const marked = {
    type,
    mode: "markers",
    x: picked.map((i) => points.x[i]),
    y: picked.map((i) => points.y[i]),
    marker: { size: 14, color: "rgba(0,0,0,0)", line: { width: 2.5, color: colour("ink") } },
    hoverinfo: "skip",
  };
  const layout = {
    xaxis: axis(words.x, { showgrid: false }),
    yaxis: axis(words.y, { showgrid: false }),
    showlegend: false,
    dragmode: "pan",
    uirevision: "map",
    margin: { l: 50, r: 6, t: 24, b: 44 },
  };
  return draw(node, [all, marked], layout, { name: "map", config: { scrollZoom: true } });
}
