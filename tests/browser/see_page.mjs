// Opens a page that has no script, and prints what readers see as JSON: node see_page.mjs PAGE.html FOLDER
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
const looks = [];

const layout = () => {
  const shown = [...document.querySelectorAll("main *")].filter((element) => element.checkVisibility());
  return {
    width: innerWidth,
    scrollWidth: document.documentElement.scrollWidth,
    right: Math.max(...shown.filter((element) => !element.closest("pre, .hidden")).map((element) => element.getBoundingClientRect().right)),
    background: getComputedStyle(document.body).backgroundColor,
    text: document.querySelector("main").innerText,
  };
};

for (const width of [1400, 400, 320]) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    page.on("console", (message) => problems.push(message.text()));
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("request", (request) => request.url() === url || problems.push(`requests ${request.url()}`));
    await page.goto(url);
    // Pictures are for people, and Chromium refuses some of a busy machine: no test depends on them.
    await page.screenshot({ path: join(folder, `${width}-${colorScheme}.png`), fullPage: width === 1400 }).catch(() => {});
    await page.evaluate(() => document.querySelectorAll("details").forEach((details) => { details.open = true }));
    const seen = { colorScheme, ...await page.evaluate(layout) };
    await page.evaluate(axe); // scripts that are added to the page would be refused by its policy
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    seen.violations = violations.map(({ id, nodes }) => `${id}: ${nodes.length}, ${nodes[0].html}, ${nodes[0].failureSummary}`);
    looks.push(seen);
    if (width === 1400 && colorScheme === "dark") {
      await page.emulateMedia({ media: "print" });
      await page.pdf({ path: join(folder, "page.pdf"), format: "A4", printBackground: true });
    }
    await page.close();
  }
}
await browser.close();
console.log(JSON.stringify({ looks, problems }));
