/** Stores, in memory and in a file: the same expectations of both. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { describe } from "node:test";
import { Hearth, HearthError, LuaError, failure, newFolder } from "./testing.js";

const places = { memory: () => "memory:", file: () => `file:${join(newFolder(), "store.hearth")}` };

for (const [kind, place] of Object.entries(places)) {
  /** A test with an open store, closed afterwards. */
  const withStore = (name, options, f) => test(`${kind}: ${name}`, async () => {
    const store = place(), hearth = await Hearth.open({ store, ...options });
    try {
      await f(hearth, store);
    } finally {
      await hearth.close();
    }
  });

  describe(kind, () => {
    withStore("get, set and call by paths", {}, async (hearth) => {
      hearth.set("_home.players", [{ name: "ann", "a b": { "c\n\"\\": 1 } }, { name: "bob" }]);
      assert.equal(hearth.get("_home.players[2].name"), "bob");
      assert.equal(hearth.get('_home.players[1]["a b"]["c\\n\\"\\\\"]'), 1);
      assert.equal(hearth.get("_home.players[1]['a b']['c\\x0a\\34\\092']"), 1);
      hearth.run("_home[true] = 'yes' _home[1.5] = 'half' _home[-3] = 'minus' _home['\\xc3\\xbc'] = 'u'");
      assert.deepEqual(["[true]", "[1.5]", "[-3]", "[0x1.8p0]", '["ü"]', '["\\xc3\\xbc"]'].map(
        (step) => hearth.get(`_home${step}`)), ["yes", "half", "minus", "half", "u", "u"]);
      for (const path of ["nothing", "_home.nothing", "_home.nothing.at.all", "_home.players[3].name"])
        assert.equal(hearth.get(path), undefined);
      for (const path of ["", ".", "a.", "a..b", "[1", "a[", "a[]", "a[x]", "a['x", "a['x']b", "a b", "1a", "a['\\q']",
        "a['\\999']", "a.b\0c", "ü"])
        assert.throws(() => hearth.get(path), failure("invalid", "path"), path);
      for (const path of [undefined, 5, {}, null]) {
        assert.throws(() => hearth.get(path), failure("invalid"));
        assert.throws(() => hearth.set(path, 1), failure("invalid"));
        assert.throws(() => hearth.call(path), failure("invalid"));
      }
      assert.throws(() => hearth.get("print.x"), failure("notfound", "print"));
      assert.throws(() => hearth.set("_home.a.b.c", 1), failure("notfound", "nothing is there"));
      assert.throws(() => hearth.call("_home.a.b.c"), failure("notfound"));
      assert.throws(() => hearth.call("_home.a"), failure("raised", "call a nil value"));
      hearth.run("function _home.add(a, b) return a + b, 'x' end");
      assert.deepEqual(hearth.call("_home.add", 1, 2), [3, "x"]);
      hearth.set("_home.players[2].name", undefined);
      assert.equal(hearth.get("_home.players[2].name"), undefined);
      hearth.run("_home.e = ext.table() _home.e.k = {x = 1}");
      assert.equal(hearth.get("_home.e.k").type, "userdata");
      assert.equal(hearth.get("_home.e.k.x"), 1);
      hearth.set("_home.e.n", [1, 2]);
      assert.equal(hearth.get("_home.e.n[2]"), 2);
      hearth.run("_home.proxy = setmetatable({}, {__index = function(_, k) error('no ' .. k, 0) end})");
      assert.throws(() => hearth.get("_home.proxy.x"), failure("raised", "no x"));
    });

    withStore("commit and rollback", {}, async (hearth) => {
      hearth.run("_home.list = {1, 2} " +
        "_home.f = (function() local n = 0 return function() n = n + 1 return n end end)() _home.f()");
      await hearth.commit();
      hearth.run("list = _home.list _home.list[3] = 3 _home.f() _home.new = {}");
      await hearth.rollback();
      assert.deepEqual(hearth.get("_home.list"), [1, 2]);
      assert.deepEqual(hearth.run("return list == _home.list, _home.new, _home.f()"), [true, undefined, 2]);
      for (const durability of ["default", "visible", "complete", "durable"]) {
        hearth.run("_home.n = (_home.n or 0) + 1");
        if (kind === "memory" && durability !== "default" && durability !== "visible") {
          await hearth.commit({ durability }).catch(failure("unsupported"));
          continue;
        }
        await hearth.commit({ durability });
      }
      await assert.rejects(hearth.commit({ durability: "best" }), failure("invalid", "durability"));
      await assert.rejects(hearth.commit({ level: "durable" }), failure("invalid", "level"));
      hearth.set("_home.co", hearth.run("return coroutine.create(print)")[0]);
      await assert.rejects(
        hearth.commit(), (error) => failure("unstorable", "coroutine")(error) && error.path === "_home.co");
      hearth.set("_home.co", undefined);
      hearth.set("_home.js", { deep: [() => 1] });
      await assert.rejects(
        hearth.commit(), (error) => failure("unstorable")(error) && error.path === "_home.js.deep[1]");
      hearth.set("_home.js", undefined);
      await hearth.commit();
      const home = hearth.run("return setmetatable({}, {})")[0];
      hearth.run("saved = _home _home = ...", { args: [home] });
      await assert.rejects(hearth.commit(), failure("replaced"));
      hearth.run("_home = saved");
      await hearth.commit();
      hearth.run("_home.hook = setmetatable({}, {__persist = function() error('hooked') end})");
      await assert.rejects(hearth.commit(), failure("raised", "hooked"));
      await hearth.rollback();
      await hearth.commit();
    });

    withStore("transaction", {}, async (hearth) => {
      hearth.run("_home.n = 0");
      assert.equal(await hearth.transaction((h) => { assert.equal(h, hearth); h.run("_home.n = 1"); return "result"; }),
        "result");
      hearth.run("_home.outside = 1");
      const mine = new TypeError("mine");
      await assert.rejects(hearth.transaction((h) => { h.run("_home.n = 2"); throw mine; }), (error) => error === mine);
      assert.deepEqual(hearth.run("return _home.n, _home.outside"), [1, 1]);
      for (const thrown of [undefined, null, 0, "text", Object.create(null)]) {
        let caught = "nothing";
        await hearth.transaction((h) => { h.run("_home.n = 3"); throw thrown; })
          .catch((exception) => { caught = exception; });
        assert.equal(caught, thrown);
      }
      await assert.rejects(hearth.transaction((h) => h.run("_home.n = 4 error({code = 7})")),
        (error) => error instanceof LuaError && error.value.code === 7);
      assert.equal(hearth.get("_home.n"), 1);
      assert.equal(
        await hearth.transaction(
          (h) => { try { h.run("error('caught')"); } catch { h.run("_home.n = 5"); } return 1; }), 1);
      assert.equal(hearth.get("_home.n"), 5);
      await assert.rejects(hearth.transaction(async (h) => h.run("_home.n = 6")), failure("invalid", "async"));
      assert.equal(hearth.get("_home.n"), 5);
      const inner = [];
      await hearth.transaction((h) => {
        h.run("_home.n = 7");
        for (const f of [() => h.transaction(() => h.run("_home.n = 8")), () => h.commit(), () => h.rollback(),
          () => h.export(), () => h.compact(), () => h.close(), () => h.refresh(), () => h.import(new Uint8Array(1))])
          inner.push(f().then(() => "done", (error) => error.code));
      });
      assert.deepEqual(await Promise.all(inner), new Array(8).fill("busy"));
      assert.equal(hearth.get("_home.n"), 7);
      await assert.rejects(hearth.transaction((h) => h.set("_home.co", h.run("return coroutine.create(print)")[0])),
        failure("unstorable"));
      assert.equal(hearth.get("_home.co"), undefined);
      await assert.rejects(hearth.transaction(), failure("invalid"));
      await hearth.rollback();
      assert.equal(hearth.get("_home.n"), 7);
    });

    withStore("stat", {}, async (hearth) => {
      assert.equal(hearth.stat().savedAt, undefined);
      hearth.run("_home.a = {} _home.e = ext.table()");
      const before = Date.now() - 1000;
      await hearth.commit();
      const stat = hearth.stat();
      assert.equal(stat.backend, kind);
      assert.ok(stat.savedAt.getTime() >= before && stat.savedAt.getTime() <= Date.now() + 1000, `${stat.savedAt}`);
      for (const field of ["homeId", "memoryId", "nextId", "objects", "committedEntries", "committedBytes", "pageSize",
        "luaBytes", "memoryBytes"])
        assert.ok(Number.isSafeInteger(stat[field]) && stat[field] > 0, field);
      assert.equal(stat.memoryId, stat.homeId);
      assert.equal(stat.externals, 1);
      assert.deepEqual(stat.alias, { uses: 0, places: [] });
      for (const field of ["sequence", "durable", "entries", "liveBytes", "totalBytes", "indexBytes", "synced",
        "written"])
        assert.ok(Number.isSafeInteger(stat.storage[field]), field);
      assert.ok(stat.storage.entries > 0);
      await hearth.commit();
      assert.equal(hearth.stat().storage.sequence, stat.storage.sequence, "nothing changed, nothing is written");
    });

    withStore("the alias", { alias: "on", warn() {} }, async (hearth) => {
      assert.deepEqual(hearth.run("return rawequal(Memory, _home)"), [true]);
      hearth.setAlias("off");
      assert.deepEqual(hearth.run("return Memory"), [undefined]);
      hearth.setAlias("track");
      hearth.run("Memory.x = 1\nMemory.y = 2", { name: "=old" });
      const { alias } = hearth.stat();
      assert.equal(alias.uses, 2);
      assert.deepEqual(alias.places.map((place) => place.replace(/^(old:\d+).*/, "$1")), ["old:1", "old:2"]);
      assert.deepEqual(hearth.get("Memory.x"), 1);
      hearth.set("Memory.z", 3);
      assert.deepEqual(hearth.stat().alias, { uses: 4, places: [...alias.places, "[C]"] });
      assert.deepEqual(hearth.run("return _home.z"), [3]);
      assert.throws(() => hearth.set("Memory", 5), /cannot be replaced/);
      assert.throws(() => hearth.run("Memory = 5", { name: "=old" }), /old:1: Memory is a name of the home table/);
      for (const policy of ["bogus", undefined, "toString", 1])
        assert.throws(() => hearth.setAlias(policy), failure("invalid"));
    });

    const lines = [];
    withStore("the alias warns once a place", { alias: "track", warn: (line) => lines.push(line) }, async (hearth) => {
      lines.length = 0; // a store is opened for every kind
      hearth.run("for i = 1, 3 do Memory.x = i end\nMemory.y = 1", { name: "=old" });
      hearth.setAlias("off");
      hearth.setAlias("track");
      hearth.run("Memory.x = 0", { name: "=old" });
      assert.deepEqual(lines, ["old:1: Memory is the old name of _home", "old:2: Memory is the old name of _home"]);
      assert.equal(hearth.stat().alias.uses, 5);
      hearth.setAlias("on");
      hearth.run("Memory = {}");
      await assert.rejects(hearth.commit(), failure("replaced"));
      await hearth.rollback(); // the global, too
      assert.deepEqual(hearth.run("return rawequal(Memory, _home), _home.x"), [true, undefined]);
    });

    withStore("export and import", {}, async (hearth, uri) => {
      const expected = "return _home.shared[1] == _home.shared[2], _home.f(), _home.e.k, " +
        "_home.class.__index == _home.class, getmetatable(_home.o) == _home.class, #_home.big";
      hearth.run(`_home.shared = {{}} _home.shared[2] = _home.shared[1]
        _home.n = 41 function _home.f() return _home.n + 1 end
        _home.e = ext.table() _home.e.k = 'ext'
        _home.class = {} _home.class.__index = _home.class _home.o = setmetatable({}, _home.class)
        _home.big = {} for i = 1, 3000 do _home.big[i] = 'entry ' .. i end`);
      await hearth.commit();
      const results = hearth.run(expected), bytes = await hearth.export();
      assert.deepEqual(await hearth.export(), bytes, "the same each time");
      const other = await Hearth.open({ store: place(), exclusive: kind === "file" });
      const old = other.run("return print")[0];
      await other.import(bytes);
      assert.deepEqual(other.run(expected), results);
      assert.deepEqual(await other.export(), bytes, "what was imported is exported the same");
      assert.throws(() => old("x"), failure("closed"));
      await assert.rejects(other.import(bytes), failure("exists"));
      other.run("_home.n = 99");
      await other.commit();
      const kept = await other.export();
      const copy = (size) => bytes.slice(0, size);
      const damaged = [new Uint8Array(0), new Uint8Array([1, 2, 3]),
        new TextEncoder().encode("This is a text, and no store at all.")];
      for (let size = 1; size < bytes.length; size += Math.max(1, Math.floor(bytes.length / 12)))
        damaged.push(copy(size));
      damaged.push(copy(bytes.length - 1));
      for (let at = 0; at < bytes.length; at += Math.max(1, Math.floor(bytes.length / 12))) {
        const flipped = copy();
        flipped[at] ^= 1 << at % 8;
        damaged.push(flipped);
      }
      for (const bad of damaged) {
        await assert.rejects(other.import(bad, { replace: true }), (error) => error instanceof HearthError &&
          ["damaged", "notstore", "notfound", "version"].includes(error.code) || assert.fail(error));
        assert.equal(other.get("_home.n"), 99);
      }
      assert.deepEqual(await other.export(), kept);
      await other.import(bytes, { replace: true });
      assert.deepEqual(other.run(expected), results);
      other.run("_home.after = 1");
      await other.commit();
      await other.rollback();
      assert.equal(other.get("_home.after"), 1);
      for (const bad of [undefined, "text", [1], {}]) await assert.rejects(other.import(bad), failure("invalid"));
      await assert.rejects(other.import(bytes, { force: true }), failure("invalid"));
      await other.close();
      assert.ok(uri);
    });

    withStore("compact", {}, async (hearth) => {
      hearth.run("_home.big = {} for i = 1, 2000 do _home.big[i] = ('x'):rep(100) .. i end");
      await hearth.commit();
      hearth.run("_home.big = nil _home.kept = 'kept'");
      await hearth.commit();
      const before = hearth.stat().storage.totalBytes;
      await hearth.compact();
      await hearth.compact({ keep: 2 });
      assert.ok(hearth.stat().storage.totalBytes <= before);
      assert.equal(hearth.get("_home.kept"), "kept");
      await assert.rejects(hearth.compact({ keep: -1 }), failure("invalid"));
    });

    test(`${kind}: autocommit`, async () => {
      const errors = [],
        hearth = await Hearth.open({ store: place(), autocommit: { onError: (error) => errors.push(error) } });
      const settle = () => new Promise((resolve) => setTimeout(resolve, 20));
      await settle();
      const before = hearth.stat().storage.sequence;
      for (let i = 0; i < 100; i++) hearth.run("_home.n = ...", { args: [i] });
      assert.equal(hearth.stat().storage.sequence, before, "not at once");
      await settle();
      assert.equal(hearth.stat().storage.sequence, before + 1, "a hundred runs, one commit");
      hearth.set("_home.n", 7);
      await settle();
      hearth.run("function _home.f() _home.n = _home.n + 1 end");
      await settle();
      hearth.call("_home.f");
      await settle();
      assert.equal(hearth.stat().storage.sequence, before + 4);
      const f = hearth.get("_home.f");
      f();
      await settle();
      assert.equal(hearth.stat().storage.sequence, before + 5, "a function called by itself");
      hearth.run("_home.co = coroutine.create(print)");
      await settle();
      assert.deepEqual(errors.map((error) => error.code), ["unstorable"]);
      hearth.run("_home.co = nil _home.n = 100");
      await hearth.close(); // commits what was scheduled
      assert.equal(errors.length, 1);
    });

    test(`${kind}: calls after close, and closing twice`, async () => {
      const hearth = await Hearth.open({ store: place() });
      const [f] = hearth.run("_home.x = 1 return function() end");
      const committing = hearth.commit();
      const closing = hearth.close();
      hearth.run("_home.y = 1"); // still open: nothing was awaited yet
      await Promise.all([committing, closing, hearth.close()]);
      await hearth.close();
      assert.ok(hearth.closed);
      assert.equal(hearth.failure, undefined);
      for (const call of [() => hearth.run("return 1"), () => hearth.capture(""), () => hearth.call("print"),
        () => hearth.get("x"), () => hearth.set("x", 1), () => hearth.encode(1), () => hearth.encodePath("x"),
        () => hearth.decode(new Uint8Array(1)), () => hearth.stat(), () => hearth.setAlias("on"), () => f()])
        assert.throws(call, failure("closed"));
      for (const call of [() => hearth.commit(), () => hearth.rollback(), () => hearth.transaction(() => 1),
        () => hearth.refresh(), () => hearth.compact(), () => hearth.export(), () => hearth.import(new Uint8Array(1))])
        await assert.rejects(call(), failure("closed"));
    });
  });
}

