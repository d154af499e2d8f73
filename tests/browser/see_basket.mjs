// Walks what leaves the pages of `emm1 explore`, and prints what readers see as JSON: node see_basket.mjs URL PATH…
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { launch } from "./browser.mjs";

const [url, ...paths] = process.argv.slice(2);
const { origin } = new URL(url);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf-8");
const browser = await launch();
const problems = [];
const watch = (page) => {
  page.on("console", (message) => problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("request", (request) => request.url().startsWith(`${origin}/`) || request.url().startsWith("blob:") || problems.push(`requests ${request.url()}`));
};

// The views, with everything open.
const looks = [];
for (const [width, colorScheme] of [[1200, "light"], [800, "dark"]]) {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
  watch(page);
  await page.goto(url);
  for (const path of paths) {
    const answer = await page.goto(origin + path);
    await page.evaluate(() => document.querySelectorAll("details").forEach((each) => (each.open = true)));
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    const scrolls = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    looks.push({ path, status: answer.status(), scrolls, violations: violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`) });
  }
  await page.close();
}

// The token leaves the address bar, with scripts and without.
const kept = [];
for (const javaScriptEnabled of [true, false]) {
  const context = await browser.newContext({ javaScriptEnabled });
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForURL((address) => !address.searchParams.has("token"));
  const heading = await page.textContent("h1");
  await page.goto(`${origin}/triplets?label=Good+Match&token=${new URL(url).searchParams.get("token")}`);
  await page.waitForURL((address) => !address.searchParams.has("token"));
  kept.push({ heading, url: page.url().slice(origin.length) });
  await context.close();
}

// Tick on two pages, by mouse, by key and by a selection such as the map's; open the basket; take one out.
const selectItems = async (modality, count) => {
  const detail = { dataset: "100m", modality, ids: [0, ...Array(count).keys()] };
  await page.evaluate((each) => document.dispatchEvent(new CustomEvent("emm1-select", { detail: each })), detail);
};
const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"] });
const page = await context.newPage();
watch(page);
await page.goto(url);
await page.locator("main input[name=items]").first().check();
await page.goto(`${origin}/items/100m/image/0`);
await page.keyboard.press("b");
await selectItems("audio", 2);
const counted = await page.textContent("item-basket [role=status]");
await page.goto(`${origin}/items/100m/image/0`);
const remembered = await page.locator("main input[name=items]").first().isChecked();
await Promise.all([page.waitForURL("**/basket?*"), page.keyboard.press("g").then(() => page.keyboard.press("b"))]);
const basket = decodeURIComponent(page.url().slice(origin.length));
await page.locator("copy-text button").first().click();
await page.locator("copy-text [role=status]").first().getByText("Copied").waitFor();
const copied = await page.evaluate(() => navigator.clipboard.readText());
const [download] = await Promise.all([page.waitForEvent("download"), page.getByText("Ids as CSV").click()]);
const exported = readFileSync(await download.path(), "utf-8");
await page.locator("main input[name=items]").first().uncheck();
const fewer = await page.textContent("item-basket [role=status]");
await Promise.all([page.waitForURL((address) => address.searchParams.getAll("items").length === 3), page.getByText("Only those that are ticked").click()]);
const left = await page.locator("main article").count();
// More than an address has room for comes back as a file.
await selectItems("text", 9000);
const [unknown] = await Promise.all([page.waitForResponse("**/api/export?format=csv"), page.getByText("Save all ids").click()]);
await page.locator("item-basket [role=status]", { hasText: "the store has no" }).waitFor();
await page.getByText("Empty it").click();
await selectItems("text", 100_001);
const full = await page.textContent("item-basket [role=status]");
const statuses = { unknown: unknown.status(), full };
await context.close();

// Without scripts, the form opens what is ticked on the page.
const plain = await browser.newContext({ javaScriptEnabled: false });
const still = await plain.newPage();
await still.goto(url);
await still.waitForURL((address) => !address.searchParams.has("token"));
for (const place of [0, 2]) await still.locator("main input[name=items]").nth(place).check();
await Promise.all([still.waitForURL("**/basket?*"), still.locator("header button", { hasText: "Basket" }).click()]);
const withoutScripts = await still.locator("main article").count();
await plain.close();

await browser.close();
console.log(JSON.stringify({ looks, problems, kept, counted, remembered, basket, copied, exported, fewer, left, statuses, withoutScripts }));
