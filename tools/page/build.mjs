/**
 * Bundles the page of examples/browser: node tools/page/build.mjs PACKAGE NODE_MODULES OUT
 *
 * PACKAGE is the folder of hearth-lua as built, with src/hearth.wasm; NODE_MODULES has esbuild and CodeMirror, as
 * examples/browser/package.json asks for; OUT is made anew and is then a folder that any static server can serve.
 */
import { access, copyFile, mkdir, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const PAGE = fileURLToPath(new URL("../../examples/browser/", import.meta.url));
const STATIC = ["index.html", "style.css", "icon.svg"];

if (process.argv.length !== 5) {
  console.error("usage: node tools/page/build.mjs PACKAGE NODE_MODULES OUT");
  process.exit(2);
}
const [hearth, nodeModules, out] = process.argv.slice(2).map((path) => resolve(path));

for (const needed of [join(hearth, "src/hearth.js"), join(hearth, "src/hearth.wasm"), join(nodeModules, "esbuild")]) {
  await access(needed).catch(() => {
    console.error(`build.mjs: ${needed} is missing`);
    process.exit(1);
  });
}
const { build } = createRequire(join(nodeModules, "/"))("esbuild");

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const { metafile, warnings } = await build({
  entryPoints: [join(PAGE, "src/main.js")],
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome95", "firefox100", "safari15.2"],
  alias: { "hearth-lua": join(hearth, "src/hearth.js") },
  nodePaths: [nodeModules],
  loader: { ".lua": "text" },
  legalComments: "eof",
  metafile: true,
  logLevel: "warning",
});
if (warnings.length > 0) process.exit(1);
await Promise.all(STATIC.map((name) => copyFile(join(PAGE, name), join(out, name))));
await copyFile(join(hearth, "src/hearth.wasm"), join(out, "hearth.wasm"));

const bytes = Object.values(metafile.outputs).reduce((sum, { bytes: size }) => sum + size, 0);
console.log(`${out}: ${Math.round(bytes / 1000)} kB of JavaScript`);
