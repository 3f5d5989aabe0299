/** Running Lua code: values, errors, what is printed, limits, callbacks, and an instance that stays well. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test, { after, describe } from "node:test";
import { Hearth, HearthError, LuaError, failure, root, runNode } from "./testing.js";

const printed = [], warned = [];
const hearth = await Hearth.open({ print: (line) => printed.push(line), warn: (line) => warned.push(line) });
after(() => hearth.close());

/** What f throws. */
function thrownBy(f) {
  try {
    f();
  } catch (exception) {
    return exception;
  }
  return assert.fail("nothing was thrown");
}

/** Ordinary work still gives ordinary results. */
function healthy(h = hearth) {
  assert.deepEqual(h.run(
    "local t = {} for i = 1, 1000 do t[i] = {i} end collectgarbage() return #t, ('x'):rep(3), select('#', ...)",
    { args: [1, 2] }), [1000, "xxx", 2]);
}

describe("values", () => {
  test("none, several, nil among them", () => {
    assert.deepEqual(hearth.run(""), []);
    assert.deepEqual(hearth.run("return nil"), [undefined]);
    assert.deepEqual(hearth.run("return 1, nil, 'x', nil"), [1, undefined, "x", undefined]);
  });
  test("arguments are `...`", () => {
    assert.deepEqual(hearth.run("return select('#', ...), ...", { args: [1, undefined, "x"] }), [3, 1, undefined, "x"]);
    assert.equal(hearth.run("return select('#', ...)")[0], 0);
    assert.equal(hearth.run("return select('#', ...)", { args: new Array(100000).fill(0) })[0], 100000);
  });
  test("100,000 results", () => assert.equal(
    hearth.run("local t = {} for i = 1, 100000 do t[i] = i end return table.unpack(t)").length, 100000));
  test("more arguments than Lua's stack has room for are an error", () => {
    assert.throws(() => hearth.run("", { args: new Array(2000000).fill(0) }), failure("raised", "stack overflow"));
    healthy();
  });
  test("code as bytes", () => assert.deepEqual(hearth.run(new TextEncoder().encode("return 'ü'")), ["ü"]));
  test("a first line with # is not code: run takes chunks, not files",
    () => assert.throws(() => hearth.run("#!lua\nreturn 1"), failure("raised")));
  test("globals stay", () => {
    hearth.run("g = 41");
    assert.deepEqual(hearth.run("g = g + 1 return g"), [42]);
  });
  test("wrong arguments", () => {
    for (const code of [undefined, null, 5, {}, [], () => 1])
      assert.throws(() => hearth.run(code), failure("invalid", "Lua code"));
    for (const options of [{ nam: "x" }, { name: 5 }, { args: {} }, { instructions: 0 }, { instructions: 1.5 },
      { instructions: "1" }])
      assert.throws(() => hearth.run("", options), failure("invalid", "option"));
    assert.throws(() => hearth.run("", null), failure("invalid"));
  });
});

