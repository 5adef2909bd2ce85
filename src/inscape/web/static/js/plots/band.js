// A band between two curves, as two traces that other curves are drawn over.

export const BAND = "90 % band"; // as the API gives bands

export function band(x, lower, upper, name) {
  const edge = { type: "scatter", mode: "lines", x, line: { width: 0 }, hoverinfo: "skip" };
  return [
    { ...edge, y: lower, showlegend: false },
    { ...edge, y: upper, fill: "tonexty", fillcolor: "rgba(120,140,160,0.35)", name },
  ];
}
