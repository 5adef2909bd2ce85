// What the page says: errors where they happened, news to screen readers, a line while something is on its way.
import { byId, el } from "./dom.js";

let under_way = 0;

export function announce(text) {
  byId("news").textContent = text;
}

// An error of the service ({message, hint}) or of the page, in words.
export function showError(node, error) {
  const hint = error.hint ? el("p", { class: "small" }, error.hint) : null;
  node.replaceChildren(el("p", {}, error.message), hint ?? "");
  node.className = "note bad";
  node.setAttribute("role", "alert");
  node.hidden = false;
}

export function clearError(node) {
  node.hidden = true;
  node.replaceChildren();
}

// Run something asynchronous; what it throws is shown in the node. Returns undefined after an error.
export async function attempt(node, task) {
  clearError(node);
  under_way += 1;
  byId("busy").hidden = false;
  try {
    return await task();
  } catch (error) {
    if (error.name !== "AbortError") showError(node, error);
    return undefined;
  } finally {
    under_way -= 1;
    byId("busy").hidden = under_way === 0;
  }
}
