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
const MOST = 30; // functions told
const LEAST = 1; // milliseconds of a branch that is told

const operations = {
  open: (page) => call(page, "open", method, count),
  first: (page) => call(page, "firstSave", method, count, "strict"),
  change: (page) => call(page, "oneChange", method, "strict"),
};
if (operations[what] === undefined) throw new Error(`'${what}': open, first or change expected`);

/** Milliseconds in each function alone, and the tree of calls with the time of each branch. */
function analyse({ nodes, samples, timeDeltas }) {
  const fresh = ({ callFrame }) => ({ name: callFrame.functionName, time: 0, total: 0, children: [] });
  const nodeOf = new Map(nodes.map((node) => [node.id, fresh(node)]));
  const alone = new Map();
  samples.forEach((id, i) => {
    const node = nodeOf.get(id);
    node.time += timeDeltas[i] / 1000;
    alone.set(node.name, (alone.get(node.name) ?? 0) + timeDeltas[i] / 1000);
  });
  for (const { id, children = [] } of nodes) nodeOf.get(id).children = children.map((child) => nodeOf.get(child));
  const sum = (node) => (node.total = node.time + node.children.reduce((total, child) => total + sum(child), 0));
  const root = nodeOf.get(nodes[0].id);
  sum(root);
  return { alone, root };
}

const line = (time, name, depth = 0) =>
  console.log(`${time.toFixed(1).padStart(9)}  ${"  ".repeat(depth)}${name || "(anonymous)"}`);

function showTree(node, depth = 0) {
  line(node.total, `${node.name} (alone ${node.time.toFixed(1)})`, depth);
  const children = node.children.filter(({ total }) => total >= LEAST).sort((a, b) => b.total - a.total);
  for (const child of children) showTree(child, depth + 1);
}

const packageFolder = resolve(process.env.HEARTH_PACKAGE ?? join(repository, "build/package/hearth-lua"));
const session = await Session.start(packageFolder);
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
    const { alone, root } = analyse(profile);
    console.log(`\n==== ${what}, ${method}, ${count} entries, time ${i + 1}: ${JSON.stringify(took)}`);
    for (const [name, time] of [...alone].sort(([, a], [, b]) => b - a).slice(0, MOST)) line(time, name);
    console.log("");
    showTree(root);
  }
} finally {
  await session.close();
}
