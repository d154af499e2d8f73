// Runs the tests: node test.mjs FOLDER, into which they are bundled. Node 20 does not read TypeScript itself.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const here = import.meta.dirname;
const folder = process.argv[2] ?? join(here, "node_modules", ".test");
const names = readdirSync(join(here, "test")).filter((name) => name.endsWith(".test.ts"));

await build({
  entryPoints: names.map((name) => join(here, "test", name)),
  outdir: folder,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  format: "esm",
  sourcemap: "inline",
  logLevel: "warning",
});
const files = names.map((name) => join(folder, name.replace(/ts$/, "mjs")));
process.exitCode = spawnSync(process.execPath, ["--test", ...files], { stdio: "inherit" }).status ?? 1;
