/** hearth-lua/cu takes over what the legacy runtime saved: once, whole, and with what old tabs do afterwards told. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";

import { Browser } from "./chromium.js";
import {
  begin, browser, call, compute, fill, FIRST, freshPage, legacyN, newOrigin, readDump, recordsOf, reload, SECOND,
  told,
} from "./legacy_testing.js";

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
