// The address of a view is the fragment: #/result/ID?T=100&ei=30. Every view can be reopened from its address.

export function parse(fragment) {
  const [path, query = ""] = fragment.replace(/^#\/?/, "").split("?");
  const [view, ...rest] = path.split("/").map(decodeURIComponent);
  return { view: view || "crystal", id: rest[0] ?? null, options: Object.fromEntries(new URLSearchParams(query)) };
}

export function format({ view, id = null, options = {} }) {
  const kept = Object.entries(options).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(kept).toString();
  const path = [view, id].filter((part) => part !== null).map(encodeURIComponent).join("/");
  return `#/${path}${query ? `?${query}` : ""}`;
}

// Open another view: it is loaded, and the way back leads here.
export const go = (place) => {
  location.hash = format(place);
};

// Change the options of this view: nothing is loaded again.
export const remember = (place) => history.replaceState(null, "", format(place));

export function onChange(open) {
  const turn = () => {
    if (location.hash === "" || location.hash.startsWith("#/")) open(parse(location.hash));
  };
  window.addEventListener("hashchange", turn);
  turn();
}