describe("opening", () => {
  test("wrong options and URIs", async () => {
    for (const options of [null, 5, { sotre: "memory:" }, { store: 5 }, { readonly: 1 }, { durability: "best" },
      { alias: "of" }, { autocommit: {} }, { autocommit: { onError() {}, durability: "best" } },
      { autocommit: { onError() {}, more: 1 } }, { autocommit: 1 }, { print: "x" }, { warn: 1 },
      { pageSize: 1 }, { pageSize: 1e9 }, { seal: new Uint8Array(32) }, { modules: 1 }, { sources: 1 }])
      await assert.rejects(Hearth.open(options), failure("invalid"), JSON.stringify(options));
    for (const store of ["", "memory", "file:", "x:y", "sqlite:x", ":"])
      await assert.rejects(Hearth.open({ store }), failure("invalid", "URI"));
    assert.throws(() => new Hearth(), TypeError);
    const hearth = await Hearth.open({ store: undefined, print: undefined });
    assert.equal(hearth.stat().backend, "memory");
    await hearth.close();
  });
  test("the wasm file: bytes, module, URL; what is wrong with it", async () => {
    const url = new URL("hearth.wasm", `${new URL(".", (await import("./testing.js")).packageURL)}`),
      bytes = readFileSync(url);
    for (const wasm of [bytes, await WebAssembly.compile(bytes), url, url.href])
      await (await Hearth.open({ wasm })).close();
    await assert.rejects(Hearth.open({ wasm: new URL("nowhere.wasm", url) }), failure("notfound"));
    await assert.rejects(Hearth.open({ wasm: bytes.subarray(0, 1000) }), failure("damaged"));
    for (const wasm of ["no url", 5, {}]) await assert.rejects(Hearth.open({ wasm }), failure("invalid"));
  });
  test("create, exclusive, readonly and refresh", async () => {
    const path = join(newFolder(), "s"), store = `file:${path}`;
    await assert.rejects(Hearth.open({ store, create: false }), failure("notfound"));
    await assert.rejects(Hearth.open({ store, readonly: true }), failure("notfound"));
    assert.ok(!existsSync(path));
    const hearth = await Hearth.open({ store, exclusive: true });
    hearth.run("_home.x = 1");
    await hearth.commit();
    await assert.rejects(Hearth.open({ store }), failure("busy"));
    const reader = await Hearth.open({ store, readonly: true });
    assert.equal(reader.get("_home.x"), 1);
    reader.run("_home.x = 5");
    await assert.rejects(reader.commit(), failure("readonly"));
    await assert.rejects(reader.import(await hearth.export(), { replace: true }), failure("readonly"));
    hearth.run("_home.x = 2");
    await hearth.commit();
    await reader.refresh();
    assert.equal(reader.get("_home.x"), 2);
    await reader.close();
    await hearth.close();
    await assert.rejects(Hearth.open({ store, exclusive: true }), failure("exists"));
    await (await Hearth.open({ store, create: false })).close();
  });
  test("an import that this program cannot open changes nothing", async () => {
    const store = `file:${join(newFolder(), "s")}`;
    const hearth = await Hearth.open({ store, modules: {} });
    const source = await Hearth.open({ modules: { m: { f() {} } } });
    source.run("_home.f = m.f");
    await source.commit();
    await assert.rejects(hearth.import(await source.export()), failure("unknown", "m"));
    hearth.run("_home.still = 1");
    await hearth.commit();
    await hearth.close();
    await source.close();
  });
  if (Symbol.asyncDispose !== undefined)
    test("Symbol.asyncDispose closes", async () => {
      const hearth = await Hearth.open();
      await hearth[Symbol.asyncDispose]();
      assert.ok(hearth.closed);
    });
});

