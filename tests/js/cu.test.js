/** The drop-in module hearth-lua/cu in Node: what both legacy interfaces compute and show. */
import assert from "node:assert/strict";
import test, { describe } from "node:test";
import { promises } from "./cu_promises.js";
import { begin, compute, cu, newStore, result, take } from "./cu_testing.js";
import { Hearth, failure } from "./testing.js";

test("before load", async () => {
  for (const name of [
    "init",
    "getBufferPtr",
    "getBufferSize",
    "getMemoryStats",
    "runGc",
    "getIoTableId",
    "getOutput",
    "getHearth",
  ])
    assert.throws(() => cu[name](), /not loaded/, name);
  for (const call of [
    () => cu.readBuffer(0, 1),
    () => cu.readResult(0, 1),
    () => cu.writeBuffer(0, "x"),
    () => cu.setInput(1),
    () => cu.setMetadata(1),
  ])
    assert.throws(call, /not loaded/);
  assert.equal(await cu.saveState(), false);
  assert.match(take().join(), /not loaded/);
  assert.equal(await cu.loadState(), true, "load() reads it");
  assert.equal(await cu.clearPersistedState(), false);
  assert.match(take().join(), /clearPersistedState.*no IndexedDB/);
  assert.deepEqual(cu.getTableInfo(), {
    tableCount: 0,
    homeTableId: null,
    memoryTableId: null,
    nextTableId: 1,
    tables: [],
  });
  assert.equal(cu.getMemoryTableId(), null);
  assert.equal(cu.clearIo(), undefined);
  assert.ok((await cu.compute("return 1")) < 0);
  assert.match(take().join(), /not loaded/);
});

test("both interfaces: names, the default export", () => {
  const of20 = [
    "loadLuaWasm",
    "init",
    "compute",
    "getBufferPtr",
    "getBufferSize",
    "getMemoryStats",
    "runGc",
    "readBuffer",
    "readResult",
    "writeBuffer",
    "saveState",
    "loadState",
    "clearPersistedState",
    "getTableInfo",
    "getMemoryTableId",
    "setMemoryAliasEnabled",
    "getHomeTableId",
  ];
  const of21 = ["load", "getIoTableId", "setInput", "getOutput", "setMetadata", "clearIo"];
  for (const name of [...of20, ...of21]) {
    assert.equal(typeof cu[name], "function", name);
    assert.equal(cu.default[name], cu[name], name);
  }
  assert.deepEqual(
    Object.keys(cu.default).sort(),
    Object.keys(cu)
      .filter((name) => name !== "default")
      .sort(),
  );
});

for (const alias of [true, false])
  test(`what 2.0.0 promised, with the alias ${alias ? "on" : "off"}`, async () => {
    const results = await promises(cu, { store: newStore() }, alias);
    assert.deepEqual(
      results.map(({ number }) => number),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
    );
    assert.deepEqual(
      results.filter((one) => one.failure !== undefined),
      [],
    );
    cu.setMemoryAliasEnabled(true);
    assert.match(take().join(), /"Memory" is deprecated/);
  });

