/**
 * The drop-in module hearth-lua/cu in Chromium: what the legacy release promised, and the takeover of what it saved,
 * with old tabs, second tabs and kills.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";

import { Browser, repository } from "./chromium.js";
import { Consoles, load, servePackage } from "./hearth_testing.js";

const readDump = (name) => JSON.parse(readFileSync(join(repository, "tests/fixtures/legacy", `${name}.json`), "utf8"));
const recordsOf = (dump) => dump.database.objectStores[0].records;
const [FIRST, SECOND, THIRD] = ["2026-01-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z", "2026-03-01T00:00:00.000Z"];

let browser;
const consoles = new Consoles();
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

async function newOrigin() {
  const server = await servePackage();
  servers.push(server);
  return server.origin;
}

async function loadModules(page) {
  await load(page);
  await page.addScriptTag({ type: "module", url: "/tests/browser/legacy_page.js" });
  await page.waitForFunction(() => globalThis.fillLegacy !== undefined);
  return page;
}

/** A page, by default of an origin of its own, whose databases are its own. */
async function freshPage(origin, inside = browser) {
  const page = await inside.page();
  consoles.watch(page);
  await page.goto(`${origin ?? (await newOrigin())}/`);
  return loadModules(page);
}

async function reload(page) {
  await page.reload();
  return loadModules(page);
}

/** load, init, and the value of code. */
const begin = (page, options, code) =>
  page.evaluate(({ options, code }) => globalThis.begin(options, code), { options, code });
const compute = (page, code) => page.evaluate((code) => globalThis.compute(code), code);
const call = (page, name, ...args) => page.evaluate(({ name, args }) => cu[name](...args), { name, args });
const fill = (page, n, savedAt, options) =>
  page.evaluate(({ n, savedAt, options }) => fillLegacy(saved(n, savedAt), options), { n, savedAt, options });
const legacyN = (page) => page.evaluate(async () => (await readLegacy()).tables[1]?.n);

/** What came on the consoles, one text; empty afterwards. */
const told = () => consoles.take().join("\n");

describe("what 2.0.0 promised", () => {
  for (const alias of [true, false])
    test(`with the alias ${alias ? "on" : "off"}`, async () => {
      const page = await freshPage();
      const results = await page.evaluate((alias) => promises(cu, {}, alias), alias);
      assert.deepEqual(
        results.map(({ number }) => number),
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
      );
      assert.deepEqual(
        results.filter(({ failure }) => failure !== undefined),
        [],
      );
      await reload(page);
      assert.equal(
        await begin(page, {}, `return ${alias ? "Memory" : "_home"}.a .. #_home.items`),
        "x1000",
        "after a reload too",
      );
    });

  test("15: homeTableId first, memoryTableId alone with the warning", async () => {
    for (const [fields, n, warning] of [
      [{ homeTableId: 2, memoryTableId: 2 }, 2],
      [{ memoryTableId: 2 }, 2, /\[Deprecated\] Using legacy "memoryTableId"/],
      [{}, 1],
      [{ homeTableId: 1, memoryTableId: 2 }, 1, /two tables/],
    ]) {
      const page = await freshPage();
      await page.evaluate(
        (fields) =>
          fillLegacy([
            { id: 1, data: { n: integer(1) } },
            { id: 2, data: { n: integer(2) } },
            { id: "__metadata__", data: { ...fields, savedAt: "x" } },
          ]),
        fields,
      );
      assert.equal(await begin(page), n);
      const text = told();
      if (warning) assert.match(text, warning);
      else assert.doesNotMatch(text, /Deprecated|two tables/);
      assert.match(text, /1 things in LuaPersistentDB could not be taken over/, "the other table");
    }
  });

  test("a page of the legacy runtime, with only its import changed", async () => {
    const page = await freshPage();
    const seen = await page.evaluate(async () => {
      const { default: lua } = await import("/src/cu/cu.js");
      await lua.loadLuaWasm({ autoRestore: true, wasmPath: "./lua.wasm" });
      lua.init();
      const bytes = await lua.compute("print('hello') _home.visits = (_home.visits or 0) + 1 return _home.visits");
      const { output, result } = lua.readResult(lua.getBufferPtr(), bytes);
      const saved = await lua.saveState();
      return { output, result, saved, info: lua.getTableInfo() };
    });
    assert.deepEqual(seen, {
      output: "hello\n",
      result: 1,
      saved: true,
      info: {
        tableCount: 1,
        homeTableId: 1,
        memoryTableId: 1,
        nextTableId: 3,
        tables: [{ id: 1, size: 1, keys: ["visits"] }],
      },
    });
  });
});

