import { html, nothing, svg } from "lit";
import { unsafeHTML } from "lit/directives/unsafe-html.js";
import { coloursOf, inside, Nearest, nearer, placeOf, queryOf, readPoints, shadesOf, wholeFrame, type MapPoints, type Place } from "../map.ts";
import { MapView } from "../map-view.ts";
import { SELECT, type Selected } from "../basket.ts";
import type { Three } from "../view.ts";
import { Part } from "./part.ts";

const NEAR = 8; // pixels of CSS from the pointer to a point
const STILL = 4; // pixels that a click may move
const FIRST = 100;
const MOST_IN_QUERY = 10_000;
const MOST_IN_BASKET = 10_000; // browsers keep five megabytes
const CLASSES = 13; // the last is that of other values
const SHADES = 7;
const STEP = 0.1; // of the view, for each press of a key
const WAIT = 80; // milliseconds that a pointer rests before an item is asked for

const MODES = ["move", "rectangle", "lasso"] as const;
type Mode = (typeof MODES)[number];

/**
 * `<item-map points colours items kind label split modality table key>`: a map that pointers and keys move, and on which items are selected.
 * A selection that is to be in the basket is told to the page by the event `emm1-select`.
 */
class ItemMap extends Part {
  static override properties = {
    points: {},
    colours: {},
    items: {},
    kind: {},
    label: {},
    split: {},
    modality: {},
    table: {},
    key: {},
    map: { state: true },
    message: { state: true },
    mode: { state: true },
    outline: { state: true },
    box: { state: true },
    hovered: { state: true },
    selected: { state: true },
    listed: { state: true },
    copied: { state: true },
  };
  declare points: string;
  declare colours: string;
  declare items: string;
  declare kind: "plain" | "classes" | "shades";
  declare label: string;
  declare split: string | undefined;
  declare modality: string | undefined;
  declare table: string | undefined;
  declare key: string | undefined;
  declare map: MapPoints | null;
  declare message: string;
  declare mode: Mode;
  /** Of what is being drawn, in pixels. */
  declare outline: readonly Place[];
  /** Half of the width and of the height of the rectangle that keys draw, in pixels. */
  declare box: Place | null;
  declare hovered: string;
  declare selected: readonly number[];
  declare listed: string;
  declare copied: string;

  #three: Three | null = null;
  #view: MapView | null = null;
  #nearest: Nearest | null = null;
  #codes = new Uint8Array();
  #held: { from: Place; moved: boolean; mode: Mode } | null = null;
  #asked = 0;
  #shown = -1;
  readonly #dark = matchMedia("(prefers-color-scheme: dark)");

  constructor() {
    super();
    this.map = null;
    this.message = "";
    this.mode = "move";
    this.outline = [];
    this.box = null;
    this.hovered = "";
    this.selected = [];
    this.listed = "";
    this.copied = "";
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#dark.addEventListener("change", this.#recolour);
    if (!this.map) void this.#load();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#dark.removeEventListener("change", this.#recolour);
    this.#view?.dispose();
    this.#view = null;
  }

  protected override render(): unknown {
    if (!this.map) return html`<p role="status">${this.message}</p>`;
    return html`
      <div class="tools" role="group" aria-label="What the pointer does">
        ${MODES.map((mode) => html`<button aria-pressed=${this.mode === mode ? "true" : "false"} @click=${() => (this.mode = mode)}>${names[mode]}</button>`)}
        <button @click=${this.#whole}>Whole map</button>
      </div>
      <div class="field">
        <canvas tabindex="0" role="application" aria-label=${`${this.label}. ${KEYS_SAID}`} class=${this.mode}
          @keydown=${this.#press} @wheel=${this.#wheel} @pointerdown=${this.#hold} @pointermove=${this.#move} @pointerup=${this.#release}
          @pointercancel=${this.#cancel} @pointerleave=${this.#leave}
          @focus=${() => this.requestUpdate()} @blur=${() => this.requestUpdate()}></canvas>
        <svg class="marks" aria-hidden="true">${this.#marks()}</svg>
        <div class="hovered" role="status">${unsafeHTML(this.hovered)}</div>
      </div>
      <p class="quiet">${KEYS_SAID}</p>
      ${this.selected.length ? this.#selection() : nothing}`;
  }