describe("computing", () => {
  test("results: the last value, what was printed", async () => {
    await begin();
    const values = [
      ["nil", null],
      ["true", true],
      ["false", false],
      ["0", 0],
      ["-1", -1],
      ["2.0", 2],
      ["0.5", 0.5],
      ["1/0", Infinity],
      ["2^53", 2 ** 53],
      ["math.maxinteger", 2n ** 63n - 1n],
      ["math.mininteger", -(2n ** 63n)],
      ["''", ""],
      ["'10'", "10"],
      ["'h\\u{e9}\\0'", "h\u00e9\0"],
      ["{}", "<table>"],
      ["_home", "<table>"],
      ["print", "<function>"],
      ["function() end", "<function>"],
      ["io.stdout", "<userdata>"],
      ["coroutine.create(print)", "<thread>"],
      ["1, 2, nil", null],
      ["nil, 3", 3],
      ["'a\\xff'", Uint8Array.of(97, 255)],
    ];
    for (const [code, expected] of values)
      assert.deepEqual(
        await compute(`return ${code}`).then(({ output, result: value }) => [output, value]),
        ["", expected],
        code,
      );
    assert.ok(Object.is(await result("return -0.0"), -0));
    assert.ok(Number.isNaN(await result("return 0/0")));
    assert.equal((await compute("return 1")).length, 13, "as many bytes as in the legacy layout");
    assert.deepEqual(await compute("print('a', 1, nil, true) print() io.write('b') return 'c'"), {
      length: 4 + 15 + 6,
      output: "a\t1\tnil\ttrue\n\nb",
      result: "c",
    });
    assert.deepEqual(await compute("local x = 1"), { length: 5, output: "", result: null });
  });

  test("more than the buffer holds is not cut off", async () => {
    await begin();
    assert.equal(cu.getBufferSize(), 65536);
    const long = "x".repeat(200000);
    const { output, result: value } = await compute(`print(("y"):rep(100000)) return ("x"):rep(200000)`);
    assert.equal(output, "y".repeat(100000) + "\n");
    assert.equal(value, long);
    assert.equal(await result(`return #"${long}"`), 200000);
    assert.equal(await result(`_home.long = ("x"):rep(200000) return #_home.long`), 200000);
  });

  test("errors: a negative count, the message, and everything goes on", async () => {
    await begin();
    const fails = async (code, message) => {
      const { length, error } = await compute(code);
      assert.equal(-length, new TextEncoder().encode(error).length);
      assert.match(error, message);
      assert.equal(take().join(), `compute() failed: ${error.slice("Error: ".length)}`);
    };
    await fails("_home.x = 1 error('oops')", /^Error: \[string ".*"\]:1: oops$/);
    assert.equal(await result("return _home.x"), 1, "what was done before stays");
    await fails("this is no Lua", /^Error: .*syntax error/);
    await fails("return nil + 1", /^Error: .*arithmetic on a nil value/);
    await fails("error({})", /^Error: /);
    await fails("error({code = 5})", /^Error: /);
    await fails("error(nil)", /^Error: /);
    await fails("error('h\u00e9', 0)", /^Error: h\u00e9$/);
    await fails("local function f() return f() + 1 end f()", /stack overflow/);
    assert.equal(await result("return select(2, pcall(error, 'caught'))"), "caught");
    for (const code of ["", undefined, null, 5, {}]) await assert.rejects(cu.compute(code), /non-empty string/);
    const { length } = await compute("error('x', 0)");
    take();
    assert.deepEqual(
      cu.readResult(cu.getBufferPtr(), length),
      { output: "", result: null },
      "what a page does that does not look",
    );
    assert.match(take().join(), /readResult/);
  });

  test("messages name the code as Lua does that gets no other name", async () => {
    await begin();
    for (const code of [
      "error('x')",
      `error("${"x".repeat(200)}")`,
      "error('x')\n",
      "local a = 1\nerror('x')",
      "=name",
      "\nerror('x')",
    ]) {
      const expected = cu
        .getHearth()
        .run("local code = ... local f, m = load(code) if f then _, m = pcall(f) end return m", { args: [code] });
      assert.equal((await compute(code)).error, `Error: ${expected[0]}`);
      take();
    }
  });

  test("before init", async () => {
    await cu.load({ store: newStore() });
    assert.match((await compute("return 1")).error, /^Error: not initialised/);
    take();
    assert.equal(cu.init(), 0);
    assert.equal(cu.init(), 0);
    assert.equal(await result("return 1"), 1);
  });

  test("the buffer", async () => {
    await begin();
    const ptr = cu.getBufferPtr();
    assert.ok(ptr > 0);
    assert.equal(cu.writeBuffer(ptr, "h\u00e9arth"), 7);
    assert.equal(cu.readBuffer(ptr, 7), "h\u00e9arth");
    assert.equal(cu.writeBuffer(ptr + 3, "X"), 1);
    assert.equal(cu.readBuffer(ptr, 4), "h\u00e9X");
    assert.throws(() => cu.writeBuffer(ptr, "x".repeat(1e6)), RangeError);
    assert.throws(() => cu.writeBuffer(0, "x"), RangeError);
    for (const [at, length] of [
      [ptr, -1],
      [ptr, 1e9],
      [0, 1],
      [-1, 1],
      [NaN, 1],
    ]) {
      assert.equal(cu.readBuffer(at, length), "");
      assert.match(take().join(), /readBuffer/);
    }
    cu.writeBuffer(ptr, "\uffff".repeat(30));
    assert.deepEqual(cu.readResult(ptr, 20), { output: "", result: null }, "no result");
    assert.match(take().join(), /no result/);
    assert.deepEqual(cu.readResult(ptr, 0), { output: "", result: null });
  });

  test("a session does not grow: 3,000 computations", async () => {
    await begin();
    const used = () => {
      cu.runGc();
      return cu.getMemoryStats();
    };
    for (let i = 0; i < 100; i++) await result("local t = {} for i = 1, 1000 do t[i] = 'text ' .. i end return #t");
    const before = used();
    for (let i = 0; i < 3000; i++) await result("local t = {} for i = 1, 1000 do t[i] = 'text ' .. i end return #t");
    const { used: now, total, free } = used();
    assert.ok(now < before.used * 1.5, `${before.used} then ${now}`);
    assert.equal(total, before.total);
    assert.equal(free, total - now);
    assert.equal(cu.runGc(), true);
  });
});

