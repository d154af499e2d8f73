// Uses the pages of `emm1 explore` by keyboard, and prints what came of it as JSON: node walk_explore.mjs URL CAPTION CLOUD BROKEN EMPTY
import { launch } from "./browser.mjs";

const [url, caption, cloud, broken, empty] = process.argv.slice(2);
const { origin } = new URL(url);
const browser = await launch();
const problems = [];
// Without a graphics card, what was drawn is read back, and Chromium says that this is slow.
const told = (message) => /GPU stall due to ReadPixels/.test(message.text()) || problems.push(message.text());

async function open(path, options = {}, prepare = () => {}) {
  const page = await browser.newPage({ viewport: { width: 1200, height: 900 }, ...options });
  page.on("console", told);
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("request", (request) => request.url().startsWith(`${origin}/`) || problems.push(`requests ${request.url()}`));
  await page.addInitScript(prepare);
  await page.goto(url);
  await page.goto(origin + path);
  return page;
}
const here = (page) => page.url().slice(origin.length);

/** Press keys, each of which leads to another page. */
async function follow(page, ...keys) {
  const reached = [];
  for (const key of keys) {
    const before = page.url();
    for (const each of key.split(" ")) await page.keyboard.press(each);
    await page.waitForURL((now) => now.href !== before);
    reached.push([key, here(page)]);
  }
  return reached;
}

const page = await open("/?dataset=100m&limit=3");
const captions = await follow(page, "j", "j", "k");
await page.goto(`${origin}/items/100m/text/${caption}`);
const groups = await follow(page, "l", "3", "h", "p", "0", "e", "j", "k", "1", "m", "g t", "g c");

// Whoever writes is not led away.
await page.goto(`${origin}/items/100m/text/${caption}`);
await page.keyboard.press("/");
await page.keyboard.type("j7?");
const written = [here(page), await page.evaluate(() => document.activeElement.value), await page.locator("dialog[open]").count()];
await page.keyboard.press("Escape");
await page.keyboard.press("?");
const help = await page.locator("dialog[open]").innerText();
await page.keyboard.press("l"); // the help is open
await page.locator("dialog[open] input").focus();
await page.keyboard.press("Space");
await page.keyboard.press("Escape");
await page.keyboard.press("l"); // keys are off
await page.waitForTimeout(300);
const off = here(page);
await page.locator("key-help button").first().focus();
await page.keyboard.press("Enter");
await page.locator("dialog[open] input").focus();
await page.keyboard.press("Space");
await page.keyboard.press("Escape");
const on = await follow(page, "l");
await page.close();

/** The colours of what is seen of a cloud, and how many pixels have each: a page without a policy reads the picture. */
const reader = await browser.newPage();
async function pixels(page) {
  const picture = (await page.locator("canvas").screenshot()).toString("base64");
  return reader.evaluate(async (data) => {
    const image = new Image();
    image.src = `data:image/png;base64,${data}`;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height);
    const pen = canvas.getContext("2d");
    pen.drawImage(image, 0, 0);
    const all = new Uint32Array(pen.getImageData(0, 0, image.width, image.height).data.buffer);
    const counts = {};
    let sum = 0;
    all.forEach((pixel, place) => {
      const name = (pixel & 0xffffff).toString(16).padStart(6, "0"); // blue, green, red
      counts[name] = (counts[name] ?? 0) + 1;
      sum = (Math.imul(sum, 31) + pixel) | 0;
    });
    return { blue: counts.ff0000 ?? 0, red: counts["0000ff"] ?? 0, white: counts.ffffff ?? 0, sum };
  }, picture);
}

const clouds = {};
for (const colorScheme of ["light", "dark"]) {
  const shown = await open(`/items/100m/points/${cloud}`, { colorScheme, reducedMotion: "reduce" });
  await shown.locator("canvas").focus();
  const seen = { text: await shown.locator("point-cloud").innerText(), label: await shown.locator("canvas").getAttribute("aria-label") };
  seen.first = await pixels(shown);
  await shown.waitForTimeout(300);
  seen.still = await pixels(shown);
  for (const key of ["ArrowRight", "ArrowUp", "+", "+", "-"]) {
    await shown.keyboard.press(key);
    seen[`${key}${key in seen ? " again" : ""}`] = await pixels(shown);
  }
  seen.url = here(shown);
  clouds[colorScheme] = seen;
  await shown.close();
}

const moving = await open(`/items/100m/points/${cloud}`);
await moving.locator("canvas").waitFor();
const turning = [await pixels(moving)];
await moving.waitForTimeout(500);
turning.push(await pixels(moving));
await moving.getByRole("button", { name: "Turn by itself" }).click();
turning.push(await pixels(moving));
await moving.waitForTimeout(300);
turning.push(await pixels(moving));
await moving.close();

/** What stands where there is nothing to draw. */
async function said(id, prepare) {
  const page = await open(`/items/100m/points/${id}`, {}, prepare);
  await page.waitForFunction(() => !/^(|Loading …)$/.test(document.querySelector("point-cloud [role=status]")?.textContent ?? ""));
  const text = await page.locator("point-cloud").innerText();
  await page.close();
  return text;
}
const withoutWebGL = () => {
  const { getContext } = HTMLCanvasElement.prototype;
  HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
    return kind.startsWith("webgl") ? null : getContext.call(this, kind, ...rest);
  };
};
const messages = { broken: await said(broken), empty: await said(empty) };
const known = problems.splice(0); // the browser tells of answers with 400, and three that there is no WebGL
messages.without = await said(cloud, withoutWebGL);
problems.splice(0);

// Complete without scripts.
const plain = await browser.newPage({ javaScriptEnabled: false });
await plain.goto(url);
await plain.goto(`${origin}/items/100m/points/${cloud}`);
const withoutScript = await plain.locator("point-cloud").innerText();
await browser.close();
console.log(JSON.stringify({ captions, groups, written, help, off, on, clouds, turning, messages, known, problems, withoutScript }));
