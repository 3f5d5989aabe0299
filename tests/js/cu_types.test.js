/** The declarations of hearth-lua/cu, and of what hearth-lua has for legacy data; the package's second entry. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { newFolder, packageFolder, root } from "./testing.js";

const modules = process.env.HEARTH_NODE_MODULES ?? join(root, "node_modules");
const description = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8"));
const entry = description.exports["./cu"];

/* Every member that is declared, used as it is meant. */
const SAMPLE = `
import { Hearth } from "hearth-lua";
import type { LegacyExportOptions, LegacyOptions, LegacyRecord, LegacyReport } from "hearth-lua";
import cu, * as named from "hearth-lua/cu";
import type { LegacyState, LoadOptions, TableInfo } from "hearth-lua/cu";
const options: LoadOptions = {
  autoRestore: true, wasmPath: "./lua.wasm", wasm: "/hearth.wasm", store: "indexeddb:mine", legacy: "LuaPersistentDB",
  onLegacyState({ savedAt, takenOver, newer, report, failure }: LegacyState) {
    console.log(savedAt, takenOver, newer, report?.items, failure?.message);
  },
  keys: "integer", home: 1, unreachable: "rest", takeover: false, persist: true, acceptLoss: false,
};
const loaded: boolean = await cu.load(options) && await cu.loadLuaWasm() && await named.load({});
const zero: number = cu.init();
const length: number = await cu.compute("return 1");
const { output, result } = cu.readResult(cu.getBufferPtr(), length);
const text: string = cu.readBuffer(cu.getBufferPtr(), -length) + output;
const written: number = cu.writeBuffer(cu.getBufferPtr(), "x") + cu.getBufferSize();
const { total, used, free } = cu.getMemoryStats();
const done: boolean[] = [cu.runGc(), await cu.saveState(), await cu.loadState(), await cu.clearPersistedState()];
const info: TableInfo = cu.getTableInfo();
const ids: (number | null)[] = [cu.getMemoryTableId(), cu.getHomeTableId(), cu.getIoTableId(), info.tables[0]!.id];
cu.setMemoryAliasEnabled(false);
cu.setInput({ a: [1] });
cu.setMetadata({});
console.log(cu.getOutput().anything);
cu.clearIo();
const state: LegacyState | undefined = cu.getLegacyState();
const report: LegacyReport = await cu.takeLegacyState();
await cu.clearLegacyState();
const hearth: Hearth = cu.getHearth();
const records: LegacyRecord[] = [{ id: 1, data: { x: { _type: "binary", data: [0] } } }];
const importing: LegacyOptions = { from: records, store: "memory:", keys: "text", home: "1", legacyNotice: false };
const taken: { hearth: Hearth; report: LegacyReport } = await Hearth.importLegacy(importing);
await Hearth.importLegacy({ from: "LuaPersistentDB" });
const exporting: LegacyExportOptions = { to: "LuaPersistentDB", replace: true, runtime: "2.0", savedAt: "now" };
const { records: out, report: lost } = await hearth.exportLegacy(exporting);
const item: string = lost.items[0]!.message + lost.items[0]!.what + lost.items[0]!.table + lost.items[0]!.key;
console.log(loaded, zero, result, text, written, total, used, free, done, ids, state, report.counts.damaged, taken);
console.log(out, item);
`;

/* Each line alone must be refused. */
const WRONG = [
  "cu.load({ sotre: 'x' });",
  "cu.load({ keys: 'all' });",
  "cu.compute(5);",
  "cu.compute('x').length;",
  "cu.nothing();",
  "cu.getTableInfo().tables[0].name;",
  "cu.setMemoryAliasEnabled('on');",
  "cu.getLegacyState().savedAt;",
  "Hearth.importLegacy({ store: 'memory:' });",
  "Hearth.importLegacy({ from: 5 });",
  "Hearth.importLegacy({ from: [], runtime: '2.0' });",
  "cu.getHearth().exportLegacy({ runtime: '3' });",
];

const skip = existsSync(join(modules, "typescript")) ? false : "typescript is not installed (HEARTH_NODE_MODULES)";

test("strict TypeScript takes every member, and refuses what is wrong", { skip }, () => {
  const folder = newFolder();
  const compile = (text) => {
    writeFileSync(join(folder, "sample.ts"), text);
    const args = [join(modules, "typescript/bin/tsc"), "--project", folder];
    const child = spawnSync(process.execPath, args, {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, NODE_PATH: "" },
    });
    return { status: child.status, output: child.stdout + child.stderr };
  };
  const paths = {
    "hearth-lua": [join(packageFolder, "src/hearth.d.ts")],
    "hearth-lua/cu": [join(packageFolder, entry.types)],
  };
  const compilerOptions = {
    strict: true,
    noEmit: true,
    target: "ES2022",
    module: "ES2022",
    moduleResolution: "bundler",
    lib: ["ES2022", "DOM"],
    skipLibCheck: false,
    types: [],
    paths,
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["sample.ts"] }));
  const right = compile(SAMPLE);
  assert.equal(right.status, 0, right.output);
  const before = 'import { Hearth } from "hearth-lua"; import cu from "hearth-lua/cu"; export { Hearth, cu };\n';
  const wrong = compile(before + WRONG.join("\n"));
  const lines = new Set([...wrong.output.matchAll(/sample\.ts\((\d+),/g)].map((match) => Number(match[1])));
  WRONG.forEach((line, i) => assert.ok(lines.has(i + 2), `TypeScript takes: ${line}`));
  assert.ok(!lines.has(1), wrong.output);
});

test("every function that is declared is there, and the other way round", async () => {
  const declarations = readFileSync(join(packageFolder, entry.types), "utf8");
  const declared = [...declarations.matchAll(/^export function (\w+)/gm)].map((match) => match[1]);
  const inDefault = [...declarations.matchAll(/(\w+): typeof \1/g)].map((match) => match[1]);
  const there = Object.keys(await import(pathToFileURL(join(packageFolder, entry.default)))).filter(
    (name) => name !== "default",
  );
  assert.ok(declared.length > 20);
  assert.deepEqual(declared.sort(), there.sort());
  assert.deepEqual(inDefault.sort(), there.sort());
});

test("installed, the module is hearth-lua/cu", () => {
  const project = newFolder();
  writeFileSync(join(project, "package.json"), '{ "name": "empty", "version": "1.0.0", "private": true }');
  const run = (program, args) => spawnSync(program, args, { cwd: project, encoding: "utf8" });
  const installed = run("npm", ["install", packageFolder, "--install-links", "--offline", "--no-audit", "--no-fund"]);
  assert.equal(installed.status, 0, installed.stdout + installed.stderr);
  const code = `import cu, { load } from "hearth-lua/cu";
    await load({ store: "memory:" });
    cu.init();
    console.log(cu.readResult(cu.getBufferPtr(), await cu.compute("return _VERSION")).result);`;
  const child = run(process.execPath, ["--input-type=module", "-e", code]);
  assert.equal(child.stdout, "Lua 5.4\n", child.stderr);
});
