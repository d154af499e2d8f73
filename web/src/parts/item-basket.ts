import { html, nothing } from "lit";
import { addressOf, changed, MOST_IN_ADDRESS, MOST_SENT, namesOf, read, SELECT, type Selected } from "../basket.ts";
import { Part } from "./part.ts";

const BOX = 'input[name="items"][form="basket"]';

/** `<item-basket>`: keeps what is ticked on any page, and opens all of it; without scripts, the form in it opens what is ticked on the page. */
class ItemBasket extends Part {
  static override properties = { items: { state: true }, said: { state: true } };
  declare items: string[];
  declare said: string;
  readonly #added = new MutationObserver(() => this.sync());

  constructor() {
    super();
    this.items = [];
    this.said = "";
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.read();
    document.addEventListener("change", this.tick);
    document.addEventListener(SELECT, this.select);
    addEventListener("storage", this.read);
    addEventListener("pageshow", this.read); // also of a page that the browser kept
    this.querySelector("form")?.addEventListener("submit", this.open);
    this.#added.observe(document.querySelector("main")!, { childList: true, subtree: true });
  }

  protected override render(): unknown {
    const kept = this.items.length;
    return html`<span role="status">${this.said || (kept ? `${count(kept)} in the basket` : "")}</span>
      ${kept ? html`<button type="button" @click=${this.empty}>Empty it</button>` : nothing}
      ${kept > MOST_IN_ADDRESS ? html`<button type="button" @click=${this.save}>Save all ids</button>` : nothing}`;
  }

  // A store of the same name at the same port is taken for the same one.
  private get key(): string {
    return `emm1-basket ${this.getAttribute("store") ?? ""}`;
  }

  private readonly read = (): void => {
    this.items = read(localStorage, this.key);
    this.sync();
  };

  /** Tick the boxes of the page. Those of the page of a basket are ticked by the server, as that basket may be somebody else's. */
  private sync(): void {
    if (location.pathname === "/basket") return;
    const kept = new Set(this.items);
    for (const box of document.querySelectorAll<HTMLInputElement>(BOX)) box.checked = kept.has(box.value);
  }

  private keep(items: string[]): void {
    this.said = "";
    try {
      if (items.length > MOST_SENT) throw new RangeError();
      localStorage.setItem(this.key, JSON.stringify(items));
    } catch {
      this.said = `The basket has no room for ${count(items.length)} items`;
    }
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
    const body = JSON.stringify({ items: this.items });
    const answer = await fetch("/api/export?format=csv", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    if (!answer.ok) {
      this.said = ((await answer.json()) as { error: string }).error;
      return;
    }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await answer.blob());
    link.download = "basket.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // browsers read it later
  };
}

const count = (items: number): string => items.toLocaleString("en");

customElements.define("item-basket", ItemBasket);
