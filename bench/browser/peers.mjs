/**
 * Hearth's browser store beside what else a program in JavaScript takes, in headless Chromium.
 *
 *   node bench/browser/peers.mjs [--records 10000] [--strings 10000] [--rounds 9] [--output build/bench/peers.json]
 *
 * Writes the samples as JSON and the tables of docs/BENCHMARKS.md beside them, with the ending .md, and prints these.
 * HEARTH_PACKAGE is the npm package's folder, HEARTH_PEERS the node_modules of bench/browser/package-lock.json,
 * HEARTH_NODE_MODULES has playwright-core.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { repository } from "../../tests/browser/chromium.js";
import { peersReport } from "./peers_report.js";
import { Session, call } from "./session.js";

const { values: options } = parseArgs({
  options: {
    records: { type: "string", default: "10000" },
    strings: { type: "string", default: "10000" },
    rounds: { type: "string", default: "9" },
    output: { type: "string", default: join(repository, "build/bench/peers.json") },
  },
});

function positive(text) {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) throw new Error(`'${text}': a number from 1 on expected`);
  return number;
}

const sets = [["records", positive(options.records)], ["strings", positive(options.strings)]];
const rounds = positive(options.rounds);
const packageFolder = resolve(process.env.HEARTH_PACKAGE ?? join(repository, "build/package/hearth-lua"));
const peers = resolve(process.env.HEARTH_PEERS ?? join(repository, "build/bench-browser-node/node_modules"));

const LEVELS = ["relaxed", "strict"];
const SIZES = { "one changed entry": 1, "20 changed entries": 20 };
const FEW = 3; // rounds that are made however long they take
const LONG = 30000; // milliseconds after which no further round of the same kind is begun
const SLOW = 5000; // milliseconds: who takes longer does not take part again
const PAGE = "/bench/browser/peers_page.js";

let chromium, contestants;
const samples = {};
const add = (row, who, took) => ((samples[row] ??= {})[who] ??= []).push(took);

/**
 * The contestants take turns at `f(who, round)`, which gives milliseconds. The first round warms up and is not counted,
 * but for those whom it took long: they do it once and no more.
 */
async function inRounds(row, f, before = () => {}) {
  const began = performance.now(), slow = new Set();
  for (let i = 0; i <= rounds && (i <= Math.min(FEW, rounds) || performance.now() - began < LONG); i++) {
    before(i);
    for (const who of contestants) {
      if (slow.has(who)) continue;
      const took = await f(who, i);
      if (took > SLOW) slow.add(who);
      if (i > 0 || took > SLOW) add(row, who, took);
    }
  }
}

async function measure(session, set, count) {
  const data = { set, count };
  const name = `${count.toLocaleString("en")} ${set}`;
  let page = await session.page(PAGE);
  contestants = await page.evaluate(() => Bench.contestants);

  for (const level of LEVELS)
    await inRounds(`${name}: saving everything, ${level}`, (who) => call(page, "saveAll", who, data, level));
  await page.close();

  page = await session.page(PAGE);
  const changes = [];
  await call(page, "keep", data);
  for (const level of LEVELS)
    for (const [what, size] of Object.entries(SIZES))
      await inRounds(`${name}: saving ${what}, ${level}`,
        (who) => call(page, "saveSome", who, data, ...changes.at(-1), level),
        () => changes.push([changes.length + 1, size]));
  await call(page, "leave");
  await page.close();

  await inRounds(`${name}: loading everything`, async (who) => {
    const fresh = await session.page(PAGE);
    const took = await call(fresh, "loadAll", who, data, changes);
    await fresh.close();
    return took;
  });
  page = await session.page(PAGE);
  await call(page, "removeKept");
  await page.close();
}

const loadBefore = loadavg(), began = performance.now();
const session = await Session.start(packageFolder, peers);
try {
  chromium = session.version;
  for (const [set, count] of sets) await measure(session, set, count);
} finally {
  await session.close();
}

const lock = JSON.parse(await readFile(new URL("package-lock.json", import.meta.url), "utf8"));
const versions = Object.keys(lock.packages[""].devDependencies)
  .map((name) => `${name} ${lock.packages[`node_modules/${name}`].version}`);
const result = {
  date: new Date().toISOString(), chromium, processor: cpus()[0].model, processors: cpus().length, versions,
  loadBefore, loadAfter: loadavg(), seconds: (performance.now() - began) / 1000, contestants,
  samples,
};
await mkdir(dirname(options.output), { recursive: true });
await writeFile(options.output, `${JSON.stringify(result, null, 1)}\n`);
await writeFile(options.output.replace(/\.json$/u, ".md"), `${peersReport(result)}\n`);
console.log(peersReport(result));
