// Elements of the page: found by their id, or made.

export const byId = (id) => {
  const node = document.getElementById(id);
  if (!node) throw new Error(`the page has no element #${id}`);
  return node;
};

// el("p", {class: "muted"}, "text", otherElement); a property that starts with "on" is a listener.
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// A formula with its numbers as subscripts.
export function formula(text) {
  const parts = text.split(/(\d+)/).filter(Boolean);
  return el("span", {}, ...parts.map((part) => (/^\d+$/.test(part) ? el("sub", {}, part) : part)));
}

// Options of a <select>; each is a text or [value, text].
export function fillSelect(select, options, chosen) {
  select.replaceChildren(
    ...options.map((option) => {
      const [value, text] = Array.isArray(option) ? option : [option, option];
      return el("option", { value, selected: value === chosen }, text);
    }),
  );
}
