/**
 * What the suites of legacy data in Chromium share: pages with origins of their own, and the legacy interface there.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before } from "node:test";

import { Browser, repository } from "./chromium.js";
import { Consoles, load, servePackage } from "./hearth_testing.js";

export const readDump = (name) =>
  JSON.parse(readFileSync(join(repository, "tests/fixtures/legacy", `${name}.json`), "utf8"));
export const recordsOf = (dump) => dump.database.objectStores[0].records;
export const [FIRST, SECOND, THIRD] =
  ["2026-01-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z", "2026-03-01T00:00:00.000Z"];

export let browser;
export const consoles = new Consoles();
const servers = [];

before(async () => {
  browser = await Browser.start({ flags: ["--host-resolver-rules=MAP app.test 127.0.0.1"] });
});

after(async () => {
  await browser?.close();
  for (const server of servers) await server.close();
});

afterEach(async () => {
  for (const page of browser.context.pages()) if (page.url().startsWith("http")) await page.close();
  assert.deepEqual(consoles.take(), [], "the console stays empty");
});

/** Its port is an origin of its own; closed at the end. */
export async function newServer() {
  const server = await servePackage();
  servers.push(server);
  return server;
}

export const newOrigin = async () => (await newServer()).origin;

export async function loadModules(page) {
  await load(page);
  await page.addScriptTag({ type: "module", url: "/tests/browser/legacy_page.js" });
  await page.waitForFunction(() => globalThis.fillLegacy !== undefined);
  return page;
}

/** A page, by default of an origin of its own, whose databases are its own. */
export async function freshPage(origin, inside = browser) {
  const page = await inside.page();
  consoles.watch(page);
  await page.goto(`${origin ?? (await newOrigin())}/`);
  return loadModules(page);
}

export async function reload(page) {
  await page.reload();
  return loadModules(page);
}

/** load, init, and the value of code. */
export const begin = (page, options, code) =>
  page.evaluate(({ options, code }) => globalThis.begin(options, code), { options, code });
export const compute = (page, code) => page.evaluate((code) => globalThis.compute(code), code);
export const call = (page, name, ...args) => page.evaluate(({ name, args }) => cu[name](...args), { name, args });
export const fill = (page, n, savedAt, options) =>
  page.evaluate(({ n, savedAt, options }) => fillLegacy(saved(n, savedAt), options), { n, savedAt, options });
export const legacyN = (page) => page.evaluate(async () => (await readLegacy()).tables[1]?.n);

/** What came on the consoles, one text; empty afterwards. */
export const told = () => consoles.take().join("\n");
