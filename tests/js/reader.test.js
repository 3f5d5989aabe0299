/** The reader of examples/reader, which shares no code with the library, says what `hearth dump --json` says. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { command, newFolder, root } from "./testing.js";

const modules = process.env.HEARTH_NODE_MODULES ?? join(root, "node_modules");
const rounds = Number(process.env.HEARTH_TEST_ROUNDS ?? 1);
const seed = Number(process.env.HEARTH_TEST_SEED ?? Math.floor(Math.random() * 1e9));

/** The reader beside the packages that it needs, as npm installs them. */
function install() {
  const folder = newFolder();
  const source = join(root, "examples", "reader");
  for (const name of readdirSync(source).filter((name) => /\.mjs$|package\.json$/.test(name)))
    copyFileSync(join(source, name), join(folder, name));
  symlinkSync(modules, join(folder, "node_modules"));
  return folder;
}

const folder = install();
const { readBlob } = await import(pathToFileURL(join(folder, "blob.mjs")).href);
const { dump, dumpLog } = await import(pathToFileURL(join(folder, "dump.mjs")).href);
const { readLog } = await import(pathToFileURL(join(folder, "log.mjs")).href);
const { Damaged } = await import(pathToFileURL(join(folder, "bytes.mjs")).href);

/** Numbers and strings in the one form that JavaScript writes: 1.0e300 and 1e+300 are one float, 1 and 1.0 are two. */
const plain = (json) => json.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (token) => {
  if (token.startsWith('"')) return JSON.stringify(JSON.parse(token));
  return /[.eE]/.test(token) ? `float ${Object.is(Number(token), -0) ? "-0" : Number(token)}` : token;
});

/** What the command says of bytes; undefined: it refuses them. */
function said(bytes, log = false) {
  const path = join(folder, "try.bytes");
  writeFileSync(path, bytes);
  const what = log ? ["--store", `file:${path}`, "dump", "--json", "--frames"] : ["dump", "--json", path];
  const child = spawnSync(command(), what, { encoding: "utf8", maxBuffer: 1 << 28 });
  assert.equal(child.signal, null);
  return child.status === 0 ? plain(child.stdout) : undefined;
}

/** What the reader says. */
async function read(bytes, log = false) {
  try {
    const items = log ? dumpLog(await readLog(bytes)) : dump(await readBlob(bytes));
    return plain(`[\n${items.join(",\n")}\n]\n`);
  } catch (error) {
    if (error instanceof Damaged) return undefined;
    throw error;
  }
}

const golden = join(root, "tests", "golden");
const names = readdirSync(golden).filter((name) => name.endsWith(".blob"));

test("the golden files", async () => {
  assert.ok(names.length > 30);
  for (const name of names) {
    const bytes = readFileSync(join(golden, name));
    const expected = said(bytes);
    assert.ok(expected, name);
    assert.equal(await read(bytes), expected, name);
  }
});

test("random graphs", async (t) => {
  const count = 60 * rounds;
  const child = spawnSync(command(), ["--store", "memory:", "run", join(root, "tests/js/random_blobs.lua"),
    join(root, "tests/lua/support/random_graph.lua"), folder, String(count), String(seed)], { encoding: "utf8" });
  assert.equal(child.status, 0, child.stderr);
  let size = 0;
  for (let i = 1; i <= count; i++) {
    const bytes = readFileSync(join(folder, `${i}.blob`));
    size += bytes.length;
    assert.equal(await read(bytes), said(bytes), `HEARTH_TEST_SEED=${seed}, graph ${i}`);
  }
  t.diagnostic(`figure: ${count} random blobs of ${size} bytes: the second reader agrees`);
});

test("versions and flags: every pair of them", async () => {
  const bytes = readFileSync(join(golden, "shape.blob"));
  for (const writtenBy of [0, 1, 2, 255])
    for (const readableBy of [0, 1, 2, 255])
      for (const flags of [0, 1, 2, 3, 4, 255]) {
        const changed = Buffer.from(bytes);
        changed.set([writtenBy, readableBy, flags], 4);
        assert.equal(await read(changed), said(changed),
          `written by ${writtenBy}, readable by ${readableBy}, flags ${flags}`);
      }
});

