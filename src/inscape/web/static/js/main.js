// The start of the page: settings of the whole page, then the view that the address names.
import { get } from "./api.js";
import * as address from "./address.js";
import { byId } from "./dom.js";
import { guardWindow } from "./drop.js";
import { attempt } from "./messages.js";
import { startTheme } from "./theme.js";
import { startUnits } from "./units.js";

// Views are loaded when they are first opened; each gives open(place).
const VIEWS = {
  crystal: () => import("./views/crystal.js"),
  result: () => import("./views/crystal.js"),
  measurement: () => import("./views/measurement.js"),
  map: () => import("./views/map.js"),
  jobs: () => import("./views/jobs.js"),
};
const SECTION = { result: "crystal" };
const TITLES = { crystal: "Crystal", result: "Result", measurement: "Measurement", map: "Map of crystals", jobs: "Jobs" };

function show(view) {
  const section = SECTION[view] ?? view;
  for (const name of ["crystal", "measurement", "map", "jobs"]) byId(`view-${name}`).hidden = name !== section;
  for (const link of document.querySelectorAll("nav a[data-view]")) {
    if (link.dataset.view === section) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${TITLES[view]} · inscape`;
}

async function start() {
  startTheme();
  guardWindow();
  show(address.parse(location.hash).view in VIEWS ? address.parse(location.hash).view : "crystal");
  const about = await attempt(byId("page-error"), () => get("about"));
  if (!about) return;
  byId("version").textContent = about.version;
  startUnits(about.energy_units);
  address.onChange(async (place) => {
    const known = place.view in VIEWS ? place : { ...place, view: "crystal", id: null };
    show(known.view);
    await attempt(byId("page-error"), async () => (await VIEWS[known.view]()).open(known, about));
  });
}

start();
