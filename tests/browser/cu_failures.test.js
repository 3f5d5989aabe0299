/** hearth-lua/cu where something cannot be taken over, saved or cleared. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  begin, browser, call, compute, fill, FIRST, freshPage, legacyN, newServer, reload, SECOND, told,
} from "./legacy_testing.js";

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
    const server = await newServer();
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
    const server = await newServer();
    const page = await freshPage(`http://app.test:${server.port}`);
    await damaged(page);
    await assert.rejects(begin(page), /homeTableId -1/);
    assert.equal(await begin(page, { autoRestore: false }), null);
    assert.match(told(), /load\(\) failed[^]*could not be taken over/);
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