describe("errors", () => {
  test("of syntax, with the chunk's name", () => {
    assert.throws(() => hearth.run("return +"), failure("raised", "run:1: unexpected symbol"));
    assert.throws(() => hearth.run("\nx x", { name: "=mine" }), failure("raised", "mine:2:"));
    assert.throws(() => hearth.run("x x", { name: "@file.lua" }), failure("raised", "file.lua:1:"));
    assert.throws(() => hearth.run("x x", { name: "x x" }), failure("raised", '[string "x x"]:1:'));
  });
  test("a LuaError has message, value and traceback", () => {
    const error = thrownBy(() => hearth.run("local function inner() error('boom') end inner()", { name: "=chunk" }));
    assert.ok(error instanceof LuaError && error instanceof HearthError && error instanceof Error);
    assert.deepEqual([error.name, error.code, error.message, error.value, error.cause],
      ["LuaError", "raised", "chunk:1: boom", "chunk:1: boom", undefined]);
    assert.match(
      error.traceback, /stack traceback:\n.*error.*\n.*chunk:1: in upvalue 'inner'|stack traceback:[^]*inner/);
  });
  test("values of all kinds", () => {
    assert.deepEqual(thrownBy(() => hearth.run("error({code = 5})")).value, { code: 5 });
    assert.equal(thrownBy(() => hearth.run("error(nil)")).value, undefined);
    assert.equal(thrownBy(() => hearth.run("error(42)")).value, 42);
    assert.equal(thrownBy(() => hearth.run("error(false)")).value, false);
    assert.equal(thrownBy(() => hearth.run("error(print)")).value, hearth.get("print"));
    const told = thrownBy(() => hearth.run("error(setmetatable({}, {__tostring = function() return 'told' end}))"));
    assert.equal(told.message, "told");
    assert.deepEqual(thrownBy(() => hearth.run("error({toString = 1, valueOf = 2, message = 3})")).value,
      { toString: 1, valueOf: 2, message: 3 });
  });
  test("__tostring that raises, or gives no text", () => {
    for (const body of ["error('again')", "error(setmetatable({}, getmetatable(...)))", "return tostring(...)"])
      assert.throws(() => hearth.run(`error(setmetatable({}, {__tostring = function(...) ${body} end}))`),
        failure("raised", "cannot be shown"));
    healthy();
  });
  test("in a coroutine", () => {
    assert.throws(() => hearth.run("coroutine.wrap(function() error('in co') end)()"), failure("raised", "in co"));
    assert.deepEqual(hearth.run("return coroutine.resume(coroutine.create(function() error({}) end))"), [false, {}]);
  });
  test("a message handler that raises", () => {
    assert.deepEqual(hearth.run("return xpcall(error, function() error('again') end)")[0], false);
    healthy();
  });
  test("stack overflow in Lua", () => {
    assert.throws(() => hearth.run("local function f() return 1 + f() end f()"), failure("raised", "stack overflow"));
    assert.throws(() => hearth.run("local t = setmetatable({}, {}) " +
      "getmetatable(t).__index = function(t, k) return t[k] end return t.x"), failure("raised", "stack overflow"));
    assert.throws(() => hearth.run("local function f() return (string.gsub('x', 'x', f)) end f()"),
      failure("raised", "overflow"));
    assert.equal(hearth.run("local function f() return 1 + f() end return pcall(f)")[0], false);
    healthy();
  });
  test("nesting that the parser refuses", () => {
    assert.throws(() => hearth.run(`return ${"(".repeat(100000)}`), failure("raised", "overflow"));
    assert.throws(() => hearth.run(`return ${"{".repeat(100000)}`), failure("raised", "overflow"));
    healthy();
  });
  test("yield outside of a coroutine",
    () => assert.throws(() => hearth.run("coroutine.yield(1)"), failure("raised", "outside a coroutine")));
  test("bytecode is refused by run", () => {
    hearth.run("chunk = string.dump(function() return 1 end)");
    const bytes = hearth.get("chunk");
    assert.throws(() => hearth.run(bytes), failure("raised", "attempt to load a binary chunk"));
    assert.equal(hearth.run("return load(chunk)()")[0], 1);
  });
});

