/** The package as npm makes and installs it, its declarations, and what it repeats of the C headers. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { newFolder, packageFolder, packageURL, root } from "./testing.js";

const modules = process.env.HEARTH_NODE_MODULES ?? join(root, "node_modules");
const declarations = readFileSync(join(packageFolder, "src/hearth.d.ts"), "utf8");
const header = (name) => readFileSync(join(root, "include", name), "utf8");

function run(program, args, cwd) {
  const child = spawnSync(program, args, { cwd, encoding: "utf8", env: { ...process.env, NODE_PATH: "" } });
  return { status: child.status, output: child.stdout + child.stderr, stdout: child.stdout };
}

test("packed, installed in an empty project, imported and run there", () => {
  const folder = newFolder(), project = newFolder();
  const packed = run("npm", ["pack", "--json", "--pack-destination", folder], packageFolder);
  assert.equal(packed.status, 0, packed.output);
  const [{ filename, files }] = JSON.parse(packed.stdout);
  const names = files.map((file) => file.path);
  for (const name of ["package.json", "README.md", "LICENSE", "src/hearth.js", "src/hearth.d.ts", "src/hearth.wasm",
    "src/node/files.js", "src/files.js", "src/indexeddb/imports.js", "src/indexeddb/storage.js"])
    assert.ok(names.includes(name), `${name} is packed`);
  const manifest = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8"));
  for (const target of Object.values(manifest.exports)
    .flatMap((entry) => typeof entry === "string" ? [entry] : Object.values(entry)))
    assert.ok(names.includes(target.slice(2)), `${target}, which is exported, is packed`);
  assert.deepEqual(manifest.publishConfig, { access: "public", provenance: true });
  assert.deepEqual(names.filter((name) => !/^(src\/.*\.(js|d\.ts|wasm)|package\.json|README\.md|LICENSE)$/.test(name)),
    [], "nothing else is");
  writeFileSync(join(project, "package.json"), '{ "name": "empty", "version": "1.0.0", "private": true }');
  const installed = run("npm", ["install", join(folder, filename), "--offline", "--no-audit", "--no-fund"], project);
  assert.equal(installed.status, 0, installed.output);
  const body = `const hearth = await Hearth.open({ store: "file:world.hearth" });
    const [visits] = hearth.run("_home.visits = (_home.visits or 0) + 1 return _home.visits");
    await hearth.commit();
    await hearth.close();
    console.log(visits, Hearth.version, new HearthError("busy", "x") instanceof Error, LuaError.name);`;
  writeFileSync(join(project, "main.mjs"), `import { Hearth, HearthError, LuaError } from "hearth-lua";\n${body}`);
  writeFileSync(join(project, "main.cjs"),
    `import("hearth-lua").then(async ({ Hearth, HearthError, LuaError }) => {\n${body}\n});`);
  writeFileSync(join(project, "wasm.mjs"), `import { readFileSync } from "node:fs";
    import { fileURLToPath } from "node:url";
    import { Hearth } from "hearth-lua";
    const wasm = readFileSync(fileURLToPath(import.meta.resolve("hearth-lua/hearth.wasm")));
    const hearth = await Hearth.open({ wasm });
    console.log(hearth.run("return _VERSION")[0]);`);
  const { version } = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8"));
  assert.deepEqual(run(process.execPath, ["main.mjs"], project),
    { status: 0, output: `1 ${version} true LuaError\n`, stdout: `1 ${version} true LuaError\n` });
  assert.equal(run(process.execPath, ["main.cjs"], project).output, `2 ${version} true LuaError\n`);
  assert.equal(run(process.execPath, ["wasm.mjs"], project).output, "Lua 5.4\n");
  assert.equal(run(process.execPath, ["--input-type=module", "-e", 'import "hearth-lua/src/instance.js"'], project)
    .status, 1, "the rest is private");
});

/* Every member of the declarations, used as it is meant. */
const SAMPLE = `
import { Hearth, HearthError, LuaError } from "hearth-lua";
import type { Captured, Durability, HearthCode, LuaFunction, LuaReference, LuaValue, Options, RunOptions, Stat }
  from "hearth-lua";
const durability: Durability = "durable";
const options: Options = {
  store: "memory:", wasm: new URL("file:///hearth.wasm"), readonly: false, create: true, exclusive: false, durability,
  takeover: true, persist: true, acceptLoss: false, alias: "track", flushOnHide: true,
  autocommit: { durability: "visible", onError(error: HearthError) { console.log(error.code); } },
  print: (line: string) => { console.log(line); }, warn: (line: string) => { console.warn(line); },
  modules: { ui: { alert(text: string) { return text; } } }, sources: { a: "return {}", b: new Uint8Array(1) },
  pageSize: 4096, strip: true, functions: true, placeholders: false, seal: (bytes: Uint8Array) => bytes.slice(0, 32),
};
const hearth: Hearth = await Hearth.open(options);
const version: string = Hearth.version;
const runOptions: RunOptions = { name: "=x", instructions: 1000, args: [1, 2n, "x", null, undefined, true,
  new Uint8Array(1), [1, [2]], { a: { b: 1 } }, new Map<LuaValue, LuaValue>([[1, "x"], ["y", [1]]]),
  new Set<LuaValue>([1]), (a: number) => a + 1] };
const values: LuaValue[] = hearth.run("return 1", runOptions);
hearth.run(new Uint8Array(1));
const { values: more, output }: Captured = hearth.capture("print(1)", { name: "=y" });
const results: LuaValue[] = hearth.call("_home.f", 1, "x");
const value: LuaValue = hearth.get("_home.x");
hearth.set("_home.x", { a: 1 });
await hearth.commit();
await hearth.commit({ durability: "complete" });
await hearth.rollback();
const n: number = await hearth.transaction((h: Hearth) => { h.run(""); return 1; });
await hearth.refresh();
await hearth.compact({ keep: 2 });
const bytes: Uint8Array = hearth.encode({ a: 1 }, { canonical: true, strip: true });
const again: Uint8Array = hearth.encodePath("_home", { strip: true });
const decoded: LuaValue = hearth.decode(bytes, { trusted: true, functions: true, permanents: true, metatables: true });
const stat: Stat = hearth.stat();
const saved: Date | undefined = stat.savedAt;
const sum: number = stat.homeId + stat.nextId + stat.objects + stat.externals + stat.committedEntries +
  stat.committedBytes + stat.pageSize + stat.luaBytes + stat.memoryBytes + stat.alias.uses + stat.storage.sequence +
  stat.storage.durable + stat.storage.entries + stat.storage.liveBytes + stat.storage.totalBytes +
  stat.storage.indexBytes + stat.storage.synced + stat.storage.written;
const text: string = stat.backend + stat.alias.places.join(), persistent: boolean | undefined = stat.storage.persistent;
hearth.setAlias("off");
const whole: Uint8Array = await hearth.export();
await hearth.import(whole, { replace: true });
const failure: HearthError | undefined = hearth.failure, closed: boolean = hearth.closed;
function use(f: LuaFunction, r: LuaReference): LuaValue {
  const [first] = f(1, "x");
  const types: ["function", "table" | "function" | "userdata" | "thread"] = [f.type, r.type];
  f.release();
  r.release();
  return [first, f, r, ...types];
}
try {
  hearth.run("error()");
} catch (error) {
  if (error instanceof LuaError) console.log(error.value, error.traceback.length, error.cause);
  if (error instanceof HearthError) {
    const code: HearthCode = error.code;
    console.log(code, error.path?.length, error.position?.toFixed(), error.message);
  }
}
await hearth.close();
console.log(version, values, more, output, results, value, n, again, decoded, saved, sum, text, persistent, failure,
  closed, use);
`;

