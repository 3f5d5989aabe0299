/** The drop-in module hearth-lua/cu in Chromium: what the legacy release promised, tabs, and pages that are left. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { begin, call, compute, fill, FIRST, freshPage, loadModules, reload, told } from "./legacy_testing.js";

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
