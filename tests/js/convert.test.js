/** Every row of the table of values in hearth.d.ts, both ways. */
import assert from "node:assert/strict";
import test, { after, describe } from "node:test";
import { Hearth, HearthError, failure, runNode } from "./testing.js";

const hearth = await Hearth.open();
after(() => hearth.close());

/** The value of a Lua expression. */
const lua = (expression) => hearth.run(`return ${expression}`)[0];
/** A JavaScript value there and back. */
const echo = (value) => hearth.run("return ...", { args: [value] })[0];
/** What Lua says of a value: its type, and math.type of a number. */
const typeOf = (value) => hearth.run("return math.type(...) or type(...)", { args: [value] })[0];
/** Is the value, in Lua, what the expression gives? */
const isInLua = (value, expression) =>
  hearth.run(`return rawequal(..., ${expression}) and math.type(...) == math.type(${expression})`,
  { args: [value] })[0];

describe("numbers", () => {
  const safe = [0, 1, -1, 127, 128, 255, 256, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 32 - 1, 2 ** 32,
    2 ** 53 - 1, -(2 ** 53) + 1];
  for (const n of safe) {
    test(`the integer ${n}`, () => {
      assert.equal(lua(`${n}`), n);
      assert.ok(isInLua(n, `${n}`));
      assert.equal(typeOf(n), "integer");
      assert.ok(isInLua(BigInt(n), `${n}`), "as a bigint");
      assert.equal(echo(BigInt(n)), n);
    });
  }
  const beyond =
    [2n ** 53n, 2n ** 53n + 1n, -(2n ** 53n), -(2n ** 53n) - 1n, 2n ** 62n, 2n ** 63n - 1n, -(2n ** 63n) + 1n];
  for (const n of beyond) {
    test(`the integer ${n} is a bigint`, () => {
      assert.equal(lua(`${n}`), n);
      assert.ok(isInLua(n, `${n}`));
      assert.equal(echo(n), n);
    });
  }
  test("the least integer", () => {
    assert.equal(lua("math.mininteger"), -(2n ** 63n));
    assert.ok(isInLua(-(2n ** 63n), "math.mininteger"));
  });
  for (const n of [2n ** 63n, -(2n ** 63n) - 1n, 2n ** 64n, 10n ** 100n])
    test(`${n} is refused`, () => assert.throws(() => echo(n), failure("invalid", "64 bits")));
  for (const n of [0.5, -1.25, 1e300, 5e-324, Number.MAX_VALUE, Math.PI, 2 ** 53, 2 ** 53 + 2, 2 ** 63, -(2 ** 70)]) {
    test(`the float ${n}`, () => {
      assert.equal(typeOf(n), "float");
      assert.equal(echo(n), n);
    });
  }
  test("-0, NaN and infinities are floats", () => {
    assert.ok(Object.is(echo(-0), -0));
    assert.equal(typeOf(-0), "float");
    assert.ok(Object.is(lua("-0.0"), -0));
    assert.ok(Number.isNaN(echo(NaN)));
    assert.ok(Number.isNaN(lua("0/0")));
    assert.equal(hearth.run("local n = ... return n ~= n", { args: [NaN] })[0], true);
    assert.equal(echo(Infinity), Infinity);
    assert.equal(lua("-math.huge"), -Infinity);
  });
  test("a float that is whole comes back as an integer", () => {
    assert.equal(lua("2.0"), 2);
    assert.equal(typeOf(lua("2.0")), "integer");
  });
});

describe("nil and booleans", () => {
  test("undefined and null are nil", () => {
    assert.equal(typeOf(undefined), "nil");
    assert.equal(typeOf(null), "nil");
    assert.deepEqual(hearth.run("return nil, true, nil, false, nil"), [undefined, true, undefined, false, undefined]);
    assert.equal(hearth.run("return select('#', ...)", { args: [undefined, null, undefined] })[0], 3);
  });
  test("booleans", () => {
    assert.equal(echo(true), true);
    assert.equal(echo(false), false);
  });
});