describe("encode and decode", () => {
  test("data, flags, paths", async () => {
    const hearth = await Hearth.open();
    const value = { a: [1, 2.5, "ü", new Uint8Array([255])], m: new Map([[true, 1], [2 ** 40, 2]]), big: 2n ** 60n };
    value.self = value;
    const back = hearth.decode(hearth.encode(value));
    assert.equal(back.self, back);
    assert.deepEqual({ ...back, self: 0 }, { ...value, self: 0 });
    assert.ok(hearth.encode(value) instanceof Uint8Array);
    assert.deepEqual(hearth.encode({ x: 1, y: 2 }, { canonical: true }),
      hearth.encode({ y: 2, x: 1 }, { canonical: true }));
    hearth.run("local n = 40 function f() n = n + 1 return n end");
    const bytes = hearth.encodePath("f");
    assert.ok(hearth.encodePath("f", { strip: true }).length < bytes.length);
    assert.throws(() => hearth.decode(bytes), failure("refused"));
    for (const options of [{ trusted: true }, { functions: true, permanents: true }])
      assert.deepEqual(hearth.decode(bytes, options)(), [41]);
    assert.throws(() => hearth.decode(hearth.encodePath("print")), failure("refused"));
    assert.equal(hearth.decode(hearth.encodePath("print"), { permanents: true }), hearth.get("print"));
    hearth.run("o = setmetatable({}, {})");
    assert.throws(() => hearth.decode(hearth.encodePath("o")), failure("refused"));
    hearth.decode(hearth.encodePath("o"), { metatables: true });
    assert.equal(hearth.decode(hearth.encodePath("nothing.there")), undefined);
    assert.throws(() => hearth.encode(() => 1), failure("unstorable"));
    assert.throws(() => hearth.encode(1, { bogus: true }), failure("invalid"));
    assert.throws(() => hearth.decode(hearth.encode(1), { all: true }), failure("invalid"));
    for (const bad of [undefined, "text", [1]]) assert.throws(() => hearth.decode(bad), failure("invalid"));
    const whole = hearth.encode(value);
    for (let size = 0; size < whole.length; size++)
      assert.throws(() => hearth.decode(whole.subarray(0, size)),
        (error) => error instanceof HearthError && error.code === "damaged");
    assert.throws(() => hearth.decode(whole.subarray(0, 5)), (error) => typeof error.position === "number");
    await hearth.close();
  });
});

