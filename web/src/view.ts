// Draws point clouds. Browsers allow few WebGL contexts, so all clouds of a page share one, and copy what it drew.
import type { Cloud } from "./cloud.ts";
import type { Turn } from "./keys.ts";

export type Three = typeof import("./three.ts");
type Renderer = InstanceType<Three["WebGLRenderer"]>;

const FIELD = 35; // degrees
const DISTANCE = 3.5; // from which a cloud of radius 1 fills the field
const NEAREST = 0.4;
const FARTHEST = 12;
const SHARPEST = 2; // pixels of a canvas for each of CSS, in each direction
const LARGEST_POINT = 0.08; // the radius of a cloud is 1

let shared: Renderer | null = null;

/** The renderer of the page, or an error if the browser has no WebGL. */
function rendererOf(three: Three): Renderer {
  if (shared === null) {
    shared = new three.WebGLRenderer({ alpha: true, antialias: true });
    shared.outputColorSpace = three.LinearSRGBColorSpace; // colours are shown as they are
  }
  return shared;
}

/** A cloud in a canvas, which can be turned. */
export class View {
  readonly #renderer;
  readonly #points;
  readonly #scene;
  readonly #camera;
  readonly #controls;
  readonly #pen;
  readonly #resized = new ResizeObserver(() => this.#resize());
  #frame = 0;

  constructor(three: Three, private readonly canvas: HTMLCanvasElement, cloud: Cloud) {
    this.#renderer = rendererOf(three);
    this.#pen = canvas.getContext("2d")!;
    this.#points = pointsOf(three, cloud);
    this.#scene = new three.Scene();
    this.#scene.add(this.#points);
    this.#camera = new three.PerspectiveCamera(FIELD, 1, 0.01, 100);
    this.#camera.up.set(0, 0, 1); // as in the files of OpenShape
    this.#camera.position.set(0.5, -0.75, 0.43).setLength(DISTANCE);
    this.#controls = new three.OrbitControls(this.#camera, canvas);
    this.#controls.enablePan = this.#controls.enableZoom = false;
    this.#controls.minDistance = NEAREST;
    this.#controls.maxDistance = FARTHEST;
    this.#controls.update();
    this.#controls.addEventListener("change", () => this.#draw());
    this.#resized.observe(canvas);
  }

  /** Turn it as a key says. */
  turn({ right = 0, up = 0, nearer = 1 }: Turn): void {
    this.#controls.rotateLeft(-right);
    this.#controls.rotateUp(up);
    this.#controls.dollyIn(1 / nearer);
  }

  /** Whether the wheel brings it nearer; otherwise it scrolls the page. */
  set zooms(zooms: boolean) {
    this.#controls.enableZoom = zooms;
  }

  /** Whether it turns by itself. */
  set turns(turns: boolean) {
    this.#controls.autoRotate = turns;
    cancelAnimationFrame(this.#frame);
    if (turns) this.#frame = requestAnimationFrame(this.#step);
  }

  /** Give the memory back. */
  dispose(): void {
    this.turns = false;
    this.#resized.disconnect();
    this.#controls.dispose();
    this.#points.geometry.dispose();
    this.#points.material.alphaMap?.dispose();
    this.#points.material.dispose();
  }

  readonly #step = (): void => {
    this.#controls.update();
    this.#frame = requestAnimationFrame(this.#step);
  };

  #resize(): void {
    const { canvas } = this;
    const sharpness = Math.min(SHARPEST, devicePixelRatio);
    canvas.width = Math.round(canvas.clientWidth * sharpness);
    canvas.height = Math.round(canvas.clientHeight * sharpness);
    this.#camera.aspect = canvas.width / Math.max(1, canvas.height);
    this.#camera.updateProjectionMatrix();
    this.#draw();
  }

  #draw(): void {
    const { width, height } = this.canvas;
    if (width === 0 || height === 0) return;
    this.#renderer.setSize(width, height, false);
    this.#renderer.render(this.#scene, this.#camera);
    this.#pen.clearRect(0, 0, width, height);
    this.#pen.drawImage(this.#renderer.domElement, 0, 0);
  }
}

/** Round points, which are larger where there are few. */
function pointsOf(three: Three, cloud: Cloud) {
  const geometry = new three.BufferGeometry();
  geometry.setAttribute("position", new three.BufferAttribute(cloud.positions, 3));
  geometry.setAttribute("color", new three.BufferAttribute(cloud.colours, 3));
  const size = Math.min(LARGEST_POINT, 3 / Math.sqrt(cloud.points));
  return new three.Points(geometry, new three.PointsMaterial({ size, vertexColors: true, alphaMap: disc(three), alphaTest: 0.5 }));
}

/** What makes points round: where this is black, they are transparent. */
export function disc(three: Three) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 32;
  const pen = canvas.getContext("2d")!;
  pen.fillRect(0, 0, 32, 32);
  pen.fillStyle = "white";
  pen.arc(16, 16, 15, 0, 2 * Math.PI);
  pen.fill();
  return new three.CanvasTexture(canvas);
}