describe("strings", () => {
  const texts = ["", "a", "\0", "a\0b", "ü", "€", "😀", "\u{10ffff}", "\ufeffwith a byte order mark", "\ufffd",
    "\ufffe\uffff", "e\u0301", "x".repeat(24), "x".repeat(25), "ü".repeat(12), "ü".repeat(13), "€".repeat(100000)];
  test("texts of all kinds come back, and have their bytes in Lua", () => {
    for (const text of texts) {
      assert.equal(echo(text), text);
      assert.deepEqual(hearth.run("return {string.byte(..., 1, 64)}", { args: [text] })[0],
        text === "" ? {} : [...new TextEncoder().encode(text).subarray(0, 64)]);
    }
  });
  /* As tests of UTF-8 decoders have them: too long forms, surrogates, beyond U+10FFFF, cut, alone, in the middle. */
  const broken = ["80", "bf", "c0 80", "c1 bf", "c2", "c2 41", "e0 80 80", "e0 9f bf", "e1 80", "e1 80 41", "ed a0 80",
    "ed bf bf", "ed a0 80 ed b0 80", "f0 80 80 80", "f0 8f bf bf", "f1 80 80", "f1 80 80 41", "f4 90 80 80",
    "f5 80 80 80", "f8 88 80 80 80", "fc 84 80 80 80 80", "fe", "ff", "61 ff 62", "c3 bc ff"];
  test("bytes that are no UTF-8 are a Uint8Array, and come back as they are", () => {
    for (const hex of broken) {
      const bytes = Uint8Array.from(hex.split(" "), (byte) => Number.parseInt(byte, 16));
      const escaped = hex.split(" ").map((byte) => `\\x${byte}`).join("");
      assert.throws(() => new TextDecoder("utf-8", { fatal: true }).decode(bytes), TypeError);
      assert.deepEqual(lua(`"${escaped}"`), bytes, hex);
      assert.ok(isInLua(bytes, `"${escaped}"`), hex);
    }
  });
  test("the borders of valid UTF-8 are text", () => {
    for (const code of [0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff])
      assert.equal(lua(`utf8.char(${code})`), String.fromCodePoint(code));
  });
  test("a Uint8Array becomes a string; as valid UTF-8 it comes back as text", () => {
    assert.equal(echo(new Uint8Array([0x61, 0xc3, 0xbc])), "aü");
    assert.equal(echo(new Uint8Array(0)), "");
    const part = new Uint8Array([1, 2, 0xff, 4]).subarray(2, 3);
    assert.deepEqual(echo(part), new Uint8Array([0xff]));
    assert.deepEqual(echo(Buffer.from([0xff, 0xfe])), new Uint8Array([0xff, 0xfe]));
  });
  test("bytes that come are a copy of their own", () => {
    const bytes = lua('"\\xff\\xfe"');
    hearth.run("collectgarbage()", { args: ["x".repeat(10000)] });
    assert.equal(bytes.buffer.byteLength, 2);
    assert.deepEqual(bytes, new Uint8Array([0xff, 0xfe]));
  });
  test("half of a surrogate pair is refused, as a value and as a key", () => {
    for (const text of ["\ud800", "a\udfff", "\ud800a", "\udc00\ud800"]) {
      assert.throws(() => echo(text), failure("invalid", "surrogate"));
      assert.throws(() => echo({ [text]: 1 }), failure("invalid", "surrogate"));
    }
  });
  test("all two-byte strings are what TextDecoder says", () => {
    const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    const all = hearth.run(`local t = {} for i = 0, 65535 do t[i + 1] = string.char(i >> 8, i & 255) end return t`)[0];
    all.forEach((value, i) => {
      const bytes = new Uint8Array([i >> 8, i & 255]);
      let text;
      try {
        text = strict.decode(bytes);
      } catch {
        text = undefined;
      }
      if (text === undefined) assert.deepEqual(value, bytes);
      else assert.equal(value, text);
    });
  });
});

