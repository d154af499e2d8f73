import { begins, pressed, targetsOf } from "./keys.ts";

const WAIT = 1500; // milliseconds for the second of two keys
const OFF = "emm1-keys-off";

/** Whether single keys do something: people who dictate can switch them off. */
export const isOn = (): boolean => localStorage.getItem(OFF) === null;
export const setOn = (on: boolean): void => (on ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1"));

/** The first target that can be seen; in the card that has the focus, if there is one. */
export function find(selectors: readonly string[], page: Document): HTMLElement | null {
  for (const place of [page.activeElement?.closest("article"), page]) {
    for (const selector of selectors) {
      for (const found of place?.querySelectorAll<HTMLElement>(selector) ?? []) {
        if (found.checkVisibility()) return found;
      }
    }
  }
  return null;
}

/** Follow a link, press a button, tick a box, or enter anything else. */
function use(target: HTMLElement): void {
  if (target.matches("a, button, summary, [type=checkbox]")) return target.click();
  target.focus();
  if (target instanceof HTMLInputElement) target.select();
}

/** Let the keys do what their table says, unless somebody writes, or a part of the page takes them itself. */
export function listen(page: Document): void {
  let before = "";
  let timer = 0;
  page.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const focused = event.target as Element;
    if (focused.closest("input, select, textarea, [contenteditable]")) {
      if (event.key === "Escape") (focused as HTMLElement).blur();
      return;
    }
    if (!isOn() || page.querySelector("dialog[open]") || event.key === "Shift") return;
    const now = pressed(before, event.key);
    clearTimeout(timer);
    before = begins(now.name) ? now.name : "";
    timer = window.setTimeout(() => (before = ""), WAIT);
    const target = find(targetsOf(now), page);
    if (target === null) return;
    event.preventDefault();
    use(target);
  });
}
