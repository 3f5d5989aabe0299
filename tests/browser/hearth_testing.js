/**
 * What the tests of class Hearth share: a server of the package, pages and workers with Hearth in them, the native
 * command, and a program whose state is of every kind.
 *
 * HEARTH_PACKAGE is the package's folder (src/ with hearth.wasm in it), HEARTH_COMMAND the native command,
 * HEARTH_NODE_MODULES has playwright-core, HEARTH_TEST_ROUNDS multiplies the rounds of what is random.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";

import { repository, serve } from "./chromium.js";

function required(name, what) {
  if (!process.env[name]) throw new Error(`set ${name} to ${what}`);
  return process.env[name];
}

const packageFolder = required("HEARTH_PACKAGE", "the npm package's folder");

/** How often something random is tried. */
export const rounds = (usually) => Math.max(1, Math.round(usually * Number(process.env.HEARTH_TEST_ROUNDS ?? 1)));

/** An origin of its own, which serves the package and this folder. */
export const servePackage = () => serve(packageFolder, repository);

/** What comes on the consoles of pages and their workers. */
export class Consoles {
  #messages = [];

  watch(page) {
    page.on("console", (message) => this.#messages.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => this.#messages.push(`uncaught: ${error.stack}`));
  }

  /** What came since the last call. */
  take() {
    return this.#messages.splice(0);
  }
}

/** Loads Hearth into a page, as globals of hearth_page.js. */
export async function load(page) {
  await page.addScriptTag({ type: "module", url: "/tests/browser/hearth_page.js" });
  await page.waitForFunction(() => globalThis.Hearth !== undefined);
  return page;
}

/** @param {import("./chromium.js").Browser} browser */
export async function newPage(browser, origin, consoles) {
  const page = await browser.page();
  consoles?.watch(page);
  await page.goto(`${origin}/`);
  return load(page);
}

/** A dedicated worker of a page, with the same globals, or those of another module, which says when it is ready. */
export async function newWorker(page, module = "/tests/browser/hearth_page.js") {
  const [worker] = await Promise.all([
    page.waitForEvent("worker"),
    page.evaluate((module) => new Promise((resolve, reject) => {
      globalThis.worker = new Worker(module, { type: "module" });
      worker.onmessage = resolve;
      worker.onerror = (event) => reject(new Error(event.message));
    }), module),
  ]);
  return worker;
}

/** Runs the native command: what it printed. */
export function runCommand(...args) {
  const command = required("HEARTH_COMMAND", "the native hearth command");
  const child = spawnSync(command, args, { encoding: "utf8", maxBuffer: 1 << 28 });
  assert.equal(child.status, 0, `${args.join(" ")}: status ${child.status}\n${child.stdout}${child.stderr}`);
  return child.stdout;
}

/** Lua code that fills an empty store: closures that share upvalues, classes, cycles, external tables, every type. */
export const WORLD = `
local count, limit = 0, 1 << 40
_home.counter = {
  increase = function(by) count = count + (by or 1) return count end,
  get = function() return count, limit end,
}

local Animal = {}
Animal.__index = Animal
function Animal.new(class, name) return setmetatable({name = name, friends = {}}, class) end
function Animal:speak() return self.name .. " says " .. self:sound() end
function Animal.__eq(a, b) return a.name == b.name end
function Animal.__tostring(a) return "animal " .. a.name end
local Dog = setmetatable({}, {__index = Animal})
Dog.__index, Dog.__eq, Dog.__tostring = Dog, Animal.__eq, Animal.__tostring
function Dog:sound() count = count + 1 return "woof" end
_home.Animal, _home.Dog = Animal, Dog
_home.rex, _home.fido = Animal.new(Dog, "rex"), Animal.new(Dog, "fido")
_home.rex.friends[1], _home.fido.friends[1] = _home.fido, _home.rex
_home.ages = {[_home.rex] = 3, [_home.fido] = 5}

local ring = {}
for i = 1, 50 do ring[i] = {number = i} end
for i = 1, 50 do ring[i].next = ring[i % 50 + 1] end
_home.ring = ring[1]
_home.me = _home

local even
local function odd(n) if n == 0 then return false end return even(n - 1) end
function even(n) return n == 0 or odd(n - 1) end
_home.even, _home.odd = even, odd

_home.values = {
  math.mininteger, math.maxinteger, 0, -1, 2.0, 2, 0.1, -0.0, 1 / 0, -1 / 0, 5e-324, 2^53, (1 << 53) + 1,
  "", "\\0\\r\\n\\255", ("long"):rep(5000), "h\\u{e9}arth", true, false,
  {[true] = 1, [2.5] = 2, [-3] = 3, [""] = 4, [("k"):rep(100)] = 5}, print, string.format, io.stdout, _G,
}
_home.nan = 0 / 0
_home.sparse = {1, 2, nil, 4, [100] = 100, n = 100}
_home.big = {}
for i = 1, 5000 do _home.big["key" .. i] = {i, i / 2, "value " .. i} end
_home.weak = setmetatable({rex = _home.rex, gone = {}}, {__mode = "v"})

_home.log = ext.table()
for i = 1, 300 do _home.log[i] = {time = i * 10, text = "event " .. i, nested = {i, {i}}} end
_home.log.f = function(a, b) return a * b end
_home.log.deep = ext.table()
_home.log.deep.er = "down here"
`;

/** Lua code that proves all of it: how often it has by now. */
export const CHECK = `
local function same(a, b, what)
  if not (rawequal(a, b) and math.type(a) == math.type(b)) then
    error(what .. ": " .. tostring(b) .. " expected, got " .. tostring(a), 2)
  end
end
local count, limit = _home.counter.get()
same(limit, 1 << 40, "the limit")
same(_home.counter.increase(), count + 1, "the counter")
same(_home.rex:speak(), "rex says woof", "the dog")
same((_home.counter.get()), count + 2, "the shared upvalue")
assert(getmetatable(_home.rex) == _home.Dog and getmetatable(_home.Dog).__index == _home.Animal)
assert(tostring(_home.fido) == "animal fido" and _home.rex ~= _home.fido and rawequal(_home.rex.friends[1], _home.fido))
assert(_home.rex == setmetatable({name = "rex"}, _home.Dog))
same(_home.ages[_home.rex], 3, "a table as key")
local at, steps = _home.ring, 0
repeat at, steps = at.next, steps + 1 same(at.number, steps % 50 + 1, "the ring") until rawequal(at, _home.ring)
same(steps, 50, "the ring's length")
assert(rawequal(_home.me, _home))
assert(_home.even(10) == true and _home.even(7) == false)
local v = _home.values
local expected = {
  math.mininteger, math.maxinteger, 0, -1, 2.0, 2, 0.1, -0.0, 1 / 0, -1 / 0, 5e-324, 2^53, (1 << 53) + 1,
  "", "\\0\\r\\n\\255", ("long"):rep(5000), "h\\u{e9}arth", true, false,
}
for i, e in ipairs(expected) do same(v[i], e, "value " .. i) end
same(1 / v[8], -1 / 0, "minus zero")
local t = v[#expected + 1]
same(t[true], 1, "true") same(t[2.5], 2, "2.5") same(t[-3], 3, "-3") same(t[""], 4, "empty")
same(t[("k"):rep(100)], 5, "long")
for i, e in ipairs {print, string.format, io.stdout, _G} do same(v[#expected + 1 + i], e, "permanent " .. i) end
assert(_home.nan ~= _home.nan)
assert(_home.sparse[2] == 2 and _home.sparse[3] == nil and _home.sparse[4] == 4 and _home.sparse[100] == 100)
local keys = 0
for k, e in pairs(_home.big) do
  keys = keys + 1
  same(k, "key" .. e[1], "key") same(e[2], e[1] / 2, "half") same(e[3], "value " .. e[1], "text")
end
same(keys, 5000, "entries")
assert(rawequal(_home.weak.rex, _home.rex) and getmetatable(_home.weak).__mode == "v")
for i = 1, 300 do
  local e = _home.log[i]
  same(e.time, i * 10, "time") same(e.text, "event " .. i, "text") same(e.nested[2][1], i, "nested")
end
same(#_home.log, 300, "the log's length")
same(_home.log.f(6, 7), 42, "a function outside")
same(_home.log.deep.er, "down here", "a table outside, in one outside")
_home.checks = (_home.checks or 0) + 1
return _home.checks
`;
