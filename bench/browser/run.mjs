/**
 * Hearth's browser store beside the legacy runtime's method, in headless Chromium.
 *
 *   node bench/browser/run.mjs [--sizes 1000,10000,100000] [--rounds 9] [--output build/bench/browser.json]
 *
 * Writes the samples and their summary as JSON and the tables of docs/BENCHMARKS.md beside them, with the ending .md,
 * and prints these. HEARTH_PACKAGE is the npm package's folder, build/package/hearth-lua by default;
 * HEARTH_NODE_MODULES has playwright-core.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { cpus, loadavg, totalmem } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";

import { repository } from "../../tests/browser/chromium.js";
import { measure } from "./measure.js";
import { report } from "./report.js";
import { Session } from "./session.js";
import { summary } from "./statistics.js";

const { values: options } = parseArgs({
  options: {
    sizes: { type: "string", default: "1000,10000,100000" },
    rounds: { type: "string", default: "9" },
    output: { type: "string", default: join(repository, "build/bench/browser.json") },
  },
});
const packageFolder = resolve(process.env.HEARTH_PACKAGE ?? join(repository, "build/package/hearth-lua"));

function positive(text) {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) throw new Error(`'${text}': a number from 1 on expected`);
  return number;
}

const sizes = options.sizes.split(",").map(positive);
const rounds = positive(options.rounds);

const wasm = await readFile(join(packageFolder, "src/hearth.wasm"));
const result = {
  date: new Date().toISOString(),
  machine: { processor: cpus()[0].model, processors: cpus().length, memoryBytes: totalmem() },
  wasm: { bytes: wasm.length, gzipBytes: gzipSync(wasm, { level: 9 }).length },
  sizes: {},
};

const session = await Session.start(packageFolder);
try {
  result.chromium = session.version;
  for (const count of sizes) {
    const loadBefore = loadavg(), began = performance.now();
    const samples = await measure(session, count, rounds);
    const seconds = (performance.now() - began) / 1000;
    const summaries = Object.fromEntries(Object.entries(samples).map(([name, list]) => [name, summary(list)]));
    result.sizes[count] = { seconds, loadBefore, loadAfter: loadavg(), summaries, samples };
    console.error(`${count} entries: ${seconds.toFixed(0)} s`);
  }
} finally {
  await session.close();
}

await mkdir(dirname(options.output), { recursive: true });
await writeFile(options.output, `${JSON.stringify(result, null, 1)}\n`);
await writeFile(options.output.replace(/\.json$/u, ".md"), `${report(result)}\n`);
console.log(report(result));