describe("tables to JavaScript", () => {
  test("a sequence is an array, an empty table an object", () => {
    assert.deepEqual(lua("{1, 'x', true}"), [1, "x", true]);
    assert.deepEqual(lua("{}"), {});
    assert.ok(!Array.isArray(lua("{}")));
    assert.deepEqual(lua("{[1.0] = 'a', [2] = 'b'}"), ["a", "b"]);
  });
  test("string keys alone make an object, those that look like numbers too", () => {
    assert.deepEqual(lua("{a = 1, ['b c'] = 2, [''] = 3}"), { a: 1, "b c": 2, "": 3 });
    assert.deepEqual(lua("{['1'] = 'x', ['2'] = 'y'}"), { 1: "x", 2: "y" });
  });
  test("whatever else is a Map", () => {
    assert.deepEqual(lua("{1, x = 2}"), new Map([[1, 1], ["x", 2]]));
    assert.deepEqual(lua("{[0] = 1}"), new Map([[0, 1]]));
    assert.deepEqual(lua("{[2] = 1}"), new Map([[2, 1]]));
    assert.deepEqual(lua("{1, nil, 3}"), new Map([[1, 1], [3, 3]]));
    assert.deepEqual(lua("{[1.5] = 1}"), new Map([[1.5, 1]]));
    assert.deepEqual(lua("{[true] = 1, [false] = 2}"), new Map([[true, 1], [false, 2]]));
    assert.deepEqual(lua("{[math.mininteger] = 1}"), new Map([[-(2n ** 63n), 1]]));
    const map = lua("{['\\xff'] = 1}");
    assert.deepEqual([...map.keys()], [new Uint8Array([0xff])]);
  });
  test("names that JavaScript's objects have are keys like others", () => {
    const object = lua("{__proto__ = {x = 1}, constructor = 2, toString = 3, hasOwnProperty = 4}");
    assert.deepEqual(Object.keys(object).sort(), ["__proto__", "constructor", "hasOwnProperty", "toString"]);
    assert.equal(Object.getPrototypeOf(object), Object.prototype);
    assert.equal(object.x, undefined);
    assert.equal(Object.getOwnPropertyDescriptor(object, "__proto__").value.x, 1);
    assert.equal(hearth.run("local t = ... return t.__proto__.x + t.constructor", { args: [object] })[0], 3);
  });
  test("metatables are not asked", () => {
    assert.deepEqual(lua("setmetatable({a = 1}, {__index = error, __len = error, __pairs = error, __metatable = 1})"),
      { a: 1 });
  });
  test("shared and cyclic tables stay so", () => {
    const [a, b] = hearth.run("local s = {} local t = {s, s, {s = s}} t[4] = t t[{}] = t return t, s");
    assert.ok(a instanceof Map);
    assert.equal(a.get(1), b);
    assert.equal(a.get(2), b);
    assert.equal(a.get(3).s, b);
    assert.equal(a.get(4), a);
    assert.equal([...a].find(([key]) => typeof key === "object")[1], a);
    const [array] = hearth.run("local t = {} t[1] = t return t");
    assert.equal(array[0], array);
  });
});

describe("tables from JavaScript", () => {
  test("arrays, with holes", () => {
    assert.equal(hearth.run("local t = ... return #t == 3 and t[3]", { args: [[1, 2, 3]] })[0], 3);
    assert.deepEqual(hearth.run("local t = ... return t[1], t[2], t[3], next({})", { args: [[1, , 3]] }),
      [1, undefined, 3, undefined]);
    assert.deepEqual(echo([1, undefined, 3]), new Map([[1, 1], [3, 3]]));
    assert.deepEqual(echo([undefined]), {});
  });
  test("objects: own enumerable properties with text keys; undefined ones are not there", () => {
    const object = Object.create(null);
    object.a = 1;
    object.b = undefined;
    Object.defineProperty(object, "hidden", { value: 1 });
    object[Symbol("s")] = 1;
    assert.deepEqual(echo(object), { a: 1 });
    assert.deepEqual(hearth.run("local t = ... return t['1'], t[1]", { args: [{ 1: "x" }] }), ["x", undefined]);
    assert.deepEqual(echo({ get a() { return 7; } }), { a: 7 });
  });
  test("a Map has keys of all kinds", () => {
    const key = {}, f = () => 1;
    const [back, k] = hearth.run("local t, k, f = ... return {t[1], t[1.5], t['1'], t[true], t[k], t[f]}, k", {
      args: [new Map([[1, "i"], [1.5, "f"], ["1", "s"], [true, "b"], [key, "t"], [f, "fn"]]), key, f],
    });
    assert.deepEqual(back, ["i", "f", "s", "b", "t", "fn"]);
    assert.deepEqual(k, {});
    assert.deepEqual(echo(new Map([[1n, "a"], [2, "b"]])), ["a", "b"]);
    assert.deepEqual(echo(new Map([[-0, "zero"]])), new Map([[0, "zero"]]));
    assert.deepEqual(echo(new Map()), {});
  });
  test("keys that Lua's tables cannot have are refused", () => {
    for (const key of [NaN, undefined, null])
      assert.throws(() => echo(new Map([[key, 1]])), failure("invalid", "cannot be a key"));
  });
  test("a Set is a sequence", () => assert.deepEqual(echo(new Set(["a", 1, true])), ["a", 1, true]));
  test("shared and cyclic ones stay so", () => {
    const shared = [1], object = { shared, again: [shared], map: new Map([["s", shared]]) };
    object.self = object;
    assert.deepEqual(hearth.run("local o = ... return o.shared == o.again[1], o.map.s == o.shared, o.self == o",
      { args: [object] }), [true, true, true]);
    const back = echo(object);
    assert.equal(back.self, back);
    assert.equal(back.again[0], back.shared);
    assert.deepEqual(hearth.run("local a, b = ... return a == b", { args: [shared, shared] }), [true],
      "between arguments");
  });
  test("100,000 deep, both ways", () => {
    let deep = {};
    for (let i = 0; i < 100000; i++) deep = i % 2 ? { deep } : [deep];
    assert.equal(
      hearth.run("local n, t = 0, ... while next(t) do t = t.deep or t[1] n = n + 1 end return n", { args: [deep] })[0],
      100000);
    let [back] = hearth.run("local t = {} for i = 1, 100000 do t = i % 2 == 0 and {t} or {t = t} end return t"),
      depth = 0;
    for (; Object.keys(back).length > 0; depth++) back = back.t ?? back[0];
    assert.equal(depth, 100000);
  });
  test("1,000,000 entries, both ways", () => {
    const numbers = Array.from({ length: 1e6 }, (_, i) => i);
    const [sum, back] =
      hearth.run("local s, t = 0, ... for _, n in ipairs(t) do s = s + n end return s, t", { args: [numbers] });
    assert.equal(sum, (1e6 * (1e6 - 1)) / 2);
    assert.equal(back.length, 1e6);
    assert.equal(back[999999], 999999);
    const map = new Map(numbers.map((n) => [n + 0.5, n]));
    const [again] = hearth.run("return ...", { args: [map] });
    assert.equal(again.size, 1e6);
    assert.equal(again.get(4711.5), 4711);
  });
  test("a getter that throws passes, and nothing is held for nothing", () => {
    assert.throws(() => echo([() => 1, { get a() { throw new RangeError("mine"); } }]), new RangeError("mine"));
    assert.equal(echo(1), 1);
  });
  test("a getter that runs Lua meanwhile disturbs nothing", () => {
    const f = (x) => x + 1;
    echo(f); // Lua has seen it, and forgets it in the getter
    const [sum] = hearth.run("local f, t = ... return f(t.a)",
      { args: [f, { get a() { return hearth.run("collectgarbage() collectgarbage() return 41")[0]; } }] });
    assert.equal(sum, 42);
  });
});

