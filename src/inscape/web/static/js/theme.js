// Light and dark: as the system asks, unless the switch was used.
import { byId } from "./dom.js";

const KEPT = "inscape-theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");

const isDark = () => (localStorage.getItem(KEPT) ?? (system.matches ? "dark" : "light")) === "dark";

function apply() {
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
  byId("theme").setAttribute("aria-pressed", String(isDark()));
  document.dispatchEvent(new CustomEvent("appearance"));
}

export function startTheme() {
  byId("theme").addEventListener("click", () => {
    localStorage.setItem(KEPT, isDark() ? "light" : "dark");
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}

// A colour of base.css as rgb(…), for plots and the cell, which style sheets do not reach.
export function colour(name) {
  const probe = byId("colour-probe");
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}
