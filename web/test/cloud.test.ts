import assert from "node:assert/strict";
import { test } from "node:test";
import { readCloud } from "../src/cloud.ts";

const bytes = (...points: number[][]): ArrayBuffer => new Float32Array(points.flat()).buffer;

test("a cloud is moved to the origin and its farthest point to distance 1", () => {
  const cloud = readCloud(bytes([10, 0, 0, 0, 0.5, 1], [14, 0, 0, 1, 1, 1], [12, 1, 0, 0, 0, 0], [12, -1, 0, 0, 0, 0]));
  assert.equal(cloud.points, 4);
  assert.deepEqual([...cloud.positions], [-1, 0, 0, 1, 0, 0, 0, 0.5, 0, 0, -0.5, 0]);
  assert.deepEqual([...cloud.colours.slice(0, 3)], [0, 0.5, 1]);
});

test("points that are nowhere are left out, and colours are colours", () => {
  const cloud = readCloud(bytes([NaN, 0, 0, 0, 0, 0], [0, Infinity, 0, 1, 1, 1], [7, 7, 7, -1, 2, NaN]));
  assert.deepEqual([...cloud.positions], [0, 0, 0]);
  assert.deepEqual([...cloud.colours], [0, 1, 0]);
});

test("the largest coordinates that a file can have", () => {
  const most = 3e38;
  const cloud = readCloud(bytes([most, 0, 0, 0, 0, 0], [-most, 0, 0, 0, 0, 0]));
  assert.deepEqual([...cloud.positions], [1, 0, 0, -1, 0, 0]);
});

test("100,000 points", () => {
  const all = new Float32Array(600_000).map((_, place) => Math.sin(place));
  const { points, positions } = readCloud(all.buffer);
  assert.equal(points, 100_000);
  let farthest = 0;
  for (let start = 0; start < positions.length; start += 3) {
    farthest = Math.max(farthest, Math.hypot(...positions.subarray(start, start + 3)));
  }
  assert.ok(Math.abs(farthest - 1) < 1e-6);
});

test("what is no cloud is said", () => {
  assert.throws(() => readCloud(new ArrayBuffer(0)), /has no points/);
  assert.throws(() => readCloud(bytes([NaN, NaN, NaN, 0, 0, 0])), /has no points/);
  assert.throws(() => readCloud(new ArrayBuffer(25)), /cut off/);
});
