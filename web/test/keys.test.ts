import assert from "node:assert/strict";
import { test } from "node:test";
import { begins, KEYS, pressed, targetsOf, TURNS } from "../src/keys.ts";

test("every key means one thing", () => {
  const names = KEYS.flatMap(({ keys }) => keys);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) {
    assert.equal(begins(name), false, `${name} would never be reached, or its successor`);
    assert.ok(KEYS.find(({ keys }) => keys.includes(name))!.targets.length > 0);
  }
  assert.ok(TURNS.every(({ keys }) => keys.every((key) => pressed("", key).key === null)), "a cloud takes no key of the page");
});

test("a key, two keys, and a digit", () => {
  assert.deepEqual(targetsOf(pressed("", "j")), ["a[rel~=next]"]);
  assert.deepEqual(targetsOf(pressed("", "7")), ['[data-rank="7"]']);
  assert.equal(begins(pressed("", "g").name), true);
  assert.deepEqual(targetsOf(pressed("g", "t")), ['header a[href="/triplets"]']);
});

test("keys without a meaning", () => {
  for (const [before, key] of [["", "g"], ["", "x"], ["g", "g"], ["g", "j"], ["", " "], ["", "Enter"], ["", "Tab"], ["", ""]]) {
    assert.deepEqual(targetsOf(pressed(before!, key!)), []);
  }
});
