import assert from "node:assert/strict";
import { test } from "node:test";
import { withoutToken } from "../src/address.ts";
import { addressOf, changed, namesOf, read } from "../src/basket.ts";

test("items are put in once, and taken out", () => {
  const basket = changed(["1m.image.3"], namesOf({ dataset: "100m", modality: "image", ids: [5, 5, 7] }), true);
  assert.deepEqual(basket, ["1m.image.3", "100m.image.5", "100m.image.7"]);
  assert.deepEqual(changed(basket, ["100m.image.5", "1m.text.0"], false), ["1m.image.3", "100m.image.7"]);
});

test("an address names at most 2,000 items", () => {
  assert.equal(addressOf([]), "/basket");
  assert.equal(addressOf(["100m.image.5", "1m.text.0"]), "/basket?items=100m.image.5,1m.text.0");
  const many = namesOf({ dataset: "100m", modality: "image", ids: [...Array(3000).keys()] });
  assert.equal(addressOf(many).split(",").length, 2000);
});

test("what others keep in the browser is no basket", () => {
  for (const kept of [null, "", "{", "7", '{"a":1}', "[1,null]"]) assert.deepEqual(read({ getItem: () => kept }, "x"), []);
  assert.deepEqual(read({ getItem: () => '["100m.image.5",7]' }, "x"), ["100m.image.5"]);
});

test("the address keeps everything but the token", () => {
  assert.equal(withoutToken("http://127.0.0.1:1/?token=x"), "http://127.0.0.1:1/");
  assert.equal(withoutToken("http://127.0.0.1:1/triplets?label=a%26b&token=x&after=3#y"), "http://127.0.0.1:1/triplets?label=a%26b&after=3#y");
});
