// Draws a map: points seen from straight above, moved and brought nearer.
import { boundsOf, spread, type Frame, type MapPoints } from "./map.ts";
import { disc, type Three } from "./view.ts";

const SHARPEST = 2; // pixels of the canvas for each of CSS, in each direction
const SMALLEST = 1.5; // a point, in pixels of CSS
const LARGEST = 7;
const CHOSEN = 1.6; // times as large as others
const ROUND = 50_000; // more points are squares, which are drawn faster
const SLOW = 50; // milliseconds of a picture: then fewer points are drawn while the map moves
const QUICK = 25;
const LEAST = 20_000; // points
const REST = 150; // milliseconds after which all are drawn again

/** A map in a canvas. */
export class MapView {
  readonly #renderer;
  readonly #scene;
  readonly #camera;
  readonly #disc;
  readonly #all;
  readonly #chosen;
  readonly #resized = new ResizeObserver(() => this.#resize());
  readonly #order;
  readonly #bounds;
  #frame: Frame = { x: 0, y: 0, unit: 1 };
  #asked = 0;
  #rest = 0;
  #moving = false;
  #most: number;

  /** `resized` is told when the canvas has another size. */
  constructor(
    private readonly three: Three,
    private readonly canvas: HTMLCanvasElement,
    private readonly points: MapPoints,
    private readonly resized: () => void,
  ) {
    this.#renderer = new three.WebGLRenderer({ canvas, alpha: true, antialias: false });
    this.#renderer.outputColorSpace = three.LinearSRGBColorSpace; // colours are shown as they are
    this.#scene = new three.Scene();
    this.#camera = new three.OrthographicCamera(-1, 1, 1, -1, 0, 2);
    this.#disc = disc(three);
    this.#order = spread(points.count);
    this.#bounds = boundsOf(points);
    this.#most = points.count;
    const places = new Float32Array(2 * points.count);
    this.#order.forEach((point, place) => places.set(points.places.subarray(2 * point, 2 * point + 2), 2 * place));
    this.#all = this.#cloud(places, { vertexColors: true });
    this.#chosen = this.#cloud(new Float32Array(), {});
    this.#chosen.renderOrder = 1;
    this.#scene.add(this.#all, this.#chosen);
    this.#resized.observe(canvas);
  }

  /** What the map shows. */
  get frame(): Frame {
    return this.#frame;
  }

  set frame(frame: Frame) {
    this.#frame = frame;
    this.#moving = true;
    clearTimeout(this.#rest);
    this.#rest = window.setTimeout(() => {
      this.#moving = false;
      this.#ask();
    }, REST);
    this.#ask();
  }

  /** Colour the points: three bytes for each. */
  colour(colours: Uint8Array): void {
    const ordered = new Uint8Array(colours.length);
    this.#order.forEach((point, place) => ordered.set(colours.subarray(3 * point, 3 * point + 3), 3 * place));
    this.#all.geometry.setAttribute("color", new this.three.BufferAttribute(ordered, 3, true));
    this.#ask();
  }

  /** Set these points apart. */
  choose(chosen: Uint32Array, colour: readonly number[]): void {
    const places = new Float32Array(2 * chosen.length);
    chosen.forEach((point, place) => places.set(this.points.places.subarray(2 * point, 2 * point + 2), 2 * place));
    this.#chosen.geometry.dispose();
    this.#chosen.geometry = this.#geometry(places);
    this.#chosen.material.color.setRGB(colour[0]! / 255, colour[1]! / 255, colour[2]! / 255, this.three.LinearSRGBColorSpace);
    this.#ask();
  }

  /** Give the memory back. */
  dispose(): void {
    cancelAnimationFrame(this.#asked);
    clearTimeout(this.#rest);
    this.#resized.disconnect();
    for (const { geometry, material } of [this.#all, this.#chosen]) {
      geometry.dispose();
      material.dispose();
    }
    this.#disc.dispose();
    this.#renderer.dispose();
  }

  #cloud(places: Float32Array, options: { vertexColors?: boolean }) {
    const round = this.points.count > ROUND ? {} : { alphaMap: this.#disc, alphaTest: 0.5 };
    const material = new this.three.PointsMaterial({ sizeAttenuation: false, depthTest: false, depthWrite: false, ...round, ...options });
    const cloud = new this.three.Points(this.#geometry(places), material);
    cloud.frustumCulled = false;
    return cloud;
  }

  #geometry(places: Float32Array) {
    const geometry = new this.three.BufferGeometry();
    geometry.setAttribute("position", new this.three.BufferAttribute(places, 2)); // a missing z is 0
    geometry.boundingSphere = new this.three.Sphere(); // nothing asks for it, but three would look for z to find it
    return geometry;
  }

  #resize(): void {
    this.#renderer.setPixelRatio(Math.min(SHARPEST, devicePixelRatio));
    this.#renderer.setSize(this.canvas.clientWidth, this.canvas.clientHeight, false);
    this.resized();
    this.#ask();
  }

  #ask(): void {
    cancelAnimationFrame(this.#asked);
    this.#asked = requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    const { clientWidth, clientHeight } = this.canvas;
    if (clientWidth === 0 || clientHeight === 0) return;
    const { x, y, unit } = this.#frame;
    Object.assign(this.#camera, {
      left: (-clientWidth / 2) * unit,
      right: (clientWidth / 2) * unit,
      top: (clientHeight / 2) * unit,
      bottom: (-clientHeight / 2) * unit,
    });
    this.#camera.position.set(x, y, 1);
    this.#camera.updateProjectionMatrix();
    // As large as they can be without covering each other, if they were spread over the map.
    const [left, bottom, right, top] = this.#bounds;
    const area = Math.max(right - left, unit) * Math.max(top - bottom, unit);
    const apart = Math.sqrt(area / this.points.count) / unit;
    const size = Math.min(LARGEST, Math.max(SMALLEST, apart)) * this.#renderer.getPixelRatio();
    this.#all.material.size = size;
    this.#chosen.material.size = CHOSEN * size;
    this.#all.geometry.setDrawRange(0, this.#moving ? this.#most : this.points.count);
    this.#renderer.render(this.#scene, this.#camera);
    if (this.#moving) this.#measure(performance.now());
  }

  /** Draw fewer points while the map moves if a picture takes long, and more if it does not. */
  #measure(begin: number): void {
    requestAnimationFrame(() => {
      const took = performance.now() - begin;
      if (took > SLOW) this.#most = Math.max(Math.min(LEAST, this.points.count), this.#most / 2);
      else if (took < QUICK) this.#most = Math.min(this.points.count, this.#most * 1.5);
    });
  }
}
