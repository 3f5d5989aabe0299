/** The suites of tests/lua inside WebAssembly, in Node: files and processes are Node's. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { IMPOSSIBLE, runSuite } from "./lua_suites.js";
import { Hearth, newFolder, root } from "./testing.js";

const folder = join(root, "tests/lua");
const text = (name) => readFileSync(join(folder, name), "utf8");
const harness = text("harness.lua");
const suites = readdirSync(folder).filter((name) => name.endsWith(".lua") && name !== "harness.lua")
  .map((name) => name.slice(0, -4)).sort();

/** Runs Lua code in another node process. */
function run(code, ...args) {
  const input = JSON.stringify({ harness, code, args });
  const child = spawnSync(process.execPath, [fileURLToPath(new URL("lua_process.js", import.meta.url))],
    { input, encoding: "utf8" });
  if (child.status !== 0)
    throw new Error(`the other process ended with ${child.status}:\n${child.stdout}${child.stderr}`);
  return child.stdout;
}

function nodeHost() {
  const files = newFolder();
  return {
    path: (name) => `${files}/${name}`,
    read: (path) => readFileSync(path),
    write: (path, bytes) => writeFileSync(path, bytes),
    source: (name) => readFileSync(join(root, name), "utf8"),
    run,
  };
}

test("there are suites, and each that has something impossible is one of them", () => {
  assert.ok(suites.length >= 20, `${suites.length} suites`);
  for (const name of Object.keys(IMPOSSIBLE)) assert.ok(suites.includes(name), name);
});

for (const name of suites) {
  test(`tests/lua/${name}.lua`, async (t) => {
    const { passed, failed, skipped, output } =
      await runSuite({ Hearth, name, suite: text(`${name}.lua`), harness, host: nodeHost() });
    for (const skip of skipped) t.diagnostic(`skipped: ${skip.name}: ${skip.reason}`);
    t.diagnostic(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
    assert.equal(failed, 0, output);
    assert.ok(passed > 0);
    assert.deepEqual(skipped.map((skip) => skip.name), Object.keys(IMPOSSIBLE[name] ?? {}),
      "nothing else is skipped here");
  });
}

test("without files and processes the rest runs, and what needs them is counted", async (t) => {
  const { passed, failed, skipped, output } =
    await runSuite({ Hearth, name: "options", suite: text("options.lua"), harness });
  t.diagnostic(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
  assert.equal(failed, 0, output);
  assert.ok(passed > 0 && skipped.length > 0);
  assert.ok(skipped.every(({ reason }) => reason.startsWith("there are no ")));
});

test("a suite that fails is seen", async () => {
  const broken = 'local t = require "harness" ' +
    't.test("good", function() end) t.test("bad", function() error("broken") end) t.finish()';
  const result = await runSuite({ Hearth, name: "broken", suite: broken, harness });
  assert.deepEqual([result.passed, result.failed], [1, 1]);
  assert.match(result.output, /FAILED bad[^]*broken/);
  assert.equal((await runSuite({ Hearth, name: "broken", suite: "error('at once')", harness })).failed, 1);
  assert.equal((await runSuite({ Hearth, name: "broken", suite: "", harness })).failed, 1);
  assert.ok((await runSuite({ Hearth, name: "hooks", suite: broken, harness })).failed > 1,
    "a skipped test that is not there");
});
