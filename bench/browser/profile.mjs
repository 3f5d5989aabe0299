/**
 * Where the time of one operation goes: Chromium's CPU profile of it, by function.
 *
 *   node bench/browser/profile.mjs open|first|change [hearth|legacy] [entries] [times]
 *
 * HEARTH_PACKAGE should have a hearth.wasm that was linked with --profiling-funcs, else its functions have numbers.
 */
import { join, resolve } from "node:path";

import { repository } from "../../tests/browser/chromium.js";
import { Session, call } from "./session.js";

const [what = "open", method = "hearth", entries = "100000", times = "3"] = process.argv.slice(2);
const count = Number(entries);
const MOST = 40; // functions told

const operations = {
  open: (page) => call(page, "open", method, count),
  first: (page) => call(page, "firstSave", method, count, "strict"),
  change: (page) => call(page, "oneChange", method, "strict"),
};
if (operations[what] === undefined) throw new Error(`'${what}': open, first or change expected`);

/** Milliseconds by function: in it alone, and in it with all that it called. */
function byFunction({ nodes, samples, timeDeltas }) {
  const nodeOf = new Map(nodes.map((node) => [node.id, node]));
  const parentOf = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id])));
  const self = new Map(), total = new Map();
  const add = (map, key, time) => map.set(key, (map.get(key) ?? 0) + time);
  samples.forEach((id, i) => {
    const time = timeDeltas[i] / 1000, seen = new Set();
    add(self, nodeOf.get(id).callFrame.functionName, time);
    for (let at = id; at !== undefined; at = parentOf.get(at)) seen.add(nodeOf.get(at).callFrame.functionName);
    for (const name of seen) add(total, name, time);
  });
  return { self, total };
}

const list = (title, map) => {
  console.log(`\n${title}, ms`);
  for (const [name, time] of [...map].sort(([, a], [, b]) => b - a).slice(0, MOST)) console.log(`${time.toFixed(1).padStart(9)}  ${name || "(anonymous)"}`);
};

const session = await Session.start(resolve(process.env.HEARTH_PACKAGE ?? join(repository, "build/package/hearth-lua")));
try {
  let page = await session.page();
  await call(page, "keep", count);
  if (what !== "change") {
    await call(page, "leave");
    await page.close();
    page = await session.page();
  }
  const devtools = await session.browser.cdp(page);
  await devtools.send("Profiler.enable");
  await devtools.send("Profiler.setSamplingInterval", { interval: 200 });
  for (let i = 0; i < Number(times); i++) {
    await devtools.send("Profiler.start");
    const took = await operations[what](page);
    const { profile } = await devtools.send("Profiler.stop");
    const { self, total } = byFunction(profile);
    console.log(`\n==== ${what}, ${method}, ${count} entries, time ${i + 1}: ${JSON.stringify(took)}`);
    list("alone", self);
    list("with what it calls", total);
  }
} finally {
  await session.close();
}