describe("what is refused", () => {
  class Point {}
  const wrong = { date: new Date(), symbol: Symbol("s"), promise: Promise.resolve(), "a class's instance": new Point(),
    "an error": new Error("x"), "a regular expression": /x/, "a boxed number": Object(1), "a weak map": new WeakMap(),
    "a view": new DataView(new ArrayBuffer(1)), "other typed arrays": new Float64Array(1), url: new URL("file:///") };
  for (const [name, value] of Object.entries(wrong)) {
    test(name, () => {
      assert.throws(() => echo(value), failure("invalid", "cannot become a Lua value"));
      assert.throws(() => echo([{ deep: value }]), failure("invalid", "cannot become a Lua value"));
      assert.throws(() => hearth.set("x", value), failure("invalid"));
    });
  }
  test("and the instance goes on", () => assert.equal(echo(1), 1));
});

describe("functions", () => {
  test("of Lua are callable and keep their identity", () => {
    const [f, g, again] =
      hearth.run("local n = 0 local function f(d) n = n + d return n, 'x' end return f, function() end, f");
    assert.equal(typeof f, "function");
    assert.equal(f.type, "function");
    assert.deepEqual(f(2), [2, "x"]);
    assert.deepEqual(f(3), [5, "x"]);
    assert.equal(f, again);
    assert.notEqual(f, g);
    assert.equal(echo(f), f);
    assert.equal(hearth.run("local t = ... return t[1] == t.f", { args: [new Map([[1, f], ["f", f]])] })[0], true);
  });
  test("of JavaScript are callable and keep their identity", () => {
    const f = (...args) => args.length;
    const [n, same, back] = hearth.run("local f, g = ... return f(1, nil, 3, nil), f == g, f", { args: [f, f] });
    assert.deepEqual([n, same, back], [4, true, f]);
    hearth.set("kept", f);
    assert.equal(hearth.get("kept"), f);
    assert.equal(hearth.run("return kept == ...", { args: [f] })[0], true);
    assert.equal(typeOf(f), "function");
    hearth.set("kept", undefined);
  });
  test("C functions too", () => assert.deepEqual(lua("string.rep")("ab", 2), ["abab"]));
  test("an error that it raises is thrown", () => {
    assert.throws(() => lua("function() error('boom', 0) end")(), failure("raised", "boom"));
  });
  test("what was released cannot be used, and comes over anew", () => {
    hearth.run("function kept() return 1 end");
    const f = hearth.get("kept");
    f.release();
    f.release();
    assert.throws(() => f(), failure("invalid", "released"));
    assert.throws(() => echo([f]), failure("invalid", "released"));
    const again = hearth.get("kept");
    assert.notEqual(again, f);
    assert.deepEqual(again(), [1]);
    f.release(); // not the other's
    assert.deepEqual(again(), [1]);
  });
  test("of another Hearth are refused", async () => {
    const other = await Hearth.open();
    const [f, co] = other.run("return print, coroutine.create(print)");
    assert.throws(() => echo(f), failure("foreign"));
    assert.throws(() => echo({ co }), failure("foreign"));
    await other.close();
    assert.throws(() => f(), failure("closed"));
    assert.throws(() => echo(f), failure("foreign"));
    f.release(); // nothing is there any more
  });
  test("that Lua forgot and JavaScript passes again are there, whenever Lua collects", () => {
    const f = (n) => n + 1;
    const list = Array.from({ length: 50 }, (_, i) => ({ i }));
    list.push({ f }); // read last, after all the tables were made
    hearth.run('collectgarbage("setpause", 100)');
    for (let i = 0; i < 5000; i++) {
      const [n] = hearth.run("local list, n = ... return list[51].f(n)", { args: [list, i] });
      assert.equal(n, i + 1);
    }
    hearth.run('collectgarbage("setpause", 200)');
  });
  test("finalizers that call JavaScript while values go over do not disturb them", () => {
    let started = false, finalized = 0, meanwhile = 0;
    hearth.set("started", () => { started = true; });
    hearth.set("finalized", (text) => {
      finalized++;
      if (!started) meanwhile++;
      return `${text} and a long answer, longer than what it interrupts: ${"x".repeat(30000)}`;
    });
    hearth.run(`collectgarbage("setpause", 100)
      function litter() for i = 1, 30 do setmetatable({}, {__gc = function() finalized("a text") end}) end end`);
    const value = Array.from({ length: 300 }, (_, i) => ({ name: `value ${i}`, i }));
    for (let i = 0; i < 200; i++) {
      started = false;
      assert.deepEqual(hearth.run("local v = ... started() litter() return v", { args: [value] })[0], value);
    }
    assert.ok(finalized > 1000 && meanwhile > 0, `${finalized} were finalized, ${meanwhile} while values went over`);
    hearth.run('collectgarbage("setpause", 200)');
  });
});

