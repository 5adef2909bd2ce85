// Plain curves with a name, a unit and sometimes a band: cuts, heat capacities, spectra of banks.
import { band, BAND } from "./band.js";
import { axis, COLOURS, draw } from "./plotly.js";

// curves: [{name, x, y, band?: {lower, upper}, error?, dash?, points?}]; words: {x: {name, symbol, unit}, y: {…}}.
export function drawCurves(node, curves, { words, log = false, shapes = [], name = "curves", revision = 0, y = {} }) {
  const traces = curves.map((curve, i) => ({
    type: "scatter",
    mode: curve.points ? "markers" : "lines",
    x: curve.x,
    y: curve.y,
    name: curve.name,
    connectgaps: false,
    ...(curve.error ? { error_y: { type: "data", array: curve.error, thickness: 1, width: 0 } } : {}),
    marker: { size: 4, color: curve.colour ?? COLOURS[i % COLOURS.length] },
    line: { color: curve.colour ?? COLOURS[i % COLOURS.length], width: 2, dash: curve.dash ?? "solid" },
    hovertemplate:
      `${words.x.symbol} = %{x:.3~f} ${words.x.unit}<br>${words.y.symbol} = %{y:.4~g} ${words.y.unit}<extra>${curve.name}</extra>`,
  }));
  const layout = {
    xaxis: axis(`${words.x.name} (${words.x.unit})`),
    yaxis: axis(`${words.y.name} (${words.y.unit})`, { type: log ? "log" : "linear", exponentformat: "power", ...y }),
    showlegend: curves.length > 1 || Boolean(curves[0]?.band),
    shapes,
    uirevision: revision,
  };
  const bands = curves.flatMap((curve) => (curve.band ? band(curve.x, curve.band.lower, curve.band.upper, BAND) : []));
  return draw(node, [...bands, ...traces], layout, { name });
}
