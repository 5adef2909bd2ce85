// How a result is looked at, as the address of the view keeps it and as the API takes it.

const KEYS = ["road", "temperature", "instrument", "ei", "multiphonon", "isotopes", "plane"];

export const isotopesOf = (text) => (text ?? "").split(",").map((part) => part.trim()).filter(Boolean);

// Options of an address that are settings; others (what is laid beside) stay with the address.
export function settingsOf(options) {
  const found = Object.fromEntries(KEYS.filter((key) => options[key]).map((key) => [key, options[key]]));
  return { ...found, isotopes: isotopesOf(options.isotopes), multiphonon: options.multiphonon === "true" ? true : null };
}

// Without the plane, which only the single-crystal map needs.
export const withoutPlane = ({ plane, ...others }) => others;
