// Opens a report as readers do, and prints what they see as JSON: node see_report.mjs REPORT.html FOLDER
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { launch } from "./browser.mjs";

const [file, folder] = process.argv.slice(2);
const url = pathToFileURL(file).href;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf-8");
const browser = await launch();
const problems = [];

async function open(options, media = {}) {
  const page = await browser.newPage(options);
  page.on("console", (message) => problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("request", (request) => request.url() === url || problems.push(`requests ${request.url()}`));
  await page.emulateMedia(media);
  await page.goto(url);
  return page;
}

const layout = () => {
  const shown = [...document.querySelectorAll("main *")].filter((element) => element.checkVisibility());
  const maps = shown.filter((element) => element.matches(".map")).map((map) => map.getBoundingClientRect());
  return {
    width: innerWidth,
    height: innerHeight,
    scrollWidth: document.documentElement.scrollWidth,
    right: Math.max(...shown.filter((element) => !element.closest("pre, .hidden")).map((element) => element.getBoundingClientRect().right)),
    maps: maps.map((map) => [map.width, map.height]),
    background: getComputedStyle(document.body).backgroundColor,
    ink: getComputedStyle(document.body).color,
    labels: shown.filter((element) => element.matches(".plot span")).map((label) => {
      const { left, top, right, bottom } = label.getBoundingClientRect();
      return { axis: label.className.split(" ").at(-1), left, top, right, bottom };
    }),
  };
};

const looks = [];
for (const width of [1400, 400, 320]) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await open({ viewport: { width, height: width === 1400 ? 900 : 800 }, colorScheme });
    const seen = { colorScheme, ...await page.evaluate(layout) };
    if (width !== 320) {
      await page.screenshot({ path: join(folder, `${width}-${colorScheme}.png`) });
      await page.evaluate(() => document.querySelectorAll("details").forEach((details) => { details.open = true }));
      await page.evaluate(axe); // scripts that are added to the page would be refused by its policy
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      seen.violations = violations.map(({ id, nodes }) => `${id}: ${nodes.length}, ${nodes[0].html}, ${nodes[0].failureSummary}`);
      seen.opened = (await page.evaluate(layout)).scrollWidth;
    }
    looks.push(seen);
    await page.close();
  }
}

const page = await open({ viewport: { width: 1400, height: 900 } });
const names = () => page.locator("table.categories tbody th").allTextContents();
const sorted = { at_first: await names() };
for (const heading of await page.locator("table.categories thead th").all()) {
  const button = heading.locator("button");
  for (const _ of [1, 2]) {
    await button.focus();
    await page.keyboard.press("Enter");
    sorted[`${await heading.getAttribute("data-sort")} ${await heading.getAttribute("aria-sort")}`] = await names();
  }
}
const told = await page.locator("[role=status]").textContent();

const directions = [];
const shown = () => page.locator(".confusion:visible").evaluateAll((found) => found.map((each) => each.id));
for (const press of [null, "ArrowRight"]) {
  if (press) {
    await page.locator("input[name=direction]").first().focus();
    await page.keyboard.press(press);
  }
  const panel = page.locator(".confusion:visible");
  const map = panel.locator("svg");
  const output = panel.locator("output");
  const { width, height } = await map.boundingBox();
  const size = Number((await map.getAttribute("viewBox")).split(" ")[2]);
  const read = [];
  for (const [row, column] of [[0, 0], [1, 0], [size - 1, 2], [size - 1, size - 1]]) {
    await map.hover({ position: { x: (column + 0.5) * width / size, y: (row + 0.5) * height / size } });
    read.push([row, column, await output.textContent()]);
  }
  await map.focus();
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowLeft");
  read.push([size - 2, size - 2, await output.textContent()]);
  const pair = panel.locator("tr[data-row]").first();
  await pair.hover();
  read.push([Number(await pair.getAttribute("data-row")), Number(await pair.getAttribute("data-column")), await output.textContent()]);
  directions.push({ shown: await shown(), read });
}
const click = page.locator("label[for=show-audio_to_points]");
await click.click();
const clicked = await shown();
const text = await page.locator("pre").evaluate((pre) => pre.textContent);
const ran = await page.evaluate(() => globalThis.ran ?? null);
await page.close();

const print = await open({ colorScheme: "dark" }, { media: "print" });
const printed = await print.evaluate(layout);
await print.pdf({ path: join(folder, "report.pdf"), format: "A4", printBackground: true });
await print.close();

const plain = await open({ javaScriptEnabled: false, viewport: { width: 1400, height: 900 } });
await plain.locator("label[for=show-points_to_audio]").click();
const withoutScript = {
  rows: await plain.locator("table.categories tbody tr").count(),
  shown: await plain.locator(".confusion:visible").getAttribute("id"),
  hints: await plain.locator("output:visible").count(),
};
await plain.close();
await browser.close();
console.log(JSON.stringify({ looks, sorted, told, directions, clicked, text, ran, printed, withoutScript, problems }));
