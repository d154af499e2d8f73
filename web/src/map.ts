// The points of a map: read, found under a pointer, and found inside of an outline. Nothing here needs a browser.

/** Points in the order of their ids. */
export interface MapPoints {
  readonly count: number;
  /** x and y of each. */
  readonly places: Float32Array;
  readonly ids: Int32Array;
}

/** A place, in the units of the map or in pixels. */
export type Place = readonly [number, number];

/** What the view shows: its middle, and how many units of the map a pixel is. */
export interface Frame {
  readonly x: number;
  readonly y: number;
  readonly unit: number;
}

const PLACE = 8; // bytes of x and y
const ID = 4;
const MARGIN = 1.06; // of the map around all points
const CELLS = 256; // in each direction

/** The points of `/api/map/NAME/points`. */
export function readPoints(buffer: ArrayBuffer): MapPoints {
  const count = buffer.byteLength / (PLACE + ID);
  if (!Number.isInteger(count)) throw new Error(`${buffer.byteLength} bytes are not the points of a map.`);
  return { count, places: new Float32Array(buffer, 0, 2 * count), ids: new Int32Array(buffer, PLACE * count, count) };
}

/** The smallest and the largest x and y: left, bottom, right, top. */
export function boundsOf({ count, places }: MapPoints): readonly [number, number, number, number] {
  let [left, bottom, right, top] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let point = 0; point < count; point++) {
    const x = places[2 * point]!;
    const y = places[2 * point + 1]!;
    left = Math.min(left, x);
    right = Math.max(right, x);
    bottom = Math.min(bottom, y);
    top = Math.max(top, y);
  }
  return [left, bottom, right, top];
}

/** The frame that shows all points in so many pixels. */
export function wholeFrame(points: MapPoints, width: number, height: number): Frame {
  const [left, bottom, right, top] = boundsOf(points);
  const unit = Math.max((right - left) / width, (top - bottom) / height) * MARGIN;
  return { x: (left + right) / 2, y: (bottom + top) / 2, unit: unit > 0 ? unit : 1 / width };
}

/** The place on the map of a pixel, counted from the left and the top of the view. */
export const placeOf = ([across, down]: Place, frame: Frame, width: number, height: number): Place => [
  frame.x + (across - width / 2) * frame.unit,
  frame.y - (down - height / 2) * frame.unit,
];

/** The frame after what lies under a pixel came nearer; it stays under the pixel. */
export function nearer(frame: Frame, times: number, pixel: Place, width: number, height: number): Frame {
  const [x, y] = placeOf(pixel, frame, width, height);
  return { x: x + (frame.x - x) / times, y: y + (frame.y - y) / times, unit: frame.unit / times };
}

/** Finds the point that is nearest to a place, by a grid over the map. */
export class Nearest {
  readonly #points;
  readonly #left: number;
  readonly #bottom: number;
  readonly #across;
  readonly #up;
  readonly #begins = new Uint32Array(CELLS * CELLS + 1);
  readonly #sorted;

  constructor(points: MapPoints) {
    this.#points = points;
    const [left, bottom, right, top] = boundsOf(points);
    [this.#left, this.#bottom] = [left, bottom];
    this.#across = (right - left) / CELLS || 1;
    this.#up = (top - bottom) / CELLS || 1;
    this.#sorted = new Uint32Array(points.count);
    const cells = new Uint32Array(points.count);
    for (let point = 0; point < points.count; point++) {
      const cell = this.#column(points.places[2 * point]!) + CELLS * this.#row(points.places[2 * point + 1]!);
      cells[point] = cell;
      this.#begins[cell + 1]!++;
    }
    for (let cell = 0; cell < CELLS * CELLS; cell++) this.#begins[cell + 1]! += this.#begins[cell]!;
    const next = this.#begins.slice();
    for (let point = 0; point < points.count; point++) this.#sorted[next[cells[point]!]!++] = point;
  }

  /** The number of the nearest point within a distance; null if there is none. */
  at([x, y]: Place, within: number): number | null {
    let best: number | null = null;
    let least = within * within;
    const last = this.#column(x + within);
    for (let row = this.#row(y - within); row <= this.#row(y + within); row++) {
      for (let column = this.#column(x - within); column <= last; column++) {
        const cell = column + CELLS * row;
        for (let place = this.#begins[cell]!; place < this.#begins[cell + 1]!; place++) {
          const point = this.#sorted[place]!;
          const distance = (this.#points.places[2 * point]! - x) ** 2 + (this.#points.places[2 * point + 1]! - y) ** 2;
          if (distance <= least) [best, least] = [point, distance];
        }
      }
    }
    return best;
  }

  #column(x: number): number {
    return clamped(Math.floor((x - this.#left) / this.#across));
  }

  #row(y: number): number {
    return clamped(Math.floor((y - this.#bottom) / this.#up));
  }
}

const clamped = (cell: number): number => Math.min(CELLS - 1, Math.max(0, cell));

/** The numbers of the points inside of an outline, by the even-odd rule. */
export function inside({ count, places }: MapPoints, outline: readonly Place[]): Uint32Array {
  const xs = outline.map(([x]) => x);
  const ys = outline.map(([, y]) => y);
  const [left, right, bottom, top] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const found = new Uint32Array(count);
  let size = 0;
  for (let point = 0; point < count; point++) {
    const x = places[2 * point]!;
    const y = places[2 * point + 1]!;
    if (x >= left && x <= right && y >= bottom && y <= top && isInside(x, y, xs, ys)) found[size++] = point;
  }
  return found.slice(0, size);
}

function isInside(x: number, y: number, xs: readonly number[], ys: readonly number[]): boolean {
  let odd = false;
  for (let to = 0, from = xs.length - 1; to < xs.length; from = to++) {
    const [y0, y1] = [ys[from]!, ys[to]!];
    if (y0 > y !== y1 > y && x < ((xs[from]! - xs[to]!) * (y - y1)) / (y0 - y1) + xs[to]!) odd = !odd;
  }
  return odd;
}

/** The colour of each point as three bytes: `codes` are places in `palette`, whose last colour is that of codes beyond it. */
export function coloursOf(codes: Uint8Array, palette: readonly (readonly number[])[]): Uint8Array {
  const colours = new Uint8Array(3 * codes.length);
  for (let point = 0; point < codes.length; point++) {
    colours.set(palette[Math.min(codes[point]!, palette.length - 1)]!, 3 * point);
  }
  return colours;
}

/** 255 shades between colours that are evenly apart, and at the end the colour of what has no value. */
export function shadesOf(stops: readonly (readonly number[])[], missing: readonly number[]): readonly (readonly number[])[] {
  const last = stops.length - 1;
  const shades = Array.from({ length: 255 }, (_, shade) => {
    const place = (shade / 254) * last;
    const stop = Math.min(Math.floor(place), last - 1);
    return stops[stop]!.map((from, part) => Math.round(from + (stops[stop + 1]![part]! - from) * (place - stop)));
  });
  return [...shades, missing];
}

/** An order of so many points in which the first ones of it, however many, are spread over all. */
export function spread(count: number): Uint32Array {
  let step = Math.max(1, Math.round(count * 0.618)); // golden: then the first ones are evenly apart
  while (commonDivisor(step, count) > 1) step++;
  return Uint32Array.from({ length: count }, (_, place) => (place * step) % count);
}

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b));

/** A query for items by their ids, in order. */
export const queryOf = (table: string, key: string, ids: Iterable<number>): string =>
  `SELECT * FROM ${table} WHERE ${key} IN (${[...ids].join(", ")}) ORDER BY ${key};`;
