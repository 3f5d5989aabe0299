/**
 * The JavaScript of docs/MIGRATION.md as it stands there, in Chromium: a page that had the legacy runtime moves over.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Browser, repository } from "./chromium.js";
import { Consoles, servePackage } from "./hearth_testing.js";

const text = await readFile(join(repository, "docs/MIGRATION.md"), "utf8");
const blocks = [...text.matchAll(/^```js\n([^]*?)^```$/gm)].map(([, code]) => code);
const dump = JSON.parse(await readFile(join(repository, "tests/fixtures/legacy/v21-af5905a-web.json"), "utf8"));
const { records } = dump.database.objectStores[0];

let server, browser, page;
const consoles = new Consoles();

const block = (what) => {
  const found = blocks.filter((code) => code.includes(what));
  assert.equal(found.length, 1, what);
  return found[0];
};

async function newPage() {
  await page?.close();
  page = await browser.page();
  consoles.watch(page);
  await page.goto(`${server.origin}/`);
  consoles.take();
}

/** Runs a block as a module of the page, the package's names being its files. */
const run = (code) => page.evaluate(async (module) => {
  const url = URL.createObjectURL(new Blob([module], { type: "text/javascript" }));
  await import(url);
}, code.replace('"hearth-lua/cu"', `"${server.origin}/src/cu/cu.js"`)
  .replace('"hearth-lua"', `"${server.origin}/src/hearth.js"`));

const logged = () => consoles.take().filter((line) => line.startsWith("log: ")).map((line) => line.slice(5));

before(async () => {
  server = await servePackage();
  browser = await Browser.start();
  await newPage();
  await page.evaluate((records) => new Promise((resolve, reject) => { // as the legacy runtime left it
    const opening = indexedDB.open("LuaPersistentDB", 1);
    opening.onupgradeneeded = () => {
      const tables = opening.result.createObjectStore("externalTables", { keyPath: "id" });
      for (const record of records) tables.put(record);
    };
    opening.onsuccess = () => resolve(opening.result.close());
    opening.onerror = () => reject(opening.error);
  }), records);
});

after(async () => {
  await browser?.close();
  await server?.close();
});

test("the dump that the console makes has the records", async () => {
  const [download] = await Promise.all([page.waitForEvent("download"), run(block("getAll()"))]);
  assert.equal(download.suggestedFilename(), "dump.json");
  const made = JSON.parse(await readFile(await download.path(), "utf8"));
  const byId = (list) => new Map(list.map((record) => [record.id, record.data]));
  assert.deepEqual(byId(made), byId(records));
});

test("the drop-in goes on with what was there", async () => {
  for (const n of ["1", "2"]) { // it was not there before
    await newPage();
    await run(block("hearth-lua/cu"));
    const said = consoles.take();
    assert.ok(said.includes(`log: ${n}`), said.join("\n"));
    assert.ok(!said.some((line) => line.includes("not saved")), said.join("\n"));
  }
});

test("the import, and the store that it made", async () => {
  await newPage();
  await run(block("importLegacy"));
  const [line] = logged();
  assert.match(line, /^8 67 /, "tables and entries");
  await newPage();
  await run(`import { Hearth } from "hearth-lua";\n${block("const hearth = await Hearth.open")}
    const { homeId, memoryId } = hearth.stat();
    console.log(hearth.run("return _home[1], _home.n")[0], homeId === memoryId);
    hearth.setAlias("track");
    console.log(hearth.get("Memory[1]"), hearth.stat().alias.uses);
    hearth.run("for k in next, _home do _home[k] = nil end");
    await hearth.commit();
    console.log(hearth.run("return next(_home) == nil")[0]);
    await hearth.close();`);
  assert.deepEqual(logged(), ["one true", "one 1", "true"]);
});

test("no block is left out", () => {
  assert.equal(blocks.length, 4);
});
