// Results that were opened in this browser, to compare measurements with.

const KEPT = "inscape-recent";
const MOST = 20;

export const recent = () => JSON.parse(localStorage.getItem(KEPT) ?? "[]");

export function keepRecent(id, words) {
  const others = recent().filter((one) => one.id !== id);
  localStorage.setItem(KEPT, JSON.stringify([{ id, words }, ...others].slice(0, MOST)));
}
