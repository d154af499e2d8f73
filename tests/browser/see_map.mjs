// Uses the map of `emm1 explore`, and prints what readers see as JSON: node see_map.mjs URL PATH
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { launch } from "./browser.mjs";

const [url, path] = process.argv.slice(2);
const { origin } = new URL(url);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf-8");
const browser = await launch();
const problems = [];

/** How many pixels of a picture have each of some colours, "#rrggbb". */
const blank = await browser.newPage();
const pixels = (png, colours) => blank.evaluate(async ([text, wanted]) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const picture = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const pen = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
  pen.drawImage(picture, 0, 0);
  const { data } = pen.getImageData(0, 0, picture.width, picture.height);
  const counts = Object.fromEntries(wanted.map((colour) => [colour, 0]));
  for (let at = 0; at < data.length; at += 4) {
    const colour = `#${[0, 1, 2].map((part) => data[at + part].toString(16).padStart(2, "0")).join("")}`;
    if (colour in counts) counts[colour]++;
  }
  return counts;
}, [png.toString("base64"), colours]);

const legend = (page) => page.evaluate(() => [...document.querySelectorAll(".legend .swatch")].map((swatch) =>
  `#${getComputedStyle(swatch).backgroundColor.match(/\d+/g).map((part) => Number(part).toString(16).padStart(2, "0")).join("")}`));

async function opened(options, scripts = true) {
  const context = await browser.newContext({ javaScriptEnabled: scripts, permissions: ["clipboard-read", "clipboard-write"], ...options });
  const page = await context.newPage();
  page.on("console", (message) => message.text().includes("GL Driver Message") || problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("request", (request) => request.url().startsWith(origin) || problems.push(`requests ${request.url()}`));
  await page.goto(url); // from here on, the cookie opens the pages
  if (!scripts) await page.waitForURL((address) => !address.searchParams.has("token")); // the page goes there by itself
  await page.goto(origin + path);
  if (!scripts) return page;
  await page.waitForSelector("item-map[drawn]");
  return page;
}

const seen = { looks: [] };
for (const options of [{ viewport: { width: 1200, height: 900 }, colorScheme: "light" }, { viewport: { width: 800, height: 900 }, colorScheme: "dark" }]) {
  const page = await opened(options);
  await page.waitForTimeout(300);
  const drawn = await pixels(await page.locator("canvas").screenshot(), await legend(page));
  await page.evaluate(axe); // scripts that are added to the page would be refused by its policy
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const scrollWidth = await page.evaluate(() => document.documentElement.scrollWidth);
  seen.looks.push({ width: options.viewport.width, scrollWidth, drawn, violations: violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`) });
}

const page = await opened({ viewport: { width: 1200, height: 900 } });
const canvas = page.locator("canvas");
const selected = () => page.evaluate(() => ({ ids: document.querySelector("item-map").selected }));
const told = async () => {
  await page.waitForSelector("section[aria-label=Selection] article");
  return { ...await selected(), heading: await page.innerText("section h2"), cards: await page.locator("section article").count() };
};
const { width, height } = await canvas.boundingBox();
seen.size = [width, height];

// With a lasso: a triangle.
seen.triangle = [[0.2, 0.15], [0.9, 0.5], [0.3, 0.85]].map(([x, y]) => [x * width, y * height]);
await page.getByRole("button", { name: "Select with a lasso" }).click();
const box = await canvas.boundingBox();
const [first, ...others] = [...seen.triangle, seen.triangle[0]].map(([x, y]) => [box.x + x, box.y + y]);
await page.mouse.move(...first);
await page.mouse.down();
for (const [x, y] of others) await page.mouse.move(x, y, { steps: 8 });
await page.mouse.up();
seen.lasso = await told();
await page.getByRole("button", { name: "Copy as SQL" }).click();
seen.query = await page.evaluate(() => navigator.clipboard.readText());
const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download ids as CSV" }).click()]);
await page.getByRole("button", { name: "Put in the basket" }).click();
seen.basket = await page.evaluate(() => document.querySelector("item-basket").items);
seen.csv = readFileSync(await download.path(), "utf-8");
await page.getByRole("button", { name: "Clear" }).click();
seen.cleared = { ...await selected(), focus: await page.evaluate(() => document.activeElement.localName) };

// By keys: everything within a fifth of the view around its middle.
await page.keyboard.press("Home");
for (const key of ["Shift+ArrowRight", "Enter"]) await page.keyboard.press(key);
seen.keys = await told();
seen.ticked = await page.evaluate(() => [...document.querySelectorAll("section article input:checked")].map((box) => box.value));

// What is under the pointer, and where it leads.
const [x, y] = await page.evaluate(async () => {
  const { count, ids, places } = document.querySelector("item-map").map;
  let right = 0;
  for (let point = 0; point < count; point++) if (places[2 * point] > places[2 * right]) right = point;
  globalThis.wanted = ids[right];
  const { width, height } = document.querySelector("canvas").getBoundingClientRect();
  const all = (from) => Array.from({ length: count }, (_, point) => places[2 * point + from]);
  const [left, most, low, high] = [Math.min(...all(0)), Math.max(...all(0)), Math.min(...all(1)), Math.max(...all(1))];
  const unit = Math.max((most - left) / width, (high - low) / height) * 1.06;
  return [width / 2 + (most - left) / 2 / unit, height / 2 - (places[2 * right + 1] - (low + high) / 2) / unit];
});
await canvas.scrollIntoViewIfNeeded();
const at = await canvas.boundingBox();
await page.mouse.move(at.x + x, at.y + y);
await page.waitForSelector(".hovered article");
seen.hovered = { wanted: await page.evaluate(() => globalThis.wanted), title: await page.innerText(".hovered h3") };
await Promise.all([page.waitForURL("**/items/**"), page.mouse.click(at.x + x, at.y + y)]);
seen.clicked = page.url().slice(origin.length);
await page.goBack();
await page.waitForSelector("item-map[drawn]");
await canvas.focus();
await page.keyboard.press("ArrowRight");
await page.waitForSelector(".hovered article");
const middle = await page.innerText(".hovered h3");
await Promise.all([page.waitForURL("**/items/**"), page.keyboard.press("Enter")]);
seen.entered = { middle, url: page.url().slice(origin.length) };

// Without scripts.
const still = await opened({ viewport: { width: 1200, height: 900 }, colorScheme: "light" }, false);
seen.still = await pixels(await still.locator(".sketch").screenshot(), seen.looks.length ? Object.keys(seen.looks[0].drawn) : []);

// Without WebGL.
const bare = await browser.newPage();
await bare.addInitScript(() => (HTMLCanvasElement.prototype.getContext = () => null));
await bare.goto(url);
await bare.goto(origin + path);
await bare.waitForFunction(() => document.querySelector("item-map [role=status]")?.textContent.includes("WebGL"));
seen.bare = [await bare.innerText("item-map [role=status]"), await bare.locator(".sketch").isVisible()];
await browser.close();
console.log(JSON.stringify({ ...seen, problems }));
