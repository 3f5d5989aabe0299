/**
 * Encoding and decoding in WebAssembly beside the native library, and beside what else a program in JavaScript has.
 *
 *   node bench/wasm/run.mjs --module HEARTH.SO --package FOLDER --modules NODE_MODULES [--rounds 9] [--output FILE]
 *
 * Writes the samples as JSON and the tables of docs/BENCHMARKS.md beside them, with the ending .md, and prints these.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, loadavg, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { ratio, summary } from "../browser/statistics.js";
import { Native, Wasm, Wasmoon, bench, clock } from "./contestants.mjs";

const SETS = { integers: 100000, floats: 100000, records: 10000, strings: 50000, long_strings: 1000, graph: 50000,
  document: 0, closures: 10000 };
const IN_JAVASCRIPT = ["integers", "floats", "records", "strings"]; // what JSON and MessagePack can hold, too
const AIM = 2.5;
const WARMING = 3; // rounds that do not count: the engine compiles what is used much once more, better

const { values: options } = parseArgs({
  options: {
    module: { type: "string" }, package: { type: "string" }, modules: { type: "string" },
    rounds: { type: "string", default: "9" }, output: { type: "string", default: "build/bench/wasm.json" },
  },
});
for (const name of ["module", "package", "modules"]) if (!options[name]) throw new Error(`--${name} is missing`);

const folder = mkdtempSync(join(tmpdir(), "hearth-bench-"));
const native = new Native(resolve(options.module));
const wasm = await Wasm.open(resolve(options.package));
const wasmoon = await Wasmoon.open(resolve(options.modules));
const msgpackr = createRequire(join(resolve(options.modules), "/"))("msgpackr");
const samples = {};
const sizes = {};

const add = (row, contestant, seconds) => ((samples[row] ??= {})[contestant] ??= []).push(seconds * 1000);

/** Milliseconds of a function that is done once, and what it gives. */
async function timed(f) {
  globalThis.gc();
  const begin = clock();
  const result = await f();
  return [clock() - begin, result];
}

async function beside(set, round) {
  for (const what of ["encode", "decode"]) {
    const took = [await native.ask(`codec.${what}()`), wasm.run(`${what}()`)];
    if (round < WARMING) continue;
    add(`${what} ${set}`, "native", took[0]);
    add(`${what} ${set}`, "WebAssembly", took[1]);
  }
}

/** From a Lua table to bytes in JavaScript, and back. */
const methods = {
  Hearth: {
    save: () => wasm.run("given()"),
    load: (bytes) => wasm.run("got(...)", bytes),
    check: () => wasm.run("check()"),
  },
  "wasmoon, JSON": {
    save: () => new TextEncoder().encode(JSON.stringify(wasmoon.get())),
    load: (bytes) => wasmoon.set(JSON.parse(new TextDecoder().decode(bytes))),
    check: () => wasmoon.check(),
  },
  "wasmoon, msgpackr": {
    save: () => msgpackr.pack(wasmoon.get()),
    load: (bytes) => wasmoon.set(msgpackr.unpack(bytes)),
    check: () => wasmoon.check(),
  },
};

async function inJavaScript(set, round) {
  for (const [name, { save, load, check }] of Object.entries(methods)) {
    const [saved, bytes] = await timed(save);
    const [loaded] = await timed(() => load(bytes));
    await check();
    (sizes[`save ${set}`] ??= {})[name] = bytes.length;
    if (round < WARMING) continue;
    add(`save ${set}`, name, saved);
    add(`load ${set}`, name, loaded);
  }
}

const document = join(folder, "document.json");
execFileSync("python3", [join(bench, "document.py"), document]);
const loadBefore = loadavg(), began = performance.now();
for (const [set, count] of Object.entries(SETS)) {
  const blob = join(folder, `${set}.blob`);
  await native.ask(`codec.make("${blob}", "${set}", ${count}, "${document}")`);
  wasm.run("take(...)", readFileSync(blob));
  const peers = IN_JAVASCRIPT.includes(set);
  if (peers) await wasmoon.make(set, count);
  for (let round = 0; round < WARMING + Number(options.rounds); round++) {
    await beside(set, round);
    if (peers && round < WARMING + 5) await inJavaScript(set, round);
  }
}
native.close();
wasmoon.close();
await wasm.close();
rmSync(folder, { recursive: true });

/* ---------------------------------------------------------------- tables */

const digits = (n) => (n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n >= 1 ? n.toFixed(2) : n.toFixed(3));
const spread = ({ lowerQuartile, median, upperQuartile }) =>
  `**${digits(median)}** (${digits(lowerQuartile)} to ${digits(upperQuartile)})`;
const table = (...rows) => rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n");

const besides = Object.entries(samples).filter(([row]) => /^(en|de)code/.test(row)).map(([row, all]) => {
  const factor = ratio(all.WebAssembly, all.native);
  return [row, spread(summary(all.native)), spread(summary(all.WebAssembly)), spread(factor),
    `at most ${AIM}: ${factor.median <= AIM ? "met" : "**not met**"}`];
});
const others = Object.entries(samples).filter(([row]) => /^(save|load)/.test(row)).flatMap(([row, all]) =>
  Object.keys(methods).map((name) => [row, name, spread(summary(all[name])),
    name === "Hearth" ? "" : spread(ratio(all[name], all.Hearth)), sizes[row]?.[name] ?? ""]));
const result = { date: new Date().toISOString(), node: process.version, processor: cpus()[0].model,
  processors: cpus().length, loadBefore, loadAfter: loadavg(), seconds: (performance.now() - began) / 1000, samples,
  sizes };
mkdirSync(dirname(options.output), { recursive: true });
writeFileSync(options.output, `${JSON.stringify(result, null, 1)}\n`);
const text = [
  `${result.date.slice(0, 10)}, Node ${result.node}, ${result.processors} x ${result.processor}, load ` +
    `${loadBefore[0].toFixed(1)} before, ${result.loadAfter[0].toFixed(1)} after, ${result.seconds.toFixed(0)} s. ` +
    "Milliseconds of the processor's time and ratios: **median** (quartiles).",
  table(["row", "native, ms", "WebAssembly, ms", "WebAssembly / native", "aim"], Array(5).fill("---"), ...besides),
  table(["row", "method", "ms", "times as long as Hearth", "bytes"], Array(5).fill("---"), ...others),
].join("\n\n");
writeFileSync(options.output.replace(/\.json$/u, ".md"), `${text}\n`);
console.log(text);
