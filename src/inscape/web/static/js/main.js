// The start of the page: settings of the whole page, then the view that the address names.
import { get } from "./api.js";
import * as address from "./address.js";
import { byId } from "./dom.js";
import { guardWindow } from "./drop.js";
import { attempt } from "./messages.js";
import { startTheme } from "./theme.js";
import { startUnits } from "./units.js";

// Views are loaded when they are first opened; each gives open(place). Section and link are of its name unless told.
const VIEWS = {
  crystal: { title: "Crystal", load: () => import("./views/crystal.js") },
  result: { title: "Result", section: "crystal", load: () => import("./views/crystal.js") },
  measurement: { title: "Measurement", load: () => import("./views/measurement.js") },
  map: { title: "Map of crystals", load: () => import("./views/map.js") },
  known: { title: "Crystal of the library", link: "map", load: () => import("./views/known.js") },
  jobs: { title: "Jobs", load: () => import("./views/jobs.js") },
};

function show(view) {
  const { title, section = view, link: current = section } = VIEWS[view];
  for (const node of document.querySelectorAll("main > section")) node.hidden = node.id !== `view-${section}`;
  for (const link of document.querySelectorAll("nav a[data-view]")) {
    if (link.dataset.view === current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${title} · inscape`;
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
    await attempt(byId("page-error"), async () => (await VIEWS[known.view].load()).open(known, about));
  });
}

start();