describe("references", () => {
  test("coroutines, userdata and external tables come back as what they are", () => {
    const [co, file, external] =
      hearth.run("co = coroutine.create(function(x) return x + 1 end) e = ext.table() e.k = 1 return co, io.stdout, e");
    assert.deepEqual([co.type, file.type, external.type], ["thread", "userdata", "userdata"]);
    assert.deepEqual(
      hearth.run("local c, f, e = ... return c == co, f == io.stdout, e == e, e.k, coroutine.resume(c, 41)",
        { args: [co, file, external] }), [true, true, true, 1, true, 42]);
    assert.equal(hearth.get("co"), co);
    co.release();
    assert.throws(() => echo(co), failure("invalid", "released"));
    assert.equal(hearth.get("co").type, "thread");
  });
  test("a Lua value that nobody holds is collected, one that JavaScript holds is not", () => {
    const output = runNode(`
      const hearth = await Hearth.open();
      const settle = async () => {
        for (let i = 0; i < 5; i++) { gc(); await new Promise((resolve) => setTimeout(resolve, 10)); }
      };
      hearth.run("weak = setmetatable({}, {__mode = 'v'}) " +
        "function make(name) local x = function() return name end weak[name] = x return x end");
      const held = hearth.call("make", "held")[0];
      for (let i = 0; i < 1000; i++) hearth.call("make", "dropped" + i);
      let freed = 0;
      const registry = new FinalizationRegistry(() => { freed++; });
      const passed = [];
      for (let i = 0; i < 1000; i++) { const f = () => i; registry.register(f, i); hearth.run("", { args: [f] }); }
      await settle();
      hearth.run("collectgarbage() collectgarbage()");
      await settle();
      const [left] = hearth.run("local n = 0 for _ in pairs(weak) do n = n + 1 end return n");
      console.log(left < 50, held()[0], freed > 950);`, { flags: ["--expose-gc"] });
    assert.equal(output, "true held true\n");
  });
});

test("what cannot be converted is a HearthError, and that an Error", () => {
  assert.throws(() => echo(Symbol("s")),
    (error) => error instanceof HearthError && error instanceof Error && error.name === "HearthError");
});