describe("exceptions of JavaScript", () => {
  class Mine extends TypeError {}
  hearth.set("thrower", (what) => {
    throw what === undefined ? new Mine("js!") : what;
  });
  test("are the cause of the LuaError", () => {
    const error = thrownBy(() => hearth.run("thrower()"));
    assert.ok(error instanceof LuaError && error.cause instanceof Mine);
    assert.equal(error.message, "js!");
    assert.equal(error.value, "js!");
  });
  test("passed on with a position too", () => {
    assert.ok(thrownBy(() => hearth.run("local ok, m = pcall(thrower) error(m)")).cause instanceof Mine);
  });
  test("are not the cause of what did not begin with them", () => {
    assert.deepEqual(hearth.run("return pcall(thrower)"), [false, "js!"]);
    assert.equal(thrownBy(() => hearth.run("error('other')")).cause, undefined);
    assert.equal(thrownBy(() => hearth.run("error('js!')")).cause, undefined, "an earlier call's");
    assert.equal(thrownBy(() => hearth.run("pcall(thrower) error('other')")).cause, undefined);
    assert.equal(thrownBy(() => hearth.run("pcall(thrower) error({toString = 1})")).cause, undefined);
    hearth.set("quiet", () => { throw new Error(""); });
    assert.equal(thrownBy(() => hearth.run("pcall(quiet) error('other')")).cause, undefined);
  });
  test("a LuaError that passes through keeps its value", () => {
    hearth.set("nested", () => hearth.run("error({code = 7})"));
    const error = thrownBy(() => hearth.run("nested()"));
    assert.deepEqual(error.value, { code: 7 });
    assert.ok(error.cause instanceof LuaError);
    assert.equal(hearth.run("local ok, e = pcall(nested) return e.code")[0], 7);
  });
  test("whatever is thrown, nothing goes past pcall", () => {
    const odd = { get message() { throw new Error("no"); } };
    hearth.set("odd", (n) => { throw [Object.create(null), odd, Symbol("s"), 5, "text", { message: Symbol("s") }, null,
      undefined, "\ud800", new Proxy({}, { get() { throw 1; } }), Object.assign(new Error(), { message: {} })][n]; });
    for (let n = 0; n <= 10; n++) assert.equal(hearth.run("return pcall(odd, ...)", { args: [n] })[0], false);
    assert.deepEqual(hearth.run("return pcall(odd, 3)"), [false, "5"]);
    healthy();
  });
  test("10,000 under pcall leave the instance well", () => {
    const before = hearth.run("collectgarbage() collectgarbage() return collectgarbage('count')")[0];
    assert.equal(hearth.run("local n = 0 for i = 1, 10000 do if not pcall(thrower) then n = n + 1 end end return n")[0],
      10000);
    for (let i = 0; i < 10000; i++) hearth.run("pcall(thrower)");
    const later = hearth.run("collectgarbage() collectgarbage() return collectgarbage('count')")[0];
    assert.ok(later < before + 64, `${before} KB before, ${later} after`);
    healthy();
  });
  test("10,000 that nobody catches", () => {
    for (let i = 0; i < 10000; i++) assert.throws(() => hearth.run("thrower()"), LuaError);
    healthy();
  });
});

describe("what is printed", () => {
  const printedBy = (code) => {
    printed.length = 0;
    hearth.run(code);
    return printed.slice();
  };
  test("goes to print, line by line", () => {
    assert.deepEqual(printedBy("print('a', 1, nil) print() print('b\\nc')"), ["a\t1\tnil", "", "b", "c"]);
    assert.deepEqual(printedBy("io.write('x', 1, '\\n', 'y\\n')"), ["x1", "y"]);
    assert.deepEqual(printedBy("io.write('no end')"), ["no end"]);
    assert.deepEqual(printedBy("io.stdout:write('a'):write('b') io.stdout:flush()"), ["ab"]);
    assert.deepEqual(printedBy("for i = 1, 20000 do io.write('x') end"), ["x".repeat(20000)]);
    assert.deepEqual(printedBy("io.write('\\xef\\xbb\\xbfx\\n\\xff\\n')"), ["\ufeffx", "\ufffd"]);
    assert.deepEqual(printedBy("for _, c in ipairs {'\\xe2', '\\x82', '\\xac'} do io.write(c) io.stdout:flush() end"),
      ["€"]);
  });
  test("before an error too", () => {
    printed.length = 0;
    assert.throws(() => hearth.run("io.write('before') error('x')"), LuaError);
    assert.deepEqual(printed, ["before"]);
  });
  test("io.stderr and warn go to warn", () => {
    warned.length = 0;
    hearth.run("io.stderr:write('to stderr\\n') warn('one', ' and ', 'two')  " +
      "warn('@off') warn('silent') warn('@on') warn('heard')");
    assert.deepEqual(warned, ["to stderr", "one and two", "heard"]);
  });
  test("capture gives exactly what was printed", () => {
    printed.length = 0;
    assert.deepEqual(hearth.capture("print('hello') io.write('no end') return 1, 2"),
      { values: [1, 2], output: "hello\nno end" });
    assert.deepEqual(hearth.capture(""), { values: [], output: "" });
    assert.deepEqual(hearth.capture("print(...)", { args: ["x"] }).output, "x\n");
    assert.deepEqual(printed, []);
  });
  test("captures nest, and end with an error too", () => {
    hearth.set("inner", () => hearth.capture("print('inner')").output);
    assert.deepEqual(hearth.capture("io.write('a') local i = inner() print('b', i)").output, "ab\tinner\n\n");
    assert.throws(() => hearth.capture("print('lost') error('x')"), LuaError);
    assert.throws(() => hearth.capture("", { bad: 1 }), failure("invalid"));
    assert.deepEqual(printedBy("print('again')"), ["again"]);
  });
  test("a print that throws, or goes back to Lua, harms nothing", async (t) => {
    const errors = [];
    t.mock.method(console, "error", (e) => errors.push(e));
    let h;
    const again = (line) => {
      if (line === "throw") throw new RangeError("mine");
      h.run("print('nested')");
    };
    h = await Hearth.open({ print: again, warn: again });
    h.run("print('throw') print('back') warn('back') io.write('throw') ");
    assert.deepEqual(errors.map((e) => e.code ?? e.message), ["mine", "busy", "busy", "mine"]);
    healthy(h);
    await h.close();
  });
});