describe("the seal", () => {
  const hmac = (key) => (bytes) => new Uint8Array(createHmac("sha256", key).update(bytes).digest());
  test("functions need their seal", async () => {
    const path = join(newFolder(), "sealed"), store = `file:${path}`;
    let hearth = await Hearth.open({ store, seal: hmac("key") });
    hearth.run("_home.n = 1 function _home.f() return 42 end");
    await hearth.commit();
    await hearth.close();
    hearth = await Hearth.open({ store, seal: hmac("key") });
    assert.deepEqual(hearth.call("_home.f"), [42]);
    const bytes = hearth.encodePath("_home.f");
    assert.deepEqual(hearth.decode(bytes, { trusted: true })(), [42]);
    await hearth.close();
    await assert.rejects(Hearth.open({ store, seal: hmac("other") }), failure("seal"));
    const plain = await Hearth.open();
    plain.run("f = function() end");
    const unsealed = plain.encodePath("f");
    await plain.close();
    hearth = await Hearth.open({ seal: hmac("key") });
    assert.throws(() => hearth.decode(unsealed, { trusted: true }), failure("seal"));
    await hearth.close();
  });
  test("a seal that throws, has another size, or goes back to Lua: nothing unsealed is stored", async () => {
    const path = join(newFolder(), "sealed"), store = `file:${path}`;
    let mood = "well", hearth;
    const seal = (bytes) => {
      if (mood === "throws") throw new RangeError("mine");
      if (mood === "short") return new Uint8Array(31);
      if (mood === "nothing") return undefined;
      if (mood === "lua") hearth.run("_home.n = 2");
      return hmac("key")(bytes);
    };
    hearth = await Hearth.open({ store, seal });
    for (mood of ["throws", "short", "nothing", "lua"]) {
      hearth.run("_home.n = 1 _home.f = load('return 42')");
      await assert.rejects(
        hearth.commit(), (error) => failure("seal", "failed")(error) && error.cause instanceof Error);
      assert.equal(hearth.get("_home.n"), 1);
    }
    mood = "well";
    await hearth.commit();
    await hearth.close();
    mood = "throws";
    await assert.rejects(Hearth.open({ store, seal }), failure("seal", "failed"));
    mood = "well";
    hearth = await Hearth.open({ store, seal });
    assert.deepEqual(hearth.call("_home.f"), [42]);
    await hearth.close();
  });
});

