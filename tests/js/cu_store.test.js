/** The drop-in module hearth-lua/cu in Node, where its store is a file: what it saves, clears and takes over. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import test, { afterEach, beforeEach, describe } from "node:test";
import { begin, compute, cu, newStore, result, take } from "./cu_testing.js";
import { memoryIndexedDB } from "./memory_indexeddb.js";
import { Hearth, failure } from "./testing.js";

describe("saving", () => {
  test("a saved state is there after load, an unsaved change is not", async () => {
    const store = await begin();
    await result("_home.n = 1 return 1");
    assert.equal(await cu.saveState(), true);
    await result("_home.n = 2 return 1");
    await begin({ store });
    assert.equal(await result("return _home.n"), 1);
    assert.equal(await cu.loadLuaWasm({ store, wasmPath: "./lua.wasm" }), true);
    cu.init();
    assert.equal(await result("return _home.n"), 1);
  });

  test("loadState goes back to it; autoRestore: false begins empty and keeps it", async () => {
    const store = await begin();
    await result("_home.n, _home.t = 1, {1, 2} return 1");
    await cu.saveState();
    await result("_home.n = 2 _home.t[3] = 3 _home.x = 1 setmetatable(_home, {}) global = 5 return 1");
    assert.equal(await cu.loadState(), true);
    assert.equal(
      await result("return _home.n .. #_home.t .. tostring(_home.x) .. tostring(getmetatable(_home)) .. global"),
      "12nilnil5",
    );
    await begin({ store, autoRestore: false });
    assert.equal(await result("return next(_home) == nil"), true);
    await result("_home.other = 1 return 1");
    assert.equal(await cu.loadState(), true);
    assert.equal(await result("return _home.n .. tostring(_home.other)"), "1nil");
    await begin({ store, autoRestore: false });
    await result("_home.other = 1 return 1");
    assert.equal(await cu.saveState(), true);
    await begin({ store });
    assert.equal(await result("return tostring(_home.n) .. _home.other"), "nil1");
  });

  test("clearPersistedState removes what is saved, and not what is there", async () => {
    const store = await begin();
    await result("_home.t = {} _home.same = _home.t setmetatable(_home, {name = 'meta'}) return 1");
    await cu.saveState();
    assert.equal(await cu.clearPersistedState(), true);
    assert.equal(await result("return rawequal(_home.t, _home.same) and getmetatable(_home).name"), "meta");
    const stored = await Hearth.open({ store, readonly: true });
    assert.deepEqual(stored.get("_home"), {});
    await stored.close();
    assert.equal(await cu.saveState(), true);
    await begin({ store });
    assert.equal(await result("return rawequal(_home.t, _home.same) and getmetatable(_home).name"), "meta");
    await cu.clearPersistedState();
    assert.equal(await cu.loadState(), true);
    assert.equal(await result("return next(_home) == nil and getmetatable(_home) == nil"), true);
  });

  test("what the legacy runtime lost is kept", async () => {
    const store = await begin();
    await result(`
      local n = 0
      local deep = {} local at = deep for i = 1, 100 do at.next = {} at = at.next end
      _home.two, _home.minus, _home.big, _home.deep = 2.0, -0.0, ("x"):rep(100000), deep
      _home[true], _home[""], _home[2.5], _home["\\xff"], _home["\\xfe"], _home[1], _home["1"] = 1, 2, 3, 4, 5, 6, 7
      _home.list = {1, 2, 3} _home.list[3] = nil
      _home.cycle = {} _home.cycle.me = _home.cycle
      _home.object = setmetatable({}, {__index = {name = "meta"}})
      _home.count = function() n = n + 1 return n end
      _home.upper = string.upper
      _home.made = ext.table() _home.made.x = 1 _home.made.list = {1, 2}
      _home.count() return 1`);
    assert.equal(await cu.saveState(), true);
    await begin({ store });
    const truths = [
      "math.type(_home.two) == 'float'",
      "1 / _home.minus == -1 / 0",
      "#_home.big == 100000",
      "_home[true] == 1",
      "_home[''] == 2",
      "_home[2.5] == 3",
      "_home['\\xff'] == 4 and _home['\\xfe'] == 5",
      "_home[1] == 6 and _home['1'] == 7",
      "#_home.list == 2",
      "rawequal(_home.cycle.me, _home.cycle)",
      "_home.object.name == 'meta'",
      "_home.count() == 2",
      "_home.upper('a') == 'A'",
      "_home.made.x == 1 and #_home.made.list == 2 and type(_home.made) == 'table'",
    ];
    for (const truth of truths) assert.equal(await result(`return ${truth}`), true, truth);
    assert.equal(await result("local n, at = 0, _home.deep while at.next do n, at = n + 1, at.next end return n"), 100);
    assert.equal(await result("local n = 0 for k in pairs(_home) do n = n + 1 end return n"), 17);
  });

  test("saveState is false where it could not save, and says what cannot be stored; then true", async () => {
    const store = await begin();
    await result("_home.n = 1 return 1");
    await cu.saveState();
    await result("_home.n = 2 _home.deep = {co = coroutine.create(print)} return 1");
    assert.equal(await cu.saveState(), false);
    assert.match(take().join(), /_home\.deep\.co/);
    const stored = await Hearth.open({ store, readonly: true });
    assert.equal(stored.get("_home.n"), 1);
    await stored.close();
    await result("_home.deep = nil return 1");
    assert.equal(await cu.saveState(), true);
  });

  test("a second one at the store reads, and is told", async () => {
    const store = await begin();
    await result("_home.n = 1 return 1");
    await cu.saveState();
    await cu.getHearth().close();
    const owner = await Hearth.open({ store });
    await cu.load({ store });
    cu.init();
    assert.match(take().join(), /not saved/);
    assert.equal(await result("return _home.n"), 1);
    await result("_home.n = 5 return 1");
    assert.equal(await cu.saveState(), false);
    assert.equal(await cu.clearPersistedState(), false);
    await assert.rejects(cu.takeLegacyState(), failure("readonly", "another tab"));
    assert.match(take().join(), /saveState.*another tab.*clearPersistedState.*another tab/);
    owner.run("_home.n = 2");
    await owner.commit();
    assert.equal(await cu.loadState(), true);
    assert.equal(await result("return _home.n"), 2);
    await owner.close();
    await begin({ store });
    assert.equal(await result("return _home.n"), 2);
  });

  test("without a store, in memory", async () => {
    await cu.load();
    cu.init();
    assert.match(take().join(), /no IndexedDB/);
    assert.equal(await result("_home.n = 1 return _home.n"), 1);
    for (const name of ["saveState", "loadState", "clearPersistedState"]) {
      assert.equal(await cu[name](), false);
      assert.match(take().join(), /no IndexedDB/);
    }
    assert.equal(cu.getLegacyState(), undefined);
    await begin({ store: "memory:" }); // asked for
    await result("_home.n = 1 return 1");
    assert.equal(await cu.saveState(), true);
    await result("_home.n = 2 return 1");
    assert.equal(await cu.loadState(), true);
    assert.equal(await result("return _home.n"), 1);
  });

  test("what load cannot open", async () => {
    await assert.rejects(cu.load({ store: "nowhere:x" }), failure("invalid"));
    assert.match(take().join(), /load\(\) failed/);
    assert.throws(() => cu.init(), /not loaded/);
    await cu.load({ store: newStore(), other: 1 });
    assert.match(take().join(), /no option 'other'/);
  });

  test("loads one after the other", async () => {
    const store = newStore();
    assert.deepEqual(await Promise.all([cu.load({ store }), cu.load({ store }), cu.load({ store })]), [
      true,
      true,
      true,
    ]);
    cu.init();
    assert.equal(await cu.saveState(), true);
    assert.ok(existsSync(store.slice("file:".length)));
  });
});

describe("what the user's code may do", () => {
  const globals = (value) => `
    saved = _home
    local globals = _G
    for k in next, globals do if k ~= "_home" and k ~= "Memory" and k ~= "saved" then globals[k] = ${value} end end
    return "done"`;
  for (const value of ["false", "function() return function() return 'USER' end end", "nil"])
    test(`every global is ${value}`, async () => {
      const store = await begin();
      await result("_home.n, _home.t = 1, {x = 1} return 1");
      assert.equal(await cu.saveState(), true);
      assert.equal(await result(globals(value)), "done");
      assert.equal(await result("return 1 + 1"), 2);
      assert.equal((await compute("return ('x'):rep(3)")).result, "xxx");
      assert.match((await compute("return +")).error, /^Error: .*unexpected symbol/);
      take();
      assert.equal(cu.runGc(), true);
      assert.ok(cu.getMemoryStats().used > 0);
      const { tables } = cu.getTableInfo();
      const [home, inner] = tables.map(({ id, size, keys }) => [id, size, keys.sort()]);
      assert.deepEqual([home, inner], [[1, 2, ["n", "t"]], [3, 1, ["x"]]]);
      cu.setInput({ list: [1, 2] });
      cu.setMetadata(5);
      assert.deepEqual(cu.getTableInfo().tables.find(({ id }) => id === 2).keys.sort(), ["input", "meta"]);
      assert.equal(cu.getOutput(), null);
      cu.clearIo();
      await result("saved.n = 2 return 1");
      const { records } = await cu.getHearth().exportLegacy();
      assert.deepEqual(records.map(({ id }) => id), [1, 3, "__metadata__"]);
      assert.equal(await cu.saveState(), true);
      assert.equal(await cu.clearPersistedState(), true);
      assert.equal(await result("return saved.n"), 2, "the Lua state stays");
      await begin({ store });
      assert.equal(await result("return next(_home) == nil"), true, "it was removed");
      await result("_home.n = 5 return 1");
      await cu.saveState();
      await result(globals(value));
      assert.equal(await cu.loadState(), true);
      assert.equal(await result("return saved.n"), 5);
      cu.setMemoryAliasEnabled(false);
      cu.setMemoryAliasEnabled(true);
      assert.match(take().join(), /deprecated/);
    });

  test("what a source does when it is loaded", async () => {
    await begin({ sources: { mine: "next, load, select, type = nil return {}" } });
    assert.equal(await result("return 1"), 1);
    assert.equal(cu.getTableInfo().tableCount, 1);
  });

  test("a key whose __tostring raises", async () => {
    await begin();
    await result(`
      _home[setmetatable({}, {__tostring = function() error("no") end})] = 1
      _home[setmetatable({}, {__tostring = function() return "named" end})] = 1
      _home[setmetatable({}, {__tostring = function() return 5 end})] = 1
      return 1`);
    assert.deepEqual(cu.getTableInfo().tables[0].keys.sort(), ["(a table)", "5", "named"]);
  });

  test("ext.table gives plain tables, after loadState too", async () => {
    await begin();
    await cu.saveState();
    await cu.loadState();
    assert.equal(await result("return type(ext.table()) .. type(rawget(ext, 'table'))"), "tablefunction");
  });

  test("it goes on when getHearth() imported something", async () => {
    await begin();
    await result("_home.n = 7 return 1");
    await cu.saveState();
    const bytes = await cu.getHearth().export();
    await result("_home.n = 8 return 1");
    await cu.saveState();
    await cu.getHearth().import(bytes, { replace: true });
    cu.setInput(3);
    assert.equal(await result("return tostring(_home.n) .. _io.input"), "73");
    assert.equal(cu.getTableInfo().tableCount, 2);
    assert.equal(await cu.saveState(), true);
  });
});

describe("clearing what is not loaded", () => {
  test("after a load that failed: the store that it named", async () => {
    const store = await begin({ modules: { mine: { f() {} } } });
    await result("_home.f = mine.f return 1");
    await cu.saveState();
    await assert.rejects(cu.load({ store }), failure("unknown", "mine.f"));
    take();
    assert.equal(await cu.loadState(), false);
    assert.match(take().join(), /not loaded/);
    assert.equal(await cu.clearPersistedState(), true);
    await begin({ store });
    assert.equal(await result("return next(_home) == nil"), true);
  });

  test("in turn with loads", async () => {
    const store = await begin();
    await result("_home.n = 1 return 1");
    await cu.saveState();
    const loaded = cu.load({ store });
    const cleared = cu.clearPersistedState(); // of a session that is being closed, or of the next
    assert.deepEqual(await Promise.all([loaded, cleared]), [true, true]);
    cu.init();
    await begin({ store });
    assert.equal(await result("return _home.n"), null);
  });
});

describe("a file as the store, where there is IndexedDB", () => {
  const saved = (n, savedAt) => [
    { id: 1, data: { n: { _type: "binary", data: [2, n, 0, 0, 0, 0, 0, 0, 0] } } },
    { id: "__metadata__", data: { homeTableId: 1, savedAt } },
  ];
  const fill = (records) =>
    new Promise((resolve) => {
      const request = indexedDB.open("LuaPersistentDB");
      request.onupgradeneeded = () => request.result.createObjectStore("externalTables", { keyPath: "id" });
      request.onsuccess = () => {
        const tables = request.result.transaction().objectStore("externalTables");
        for (const record of records) tables.put(record);
        resolve();
      };
    });
  beforeEach(() => (globalThis.indexedDB = memoryIndexedDB()));
  afterEach(() => delete globalThis.indexedDB);

  test("taken over once, and told when an old tab saves again", async () => {
    await fill(saved(1, "first"));
    const store = await begin();
    assert.equal(await result("_home.n = _home.n + 10 return _home.n"), 11);
    assert.equal(await cu.saveState(), true);
    await begin({ store });
    assert.equal(await result("_home.n = _home.n + 10 return _home.n"), 21);
    assert.deepEqual([cu.getLegacyState().newer, cu.getLegacyState().takenOver], [false, "first"]);
    assert.equal(await cu.saveState(), true);
    await fill(saved(2, "second"));
    await begin({ store });
    assert.equal(await result("return _home.n"), 21);
    assert.match(take().join(), /old tab/);
    const report = await cu.takeLegacyState();
    assert.equal(report.entries, 1);
    assert.equal(await result("return _home.n"), 2);
    assert.equal(await cu.clearPersistedState(), true);
    await begin({ store });
    assert.equal(await result("return _home.n"), null);
  });

  test("a store in memory shows it", async () => {
    await fill(saved(1, "first"));
    for (let i = 0; i < 2; i++) {
      await begin({ store: "memory:" });
      assert.equal(await result("return _home.n"), 1);
      assert.equal(await cu.saveState(), true);
    }
  });

  test("with the globals replaced, it can be taken again", async () => {
    await fill(saved(1, "first"));
    await begin();
    await result("local g = _G for k in next, g do if k ~= '_home' and k ~= 'Memory' then g[k] = false end end");
    await fill(saved(2, "second"));
    assert.equal((await cu.takeLegacyState()).home, 1);
    assert.equal(await result("return _home.n"), 2);
  });
});
