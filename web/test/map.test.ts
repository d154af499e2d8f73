import assert from "node:assert/strict";
import { test } from "node:test";
import { boundsOf, coloursOf, inside, Nearest, nearer, placeOf, queryOf, readPoints, shadesOf, spread, wholeFrame, type Place } from "../src/map.ts";

/** Points that differ from run to run as little as their numbers. */
function scattered(count: number) {
  const buffer = new ArrayBuffer(12 * count);
  let state = 1;
  const next = () => ((state = (state * 48271) % 2147483647) / 2147483647);
  new Float32Array(buffer, 0, 2 * count).set(Array.from({ length: 2 * count }, next));
  new Int32Array(buffer, 8 * count, count).set(Array.from({ length: count }, (_, point) => 10 * point));
  return readPoints(buffer);
}

test("points are read", () => {
  const points = scattered(3);
  assert.equal(points.count, 3);
  assert.deepEqual([...points.ids], [0, 10, 20]);
  assert.equal(points.places.length, 6);
  assert.throws(() => readPoints(new ArrayBuffer(13)), /13 bytes are not the points of a map/);
});

test("the whole map is in its frame, whatever it is", () => {
  const points = scattered(500);
  const frame = wholeFrame(points, 300, 200);
  const [left, top] = placeOf([0, 0], frame, 300, 200);
  const [right, bottom] = placeOf([300, 200], frame, 300, 200);
  const [minX, minY, maxX, maxY] = boundsOf(points);
  assert.ok(left < minX && right > maxX && bottom < minY && top > maxY);
  assert.ok(wholeFrame(scattered(1), 300, 200).unit > 0);
});

test("what is under the pointer stays there", () => {
  const frame = { x: 3, y: -2, unit: 0.1 };
  const closer = nearer(frame, 4, [20, 150], 300, 200);
  assert.equal(closer.unit, 0.025);
  for (const part of [0, 1]) {
    const before = placeOf([20, 150], frame, 300, 200)[part]!;
    assert.ok(Math.abs(placeOf([20, 150], closer, 300, 200)[part]! - before) < 1e-9);
  }
});

test("the nearest point is that of all comparisons", () => {
  const points = scattered(3000);
  const grid = new Nearest(points);
  for (let turn = 0; turn < 300; turn++) {
    const place: Place = [(turn * 0.618) % 1.2 - 0.1, (turn * 0.414) % 1.2 - 0.1];
    const distances = Array.from({ length: points.count }, (_, point) =>
      Math.hypot(points.places[2 * point]! - place[0], points.places[2 * point + 1]! - place[1]));
    const least = Math.min(...distances);
    const found = grid.at(place, 0.02);
    assert.equal(found === null ? null : distances[found], least <= 0.02 ? least : null);
  }
  assert.equal(new Nearest(scattered(1)).at([scattered(1).places[0]!, scattered(1).places[1]!], 0.1), 0);
});

test("an outline has what is inside of it", () => {
  const points = scattered(2000);
  const square: Place[] = [[0.2, 0.3], [0.6, 0.3], [0.6, 0.8], [0.2, 0.8]];
  const expected = Array.from({ length: points.count }, (_, point) => point).filter((point) => {
    const [x, y] = [points.places[2 * point]!, points.places[2 * point + 1]!];
    return x > 0.2 && x < 0.6 && y > 0.3 && y < 0.8;
  });
  assert.deepEqual([...inside(points, square)], expected);
  const circle = Array.from({ length: 200 }, (_, step): Place => [0.5 + 0.3 * Math.cos(step / 100 * Math.PI), 0.5 + 0.3 * Math.sin(step / 100 * Math.PI)]);
  const within = new Set(inside(points, circle));
  for (let point = 0; point < points.count; point++) {
    const distance = Math.hypot(points.places[2 * point]! - 0.5, points.places[2 * point + 1]! - 0.5);
    if (Math.abs(distance - 0.3) > 0.001) assert.equal(within.has(point), distance < 0.3);
  }
  assert.equal(inside(points, []).length, 0);
});

test("colours", () => {
  assert.deepEqual([...coloursOf(new Uint8Array([1, 0, 255]), [[1, 2, 3], [4, 5, 6], [7, 8, 9]])], [4, 5, 6, 1, 2, 3, 7, 8, 9]);
  const shades = shadesOf([[0, 0, 0], [100, 200, 50], [200, 0, 100]], [1, 1, 1]);
  assert.equal(shades.length, 256);
  assert.deepEqual([shades[0], shades[127], shades[254], shades[255]], [[0, 0, 0], [100, 200, 50], [200, 0, 100], [1, 1, 1]]);
});

test("an order that is spread has every point, and its beginning is everywhere", () => {
  for (const count of [1, 2, 3, 4, 10, 618, 1000, 99_991]) {
    assert.deepEqual(new Set(spread(count)), new Set(Array.from({ length: count }, (_, point) => point)));
  }
  const first = [...spread(100_000).slice(0, 1000)].sort((a, b) => a - b);
  const gaps = first.map((point, place) => point - (first[place - 1] ?? 0));
  assert.ok(Math.max(...gaps) < 400);
});

test("a query", () => {
  assert.equal(queryOf("e_mm1_100m.text", "encord_text_id", [3, 7]), "SELECT * FROM e_mm1_100m.text WHERE encord_text_id IN (3, 7) ORDER BY encord_text_id;");
});
