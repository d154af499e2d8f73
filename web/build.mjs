// Bundles the scripts of the page: node build.mjs [FOLDER], by default where emm1 serves them from.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

const here = import.meta.dirname;
const folder = process.argv[2] ?? join(here, "..", "python", "emm1", "explore", "static");

const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: { page: "src/main.ts" },
  outdir: folder,
  bundle: true,
  splitting: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  chunkNames: "[name]", // names stay the same, so that a change is a change of one file
  banner: { js: "/* Made by `make web` from web/. The licences of what it contains: LICENSES */" },
  legalComments: "none", // the whole licences are in LICENSES
  metafile: true,
  logLevel: "warning",
});

await writeFile(join(folder, "LICENSES"), await licences(Object.keys(metafile.inputs)));

/** The licence of every package that has a file in the bundle. */
async function licences(files) {
  const packages = files.map((file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1]).filter(Boolean);
  const texts = [...new Set(packages)].sort().map(async (name) => {
    const read = (file) => readFile(join(here, "node_modules", name, file), "utf-8");
    const { version } = JSON.parse(await read("package.json"));
    return `${name} ${version}\n\n${(await read("LICENSE")).trim()}\n`;
  });
  return (await Promise.all(texts)).join(`\n${"-".repeat(80)}\n\n`);
}
