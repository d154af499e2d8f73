import { html } from "lit";
import { readCloud, type Cloud } from "../cloud.ts";
import { TURNS } from "../keys.ts";
import { View, type Three } from "../view.ts";
import { Part } from "./part.ts";

const STILL = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * `<point-cloud src label turning>`: a point cloud that pointers and keys turn. It is fetched when it comes into view.
 * `turning`: it turns by itself until somebody turns it, unless readers prefer that nothing moves.
 */
class PointCloud extends Part {
  static override properties = {
    src: {},
    label: {},
    turning: { type: Boolean },
    cloud: { state: true },
    message: { state: true },
  };
  declare src: string;
  declare label: string;
  declare turning: boolean;
  declare cloud: Cloud | null;
  declare message: string;

  readonly #watched = new IntersectionObserver((entries) => this.#see(entries.at(-1)!.isIntersecting));
  #three: Three | null = null;
  #view: View | null = null;
  #inView = false;

  constructor() {
    super();
    this.cloud = null;
    this.message = "";
  }

  override connectedCallback(): void {
    super.connectedCallback();
    if (STILL.matches) this.turning = false;
    this.#watched.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#watched.disconnect();
    this.#close();
  }

  protected override render(): unknown {
    if (!this.cloud) return html`<p role="status">${this.message}</p>`;
    return html`
      <canvas tabindex="0" role="application" aria-label="${this.label}: arrow keys turn it, plus and minus zoom"
        @keydown=${this.#press} @pointerdown=${this.#hold} @focus=${this.#focus} @blur=${this.#focus}></canvas>
      <p class="quiet">
        ${this.cloud.points.toLocaleString("en")} points
        <button aria-pressed=${this.turning ? "true" : "false"} @click=${this.#switch}>Turn by itself</button>
      </p>`;
  }

  protected override updated(): void {
    const canvas = this.querySelector("canvas");
    if (this.cloud && this.#three && canvas && !this.#view) {
      this.#view = this.#tried(() => new View(this.#three!, canvas, this.cloud!));
    }
    if (this.#view) this.#view.turns = this.turning && this.#inView;
  }

  #see(inView: boolean): void {
    this.#inView = inView;
    if (inView && !this.cloud && !this.message) void this.#load();
    this.requestUpdate();
  }

  async #load(): Promise<void> {
    this.message = "Loading …";
    try {
      const [answer, three] = await Promise.all([fetch(this.src), import("../three.ts")]);
      if (!answer.ok) throw new Error(((await answer.json()) as { error: string }).error);
      this.#three = three;
      this.cloud = readCloud(await answer.arrayBuffer());
    } catch (error) {
      this.message = (error as Error).message;
    }
  }

  /** What is made, or nothing but a message if the browser has no WebGL. */
  #tried<T>(make: () => T): T | null {
    try {
      return make();
    } catch {
      this.#close("This browser cannot draw in 3-D: it has no WebGL.");
      return null;
    }
  }

  #close(message = ""): void {
    this.#view?.dispose();
    this.#view = null;
    this.cloud = null;
    this.message = message;
  }

  readonly #press = (event: KeyboardEvent): void => {
    const turn = TURNS.find(({ keys }) => keys.includes(event.key));
    if (!turn || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.turning = false;
    this.#view?.turn(turn);
  };

  readonly #hold = (event: PointerEvent): void => {
    (event.currentTarget as HTMLElement).focus();
    this.turning = false;
  };

  readonly #focus = (event: FocusEvent): void => {
    if (this.#view) this.#view.zooms = event.type === "focus";
  };

  readonly #switch = (): void => {
    this.turning = !this.turning;
  };
}

customElements.define("point-cloud", PointCloud);
