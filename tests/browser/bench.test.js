/**
 * bench/browser at tiny sizes: that it runs, that all methods bring back what they stored, and what it tells. Nothing
 * is said about time. HEARTH_PACKAGE is the npm package's folder, HEARTH_PEERS the node_modules of bench/browser.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { Session, call } from "../../bench/browser/session.js";
import { ratio, summary } from "../../bench/browser/statistics.js";
import { repository } from "./chromium.js";

const run = promisify(execFile);

test("medians, quartiles, and ratios round by round", () => {
  assert.deepEqual(summary([5, 1, 4, 2, 3]),
    { rounds: 5, min: 1, lowerQuartile: 2, median: 3, upperQuartile: 4, max: 5 });
  assert.equal(summary([1, 2, 3, 4]).median, 2.5);
  assert.deepEqual(summary([7]), { rounds: 1, min: 7, lowerQuartile: 7, median: 7, upperQuartile: 7, max: 7 });
  assert.equal(ratio([10, 40, 90], [1, 2, 3]).median, 20);
});

test("a run at 50 and 200 entries", async () => {
  const folder = await mkdtemp(join(tmpdir(), "hearth-bench-"));
  try {
    const output = join(folder, "out", "browser.json");
    const { stdout } = await run(process.execPath,
      [join(repository, "bench/browser/run.mjs"), "--sizes", "50,200", "--rounds", "2", "--output", output]);
    const result = JSON.parse(await readFile(output, "utf8"));

    assert.deepEqual(Object.keys(result.sizes), ["50", "200"]);
    assert.ok(result.wasm.gzipBytes < result.wasm.bytes);
    for (const { samples, summaries, loadBefore } of Object.values(result.sizes)) {
      assert.equal(loadBefore.length, 3);
      for (const operation of ["first save", "one change"])
        for (const method of ["legacy", "hearth"])
          for (const level of ["relaxed", "strict"]) assert.equal(samples[`${operation}/${method}/${level}`].length, 2);
      for (const method of ["legacy", "hearth"]) assert.equal(samples[`open in a new page/${method}/`].length, 2);
      const parts = ["instance and Lua state", "lock and database", "reading", "checking and decoding"];
      assert.deepEqual(Object.keys(samples).filter((key) => key.startsWith("part of open")).sort(),
        parts.map((part) => `part of open: ${part}/hearth/`).sort()); // the first two go on at the same time
      for (const [name, list] of Object.entries(samples)) {
        assert.ok(list.every((sample) => Number.isFinite(sample) && sample >= 0), `${name}: ${list}`);
        assert.equal(summaries[name].rounds, list.length, name);
      }
      const bytesOf = (what) => samples[`${what}: bytes/hearth/strict`][0];
      assert.ok(bytesOf("frame of a first save") > bytesOf("frame of one change"));
      assert.ok(samples["memoryBytes after open/hearth/"][0] > 1 << 20);
    }

    const lines = stdout.split("\n");
    for (const operation of ["first save", "one change", "open in a new page", "open in the same page again"])
      for (const size of [50, 200])
        assert.ok(lines.some((line) => line.startsWith(`| ${operation} | ${size} |`)), `${operation} ${size}`);
    assert.ok(!/NaN|undefined/.test(stdout), stdout);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("a run beside the peers, who bring back what they stored", async () => {
  const folder = await mkdtemp(join(tmpdir(), "hearth-bench-"));
  try {
    const output = join(folder, "peers.json");
    const program = join(repository, "bench/browser/peers.mjs");
    const { stdout } = await run(process.execPath,
      [program, "--records", "40", "--strings", "60", "--rounds", "1", "--output", output]);
    const { samples } = JSON.parse(await readFile(output, "utf8"));
    const operations = ["saving everything", "saving one changed entry", "saving 20 changed entries"]
      .flatMap((what) => [`${what}, relaxed`, `${what}, strict`]);
    const rows = ["40 records", "60 strings"].flatMap((set) =>
      [...operations, "loading everything"].map((what) => `${set}: ${what}`));
    assert.deepEqual(Object.keys(samples).sort(), rows.sort());
    const peers = ["Hearth", "Hearth, external table", "idb-keyval", "localForage", "Dexie, JSON", "Dexie, msgpackr",
      "wasmoon, idb-keyval"];
    for (const [row, all] of Object.entries(samples)) {
      assert.deepEqual(Object.keys(all), peers, row);
      for (const list of Object.values(all)) assert.ok(list.length === 1 && list[0] > 0, row);
    }
    assert.equal(await readFile(join(folder, "peers.md"), "utf8"), stdout);
    assert.ok(!/NaN|undefined/.test(stdout), stdout);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("a peer that brings back something else is found out", async () => {
  const session = await Session.start(process.env.HEARTH_PACKAGE, process.env.HEARTH_PEERS);
  try {
    const page = await session.page("/bench/browser/peers_page.js");
    const data = { set: "records", count: 30 };
    await call(page, "keep", data);
    const contestants = await page.evaluate(() => Bench.contestants);
    for (const who of contestants) await call(page, "saveSome", who, data, 1, 3, "strict");
    await call(page, "leave");
    for (const who of contestants) {
      await call(page, "loadAll", who, data, [[1, 3]]);
      await assert.rejects(call(page, "loadAll", who, data, [[1, 2]]), /is not what was saved/, who);
    }
  } finally {
    await session.close();
  }
});

test("what makes no sense is refused", async () => {
  const program = join(repository, "bench/browser/run.mjs");
  const refused = (...args) => assert.rejects(run(process.execPath, [program, ...args]));
  await refused("--sizes", "0");
  await refused("--sizes", "many");
  await refused("--rounds", "-1");
  await refused("--colour", "red");
});