test("both refuse every prefix", async () => {
  for (const name of names) {
    const bytes = readFileSync(join(golden, name));
    for (let size = 0; size < bytes.length; size++)
      assert.equal(await read(bytes.subarray(0, size)), undefined, `${name}, ${size} bytes`);
  }
});

test("a changed byte: both say the same, or both refuse", async (t) => {
  let tried = 0, refused = 0;
  for (const name of names) {
    const bytes = readFileSync(join(golden, name));
    if (bytes.length > 300) continue;
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] ^= 1 << (at % 8);
      const expected = said(changed);
      tried++;
      refused += expected === undefined;
      assert.equal(await read(changed), expected, `${name}: bit ${at % 8} of byte ${at}`);
    }
  }
  assert.ok(tried > 500);
  t.diagnostic(`figure: ${tried} changed bytes in blobs, ${refused} refused by both readers`);
});

test("a string has one form: no long one that is short, no far one that is near", async () => {
  const header = "CE4874680101005488";
  const string = (size) => `00000000C5${Buffer.of(size).toString("hex")}${"78".repeat(size)}`;
  /** A table of so many strings "x", which join the dictionary, and of one by its number there. */
  const known = (size, number) => `0000010211${Buffer.of(size + 1).toString("hex")}C9${"C60178".repeat(size)}C7` +
    Buffer.of(number).toString("hex");
  const cases = [["32 bytes", string(32), true], ["31 bytes", string(31), false], ["no bytes", string(0), false],
    ["string 32", known(33, 32), true], ["string 31", known(33, 31), false], ["string 0", known(1, 0), false]];
  for (const [name, hex, whole] of cases) {
    const bytes = Buffer.from(header + hex, "hex");
    const expected = said(bytes);
    assert.equal(expected !== undefined, whole, name);
    assert.equal(await read(bytes), expected, name);
  }
});

/** Without the keys of external tables, which the command writes as Lua does. */
const withoutKeys = (json) => json?.replace(/("table":[1-9]\d*,"key":)(?:"(?:[^"\\]|\\.)*"|\{[^}]*\})/g, '$1"..."');

/** The file of a store with commits of every kind of operation. */
function makeLog() {
  const path = join(folder, "log.hearth");
  const steps = ["_home.a = {1, 2, 3} _home.t = ext.table() _home.t[1] = 'x' _home.t.k = 2.5 _home.t[true] = false",
    "_home.a[2] = ('long'):rep(2000) _home.t[1] = nil", "_home.t = nil for i = 1, 2000 do _home.a[i] = 'n' .. i end"];
  for (const step of steps) {
    const child = spawnSync(command(), ["--store", `file:${path}`, "eval", step], { encoding: "utf8" });
    assert.equal(child.status, 0, child.stderr);
  }
  return readFileSync(path);
}

test("logs: a store's file, its export, the golden log", async () => {
  const golden = readFileSync(join(root, "tests/backends/golden_log.inc"), "utf8").match(/0x[0-9a-f]{2}/g).map(Number);
  const file = makeLog();
  const exported = join(folder, "exported");
  assert.equal(spawnSync(command(), ["--store", `file:${join(folder, "log.hearth")}`, "export", exported]).status, 0);
  for (const bytes of [file, readFileSync(exported), Buffer.from(golden)]) {
    const expected = said(bytes, true);
    assert.ok(expected);
    assert.equal(withoutKeys(await read(bytes, true)), withoutKeys(expected));
    assert.equal((await readLog(bytes)).end, bytes.length);
  }
});

test("a changed byte in a log ends it there, or is damage", async () => {
  const bytes = makeLog();
  const { frames } = await readLog(bytes);
  const ends = frames.map(({ at }) => at);
  for (let at = 0; at < bytes.length; at += at < 1000 ? 1 : 97) {
    const changed = Buffer.from(bytes);
    changed[at] ^= 1 << (at % 8);
    try {
      const log = await readLog(changed);
      assert.ok(log.frames.length < frames.length && log.end <= at && ends.includes(log.end),
        `byte ${at}: it is whole up to ${log.end}`);
    } catch (error) {
      assert.ok(error instanceof Damaged && at < 64, `byte ${at}: ${error.stack}`);
    }
  }
});
