import { html } from "lit";
import { addressOf, changed, LISTED, MOST_IN_ADDRESS, namesOf, read, SELECT, type Selected } from "../basket.ts";
import { Part } from "./part.ts";

const BOX = 'input[name="items"][form="basket"]';

/** `<item-basket>`: keeps what is ticked on any page, and opens all of it; without scripts, the form in it opens what is ticked on the page. */
class ItemBasket extends Part {
  static override properties = { items: { state: true } };
  declare items: string[];
  #exporting = false;

  constructor() {
    super();
    this.items = [];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.read();
    document.addEventListener("change", this.tick);
    document.addEventListener(SELECT, this.select);
    document.addEventListener(LISTED, this.read);
    addEventListener("storage", this.read);
    addEventListener("pageshow", this.read); // also of a page that the browser kept
    this.querySelector("form")?.addEventListener("submit", this.open);
  }

  protected override render(): unknown {
    const { length } = this.items;
    return html`<span role="status">${length ? `${length.toLocaleString("en")} in the basket` : ""}</span>
      ${length ? html`<button type="button" @click=${this.empty}>Empty it</button>` : ""}
      ${length > MOST_IN_ADDRESS ? html`<button type="button" @click=${this.save}>Save all ids</button>` : ""}`;
  }

  // A store of the same name at the same port is taken for the same one.
  private get key(): string {
    return `emm1-basket ${this.getAttribute("store") ?? ""}`;
  }

  private readonly read = (): void => {
    this.items = read(localStorage, this.key);
    const kept = new Set(this.items);
    for (const box of document.querySelectorAll<HTMLInputElement>(BOX)) {
      if (location.pathname !== "/basket") box.checked = kept.has(box.value);
    }
  };

  private keep(items: string[]): void {
    localStorage.setItem(this.key, JSON.stringify(items));
    this.read();
  }

  private readonly tick = (event: Event): void => {
    const box = event.target as HTMLInputElement;
    if (box.matches(BOX)) this.keep(changed(this.items, [box.value], box.checked));
  };

  private readonly select = (event: Event): void => {
    this.keep(changed(this.items, namesOf((event as CustomEvent<Selected>).detail), true));
  };

  private readonly empty = (): void => this.keep([]);

  /** The button of the header opens the whole basket; a button of the page itself, what is ticked there. */
  private readonly open = (event: SubmitEvent): void => {
    if (!this.contains(event.submitter)) return;
    event.preventDefault();
    location.assign(addressOf(this.items));
  };

  /** A basket for which an address has no room is sent, and comes back as a file. */
  private readonly save = async (): Promise<void> => {
    if (this.#exporting) return;
    this.#exporting = true;
    const body = JSON.stringify({ items: this.items });
    const answer = await fetch("/api/export?format=csv", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    this.#exporting = false;
    if (!answer.ok) return alert(((await answer.json()) as { error: string }).error);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await answer.blob());
    link.download = "basket.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  };
}

customElements.define("item-basket", ItemBasket);
