// A headless Chromium, from an npm package that contains it. Run by itself, it says its version.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import packed from "@sparticuz/chromium";
import { chromium } from "playwright-core";

// The package unpacks into the folder for temporary files; others could write there.
process.env.TMPDIR = join(import.meta.dirname, "unpacked");
mkdirSync(process.env.TMPDIR, { recursive: true });

export const launch = async () => chromium.launch({
  executablePath: await packed.executablePath(),
  args: ["--headless=shell", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const browser = await launch();
  const page = await browser.newPage();
  await page.setContent("<p>ready</p>");
  console.log(browser.version(), await page.textContent("p"));
  await browser.close();
}