test("other options: functions, strip, pageSize, placeholders", async () => {
  const store = `file:${join(newFolder(), "s")}`;
  let hearth = await Hearth.open({ store, strip: true, pageSize: 512 });
  assert.equal(hearth.stat().pageSize, 512);
  hearth.run("function _home.f() error('x') end _home.big = {} for i = 1, 500 do _home.big[i] = i end");
  await hearth.commit();
  await hearth.close();
  await assert.rejects(Hearth.open({ store, functions: false }), failure("refused"));
  hearth = await Hearth.open({ store, placeholders: true });
  // no line is known
  assert.throws(() => hearth.call("_home.f"), (error) => failure("raised")(error) && error.message === "x");
  await hearth.close();
  writeFileSync(store.slice(5), "no store");
  await assert.rejects(Hearth.open({ store }), failure("notstore"));
});

test("what a program replaced comes back with the rest", async () => {
  const hearth = await Hearth.open();
  hearth.run("_home.n = 1");
  await hearth.commit();
  for (const name of ["_home", "ext"])
    assert.throws(() => hearth.set(name, { a: 1 }), failure("invalid", "not to be replaced"));
  hearth.run("_home = {}");
  await assert.rejects(hearth.commit(), failure("replaced"));
  await hearth.rollback();
  assert.equal(hearth.get("_home.n"), 1);
  await assert.rejects(hearth.transaction(() => hearth.run("_home = {} error 'no'")), failure("raised", "no"));
  assert.equal(hearth.get("_home.n"), 1);
  await assert.rejects(hearth.transaction(() => hearth.run("_home = nil")), failure("replaced"));
  hearth.run("_home.n = _home.n + 1");
  await hearth.commit();
  assert.equal(hearth.get("_home.n"), 2);
  await hearth.close();
});

test("modules do not take the place of others", async () => {
  for (const name of ["string", "_home", "print"])
    await assert.rejects(Hearth.open({ modules: { [name]: { f() {} } } }),
      failure("raised", `something else named '${name}'`));
  await assert.rejects(Hearth.open({ modules: { ui: { a: 5 } } }), failure("invalid", "modules"));
});

test("an async function of a transaction is refused, and what it throws later harms nobody", async () => {
  const hearth = await Hearth.open();
  const late = async () => {
    await undefined;
    throw new Error("late");
  };
  await assert.rejects(hearth.transaction(late), failure("invalid", "async"));
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.throws(() => hearth.run("error('two\\nlines', 0)"), (error) => error.message === "two\nlines");
  await hearth.close();
});