describe("the limit of instructions", () => {
  const limit = { instructions: 100000 };
  test("ends a loop", () => {
    assert.throws(() => hearth.run("while true do end", limit), failure("raised", "limit of instructions"));
    assert.throws(() => hearth.run("while true do end", { instructions: 1 }),
      failure("raised", "limit of instructions"));
    assert.deepEqual(hearth.run("for i = 1, 100 do end return 'done'", limit), ["done"]);
  });
  test("whatever catches it meets it again", () => {
    for (const code of ["while true do pcall(function() while true do end end) end",
      "local function f() while true do pcall(f) end end f()",
      "while true do xpcall(function() while true do end end, function(m) return m end) end",
      "while true do pcall(coroutine.wrap(function() while true do end end)) end",
      "while true do local x <close> = setmetatable({}, {__close = function() while true do end end}) end"])
      assert.throws(() => hearth.run(code, limit), LuaError, code);
    healthy();
  });
  test("holds in coroutines made meanwhile, which are free in a later run", () => {
    assert.throws(() => hearth.run("coroutine.wrap(function() while true do end end)()", limit),
      failure("raised", "limit of instructions"));
    hearth.run(
      "co = coroutine.wrap(function() for i = 1, 3 do for j = 1, 20000 do end coroutine.yield(i) end end) co()", limit);
    assert.deepEqual(hearth.run("return co()"), [2]);
    assert.deepEqual(hearth.run("for i = 1, 1e6 do end return 1"), [1]);
  });
  test("ends with the run; a run in a callback has its own", () => {
    hearth.set("inner", () => {
      assert.throws(() => hearth.run("while true do end", { instructions: 1000 }), failure("raised", "limit"));
      return hearth.run("for i = 1, 1000 do end return 'inner'")[0];
    });
    assert.deepEqual(hearth.run("return inner()", { instructions: 1e6 }), ["inner"]);
    hearth.set("unlimited", () => hearth.run("while true do end")); // the outer one's holds
    assert.throws(() => hearth.run("unlimited()", limit), failure("raised", "limit"));
    healthy();
  });
});