  /** What is selected. What the items are comes from the server, which escapes it. */
  #selection(): unknown {
    const count = this.selected.length;
    return html`
      <section aria-label="Selection">
        <h2 role="status">${count.toLocaleString("en")} selected</h2>
        <div class="tools">
          ${this.table && count <= MOST_IN_QUERY ? html`<button @click=${this.#copy}>${this.copied || "Copy as SQL"}</button>` : nothing}
          ${this.split && count <= MOST_IN_BASKET ? html`<button @click=${this.#put}>Put in the basket</button>` : nothing}
          <button @click=${this.#download}>Download ids as CSV</button>
          <button @click=${this.#clear}>Clear</button>
        </div>
        ${count > FIRST ? html`<p class="quiet">The first ${FIRST}:</p>` : nothing}
        <div class="cards">${unsafeHTML(this.listed)}</div>
      </section>`;
  }

  #marks(): unknown {
    const canvas = this.querySelector("canvas");
    if (!canvas) return nothing;
    const [x, y] = [canvas.clientWidth / 2, canvas.clientHeight / 2];
    if (this.box) {
      const [w, h] = this.box;
      return svg`<polygon points=${asText([[x - w, y - h], [x + w, y - h], [x + w, y + h], [x - w, y + h]])}></polygon>`;
    }
    const cross = document.activeElement === canvas ? svg`<path class="cross" d=${`M${x - 6} ${y}h12M${x} ${y - 6}v12`}></path>` : nothing;
    return this.outline.length ? svg`<polygon points=${asText(this.outline)}></polygon>` : cross;
  }

  protected override updated(): void {
    const canvas = this.querySelector("canvas");
    if (!this.map || !this.#three || !canvas || this.#view) return;
    try {
      this.#view = new MapView(this.#three, canvas, this.map, () => this.requestUpdate());
    } catch {
      this.map = null;
      this.message = "This browser cannot draw all points: it has no WebGL. These are some of them.";
      return;
    }
    this.#recolour();
    this.#whole();
    this.toggleAttribute("drawn", true); // page.css then hides the picture of some of the points
  }

  async #load(): Promise<void> {
    this.message = "Loading …";
    try {
      const [points, codes, three] = await Promise.all([bytesOf(this.points), bytesOf(this.colours), import("../three.ts")]);
      const map = readPoints(points);
      [this.#three, this.#codes, this.#nearest] = [three, new Uint8Array(codes), new Nearest(map)];
      this.map = map;
    } catch (error) {
      this.message = (error as Error).message;
    }
  }

  readonly #recolour = (): void => {
    this.#view?.colour(coloursOf(this.#codes, this.#palette()));
    this.#choose();
  };

  /** The colours of page.css, which draws the legend with them. */
  #palette(): readonly (readonly number[])[] {
    const style = getComputedStyle(this);
    const named = (name: string) => rgb(style.getPropertyValue(name));
    if (this.kind === "plain") return [named("--accent")];
    const missing = named("--missing");
    if (this.kind === "shades") return shadesOf(Array.from({ length: SHADES }, (_, shade) => named(`--s${shade}`)), missing);
    return [...Array.from({ length: CLASSES }, (_, code) => named(`--k${code}`)), missing];
  }

  #choose(): void {
    const chosen = new Set(this.selected);
    const points = Uint32Array.from({ length: chosen.size }, () => 0);
    let size = 0;
    if (chosen.size) this.map!.ids.forEach((id, point) => chosen.has(id) && (points[size++] = point));
    this.#view?.choose(points, rgb(getComputedStyle(this).getPropertyValue("--ink")));
  }

  readonly #whole = (): void => {
    const canvas = this.querySelector("canvas")!;
    if (this.#view) this.#view.frame = wholeFrame(this.map!, Math.max(1, canvas.clientWidth), Math.max(1, canvas.clientHeight));
  };

  readonly #wheel = (event: WheelEvent): void => {
    if (document.activeElement !== event.currentTarget) return; // otherwise the page could not be scrolled past the map
    event.preventDefault();
    this.#nearer(Math.exp(-event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 0.05 : 0.002)), [event.offsetX, event.offsetY]);
  };

  #nearer(times: number, pixel?: Place): void {
    const { clientWidth: width, clientHeight: height } = this.querySelector("canvas")!;
    this.#view!.frame = nearer(this.#view!.frame, times, pixel ?? [width / 2, height / 2], width, height);
  }

  readonly #hold = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    const canvas = event.currentTarget as HTMLCanvasElement;
    canvas.focus({ preventScroll: true }); // or the map would move away under the pointer
    canvas.setPointerCapture(event.pointerId);
    this.box = null;
    this.#held = { from: [event.offsetX, event.offsetY], moved: false, mode: event.shiftKey ? "rectangle" : this.mode };
  };

  readonly #move = (event: PointerEvent): void => {
    const to: Place = [event.offsetX, event.offsetY];
    if (!this.#held) return this.#hover(to);
    const [dx, dy] = [to[0] - this.#held.from[0], to[1] - this.#held.from[1]];
    this.#held.moved ||= Math.hypot(dx, dy) > STILL;
    if (!this.#held.moved) return;
    if (this.#held.mode === "move") {
      const { x, y, unit } = this.#view!.frame;
      this.#view!.frame = { x: x - dx * unit, y: y + dy * unit, unit };
      this.#held.from = to;
    } else if (this.#held.mode === "lasso") {
      this.outline = [...(this.outline.length ? this.outline : [this.#held.from]), to];
    } else {
      const [x, y] = this.#held.from;
      this.outline = [[x, y], [to[0], y], to, [x, to[1]]];
    }
  };

  readonly #release = (event: PointerEvent): void => {
    const held = this.#held;
    this.#held = null;
    if (!held) return;
    if (!held.moved) return this.#open(this.#at([event.offsetX, event.offsetY]));
    if (held.mode !== "move") this.#select(this.outline);
    this.outline = [];
  };

  readonly #cancel = (): void => {
    this.#held = null;
    this.outline = [];
  };

  readonly #leave = (): void => {
    if (!this.#held) this.#hover(null);
  };

  #place(pixel: Place): Place {
    const { clientWidth, clientHeight } = this.querySelector("canvas")!;
    return placeOf(pixel, this.#view!.frame, clientWidth, clientHeight);
  }

  /** The id of the item at a pixel, or null. */
  #at(pixel: Place, within = NEAR): number | null {
    const point = this.#nearest!.at(this.#place(pixel), within * this.#view!.frame.unit);
    return point === null ? null : this.map!.ids[point]!;
  }

  #open(id: number | null): void {
    if (id !== null && this.split) location.assign(`/items/${this.split}/${this.modality}/${id}`);
  }

  /** Show what is at a pixel. */
  #hover(pixel: Place | null, within?: number): void {
    const id = pixel && this.#view ? this.#at(pixel, within) : null;
    if (id === this.#shown) return;
    this.#shown = id ?? -1;
    clearTimeout(this.#asked);
    if (id === null || !this.split) this.hovered = "";
    else this.#asked = window.setTimeout(() => void this.#items([id]).then((shown) => this.#shown === id && (this.hovered = shown)), WAIT);
  }

  async #items(ids: readonly number[]): Promise<string> {
    const answer = await fetch(`${this.items}?ids=${ids.join(",")}`);
    return answer.ok ? answer.text() : "";
  }

  #select(outline: readonly Place[]): void {
    const chosen = inside(this.map!, outline.map((pixel) => this.#place(pixel)));
    this.selected = Array.from(chosen, (point) => this.map!.ids[point]!);
    this.listed = "";
    this.copied = "";
    this.#choose();
    const ids = this.selected;
    if (this.split && ids.length) void this.#items(ids.slice(0, FIRST)).then((listed) => this.selected === ids && (this.listed = listed));
  }

  readonly #put = (): void => {
    const detail: Selected = { dataset: this.split!, modality: this.modality!, ids: this.selected };
    this.dispatchEvent(new CustomEvent(SELECT, { detail, bubbles: true }));
  };

  readonly #clear = (): void => {
    this.#select([]);
    this.querySelector("canvas")!.focus();
  };

  readonly #copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(queryOf(this.table!, this.key!, this.selected));
      this.copied = "Copied";
    } catch {
      this.copied = "This browser lets no page copy: save the ids"; // such as one on another machine, to which nothing is encrypted
    }
  };

  readonly #download = (): void => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`id\n${this.selected.join("\n")}\n`], { type: "text/csv" }));
    link.download = `${this.modality ?? "items"}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  };

  readonly #press = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.#view) return;
    if (this.#pressed(event.key, event.shiftKey)) event.preventDefault();
  };

  /** Do what a key says; false if it says nothing here. */
  #pressed(key: string, shift: boolean): boolean {
    const { clientWidth: width, clientHeight: height } = this.querySelector("canvas")!;
    const [right, up] = ARROWS[key] ?? [0, 0];
    const middle: Place = [width / 2, height / 2];
    if (right || up) {
      if (shift) {
        const [w, h] = this.box ?? [STEP * width, STEP * height];
        const begun = this.box === null;
        this.box = begun ? [w, h] : [grown(w, right * STEP * width, width), grown(h, up * STEP * height, height)];
      } else {
        const { x, y, unit } = this.#view!.frame;
        this.#view!.frame = { x: x + right * STEP * width * unit, y: y + up * STEP * height * unit, unit };
        this.#hover(middle, Math.max(NEAR, STEP * height));
      }
    } else if (key === "+" || key === "=" || key === "-") {
      this.#nearer(key === "-" ? 1 / 1.25 : 1.25);
    } else if (key === "Home") {
      this.#whole();
    } else if (key === "Enter" && this.box) {
      const [[x, y], [w, h]] = [middle, this.box];
      this.#select([[x - w, y - h], [x + w, y - h], [x + w, y + h], [x - w, y + h]]);
      this.box = null;
    } else if (key === "Enter") {
      this.#open(this.#at(middle, Math.max(NEAR, STEP * height)));
    } else if (key === "Escape") {
      this.#cancel();
      this.box = null;
    } else return false;
    return true;
  }
}

const names: Readonly<Record<Mode, string>> = { move: "Move", rectangle: "Select a rectangle", lasso: "Select with a lasso" };
const ARROWS: Readonly<Record<string, Place>> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const KEYS_SAID =
  "Arrow keys move it, plus and minus zoom, Home shows all. Enter opens the item in the middle. With Shift, arrow keys draw a rectangle, or the pointer does; Enter selects what is in it.";

const asText = (outline: readonly Place[]): string => outline.map(([x, y]) => `${x},${y}`).join(" ");
const grown = (half: number, by: number, whole: number): number => Math.min(whole / 2, Math.max(STEP * whole * 0.25, half + by / 2));

/** A colour as page.css writes it, as three bytes. */
function rgb(colour: string): readonly number[] {
  const number = Number.parseInt(colour.trim().slice(1), 16);
  return colour.trim().length === 4
    ? [(number >> 8) * 17, ((number >> 4) & 15) * 17, (number & 15) * 17]
    : [number >> 16, (number >> 8) & 255, number & 255];
}

async function bytesOf(address: string): Promise<ArrayBuffer> {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(((await answer.json()) as { error: string }).error);
  return answer.arrayBuffer();
}

customElements.define("item-map", ItemMap);
