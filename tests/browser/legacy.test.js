/** Legacy data in a real IndexedDB: Hearth.importLegacy, exportLegacy and the notice at open, in Chromium. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { browser, consoles, freshPage, readDump, recordsOf } from "./legacy_testing.js";

const DUMPS = ["v1f-5b8eb35-web", "v2-a002643-web", "v21-af5905a-web"];
const FROM = "LuaPersistentDB";

for (const name of DUMPS)
  test(`${name}: from a real database, which stays as it is`, async () => {
    const dump = readDump(name);
    const page = await freshPage();
    const found = await page.evaluate(
      async ({ dump, records }) => {
        await fillLegacy(records);
        const before = JSON.stringify(await legacyContents());
        const { hearth, report } = await Hearth.importLegacy({ from: "LuaPersistentDB", store: "indexeddb:taken" });
        const run = (code) => hearth.run(code)[0];
        const atOnce = differences(dump, run);
        await hearth.close();
        const again = await Hearth.open({ store: "indexeddb:taken", create: false });
        const later = differences(dump, (code) => again.run(code)[0]);
        await again.close();
        return {
          atOnce,
          later,
          unchanged: JSON.stringify(await legacyContents()) === before,
          version: (await legacyContents()).version,
          report,
        };
      },
      { dump, records: recordsOf(dump) },
    );
    assert.deepEqual([found.atOnce, found.later], [[], []]);
    assert.ok(found.unchanged);
    assert.equal(found.version, 1);
    assert.equal(found.report.home, 1);
    if (name.startsWith("v1f")) assert.match(consoles.take().join(), /\[Deprecated\] Using legacy "memoryTableId"/);
  });

test("in a worker", async () => {
  const dump = readDump(DUMPS[2]);
  const page = await freshPage();
  await page.evaluate((records) => fillLegacy(records), recordsOf(dump));
  const [worker] = await Promise.all([
    page.waitForEvent("worker"),
    page.evaluate(
      () =>
        new Promise((resolve) => {
          globalThis.worker = new Worker("/tests/browser/legacy_page.js", { type: "module" });
          worker.onmessage = ({ data }) => data === "legacy ready" && resolve();
        }),
    ),
  ]);
  assert.deepEqual(
    await worker.evaluate(async (dump) => {
      const { hearth } = await Hearth.importLegacy({ from: "LuaPersistentDB", store: "indexeddb:taken" });
      return differences(dump, (code) => hearth.run(code)[0]);
    }, dump),
    [],
  );
});

test("an absent database is not made, and the store is not either", async () => {
  const page = await freshPage();
  assert.deepEqual(
    await page.evaluate(async () => [
      await failureOf(Hearth.importLegacy({ from: "LuaPersistentDB", store: "indexeddb:none" })),
      await databases(),
    ]),
    ["notfound: LuaPersistentDB: there is no legacy database", []],
  );
});

test("another version, and a database that is somebody else's", async () => {
  const page = await freshPage();
  const found = await page.evaluate(async () => {
    await fillLegacy(saved(7, "2026-01-01T00:00:00.000Z"), { version: 5 });
    const { hearth } = await Hearth.importLegacy({ from: "LuaPersistentDB", store: "indexeddb:five" });
    const n = hearth.get("_home.n");
    await hearth.close();
    const { version } = await legacyContents();
    await asked(indexedDB.deleteDatabase("LuaPersistentDB"));
    const request = indexedDB.open("LuaPersistentDB", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("notes");
    (await asked(request)).close();
    const failure = await failureOf(Hearth.importLegacy({ from: "LuaPersistentDB", store: "indexeddb:other" }));
    return { n, version, failure, stores: (await legacyContents()).stores, databases: await databases() };
  });
  assert.deepEqual([found.n, found.version], [7, 5]);
  assert.match(found.failure, /^damaged: LuaPersistentDB: .*no object store 'externalTables'.*it has: notes$/);
  assert.deepEqual(found.stores, ["notes"], "it is left as it is");
  assert.ok(!found.databases.includes("hearth:other"), "the store was not made");
});

test("what fails leaves a store that is new", async () => {
  const page = await freshPage();
  const found = await page.evaluate(async () => {
    const [table, metadata] = saved(7, "x");
    await fillLegacy([table, { id: 9, data: { n: integer(9) } }, { ...metadata, data: { homeTableId: "junk" } }]);
    const store = "indexeddb:choose";
    const failure = await failureOf(Hearth.importLegacy({ from: "LuaPersistentDB", store }));
    const absent = await failureOf(Hearth.open({ store, create: false }));
    const { hearth } = await Hearth.importLegacy({ from: "LuaPersistentDB", store, home: 9, exclusive: true });
    const n = hearth.get("_home.n");
    await hearth.close();
    return {
      failure,
      absent,
      n,
      again: await failureOf(Hearth.importLegacy({ from: "LuaPersistentDB", store, home: 9 })),
    };
  });
  assert.match(found.failure, /^damaged: .*1 \(1 entries\), 9 \(1 entries\)/);
  assert.match(found.absent, /^notfound/);
  assert.equal(found.n, 9);
  assert.match(found.again, /^exists/);
});

test("no room: nothing is stored, and the legacy data is as it was", async () => {
  const page = await freshPage();
  const session = await browser.cdp(page);
  const { origin } = new URL(page.url());
  await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 15e6 });
  await page.evaluate(async () => {
    const noise = (n) => crypto.getRandomValues(new Uint8Array(n));
    const string = () => new Uint8Array([4, 0x00, 0x20, 0, 0, ...noise(0x2000)]);
    const data = Object.fromEntries(Array.from({ length: 1200 }, (_, i) => [`key${i}`, string()]));
    await fillLegacy([{ id: 1, data }]);
  });
  const found = await page.evaluate(async () => {
    const failure = await failureOf(Hearth.importLegacy({ from: "LuaPersistentDB", store: "indexeddb:full" }));
    return { failure, absent: await failureOf(Hearth.open({ store: "indexeddb:full", create: false })) };
  });
  assert.match(found.failure, /^full: /);
  assert.match(found.absent, /^notfound: /);
  await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1e8 });
  assert.equal(
    await page.evaluate(async () => {
      const { hearth } = await Hearth.importLegacy({ from: "LuaPersistentDB", store: "indexeddb:full" });
      return hearth.run("local n = 0 for k, v in pairs(_home) do n = n + #v end return n")[0];
    }),
    1200 * 0x2000,
  );
});

test("a database that an upgrade holds up is busy", async () => {
  const page = await freshPage();
  const found = await page.evaluate(async () => {
    await fillLegacy(saved(7, "x"), { keep: true });
    oldTab.onversionchange = () => {};
    indexedDB.open("LuaPersistentDB", 2); // waits until the old tab closes
    const failure = await failureOf(Hearth.importLegacy({ from: "LuaPersistentDB", store: "indexeddb:busy" }));
    oldTab.close();
    return failure;
  });
  assert.match(found, /^busy: LuaPersistentDB/);
});

test("exportLegacy writes what a reader of its own reads", async () => {
  const page = await freshPage();
  const found = await page.evaluate(async () => {
    const hearth = await Hearth.open({ store: "indexeddb:source" });
    hearth.run(`
      _home.i, _home.f, _home.s, _home.t, _home[1], _home.bytes = 300, 0.5, "hearth", false, "one", "\\xff\\0"
      _home.list = {10, {deep = true}} _home.same = _home.list
      function _home.double(x) return x * 2 end
      _home.print = print`);
    const { report } = await hearth.exportLegacy({ to: "LuaPersistentDB", savedAt: "2026-01-02T03:04:05.678Z" });
    const read = await readLegacy();
    const refused = await failureOf(hearth.exportLegacy({ to: "LuaPersistentDB" }));
    hearth.run("_home.i = 301 _home.list = nil");
    const unchanged = await readLegacy();
    await hearth.exportLegacy({ to: "LuaPersistentDB", replace: true });
    const replaced = await readLegacy();
    await hearth.close();
    const { hearth: back } = await Hearth.importLegacy({ from: "LuaPersistentDB", store: "memory:" });
    const values = back.run("return _home.i, _home.double(21), _home.same[2].deep, _home.t");
    return {
      report,
      read,
      refused,
      unchanged: JSON.stringify(unchanged) === JSON.stringify(read),
      replaced: replaced.tables[1].i,
      values,
      version: (await legacyContents()).version,
    };
  });
  assert.deepEqual(found.read, {
    tables: {
      1: {
        1: "one",
        bytes: "\u00ff\0",
        double: "function",
        f: "float 0.5",
        i: "integer 300",
        list: "table 3",
        print: "C function",
        s: "hearth",
        same: "table 3",
        t: false,
      },
      3: { 1: "integer 10", 2: "table 4" },
      4: { deep: true },
    },
    metadata: {
      homeTableId: 1,
      memoryTableId: 1,
      nextTableId: 5,
      savedAt: "2026-01-02T03:04:05.678Z",
      stateRestored: false,
      tableCount: 3,
      tableIds: [1, 3, 4],
    },
  });
  assert.deepEqual([found.report.counts.identity, found.report.counts.function], [1, 1]);
  assert.match(found.refused, /^exists: LuaPersistentDB/);
  assert.ok(found.unchanged);
  assert.equal(found.replaced, "integer 301");
  assert.deepEqual(found.values, [301, 42, true, false]);
  assert.equal(found.version, 1);
});

test("a new store beside a legacy database: said once, and only then", async () => {
  const page = await freshPage();
  const open = (options, code = "") =>
    page.evaluate(
      async ({ options, code }) => {
        const lines = [];
        const hearth = await Hearth.open({ ...options, warn: (line) => lines.push(line) });
        hearth.run(code);
        if (code !== "") await hearth.commit();
        await hearth.close();
        return lines;
      },
      { options, code },
    );
  assert.deepEqual(await open({ store: "indexeddb:first" }), [], "there is none");
  await page.evaluate(() => fillLegacy([]));
  assert.deepEqual(await open({ store: "indexeddb:first" }), [], "it is empty");
  assert.deepEqual(await open({ store: "indexeddb:used" }, "_home.n = 1"), []);
  await page.evaluate(() => fillLegacy(saved(1, "x")));
  assert.deepEqual(await open({ store: "memory:" }), []);
  assert.deepEqual(await open({ store: "indexeddb:used" }), [], "the store is not new");
  assert.deepEqual(await open({ store: "indexeddb:first", legacyNotice: false }), []);
  const lines = await open({ store: "indexeddb:first" });
  assert.equal(lines.length, 1);
  assert.ok(lines[0].includes(`Hearth.importLegacy({ from: "${FROM}", store: "indexeddb:first" })`), lines[0]);
  assert.deepEqual(await open({ store: "indexeddb:first" }), [], "once in a page");
  assert.deepEqual(await page.evaluate(async () => (await legacyContents()).records.length), 2);
});

test("the notice fails nothing and holds nothing up", async () => {
  const open = (page, store) =>
    page.evaluate(async (store) => {
      const hearth = await Hearth.open({
        store,
        warn() {
          throw new Error("the page's own");
        },
      });
      await hearth.close();
      return "opened";
    }, store);
  const page = await freshPage();
  await page.evaluate(() => fillLegacy(saved(1, "x")));
  assert.equal(await open(page, "indexeddb:told"), "opened");
  assert.match(consoles.take().join(), /the page's own/);
  assert.equal(await open(page, "indexeddb:told"), "opened", "nothing holds it");
  const other = await freshPage();
  await other.evaluate(() => {
    const { open } = IDBFactory.prototype;
    IDBFactory.prototype.open = function (name, ...rest) {
      return name === "LuaPersistentDB" ? {} : open.call(this, name, ...rest); // it never answers
    };
    const { setTimeout } = globalThis;
    globalThis.setTimeout = (f, after) => (after < 2000 ? setTimeout(f, after) : 0); // nor is it given up
  });
  assert.equal(await open(other, "indexeddb:told"), "opened");
});