describe("tables", () => {
  test("getTableInfo", async () => {
    await begin();
    const empty = cu.getTableInfo();
    assert.deepEqual(empty, {
      tableCount: 1,
      homeTableId: 1,
      memoryTableId: 1,
      nextTableId: 3,
      tables: [{ id: 1, size: 0, keys: [] }],
    });
    await result("_home.a = {1, 2, x = 3} _home.a.back = _home _home[5] = {} return 1");
    cu.setInput([1]);
    const info = cu.getTableInfo(),
      ids = () =>
        cu
          .getTableInfo()
          .tables.map(({ id, size }) => [id, size])
          .sort();
    const known = ids();
    assert.equal(info.tableCount, 5);
    assert.equal(info.nextTableId, 6);
    const home = info.tables.find(({ id }) => id === 1);
    assert.deepEqual(home.keys.sort(), ["5", "a"]);
    assert.deepEqual(info.tables.find(({ id }) => id === cu.getIoTableId()).keys, ["input"]);
    assert.deepEqual(info.tables.find(({ size }) => size === 4).keys.sort(), ["1", "2", "back", "x"]);
    assert.deepEqual(ids(), known, "ids stay");
  });
});

describe("_io", () => {
  test("what refers to it finds it again, and what is in it is not stored", async () => {
    const store = await begin();
    await result(`
      local io = _io
      function _home.input() return io.input end
      _home.chan, _home.self = _io, {_io} return 1`);
    cu.setInput("the first");
    assert.equal(await result("return _home.input()"), "the first");
    assert.equal(await cu.saveState(), true);
    const check = async () => {
      assert.equal(await result("return rawequal(_home.chan, _io) and rawequal(_home.self[1], _io)"), true);
      assert.equal(await result("return next(_io) == nil"), true);
      cu.setInput("the second");
      assert.equal(await result("return _home.input() .. _home.chan.input"), "the secondthe second");
    };
    await begin({ store });
    await check();
    assert.equal(await cu.loadState(), true);
    assert.equal(await result("return rawequal(_home.chan, _io)"), true);
    await cu.getHearth().close();
    const owner = await Hearth.open({ store, placeholders: true });
    await cu.load({ store });
    cu.init();
    assert.match(take().join(), /not saved/);
    await check();
    await owner.close();
    await cu.getHearth().close();
    await assert.rejects(Hearth.open({ store }), failure("unknown", "'_io'"));
    const named = await Hearth.open({
      store,
      sources: { cu_io: '_io = {} require("hearth").register_permanent("_io", _io) return {}' },
    });
    assert.equal(named.run("_io.input = 5 return _home.input()")[0], 5);
    await named.close();
  });

  test("input, output and meta", async () => {
    const store = await begin();
    assert.equal(cu.getOutput(), null);
    cu.setInput({
      user: { name: "Bob", tags: ["a", "b"] },
      items: [10, 20],
      ratio: 0.5,
      on: true,
      none: null,
      big: 2n ** 60n,
    });
    cu.setMetadata({ version: "1.0" });
    assert.equal(
      await result("return _io.input.user.name .. #_io.input.user.tags .. _io.input.items[2] .. _io.meta.version"),
      "Bob2201.0",
    );
    assert.equal(
      await result(
        "return _io.input.ratio == 0.5 and _io.input.on and _io.input.none == nil and _io.input.big == 1 << 60",
      ),
      true,
    );
    await result(
      `_io.output = {result = "x", n = {1, 2.5, {}}, [3] = true, big = math.maxinteger, bytes = "\\xff", f = print}
      return 1`,
    );
    assert.deepEqual(cu.getOutput(), {
      result: "x",
      n: [1, 2.5, []],
      3: true,
      big: 2n ** 63n - 1n,
      bytes: Uint8Array.of(255),
      f: null,
    });
    await result("_io.output = 42 return 1");
    assert.equal(cu.getOutput(), 42);
    assert.equal(cu.clearIo(), undefined);
    assert.equal(await result("return next(_io) == nil"), true);
    assert.equal(cu.getOutput(), null);
    assert.equal(cu.getIoTableId(), 2);
    cu.setInput("kept in this session");
    await cu.saveState();
    await begin({ store });
    assert.equal(await result("return _io.input == nil and _home._io == nil"), true);
  });

  test("what the legacy interface passed badly or not at all", async () => {
    await begin();
    const cycle = { name: "cycle" };
    cycle.me = cycle;
    cu.setInput(cycle);
    assert.equal(await result("_io.output = _io.input return rawequal(_io.input.me, _io.input)"), true);
    const out = cu.getOutput();
    assert.equal(out.me, out);
    cu.setInput({
      1: "one",
      "-5": "minus",
      "01": "text",
      1.5: "half",
      __proto__: null,
      "9223372036854775808": "beyond",
      f() {},
      s: Symbol("x"),
      d: new Date(0),
      half: "\ud800",
      m: new Map([
        ["7", 7],
        [true, 1],
      ]),
      set: new Set([1]),
      bytes: Uint8Array.of(255),
    });
    assert.equal(
      await result(`local i = _io.input
      return i[1] == "one" and i[-5] == "minus" and i["01"] == "text" and i["1.5"] == "half"
        and i["9223372036854775808"] == "beyond" and i.f == nil and i.s == nil and next(i.d) == nil
        and i.half == "\\u{fffd}" and i.m[7] == 7 and i.m[true] == 1 and i.set[1] == 1 and i.bytes == "\\xff"`),
      true,
    );
    await result("_io.output = {[true] = 1, [1] = 2, ['1'] = 3, release = print, type = 'x'} return 1");
    const mixed = cu.getOutput();
    assert.ok(mixed instanceof Map, '1 and "1" have one text');
    assert.deepEqual([mixed.get(true), mixed.get(1), mixed.get("1"), mixed.get("release")], [1, 2, 3, null]);
    await result("_io.output = {release = print, type = 'x'} return 1");
    assert.deepEqual(cu.getOutput(), { release: null, type: "x" });
    assert.throws(() => cu.setInput(2n ** 70n), failure("invalid"));
    const list = Array.from({ length: 100000 }, (_, id) => ({ id, value: id / 2 }));
    cu.setInput({ list });
    await result("_io.output = _io.input.list return 1");
    assert.deepEqual(cu.getOutput(), list);
    await begin({ keys: "text" });
    cu.setInput({ 1: "one" });
    assert.equal(await result("return _io.input['1'] == 'one' and _io.input[1] == nil"), true);
  });
});

test("load() of something that is no object with options", async () => {
  for (const [given, told] of [[null, "null"], ["./lua.wasm", "a string"]]) {
    assert.equal(await cu.load(given), true);
    const said = take();
    assert.equal(said.length, 2, said.join());
    assert.match(said[0], new RegExp(`an object with options, and was given ${told}`));
    assert.match(said[1], /no IndexedDB/);
  }
});