describe("taking over", () => {
  for (const name of ["v1f-5b8eb35-web", "v2-a002643-web", "v21-af5905a-web"])
    test(`${name}: the first load takes it, the next ones go on from there`, async () => {
      const dump = readDump(name);
      const page = await freshPage();
      const found = await page.evaluate(
        async ({ dump, records }) => {
          await fillLegacy(records);
          const before = JSON.stringify(await legacyContents());
          const states = [];
          await cu.load({ onLegacyState: (state) => states.push(state) });
          cu.init();
          const wrong = differences(dump, (code) => cu.getHearth().run(code)[0]);
          await compute("_home.i42 = 43");
          const saved = await cu.saveState();
          return { wrong, saved, states, unchanged: JSON.stringify(await legacyContents()) === before };
        },
        { dump, records: recordsOf(dump) },
      );
      assert.deepEqual(found.wrong, []);
      assert.ok(found.saved && found.unchanged);
      const [{ savedAt, takenOver, newer, report }] = found.states;
      assert.deepEqual([found.states.length, takenOver, newer], [1, savedAt, false]);
      assert.equal(savedAt, recordsOf(dump).at(-1).data.savedAt);
      assert.equal(report.counts.upvalues, 1);
      assert.match(told(), new RegExp(`${report.items.length} things in LuaPersistentDB could not be taken over`));
      await reload(page);
      assert.equal(await begin(page, {}, "return _home.i42"), 43);
      assert.equal(await page.evaluate(() => cu.getLegacyState().newer), false);
    });

  test("nothing to take over: no database is made", async () => {
    const page = await freshPage();
    assert.equal(await begin(page), null);
    assert.deepEqual(await page.evaluate(() => databases()), ["hearth:cu"]);
    assert.equal(await page.evaluate(() => cu.getLegacyState()), undefined);
    await assert.rejects(call(page, "takeLegacyState"), /there is no legacy database/);
    assert.equal(await call(page, "clearLegacyState"), true);
    assert.deepEqual(await page.evaluate(() => databases()), ["hearth:cu"]);
  });

  test("an old tab saves again: told at each load, never merged, taken again when asked", async () => {
    const page = await freshPage();
    await fill(page, 1, FIRST, { keep: true });
    assert.equal(await begin(page), 1);
    await compute(page, "_home.n = 5 _home.mine = true");
    await call(page, "saveState");
    await fill(page, 2, SECOND);
    for (let i = 0; i < 2; i++) {
      await reload(page);
      const states = await page.evaluate(async () => {
        const states = [];
        await begin({ onLegacyState: (state) => states.push(state) });
        return states;
      });
      assert.deepEqual(states, [
        { database: "LuaPersistentDB", savedAt: SECOND, takenOver: FIRST, newer: true, report: undefined },
      ]);
      assert.match(told(), /was saved \(2026-02.*after it had been taken over \(2026-01.*old tab.*takeLegacyState\(\)/);
      assert.equal(await compute(page, "return _home.n"), 5);
    }
    assert.equal((await call(page, "takeLegacyState")).home, 1);
    assert.equal(await compute(page, "return _home.n .. tostring(_home.mine)"), "2nil");
    assert.deepEqual(await page.evaluate(() => [cu.getLegacyState().newer, cu.getLegacyState().takenOver]), [
      false,
      SECOND,
    ]);
    await reload(page);
    assert.equal(await begin(page), 2, "it was saved");
    assert.equal(await page.evaluate(() => cu.getLegacyState().newer), false);
  });

  test("taking it again where that fails changes nothing", async () => {
    const page = await freshPage();
    await fill(page, 1, FIRST);
    await begin(page);
    await compute(page, "_home.n = 5 _home.t = {} _home.same = _home.t setmetatable(_home, {name = 'meta'})");
    await page.evaluate(() =>
      fillLegacy([
        { id: 7, data: {} },
        { id: "__metadata__", data: { homeTableId: "junk", savedAt: "y" } },
      ]),
    );
    await assert.rejects(call(page, "takeLegacyState"), /homeTableId "?junk/);
    assert.equal(
      await compute(page, "return _home.n .. getmetatable(_home).name .. tostring(rawequal(_home.t, _home.same))"),
      "5metatrue",
    );
    assert.equal(await call(page, "loadState"), true);
    assert.equal(await compute(page, "return _home.n"), 1);
  });

  test("data too old to have a time: its contents tell", async () => {
    const page = await freshPage();
    const old = (n) => page.evaluate((n) => fillLegacy([{ id: 1, data: { n: integer(n) } }]), n);
    await old(1);
    assert.equal(await begin(page), 1);
    await reload(page);
    await begin(page);
    assert.equal(await page.evaluate(() => cu.getLegacyState().newer), false);
    await old(2);
    await reload(page);
    assert.equal(await begin(page), 1);
    assert.equal(await page.evaluate(() => cu.getLegacyState().newer), true);
    assert.match(told(), /old tab/);
  });

  test("a store in use before is not filled, and that is told", async () => {
    const page = await freshPage();
    await begin(page, {}, "_home.n = 9");
    await call(page, "saveState");
    await fill(page, 1, FIRST);
    await reload(page);
    assert.equal(await begin(page), 9);
    assert.match(told(), /it is not known whether LuaPersistentDB was taken over: the store is in use/);
    assert.deepEqual(await page.evaluate(() => cu.getLegacyState()), {
      database: "LuaPersistentDB",
      savedAt: FIRST,
      takenOver: undefined,
      newer: true,
      report: undefined,
    });
  });

  test("clearPersistedState clears both, clearLegacyState the old one", async () => {
    const page = await freshPage();
    await fill(page, 1, FIRST, { keep: true });
    await begin(page);
    await call(page, "saveState");
    assert.equal(await call(page, "clearPersistedState"), true);
    assert.deepEqual((await page.evaluate(() => legacyContents())).records, []);
    assert.equal(await compute(page, "return _home.n"), 1, "the Lua state stays");
    await reload(page);
    assert.equal(await begin(page), null);
    assert.equal(await page.evaluate(() => cu.getLegacyState()), undefined);
    await fill(page, 2, SECOND);
    await reload(page);
    assert.equal(await begin(page), null, "what comes later is told, not taken");
    assert.match(told(), /old tab/);
    assert.equal(await call(page, "clearLegacyState"), true);
    await reload(page);
    assert.equal(await begin(page), null);
    assert.equal(await page.evaluate(() => cu.getLegacyState()), undefined);
  });

  test("a store that was deleted is filled again", async () => {
    const page = await freshPage();
    await fill(page, 1, FIRST);
    await begin(page, {}, "_home.n = 2");
    await call(page, "saveState");
    await page.evaluate(async () => {
      await cu.getHearth().close();
      await asked(indexedDB.deleteDatabase("hearth:cu"));
      localStorage.clear(); // else the store is "lost"
    });
    await reload(page);
    assert.equal(await begin(page), 1);
    assert.equal(await page.evaluate(() => cu.getLegacyState().report.entries), 1);
  });

  test("autoRestore: false takes it over and begins empty", async () => {
    const page = await freshPage();
    await fill(page, 1, FIRST);
    assert.equal(await begin(page, { autoRestore: false }), null);
    assert.equal(await call(page, "loadState"), true);
    assert.equal(await compute(page, "return _home.n"), 1);
  });

  test("damaged ids: load fails, the user chooses", async () => {
    const page = await freshPage();
    await page.evaluate(() =>
      fillLegacy([
        { id: 7, data: { n: integer(7) } },
        { id: "__metadata__", data: { homeTableId: -1, savedAt: "x" } },
      ]),
    );
    await assert.rejects(begin(page), /homeTableId -1 is no number of a table.*7 \(1 entries\)/);
    assert.match(told(), /load\(\) failed/);
    assert.equal(await begin(page, { home: 7 }), 7);
    await reload(page);
    assert.equal(await begin(page), 7);
  });

  test("a database of this name that is somebody else's", async () => {
    const page = await freshPage();
    await page.evaluate(async () => {
      const request = indexedDB.open("LuaPersistentDB", 1);
      request.onupgradeneeded = () => request.result.createObjectStore("notes");
      (await asked(request)).close();
    });
    assert.equal(await begin(page), null);
    assert.match(told(), /no object store 'externalTables'/);
    assert.equal(await call(page, "saveState"), true);
  });

  test("other names, in a worker", async () => {
    const page = await freshPage();
    await fill(page, 1, FIRST);
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
    assert.equal(await worker.evaluate(() => begin({ store: "indexeddb:mine" })), 1);
    assert.equal(await worker.evaluate(() => begin({ store: "indexeddb:other", legacy: "none" })), null);
    assert.equal(
      await worker.evaluate(async () => {
        await begin({ store: "indexeddb:mine" }, "_home.n = 2");
        await cu.saveState();
        await fillLegacy(saved(3, "2026-02-01T00:00:00.000Z"));
        return begin({ store: "indexeddb:mine" });
      }),
      2,
    );
    assert.match(told(), /old tab/);
  });
});

describe("killed", () => {
  let profile, own;
  before(async () => {
    profile = await mkdtemp(join(tmpdir(), "hearth-cu-killed-"));
  });
  after(() => rm(profile, { recursive: true, force: true, maxRetries: 5 }));
  afterEach(() => own?.kill());

  /** Runs f in a page of a browser that is killed then, and gives what it resolves to. */
  async function untilKilled(origin, f) {
    own = await Browser.start({ profile });
    const page = await freshPage(origin, own);
    const result = await f(page);
    await own.kill();
    return result;
  }

  /** Stands where the next step would be: resolves when it is reached, and never lets it be done. */
  const stops = {
    "before the commit": () =>
      new Promise((resolve) => {
        Hearth.prototype.commit = () => new Promise(() => resolve(true));
        cu.load();
      }),
    "before the note is done": () =>
      new Promise((resolve) => {
        const { put } = IDBObjectStore.prototype;
        IDBObjectStore.prototype.put = function (value, ...key) {
          if (value?.done !== true) return put.call(this, value, ...key);
          resolve(true);
          throw new DOMException("stopped", "AbortError");
        };
        cu.load().catch(() => {});
      }),
  };
  for (const [where, stop] of Object.entries(stops))
    test(`${where}: taken over once, whole`, async () => {
      const origin = await newOrigin();
      await untilKilled(origin, (page) => fill(page, 1, FIRST));
      assert.equal(await untilKilled(origin, (page) => page.evaluate(stop)), true);
      told();
      const state = await untilKilled(origin, async (page) => {
        assert.equal(await begin(page), 1);
        await compute(page, "_home.n = 2");
        assert.equal(await call(page, "saveState"), true);
        return page.evaluate(() => cu.getLegacyState());
      });
      assert.deepEqual([state.takenOver, state.newer], [FIRST, false]);
      assert.equal(
        state.report !== undefined,
        where === "before the commit",
        "imported again only where it had not been stored",
      );
      await untilKilled(origin, async (page) => {
        assert.equal(
          await begin(page),
          2,
          "what saveState resolved for is there after a kill, and was not taken over again",
        );
        assert.equal(await legacyN(page), "integer 1");
      });
    });

  test("and the old tab saved meanwhile", async () => {
    for (const [stop, n, newer] of [
      [stops["before the commit"], 2, false],
      [stops["before the note is done"], 1, true],
    ]) {
      const origin = await newOrigin();
      await untilKilled(origin, (page) => fill(page, 1, FIRST));
      await untilKilled(origin, (page) => page.evaluate(stop));
      told();
      await untilKilled(origin, async (page) => {
        await fill(page, 2, SECOND);
        assert.equal(await begin(page), n);
        assert.equal(await page.evaluate(() => cu.getLegacyState().newer), newer);
      });
      assert.equal(/old tab/.test(told()), newer);
    }
  });
});

describe("two tabs", () => {
  test("the second reads and is told; it can go on when the first has gone", async () => {
    const page = await freshPage();
    await begin(page, {}, "_home.n = 1");
    assert.equal(await call(page, "saveState"), true);
    const second = await freshPage(new URL(page.url()).origin);
    assert.equal(await begin(second), 1);
    assert.match(told(), /another tab of this site has the store open/);
    await compute(second, "_home.n = 'second'");
    assert.equal(await call(second, "saveState"), false);
    assert.equal(await call(second, "clearPersistedState"), false);
    assert.match(told(), /saveState\(\) failed.*another tab[^]*clearPersistedState\(\) failed/);
    await compute(page, "_home.n = 2");
    assert.equal(await call(page, "saveState"), true);
    assert.equal(await compute(second, "return _home.n"), "second", "nothing is taken from it unasked");
    assert.equal(await call(second, "loadState"), true);
    assert.equal(await compute(second, "return _home.n"), 2);
    await page.close();
    assert.equal(await begin(second), 2);
    await compute(second, "_home.n = 3");
    assert.equal(await call(second, "saveState"), true);
  });

  test("the first has saved nothing yet", async () => {
    const page = await freshPage();
    assert.equal(await begin(page), null);
    const second = await freshPage(new URL(page.url()).origin);
    assert.equal(await begin(second), null);
    assert.match(told(), /another tab/);
    await compute(page, "_home.n = 1");
    await call(page, "saveState");
    assert.equal(await call(second, "loadState"), true);
    assert.equal(await compute(second, "return _home.n"), 1);
  });

  test("both for the first time, at once: one takes over, both have it", async () => {
    const page = await freshPage();
    await fill(page, 1, FIRST);
    const second = await freshPage(new URL(page.url()).origin);
    assert.deepEqual(await Promise.all([begin(page), begin(second)]), [1, 1]);
    const saves = await Promise.all([call(page, "saveState"), call(second, "saveState")]);
    assert.deepEqual(saves.sort(), [false, true]);
    assert.match(told(), /another tab/);
  });

  test("takeover: the first is told from then on", async () => {
    const page = await freshPage();
    await begin(page, {}, "_home.n = 1");
    await call(page, "saveState");
    const second = await freshPage(new URL(page.url()).origin);
    assert.equal(await begin(second, { takeover: true }), 1);
    await compute(page, "_home.n = 2");
    assert.equal(await call(page, "saveState"), false);
    assert.match(told(), /taken the store over/);
    await compute(second, "_home.n = 3");
    assert.equal(await call(second, "saveState"), true);
    assert.equal(await begin(page), 3, "it can begin again, as a reader");
    assert.match(told(), /another tab/);
  });
});

test("a page that is left saves, also while it is saving", async () => {
  const page = await freshPage();
  await begin(page);
  for (let n = 1; n <= 10; n++) {
    const leave = page.evaluate(async (n) => {
      addEventListener("pagehide", () => {
        void cu.compute(`_home.n = ${n}`);
        void cu.saveState();
      });
      await compute(`_home.text = ("x"):rep(20000) .. ${n}`);
      void cu.saveState();
      for (let i = 0; i < 10; i++) await undefined; // its transaction has begun
      location.reload();
    }, n);
    await Promise.all([page.waitForEvent("load"), leave.catch(() => {})]);
    await loadModules(page);
    assert.equal(await begin(page), n);
  }
});

describe("where it cannot be saved", () => {
  test("a full disk: false, and true when there is room", async () => {
    const page = await freshPage();
    const { origin } = new URL(page.url());
    const session = await browser.cdp(page);
    const setQuota = (quotaSize) => session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize });
    await setQuota(6e6);
    await begin(page, {}, "_home.n = 1");
    assert.equal(await call(page, "saveState"), true);
    await compute(
      page,
      `_home.n = 2
      local t = {}
      for i = 1, 1250000 do t[i] = string.pack("<d", math.random()) end
      _home.big = table.concat(t)`,
    );
    assert.equal(await call(page, "saveState"), false);
    assert.match(told(), /saveState\(\) failed/);
    await setQuota(1e8);
    assert.equal(await call(page, "saveState"), true);
    await reload(page);
    assert.equal(await begin(page, {}, "return _home.n .. #_home.big"), "210000000");
  });

  test("an insecure origin: it works, shows what is there, and says that nothing is saved", async () => {
    const server = await servePackage();
    servers.push(server);
    const page = await freshPage(`http://app.test:${server.port}`);
    await fill(page, 1, FIRST);
    assert.equal(await begin(page), 1);
    assert.match(told(), /offers no store here/);
    await compute(page, "_home.n = 2");
    assert.equal(await call(page, "saveState"), false);
    assert.equal(await call(page, "loadState"), false);
    assert.match(told(), /saveState\(\) failed[^]*loadState\(\) failed/);
    assert.equal(await legacyN(page), "integer 1");
  });

  test("a store that the browser lost is an error, and acceptLoss begins anew", async () => {
    const page = await freshPage();
    await begin(page, {}, "_home.n = 1");
    await call(page, "saveState");
    await page.evaluate(async () => {
      await cu.getHearth().close();
      await asked(indexedDB.deleteDatabase("hearth:cu"));
    });
    await reload(page);
    await assert.rejects(begin(page), /lost/);
    assert.match(told(), /load\(\) failed/);
    assert.equal(await begin(page, { acceptLoss: true }), null);
  });
});
describe("clearing before load", () => {
  test("what the legacy runtime saved is gone", async () => {
    const page = await freshPage();
    await fill(page, 1, FIRST, { keep: true });
    assert.equal(await call(page, "clearPersistedState"), true);
    assert.deepEqual((await page.evaluate(() => legacyContents())).records, []);
    assert.deepEqual(await page.evaluate(() => databases()), ["LuaPersistentDB"], "nothing was made");
    assert.equal(await begin(page), null);
  });

  test("and what is in the store, also where load() follows at once; a later old state is not taken", async () => {
    const page = await freshPage();
    await fill(page, 1, FIRST);
    await begin(page, {}, "_home.n = 5");
    await call(page, "saveState");
    await reload(page);
    assert.deepEqual(
      await page.evaluate(() => Promise.all([cu.loadState(), cu.clearPersistedState(), begin()])),
      [true, true, null],
    );
    assert.equal(await page.evaluate(() => cu.getLegacyState()), undefined);
    await fill(page, 2, SECOND);
    await reload(page);
    assert.equal(await begin(page), null);
    assert.match(told(), /old tab/);
    await reload(page);
    assert.equal(await call(page, "clearLegacyState"), true);
    assert.equal(await begin(page), null);
    assert.equal(await page.evaluate(() => cu.getLegacyState()), undefined);
  });

  test("the store that load() named last", async () => {
    const page = await freshPage();
    await begin(page, { store: "indexeddb:mine" }, "_home.n = 1");
    await call(page, "saveState");
    const second = await freshPage(new URL(page.url()).origin);
    await begin(second, { store: "indexeddb:mine" });
    assert.match(told(), /another tab/);
    assert.equal(await call(second, "clearPersistedState"), false, "it is another tab's");
    assert.match(told(), /another tab/);
    await second.close();
    assert.equal(await begin(page, { store: "indexeddb:mine" }), 1);
    assert.equal(await call(page, "clearPersistedState"), true);
    assert.equal(await begin(page, { store: "indexeddb:mine" }), null);
  });
});

describe("damaged ids", () => {
  const damaged = (page) =>
    page.evaluate(() =>
      fillLegacy([
        { id: 7, data: { n: integer(7) } },
        { id: "__metadata__", data: { homeTableId: -1, savedAt: "x" } },
      ]),
    );

  test("load() says what to do; autoRestore: false begins without, and nothing is decided by that", async () => {
    const page = await freshPage();
    await damaged(page);
    await assert.rejects(
      begin(page),
      /load\(\{ home: NUMBER \}\) chooses it.*autoRestore: false.*clearLegacyState\(\) removes it/,
    );
    told();
    assert.equal(await begin(page, { autoRestore: false }), null);
    assert.match(told(), /LuaPersistentDB could not be taken over: homeTableId -1/);
    const { failure, newer, takenOver, report } = await page.evaluate(() => cu.getLegacyState());
    assert.match(failure.message, /homeTableId -1/);
    assert.deepEqual([newer, takenOver, report], [false, undefined, undefined]);
    await reload(page);
    assert.equal(await begin(page, { home: 7 }), 7, "it is taken over then");
  });

  test("autoRestore: false, and saved: that counts from then on", async () => {
    const page = await freshPage();
    await damaged(page);
    await begin(page, { autoRestore: false }, "_home.n = 9");
    assert.equal(await call(page, "saveState"), true);
    told();
    await reload(page);
    assert.equal(await begin(page), 9);
    assert.match(told(), /it is not known whether/);
  });

  for (const name of ["clearPersistedState", "clearLegacyState"])
    test(`${name} after a load that failed`, async () => {
      const page = await freshPage();
      await damaged(page);
      await assert.rejects(begin(page), /homeTableId -1/);
      assert.equal(await call(page, name), true);
      assert.match(told(), /load\(\) failed/);
      assert.deepEqual((await page.evaluate(() => legacyContents())).records, []);
      assert.equal(await begin(page), null);
    });

  test("where nothing can be saved", async () => {
    const server = await servePackage();
    servers.push(server);
    const page = await freshPage(`http://app.test:${server.port}`);
    await damaged(page);
    await assert.rejects(begin(page), /homeTableId -1/);
    assert.equal(await begin(page, { autoRestore: false }), null);
    assert.match(told(), /load\(\) failed[^]*could not be taken over/);
  });
});

describe("what was deleted does not come back", () => {
  test("beside a store that was in use", async () => {
    const page = await freshPage();
    await begin(page, {}, "_home.n = 9");
    await call(page, "saveState");
    await fill(page, 1, FIRST);
    await reload(page);
    assert.equal(await begin(page), 9);
    await compute(page, "_home.n = nil");
    assert.equal(await call(page, "saveState"), true);
    for (let i = 0; i < 2; i++) {
      await reload(page);
      assert.equal(await begin(page), null);
      assert.match(told(), /it is not known whether/);
    }
  });

  test("where the takeover could not be noted as done", async () => {
    const page = await freshPage();
    await fill(page, 1, FIRST);
    const value = await page.evaluate(async () => {
      const { put } = IDBObjectStore.prototype;
      IDBObjectStore.prototype.put = function (value, ...key) {
        if (value?.done === true) throw new DOMException("stopped", "QuotaExceededError");
        return put.call(this, value, ...key);
      };
      const value = await begin();
      IDBObjectStore.prototype.put = put;
      return value;
    });
    assert.equal(value, 1);
    assert.match(told(), /was taken over, and that could not be noted/);
    await compute(page, "_home.n = nil");
    assert.equal(await call(page, "saveState"), true);
    await reload(page);
    assert.equal(await begin(page), null);
    assert.equal(await page.evaluate(() => cu.getLegacyState().newer), false);
  });

  test("where the database of the notes is gone: that is told as it is", async () => {
    const page = await freshPage();
    await fill(page, 1, FIRST);
    await begin(page, {}, "_home.n = nil");
    await call(page, "saveState");
    await page.evaluate(() => asked(indexedDB.deleteDatabase("hearth-cu")));
    await reload(page);
    assert.equal(await begin(page), null);
    assert.match(told(), /it is not known whether LuaPersistentDB was taken over/);
    const { takenOver, newer } = await page.evaluate(() => cu.getLegacyState());
    assert.deepEqual([takenOver, newer], [undefined, true]);
  });
});

describe("a disk that is full when it is taken over", () => {
  const big = (page) =>
    page.evaluate(async (savedAt) => {
      const size = 9e6;
      const bytes = new Uint8Array(size + 5);
      bytes[0] = 4;
      new DataView(bytes.buffer).setUint32(1, size, true);
      for (let i = 5; i < bytes.length; i += 65536) crypto.getRandomValues(bytes.subarray(i, i + 65536));
      await fillLegacy([
        { id: 1, data: { n: integer(1), big: bytes } },
        { id: "__metadata__", data: { homeTableId: 1, savedAt } },
      ]);
    }, FIRST);

  test("it can be seen; saveState() is false, and true when there is room", async () => {
    const page = await freshPage();
    const { origin } = new URL(page.url());
    const session = await browser.cdp(page);
    const setQuota = (quotaSize) => session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize });
    await setQuota(1.4e7);
    await big(page);
    assert.equal(await begin(page, {}, "_home.mine = 1 return _home.n .. #_home.big"), "19000000");
    assert.match(told(), /LuaPersistentDB could not be taken over: .*It is as it was/);
    assert.equal(await page.evaluate(() => cu.getLegacyState().failure.code), "full");
    assert.equal(await call(page, "saveState"), false);
    assert.match(told(), /saveState\(\) failed/);
    await compute(page, "_home.mine, _home.n = 2, nil");
    assert.equal(await call(page, "loadState"), true, "what was saved last");
    assert.equal(await compute(page, "return _home.n .. tostring(_home.mine)"), "1nil");
    await compute(page, "_home.mine = 3");
    await setQuota(1e8);
    assert.equal(await call(page, "saveState"), true);
    const { takenOver, failure } = await page.evaluate(() => cu.getLegacyState());
    assert.deepEqual([takenOver, failure], [FIRST, undefined]);
    await reload(page);
    assert.equal(await begin(page, {}, "return _home.n .. _home.mine"), "13");
    assert.equal(await page.evaluate(() => cu.getLegacyState().newer), false);
  });

  for (const options of [{}, { autoRestore: false }])
    test(`no room for a note, with ${JSON.stringify(options)}; the next load() takes it over`, async () => {
      const page = await freshPage();
      await fill(page, 1, FIRST);
      const value = await page.evaluate((options) => {
        const { put } = IDBObjectStore.prototype;
        IDBObjectStore.prototype.put = function (value, ...key) {
          if (value?.done !== undefined) throw new DOMException("full", "QuotaExceededError");
          return put.call(this, value, ...key);
        };
        return begin(options);
      }, options);
      assert.equal(value, options.autoRestore === false ? null : 1);
      assert.match(told(), /could not be taken over: .*QuotaExceededError/);
      await reload(page);
      assert.equal(await begin(page), 1);
      assert.equal(await page.evaluate(() => cu.getLegacyState().takenOver), FIRST);
    });

  test("a new store, and nothing to take over", async () => {
    const page = await freshPage();
    const value = await page.evaluate(async () => {
      const { commit } = Hearth.prototype;
      Hearth.prototype.commit = () => Promise.reject(new Error("full"));
      const value = await begin({}, "_home.n = 1 return _home.n");
      Hearth.prototype.commit = commit;
      return value;
    });
    assert.equal(value, 1);
    assert.match(told(), /nothing could be saved in it: full/);
    assert.equal(await call(page, "saveState"), true);
    await reload(page);
    assert.equal(await begin(page), 1);
  });
});