describe("the standard library", () => {
  test("is whole", () => {
    const source = readFileSync(join(root, "lib/codec/stdlib.c"), "utf8");
    const table =
      source.slice(source.indexOf("libraries[] = {"), source.indexOf("};", source.indexOf("libraries[] = {")));
    const libraries = [...table.matchAll(/\{"(\w+)",([^}]*)\}/g)].map(([, name, text]) =>
      [name, [...text.matchAll(/"([^"]*)"/g)].map((match) => match[1]).join("").trim().split(/\s+/)]);
    const globals = [...source.match(/globals\[\] =([^;]*);/)[1].matchAll(/"([^"]*)"/g)].map((match) => match[1])
      .join("").split(/\s+/);
    assert.equal(libraries.length, 9);
    assert.ok(globals.length > 20);
    const compatibility =
      new Set(["math.cosh", "math.sinh", "math.tanh", "math.pow", "math.frexp", "math.ldexp", "math.log10"]);
    const names = [...globals, ...libraries.flatMap(([library, functions]) => functions.map((f) => `${library}.${f}`))]
      .filter((name) => !compatibility.has(name));
    const missing = names.filter((name) => hearth.get(name)?.type !== "function");
    assert.deepEqual(missing, []);
  });
  test("os.exit raises: there is no process to end", () => {
    assert.throws(() => hearth.run("os.exit(0)"), failure("raised", "no process"));
    healthy();
  });
  test("files, programs and variables are not there, and say so", () => {
    const [nothing, message, number] = hearth.run("return io.open('/etc/passwd')");
    assert.equal(nothing, undefined);
    assert.match(message, /passwd: /);
    assert.equal(typeof number, "number");
    for (const code of ["io.open('x', 'w')", "os.remove('x')", "os.rename('x', 'y')", "io.popen('ls')", "io.tmpfile()",
      "loadfile('x')", "package.loadlib('x', 'y')", "package.searchpath('x', './?.lua')"])
      assert.deepEqual(
        hearth.run(`local ok, value = pcall(function() return (${code}) end) return not ok or value == nil`), [true],
        code);
    assert.deepEqual(hearth.run("return os.getenv('HOME'), os.execute()"), [undefined, false]);
    assert.deepEqual(hearth.run("return os.execute('ls')")[0], undefined);
    assert.throws(() => hearth.run("os.tmpname()"), LuaError);
    assert.throws(() => hearth.run("require 'nowhere'"), failure("raised", "module 'nowhere' not found"));
    assert.throws(() => hearth.run("dofile('x')"), LuaError);
    assert.deepEqual(hearth.run("return io.read(), io.read('n'), io.read('a')"), [undefined, undefined, ""]);
    healthy();
  });
  test("time", () => {
    const [now, year, clock] = hearth.run("return os.time(), os.date('%Y'), os.clock()");
    assert.ok(Math.abs(now - Date.now() / 1000) < 5);
    assert.equal(Number(year), new Date().getFullYear());
    assert.ok(clock >= 0);
    assert.equal(hearth.run("return os.date('!%Y-%m-%d %H:%M:%S', 86399)")[0], "1970-01-01 23:59:59");
    assert.equal(hearth.run("local t = os.time() return os.time(os.date('*t', t)) == t")[0], true);
    for (const year of [1800, 2040, 2147485547, -2147481748]) // 32 bits of seconds: an error, never another time
      assert.throws(() => hearth.run(`return os.time { year = ${year}, month = 1, day = 1 }`),
        failure("raised", "cannot be represented"));
    assert.equal(hearth.run("return os.date('!%Y-%m-%d', os.time { year = 2037, month = 13, day = -6, hour = 12 })")[0],
      "2037-12-25");
  });
  test("string patterns and formats", () => {
    assert.deepEqual(hearth.run("return ('key = value'):match('(%w+)%s*=%s*(%w+)')"), ["key", "value"]);
    assert.deepEqual(hearth.run("return ('%5.2f|%-5d|%x|%q|%a'):format(3.14159, 42, 255, 'a\\nb', 1.0)"),
      [" 3.14|42   |ff|\"a\\\nb\"|0x1p+0"]);
    assert.throws(() => hearth.run(`return ("x"):rep(300000):find(("x?"):rep(300000) .. "y")`), failure("raised"));
    healthy();
  });
});

describe("modules and sources", () => {
  test("sources are found by require, and by each other", async () => {
    const h = await Hearth.open({ sources: {
      a: "local b = require 'b' return { twice = function(x) return b.add(x, x) end }",
      b: new TextEncoder().encode("return { add = function(x, y) return x + y end }"),
    } });
    assert.deepEqual(h.run("return require('a').twice(21), require('a') == require('a')"), [42, true]);
    h.run("_home.f = require('a').twice");
    await h.commit();
    await h.close();
  });
  test("modules are globals, found by require too, and stored by name", async () => {
    const h = await Hearth.open({ modules: { ui: { alert: (text) => `alert ${text}` } } });
    assert.deepEqual(h.run("return ui.alert('x'), require('ui').alert == ui.alert"), ["alert x", true]);
    h.run("_home.f = ui.alert");
    await h.commit();
    h.run("_home.f = nil");
    await h.rollback();
    assert.deepEqual(h.call("_home.f", "y"), ["alert y"]);
    await h.close();
  });
  test("what cannot be loaded keeps it from opening", async () => {
    await assert.rejects(Hearth.open({ sources: { bad: "return +" } }), failure("raised", "bad:1:"));
    await assert.rejects(Hearth.open({ sources: { bad: "error('at once')" } }), failure("raised", "at once"));
    for (const options of [{ sources: { a: 5 } }, { sources: "a" }, { modules: { a: 5 } }, { modules: { a: null } },
      { modules: 5 }])
      await assert.rejects(Hearth.open(options), failure("invalid", "option"));
  });
});

describe("callbacks", () => {
  test("may run Lua, and be called by coroutines", () => {
    hearth.set("double", (x) => hearth.run("return ... * 2", { args: [x] })[0]);
    assert.deepEqual(hearth.run("return double(21)"), [42]);
    assert.deepEqual(hearth.run("return coroutine.wrap(function() return double(double(1)) end)()"), [4]);
    assert.deepEqual(hearth.run("local t = {} for i = 1, 3 do t[i] = " +
      "coroutine.wrap(function() while true do coroutine.yield(double(i)) end end) end " +
      "return t[1](), t[2](), t[3](), t[1]()"), [2, 4, 6, 2]);
    hearth.set("resume", (co) => hearth.run("return coroutine.resume(...)", { args: [co] })[1]);
    assert.deepEqual(hearth.run("return resume(coroutine.create(function() " +
      "return resume(coroutine.create(function() return 'deep' end)) end))"), ["deep"]);
  });
  test("cannot be yielded across", () => {
    hearth.set("yielder", () => hearth.run("coroutine.yield(1)"));
    assert.throws(() => hearth.run("coroutine.wrap(yielder)()"), failure("raised", "yield across a C-call boundary"));
    healthy();
  });
  test("return one value; a promise is refused", () => {
    hearth.set("values", () => [1, 2]);
    assert.deepEqual(hearth.run("return values()"), [[1, 2]]);
    hearth.set("nothing", () => undefined);
    assert.deepEqual(hearth.run("return select('#', nothing())"), [0]);
    hearth.set("later", async () => 1);
    assert.throws(() => hearth.run("later()"), failure("raised", "promise"));
    hearth.set("wrong", () => new Date());
    assert.throws(() => hearth.run("wrong()"), failure("raised", "Date"));
  });
  test("are called by metamethods, finalizers, sort, gsub, load", () => {
    hearth.set("less", (a, b) => a > b);
    assert.deepEqual(hearth.run("local t = {1, 3, 2} table.sort(t, less) return t"), [[3, 2, 1]]);
    hearth.set("upper", (s) => s.toUpperCase());
    assert.deepEqual(hearth.run("return (('abc'):gsub('%w', upper))"), ["ABC"]);
    hearth.set("index", (t, k) => `no ${k}`);
    assert.deepEqual(hearth.run("return setmetatable({}, {__index = index}).x"), ["no x"]);
  });
  test("that recurse with Lua without end get an error, and the instance is well", () => {
    let depth = 0;
    hearth.set("js", () => {
      depth++;
      return hearth.call("lua")[0];
    });
    hearth.run("function lua() return js() end");
    assert.throws(() => hearth.call("lua"), failure("raised", "C stack overflow"));
    assert.ok(depth > 30 && depth < 200, `${depth} levels`);
    hearth.run("function lua() return coroutine.wrap(js)() end");
    assert.throws(() => hearth.call("lua"), failure("raised", "overflow"));
    hearth.run("function lua() return select(2, pcall(js)) end");
    for (let i = 0; i < 20; i++) assert.match(String(hearth.call("lua")[0]), /overflow/);
    healthy();
  });
  test("an endless recursion of JavaScript alone becomes a Lua error", () => {
    const endless = () => 1 + endless();
    hearth.set("endless", endless);
    const error = thrownBy(() => hearth.run("endless()"));
    assert.ok(error.cause instanceof RangeError);
    for (let i = 0; i < 100; i++) assert.equal(hearth.run("return pcall(endless)")[0], false);
    healthy();
  });
  test("JavaScript's stack that ends in the middle of Lua: the state is lost, and says so; the process goes on", () => {
    const output = runNode(`
      const hearth = await Hearth.open();
      const codes = new Set();
      let calls = 0;
      const sink = (n) => {
        try {
          sink(n + 1);
        } catch {
          if (calls++ < 300) {
            try {
              hearth.run("local function f() return (string.gsub('x', 'x', f)) end return pcall(f)");
            } catch (e) {
              codes.add(e instanceof HearthError ? e.code : e.name);
              throw e;
            }
          }
        }
      };
      sink(0);
      console.log([...codes].filter((code) => !["dead", "raised", "RangeError", "nomem"].includes(code)).length);
      if (codes.has("dead")) {
        assert.equal(hearth.failure.code, "dead");
        assert.throws(() => hearth.run("return 1"), { code: "dead" });
        await assert.rejects(hearth.commit(), { code: "dead" });
      } else {
        assert.equal(hearth.run("return 1")[0], 1);
      }
      await hearth.close();
      const other = await Hearth.open();
      console.log(other.run("return 1")[0]);`);
    assert.equal(output, "0\n1\n");
  });
});

describe("memory", () => {
  test("that ends is an error, and the instance is well", () => {
    hearth.run("mega = ('x'):rep(2^20)");
    for (const code of ["return ('x'):rep(2^31)", "return ('x'):rep(2^40)"]) {
      const error = thrownBy(() => hearth.run(code));
      assert.ok(error instanceof HearthError && (error.code === "nomem" || error.code === "raised"),
        `${code}: ${error.code}: ${error.message}`);
      healthy();
    }
    assert.deepEqual(hearth.run("local t = {} " +
      "local ok, m = pcall(function() while true do t[#t + 1] = mega:rep(256) .. #t end end) t = nil return ok, m"),
      [false, "not enough memory"]);
    healthy();
  });
  test("a value too large to go over is an error", () => {
    assert.throws(() => hearth.run("return mega:rep(600)"), failure("nomem"));
    hearth.run("mega = nil collectgarbage()");
    healthy();
  });
  test("100,000 runs do not grow, with tables, closures and callbacks passed", () => {
    const output = runNode(`
      const hearth = await Hearth.open({ print() {} });
      const measure = async () => {
        for (let i = 0; i < 4; i++) {
          gc();
          await new Promise((resolve) => setTimeout(resolve, 5));
          hearth.run("collectgarbage() collectgarbage()");
        }
        const { luaBytes, memoryBytes } = hearth.stat();
        return { luaBytes, memoryBytes, heap: process.memoryUsage().heapUsed };
      };
      const some = async (from, to) => {
        for (let i = from; i < to; i++) {
          hearth.run("local t, f, n = ... f(t) _home.last = t print(n) return { n = n }, function() return n end",
            { args: [{ i, list: [1, 2, { x: "y" }] }, (t) => t.i, i] });
          try { hearth.run("error { n = ... }", { args: [i] }); } catch {}
          if (i % 1000 === 0) { gc(); await new Promise((resolve) => setTimeout(resolve, 0)); }
        }
      };
      await some(0, 20000);
      const before = await measure();
      await some(20000, 100000);
      const later = await measure();
      const steady = later.luaBytes - before.luaBytes < 100000 && later.memoryBytes - before.memoryBytes < 1e6 &&
        later.heap - before.heap < 3e6;
      console.log(steady ? "steady" : JSON.stringify([before, later]));`,
      { flags: ["--expose-gc"] });
    assert.equal(output, "steady\n");
  });
});
