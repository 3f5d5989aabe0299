/**
 * The conformance suite for backends (testkit/) on indexeddb, in Chromium: the backend in WebAssembly on the package's
 * own storage, locks and database. HEARTH_CONFORMANCE is the built conformance.wasm.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Browser, repository } from "./chromium.js";
import { Consoles, newWorker, servePackage } from "./hearth_testing.js";

const MODULE = "/tests/browser/conformance_page.js";
// Milliseconds of a case, and of all: what waits for what never comes fails. They take 2 s at most, and 6.
const LONGEST = 30000;
const LONGEST_OF_ALL = 120000;
/**
 * Why a case is skipped: IndexedDB is not reached through hearth_environment, and compaction leaves no earlier batches.
 */
const REASONS = ["the subject does not run on the disk of the kit", "the backend keeps no batches"];

const wasm = process.env.HEARTH_CONFORMANCE ?? join(repository, "build/wasm32/tests/browser/conformance.wasm");
const consoles = new Consoles();
let server;
let browser;

before(async () => {
  const body = await readFile(wasm);
  server = await servePackage();
  browser = await Browser.start();
  const answer = { contentType: "application/wasm", body };
  await browser.context.route("**/conformance.wasm", (route) => route.fulfill(answer));
});

after(async () => {
  await browser?.close();
  await server?.close();
});

async function newPage() {
  const page = await browser.page(`${server.origin}/`);
  consoles.watch(page);
  return page;
}

/** @param {{evaluate: Function}} place a page or a worker with conformance_page.js in it */
async function runAll(t, where, place) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const all = await place.evaluate(() => cases());
  for (const [number, { name, rule }] of all.entries()) {
    if (t.signal.aborted) break; // all of it has taken too long
    await t.test(name, { timeout: LONGEST }, async (t) => {
      const { outcome, message } = await place.evaluate((number) => run(number), number)
        .catch((error) => ({ outcome: "failed", message: error.stack }));
      counts[outcome]++;
      assert.notEqual(outcome, "failed", `${message}\n    the rule: ${rule}`);
      assert.ok(outcome === "skipped" ? REASONS.includes(message) : message === "", message);
      if (outcome === "skipped") t.skip(message);
    });
  }
  const { passed, skipped } = counts;
  t.diagnostic(
    `figure: conformance of IndexedDB in ${where}: ${passed} cases passed, ${skipped} skipped (${REASONS.join("; ")})`);
  assert.equal(passed + skipped, all.length);
  assert.ok(passed > skipped);
  assert.deepEqual(consoles.take(), []);
}

test("the conformance suite in a page", { timeout: LONGEST_OF_ALL }, async (t) => {
  const page = await newPage();
  await page.addScriptTag({ type: "module", url: MODULE });
  await page.waitForFunction(() => globalThis.run !== undefined);
  await runAll(t, "a page", page);
});

test("the conformance suite in a worker", { timeout: LONGEST_OF_ALL }, async (t) => {
  await runAll(t, "a worker", await newWorker(await newPage(), MODULE));
});
