import { html } from "lit";
import { KEYS, TURNS, type Key, type Turn } from "../keys.ts";
import { find, isOn, setOn } from "../keyboard.ts";
import { Part } from "./part.ts";

const NAMES: Record<string, string> = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", "-": "−" };

/** `<key-help>`: a button that says what the keys do on this page. */
class KeyHelp extends Part {
  protected override render(): unknown {
    const here = (key: Key) => find(key.targets.map((target) => target.replace("$", "1")), document) !== null;
    return html`
      <button @click=${this.open}>Keys</button>
      <dialog aria-labelledby="keys">
        <h2 id="keys" tabindex="-1" autofocus>Keys</h2>
        <dl>${KEYS.filter(here).map(line)}</dl>
        ${document.querySelector("point-cloud") && html`<h3>On a point cloud</h3><dl>${TURNS.map(line)}</dl>`}
        <form method="dialog">
          <label><input type="checkbox" .checked=${isOn()} @change=${this.switch}> Single keys work</label>
          <button>Close</button>
        </form>
      </dialog>`;
  }

  private open(): void {
    this.requestUpdate(); // what the page has now
    void this.updateComplete.then(() => this.querySelector("dialog")?.showModal());
  }

  private switch(event: Event): void {
    setOn((event.target as HTMLInputElement).checked);
  }
}

const line = ({ keys, does }: Key | Turn) => {
  const names = keys.length > 2 ? [keys[0], "–", keys.at(-1)] : keys;
  return html`<div><dt>${names.map((name) => keyOf(name ?? ""))}</dt><dd>${does}</dd></div>`;
};
const keyOf = (name: string) =>
  name === "–" ? "–" : name.split(" ").map((each) => html`<kbd>${NAMES[each] ?? each}</kbd> `);

customElements.define("key-help", KeyHelp);
