// Walks the pages of `emm1 explore`, and prints what readers see as JSON: node see_explore.mjs URL PATH…
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { launch } from "./browser.mjs";

const [url, ...paths] = process.argv.slice(2);
const { origin } = new URL(url);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf-8");
const browser = await launch();
const problems = [];
const looks = [];

const look = () => ({
  width: innerWidth,
  scrollWidth: document.documentElement.scrollWidth,
  text: document.body.innerText,
  ran: globalThis.ran === true,
});
// Pictures are loaded when they come into view.
const images = () => Promise.all([...document.images].map(async (image) => {
  image.loading = "eager";
  await image.decode().catch(() => {});
  return image.naturalWidth;
}));
// Preloading is off on the page, so that a group with 64 items loads nothing that nobody plays.
const durations = () => Promise.all([...document.querySelectorAll("audio")].map((audio) => new Promise((resolve) => {
  audio.addEventListener("loadedmetadata", () => resolve(audio.duration));
  audio.addEventListener("error", () => resolve(-1));
  audio.preload = "metadata";
  audio.load();
})));

for (const [width, colorScheme] of [[1200, "light"], [800, "dark"]]) {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
  // Without a graphics card, what was drawn is read back, and Chromium says that this is slow.
  page.on("console", (message) => /GPU stall due to ReadPixels/.test(message.text()) || problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("request", (request) => request.url().startsWith(`${origin}/`) || problems.push(`requests ${request.url()}`));
  await page.goto(url); // from here on, the cookie opens the pages
  for (const path of paths) {
    const answer = await page.goto(origin + path);
    const seen = { path, status: answer.status(), ...await page.evaluate(look) };
    seen.images = await page.evaluate(images);
    seen.durations = await page.evaluate(durations);
    await page.evaluate(axe); // scripts that are added to the page would be refused by its policy
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    seen.violations = violations.map(({ id, nodes }) => `${id}: ${nodes.length}, ${nodes[0].html}, ${nodes[0].failureSummary}`);
    looks.push(seen);
  }
  await page.close();
}

// By keyboard alone: the first caption, from the address that was printed.
const page = await browser.newPage();
await page.goto(url);
let pressed = 0;
do await page.keyboard.press("Tab");
while (++pressed < 50 && !await page.evaluate(() => document.activeElement.closest(".captions") !== null));
await Promise.all([page.waitForURL("**/items/**"), page.keyboard.press("Enter")]);
const reached = { pressed, url: page.url().slice(origin.length) };

// A page of another server on this machine, whose requests come without the cookie or are refused.
const stranger = await browser.newPage();
await stranger.goto("data:text/html,<p>stranger");
const foreign = await stranger.evaluate(async (address) => {
  try {
    return (await fetch(address, { mode: "no-cors", credentials: "include" })).type;
  } catch (error) {
    return String(error);
  }
}, `${origin}/api/store`);
await browser.close();
console.log(JSON.stringify({ looks, problems, reached, foreign }));
