/** What C and JavaScript both name is the same: statuses, and the functions between the backend and its host. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { HearthError, LuaError, STATUS, codeName } from "../../bindings/js/src/error.js";
import { indexeddbImports } from "../../bindings/js/src/indexeddb/imports.js";

const read = (path) => readFile(new URL(`../../${path}`, import.meta.url), "utf8");

test("error.js has every status of hearth_status.h, by number and name", async () => {
  const header = await read("include/hearth_status.h");
  const names = await read("lib/base/status.c");
  const found = [...header.matchAll(/^ {2}HEARTH_([A-Z]+) = (-?\d+)/gm)].map(
    ([, name, number]) => [name.toLowerCase(), Number(number)]);
  assert.ok(found.length >= 31);
  assert.deepEqual(Object.entries(STATUS).sort(), found.sort());
  for (const [name, number] of found) {
    assert.equal(codeName(number), name);
    assert.ok(names.includes(`"${name}"`), `${name} is what C says, too`);
  }
  assert.equal(codeName(-99), "unknown status -99");
});

test("errors carry what they were given", () => {
  const cause = new Error("inner");
  const error = new HearthError("damaged", "text", { path: "_home.x", position: 7, cause });
  assert.deepEqual([error.name, error.code, error.status, error.message, error.path, error.position, error.cause],
    ["HearthError", "damaged", -4, "text", "_home.x", 7, cause]);
  assert.ok(!("path" in new HearthError("io", "text")));
  const raised = new LuaError("text", { value: 1, traceback: "stack" });
  assert.ok(raised instanceof HearthError);
  assert.deepEqual([raised.code, raised.value, raised.traceback], ["raised", 1, "stack"]);
});

test("the imports are what host.h declares, with as many parameters, and none throws", async () => {
  const header = await read("backends/indexeddb/host.h");
  const declared = [...header.matchAll(/IDB_HOST\((\w+)\)\s+\w+ idb_host_\1\(([^)]*)\)/g)]
    .map(([, name, parameters]) => [name, parameters === "void" ? 0 : parameters.split(",").length]);
  assert.ok(declared.length >= 17);
  const instance = { memory: new WebAssembly.Memory({ initial: 1 }), exports: {},
    bytes: (at, size) => new Uint8Array(instance.memory.buffer, at, size), text: () => "none" };
  const imports = indexeddbImports(instance);
  assert.deepEqual(Object.keys(imports).sort(), declared.map(([name]) => name).sort());
  for (const [name, count] of declared) {
    const answer = imports[name](...Array(count).fill(0));
    assert.equal(typeof answer, "number", name);
  }
  assert.equal(imports.attach(0, 4, 0, 0, 8), STATUS.notfound);
  assert.equal(imports.append(5, 0, 0, 1, 3), STATUS.closed);
  const size = imports.reason(16, 5);
  assert.equal(new TextDecoder().decode(instance.bytes(16, size)), "no su");
});
