// A point cloud as the server sends it: float32, x, y, z, red, green, blue of each point.

const COMPONENTS = 6;
const BYTES = 4 * COMPONENTS;

/** A cloud whose middle is the origin and whose farthest point is at distance 1. */
export interface Cloud {
  readonly points: number;
  readonly positions: Float32Array;
  /** Red, green and blue from 0 to 1. */
  readonly colours: Float32Array;
}

/**
 * Read a cloud. Points that are nowhere (NaN or infinite) are left out.
 *
 * @throws Error if these are no points; its message is for people.
 */
export function readCloud(bytes: ArrayBuffer): Cloud {
  if (bytes.byteLength % BYTES !== 0) throw new Error("This point cloud is cut off.");
  const all = new Float32Array(bytes);
  const kept: number[] = [];
  for (let start = 0; start < all.length; start += COMPONENTS) {
    if ([0, 1, 2].every((axis) => Number.isFinite(all[start + axis]))) kept.push(start);
  }
  if (kept.length === 0) throw new Error("This point cloud has no points.");
  const positions = take(all, kept, 0);
  const colours = take(all, kept, 3).map((value) => Math.min(1, Math.max(0, value || 0)));
  moveToOrigin(positions);
  return { points: kept.length, positions, colours };
}

/** Three components of points, from one on. */
function take(all: Float32Array, starts: readonly number[], first: number): Float32Array {
  const taken = new Float32Array(3 * starts.length);
  starts.forEach((start, point) => taken.set(all.subarray(start + first, start + first + 3), 3 * point));
  return taken;
}

function moveToOrigin(positions: Float32Array): void {
  const low = [Infinity, Infinity, Infinity];
  const high = [-Infinity, -Infinity, -Infinity];
  positions.forEach((value, place) => {
    low[place % 3] = Math.min(low[place % 3]!, value);
    high[place % 3] = Math.max(high[place % 3]!, value);
  });
  const middle = low.map((value, axis) => value / 2 + high[axis]! / 2);
  let farthest = 0;
  for (let start = 0; start < positions.length; start += 3) {
    const distance = Math.hypot(...middle.map((value, axis) => positions[start + axis]! - value));
    farthest = Math.max(farthest, distance);
  }
  positions.forEach((value, place) => {
    positions[place] = farthest > 0 ? (value - middle[place % 3]!) / farthest : 0;
  });
}