describe("a second tab, and the legacy state", () => {
  test("a newer one is told there too, and not taken", async () => {
    const page = await freshPage();
    await fill(page, 1, FIRST);
    await begin(page);
    const { origin } = new URL(page.url());
    const second = await freshPage(origin);
    assert.equal(await begin(second), 1);
    assert.doesNotMatch(told(), /old tab|not known/);
    assert.equal(await second.evaluate(() => cu.getLegacyState().newer), false);
    await fill(page, 2, SECOND);
    assert.equal(await begin(second), 1);
    assert.match(told(), /old tab may still be writing/);
    const { takenOver, savedAt, newer } = await second.evaluate(() => cu.getLegacyState());
    assert.deepEqual([takenOver, savedAt, newer], [FIRST, SECOND, true]);
  });

  test("it waits as long as the first one takes it over", async () => {
    const page = await freshPage();
    await fill(page, 1, FIRST);
    const second = await freshPage(new URL(page.url()).origin);
    const first = page.evaluate(async () => {
      const { commit } = Hearth.prototype;
      const held = new Promise((resolve) => (globalThis.letGo = resolve));
      Hearth.prototype.commit = async function (...args) {
        globalThis.isCommitting = true;
        await held;
        return commit.apply(this, args);
      };
      return begin();
    });
    await page.waitForFunction(() => globalThis.isCommitting);
    const value = second.evaluate(() => {
      const { now } = Date;
      const began = now();
      Date.now = () => began + 10 * (now() - began); // ten times as fast
      return begin();
    });
    value.catch(() => {});
    await second.waitForEvent("console", { predicate: (message) => /waits for it/.test(message.text()) });
    await page.evaluate(() => letGo());
    assert.deepEqual(await Promise.all([first, value]), [1, 1]);
    assert.match(told(), /making the store indexeddb:cu: this one waits for it[^]*another tab/);
  });
});

