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
