// Heat maps: powder maps and slices through single-crystal maps. What was not measured is grey, never a colour of the scale.
import { colour } from "../theme.js";
import { axis, draw } from "./plotly.js";

// Perceptually uniform (van der Walt and Smith, 2015; Nuñez, Anderton and Renslow, 2018), every tenth of the scale.
const MAGMA = ["#000004", "#140e36", "#3b0f70", "#641a80", "#8c2981", "#b73779", "#de4968", "#f7705c", "#fe9f6d", "#fecf92", "#fcfdbf"];
const scale = (colours) => colours.map((value, i) => [i / (colours.length - 1), value]);
export const COLOUR_SCALES = { magma: scale(MAGMA), viridis: "Viridis", cividis: "Cividis" };

const DECADES = 2.5; // that a logarithmic scale shows below its top
const BRIGHTEST = 0.99; // share of the values below the brightest colour
const SAMPLES = 20000;

// Limits of colour that suit the values: 0 or some decades, and a percentile; NaN is left out.
export function limitsOf(values, log) {
  const step = Math.max(1, Math.floor(values.length / SAMPLES));
  const some = [];
  for (let i = 0; i < values.length; i += step) if (Number.isFinite(values[i])) some.push(values[i]);
  some.sort((a, b) => a - b);
  const top = Math.max(some[Math.floor(BRIGHTEST * (some.length - 1))] ?? 0, 1e-12);
  return { low: log ? top / 10 ** DECADES : 0, high: top };
}

// Ticks at 1, 2 and 5 of each decade between two limits, as logarithms; the decades alone have a text.
function logTicks(low, high) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const digit of [1, 2, 5]) {
      const value = digit * 10 ** power;
      if (value >= low * 0.999 && value <= high * 1.001) ticks.push({ value, text: digit === 1 ? `10<sup>${power}</sup>` : "" });
    }
  }
  return { tickvals: ticks.map(({ value }) => Math.log10(value)), ticktext: ticks.map(({ text }) => text), ticks: "outside" };
}

// values: rows along y, each a row along x. x and y: bin edges. words: names and units of x, y and intensity.
export function drawMap(node, { x, y, values, words, log, limits, colours, shapes = [], lines = [], revision, name, config }) {
  const floor = limits.low > 0 ? limits.low : limits.high / 10 ** DECADES;
  const clip = (value) => Math.log10(Math.max(value, floor)); // NaN stays NaN
  const heat = {
    type: "heatmap",
    x,
    y,
    z: log ? values.map((row) => Float32Array.from(row, clip)) : values,
    customdata: values,
    zmin: log ? Math.log10(floor) : limits.low,
    zmax: log ? Math.log10(limits.high) : limits.high,
    colorscale: COLOUR_SCALES[colours],
    hoverongaps: false,
    hovertemplate:
      `${words.x.symbol} = %{x:.3~f} ${words.x.unit}<br>${words.y.symbol} = %{y:.2~f} ${words.y.unit}` +
      `<br>${words.z.symbol} = %{customdata:.3~g} ${words.z.unit}<extra></extra>`,
    colorbar: {
      title: { text: `${words.z.symbol} (${words.z.unit})`, side: "right", font: { size: 12 } },
      thickness: 14,
      outlinewidth: 0,
      ...(log ? logTicks(floor, limits.high) : { exponentformat: "power", ticks: "outside" }),
    },
  };
  const layout = {
    plot_bgcolor: colour("unmeasured"),
    xaxis: axis(`${words.x.name} (${words.x.unit})`, { showgrid: false, ...words.x.axis }),
    yaxis: axis(`${words.y.name} (${words.y.unit})`, { showgrid: false, ...words.y.axis }),
    margin: { l: 56, r: 6, t: 28, b: 48 },
    uirevision: revision,
    showlegend: false,
    shapes,
  };
  return draw(node, [heat, ...lines], layout, { name, config });
}