describe("a legacy database that cannot be used", () => {
  /** Another connection keeps it, and somebody deletes it: it can be opened when that connection is closed. */
  const block = (page) =>
    page.evaluate(async () => {
      globalThis.old = await asked(indexedDB.open("LuaPersistentDB", 1));
      globalThis.deleted = asked(indexedDB.deleteDatabase("LuaPersistentDB"));
      await new Promise((resolve) => setTimeout(resolve, 50));
    });

  test("is no reason to fail where nothing is to be taken over", async () => {
    const page = await freshPage();
    await fill(page, 1, FIRST);
    await begin(page, {}, "_home.n = 5");
    await call(page, "saveState");
    await reload(page);
    await block(page);
    assert.equal(await begin(page), 5);
    assert.match(told(), /not known whether an old tab has saved again: .*another tab is upgrading or deleting/);
    await page.evaluate(() => old.close());
  });

  test("is one where it is to be taken over, unless autoRestore is false", async () => {
    const page = await freshPage();
    await fill(page, 1, FIRST);
    await block(page);
    await assert.rejects(begin(page), /another tab is upgrading or deleting/);
    assert.match(told(), /load\(\) failed/);
    assert.equal(await begin(page, { autoRestore: false }), null);
    assert.match(told(), /nothing was taken over/);
    await page.evaluate(() => old.close());
    await page.evaluate(() => deleted);
  });

  test("that is somebody else's stays as it is, and clearing is true", async () => {
    const page = await freshPage();
    await page.evaluate(async () => {
      const request = indexedDB.open("LuaPersistentDB", 1);
      request.onupgradeneeded = () => request.result.createObjectStore("notes");
      (await asked(request)).close();
    });
    await begin(page, {}, "_home.n = 1");
    assert.equal(await call(page, "saveState"), true);
    assert.equal(await call(page, "clearPersistedState"), true);
    assert.equal(await call(page, "clearLegacyState"), true);
    assert.match(told(), /no object store 'externalTables'/);
    assert.deepEqual((await page.evaluate(() => legacyContents())).stores, ["notes"]);
    assert.equal(await begin(page), null);
    told();
  });
});