/* Each line alone must be refused. */
const WRONG = ["new Hearth();", "Hearth.open({ sotre: 'x' });", "Hearth.open({ store: 5 });",
  "Hearth.open({ durability: 'best' });", "Hearth.open({ seal: new Uint8Array(32) });",
  "Hearth.open({ autocommit: {} });", "hearth.run(5);", "hearth.run('', { nam: 'x' });", "hearth.get();",
  "hearth.set('x', Symbol());", "hearth.set('x', new Date());", "hearth.commit('durable');",
  "const x: string = hearth.run('')[0];", "hearth.setAlias('of');",
  "hearth.closed = true;", "hearth.decode('text');", "const c: HearthCode = 'bogus';", "hearth.stat().nothing;"];

const skip = !existsSync(join(modules, "typescript")) && "typescript is not installed (HEARTH_NODE_MODULES)";
test("the declarations: strict TypeScript takes every member, and refuses what is wrong", { skip }, () => {
  const folder = newFolder();
  const compiler = (name, text) => {
    writeFileSync(join(folder, name), text);
    return run(process.execPath, [join(modules, "typescript/bin/tsc"), "--project", folder], folder);
  };
  const config = { compilerOptions: { strict: true, noEmit: true, target: "ES2022", module: "ES2022",
    moduleResolution: "bundler", lib: ["ES2022", "DOM"], exactOptionalPropertyTypes: false, skipLibCheck: false,
    types: [], paths: { "hearth-lua": [join(packageFolder, "src/hearth.d.ts")] } }, files: ["sample.ts"] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  const right = compiler("sample.ts", SAMPLE);
  assert.equal(right.status, 0, right.output);
  const before = 'import { Hearth } from "hearth-lua"; import type { HearthCode } from "hearth-lua"; ' +
    "declare const hearth: Hearth; export { Hearth, hearth }; export type { HearthCode };\n";
  const wrong = compiler("sample.ts", before + WRONG.join("\n"));
  assert.notEqual(wrong.status, 0);
  const lines = new Set([...wrong.output.matchAll(/sample\.ts\((\d+),/g)].map((match) => Number(match[1])));
  WRONG.forEach((line, i) => assert.ok(lines.has(i + 2), `TypeScript takes: ${line}`));
  assert.ok(!lines.has(1), wrong.output);
});

test("every member that is declared is there, and the other way round", async () => {
  const { Hearth } = await import(packageURL);
  const body = declarations.slice(declarations.indexOf("export class Hearth {"));
  const declared = [...body.matchAll(/^ {2}(?:readonly )?(\w+)(?:<\w+>)?[(:]/gm)].map((match) => match[1])
    .filter((name) => name !== "private");
  const hearth = await Hearth.open();
  const there = Object.getOwnPropertyNames(Hearth.prototype).filter((name) => name !== "constructor");
  assert.ok(declared.length > 15);
  for (const name of declared) assert.ok(there.includes(name), `${name} is declared only`);
  const internal = ["commitNow"]; // for a page that goes away: autocommit.js
  assert.deepEqual(there.filter((name) => !declared.includes(name) && !internal.includes(name)), []);
  await hearth.close();
});

test("the version is the header's", async () => {
  const version = header("hearth.h").match(/HEARTH_VERSION_STRING "(.*)"/)[1];
  const { Hearth } = await import(packageURL);
  assert.equal(JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8")).version, version);
  assert.equal(Hearth.version, version);
});

test("the statuses are the header's", async () => {
  const { STATUS, codeName } = await import(new URL("error.js", packageURL));
  const listed =
    Object.fromEntries([...header("hearth_status.h").matchAll(/^ {2}HEARTH_(\w+) = (-?\d+)/gm)].map(
      ([, name, status]) => [name.toLowerCase(), Number(status)]));
  assert.ok(Object.keys(listed).length > 25);
  assert.deepEqual({ ...STATUS }, listed);
  for (const [name, status] of Object.entries(listed)) assert.equal(codeName(status), name);
  const type = declarations.slice(declarations.indexOf("export type HearthCode"));
  const declared = [...type.slice(0, type.indexOf(";")).matchAll(/"(\w+)"/g)].map((match) => match[1]);
  assert.deepEqual(declared.sort(), Object.keys(listed).filter((name) => listed[name] < 0).sort());
});
