/** What the native suites prove in Lua, in Chromium: tests/lua as it is, and the golden blobs. */
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { IMPOSSIBLE } from "../js/lua_suites.js";
import { Browser, repository } from "./chromium.js";
import { Consoles, newPage, newWorker, servePackage } from "./hearth_testing.js";

const consoles = new Consoles();
const read = (name) => readFile(join(repository, name), "utf8");
let server;
let browser;
let page;
let sources; // the files of the repository that suites read, by name

before(async () => {
  server = await servePackage();
  browser = await Browser.start();
  const files = await read("tests/browser/memory_files.js"); // in this file's pages alone
  const answer = { contentType: "text/javascript", body: files };
  await browser.context.route("**/src/files.js", (route) => route.fulfill(answer));
  page = await newPage(browser, server.origin, consoles);
  const names = ["README.md", "lib/base/status.c"];
  names.push("lib/legacy/legacy.lua");
  names.push(...["json", "isomorphism", "large_table", "random_graph"].map((name) => `tests/lua/support/${name}.lua`));
  names.push("docs/MIGRATION.md", "docs/LEGACY.md", "include/hearth.h", "include/hearth_legacy.h",
    "bindings/js/src/hearth.d.ts", "bindings/js/src/cu/cu.d.ts",
    ...["main", "run", "options", "legacy", "migrate"].map((name) => `tools/hearth/${name}.c`));
  for (const folder of ["bindings/lua", "tests/fixtures/legacy"])
    for (const entry of await readdir(join(repository, folder), { withFileTypes: true }))
      if (entry.isFile()) names.push(`${folder}/${entry.name}`);
  sources = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await read(name)])));
});

after(async () => {
  await browser?.close();
  await server?.close();
});

/** Runs in a page or a worker. */
const runInside = async ({ name, sources }) => {
  const { runSuite } = await import("/tests/js/lua_suites.js");
  const { memoryHost } = await import("/src/files.js");
  const text = async (name) => (await fetch(`/tests/lua/${name}.lua`)).text();
  const source = (name) => {
    const path = new URL(name, "http://x/").pathname.slice(1); // without ..
    if (!Object.hasOwn(sources, path)) throw new Error(`${name} is not offered`);
    return sources[path];
  };
  const [suite, harness] = [await text(name), await text("harness")];
  return runSuite({ Hearth, name, suite, harness, host: { ...memoryHost(), source } });
};

const suites = (await readdir(join(repository, "tests/lua")))
  .filter((name) => name.endsWith(".lua") && name !== "harness.lua").map((name) => name.slice(0, -4)).sort();
/** Where every test starts another process. */
const OF_PROCESSES = ["large", "readme"];

for (const name of suites)
  test(`tests/lua/${name}.lua in a page`, async (t) => {
    const { passed, failed, skipped, output } = await page.evaluate(runInside, { name, sources });
    for (const skip of skipped) t.diagnostic(`skipped: ${skip.name}: ${skip.reason}`);
    t.diagnostic(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
    assert.equal(failed, 0, output);
    assert.equal(passed === 0, OF_PROCESSES.includes(name), `${passed} passed`);
    const impossible = IMPOSSIBLE[name] ?? {};
    for (const skip of skipped)
      if (!Object.hasOwn(impossible, skip.name)) assert.match(skip.reason, /^there are no processes$/, skip.name);
    assert.deepEqual(consoles.take(), []);
  });

test("the value suites in a worker, too", async () => {
  const worker = await newWorker(page);
  for (const name of ["numbers", "strings", "functions"]) {
    const { passed, failed, output } = await worker.evaluate(runInside, { name, sources });
    assert.equal(failed, 0, output);
    assert.ok(passed > 0);
  }
});

/** What tests/codec/codec_testing.h gives the native test of the golden blobs, in Lua. */
const GAME = `
local spawned = 0
local game = {Class = {}}
function game.spawn() spawned = spawned + 1 return spawned end
game.Class.__index = game.Class
function game.Class.name(self) return self.n end
return game`;
const WORLD = `
game = require "game"
local Point = {}
function point(x, y) return setmetatable({x = x + 0.0, y = y + 0.0}, Point) end
function coordinates(p) assert(getmetatable(p) == Point) return p.x, p.y end
hearth.register_type {
  name = "point", metatable = Point,
  encode = function(p) return {p.x, p.y} end, decode = function(v) return point(v[1], v[2]) end,
}
named = {}`;
/** Decodes a blob, encodes it again, checks what it holds: is it canonical? */
const DRIVER = `
local contents, name, bytes = ...
for _, g in ipairs(assert(load(contents, "=golden"))()) do
  if g.name == name then
    local of, to
    if g.names then of, to = {golden = named}, {[named] = "golden"} end
    local v, message = hearth.decode(bytes, {functions = true, metatables = true, permanents = of or true})
    if message then error(message) end
    local again = assert(hearth.encode(v, {canonical = not g.plain, strip = g.strip, permanents = to}))
    if not g.plain and again ~= bytes then error("written in another way") end
    g.check(v) -- last: it may change the value
    return g.plain and "plain" or "canonical"
  end
end
error("contents.lua does not have it")`;

test("golden blobs are read, and written byte by byte as on x86-64", async (t) => {
  const folder = join(repository, "tests/golden");
  const blobs = (await readdir(folder)).filter((name) => name.endsWith(".blob")).sort();
  const names = blobs.map((name) => name.slice(0, -5));
  assert.ok(names.length > 30, `${names.length} blobs`);
  const found = await page.evaluate(async ({ names, game, world, driver }) => {
    const fetched = async (path) => new Uint8Array(await (await fetch(`/tests/golden/${path}`)).arrayBuffer());
    const contents = await fetched("contents.lua");
    const found = {};
    for (const name of names) {
      const hearth = await Hearth.open({ sources: { game } });
      hearth.run(`hearth = require "hearth" ${world}`);
      const bytes = await fetched(`${name}.blob`);
      try {
        [found[name]] = hearth.run(driver, { args: [contents, name, bytes] });
      } catch (error) {
        found[name] = error.message;
      }
      await hearth.close();
    }
    return found;
  }, { names, game: GAME, world: WORLD, driver: DRIVER });
  const wrong = Object.entries(found).filter(([, what]) => what !== "plain" && what !== "canonical");
  assert.deepEqual(wrong, []);
  const plain = Object.keys(found).filter((name) => found[name] === "plain");
  t.diagnostic(`${names.length} blobs; read, but not canonical: ${plain.join(", ")}`);
  assert.deepEqual(plain, ["plain", "weak-both"]);
});