test("onLegacyState that throws", async () => {
  const page = await freshPage();
  await fill(page, 1, FIRST);
  const value = await page.evaluate(() =>
    begin({
      onLegacyState() {
        throw new Error("the page's own");
      },
    }),
  );
  assert.equal(value, 1);
  assert.match(told(), /onLegacyState failed: Error: the page's own/);
  assert.equal(await call(page, "saveState"), true);
});

test("takeLegacyState where only the note fails", async () => {
  const page = await freshPage();
  await fill(page, 1, FIRST);
  await begin(page, {}, "_home.n, _home.mine = 77, 1");
  await call(page, "saveState");
  await fill(page, 2, SECOND);
  const home = await page.evaluate(async () => {
    const { put } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.put = function (value, ...key) {
      if (value?.done !== true) return put.call(this, value, ...key);
      throw new DOMException("full", "QuotaExceededError");
    };
    const report = await cu.takeLegacyState();
    IDBObjectStore.prototype.put = put;
    return report.home;
  });
  assert.equal(home, 1);
  assert.match(told(), /could not be noted: .*QuotaExceededError/);
  assert.equal(await compute(page, "return tostring(_home.mine) .. _home.n"), "nil2");
  assert.equal(await call(page, "saveState"), true);
  await reload(page);
  assert.equal(await begin(page), 2);
  assert.equal(await page.evaluate(() => cu.getLegacyState().newer), false, "saveState() noted it");
});

test("_io in a page", async () => {
  const page = await freshPage();
  await begin(page);
  assert.deepEqual(
    await page.evaluate(async () => {
      cu.setInput({ x: 7, list: [1, 2.5] });
      cu.setMetadata({ user: "test" });
      await compute("_io.output = {product = _io.input.x * 6, half = _io.input.list[2], user = _io.meta.user}");
      const output = cu.getOutput();
      cu.clearIo();
      return { output, after: cu.getOutput(), id: cu.getIoTableId() };
    }),
    { output: { product: 42, half: 2.5, user: "test" }, after: null, id: 2 },
  );
});
