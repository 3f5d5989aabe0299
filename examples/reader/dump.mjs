#!/usr/bin/env node
/**
 * A reader of Hearth's format in JavaScript, written from docs/FORMAT.md alone; it shares no code with the library.
 *
 *     node dump.mjs BLOB        prints what `hearth dump --json BLOB` prints; floats may have other digits
 *     node dump.mjs LOG         the frames of a store's file, as `hearth dump --json --frames`; keys of external tables
 *                               are { "bytes": hexadecimal } here
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { TextDecoder } from "node:util";

import { readBlob } from "./blob.mjs";
import { Damaged } from "./bytes.mjs";
import { entryName } from "./entry.mjs";
import { readLog } from "./log.mjs";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const hex = (bytes) => Buffer.from(bytes).toString("hex");

function text(bytes) {
  try {
    return JSON.stringify(utf8.decode(bytes));
  } catch {
    return object({ bytes: JSON.stringify(hex(bytes)) });
  }
}

function float({ float: number, bits }) {
  if (Number.isFinite(number)) {
    const digits = Object.is(number, -0) ? "-0" : String(number);
    return /[.e]/.test(digits) ? digits : digits + ".0";
  }
  const name = Number.isNaN(number) ? "nan" : number > 0 ? "inf" : "-inf";
  const wide = bits ?? new BigUint64Array(new Float64Array([number]).buffer)[0];
  return object({ float: JSON.stringify(name), bits: JSON.stringify(wide.toString(16).padStart(16, "0")) });
}

/** An object out of texts that are JSON already. */
function object(fields) {
  return `{${Object.entries(fields).map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(",")}}`;
}

const list = (items) => `[${items.join(",")}]`;

function value(v) {
  if (v === null || typeof v !== "object") return String(v);
  if ("bytes" in v) return text(v.bytes);
  if ("float" in v) return float(v);
  return object("ref" in v ? { ref: v.ref } : { local: v.local });
}

function prototype(p, number) {
  const fields =
    { item: '"prototype"', number, luaVersion: p.luaVersion, upvalues: p.upvalues, size: p.size, sealed: p.sealed };
  if (p.line === undefined) return object(fields);
  return object({ ...fields, source: value(p.source), line: p.line, lastLine: p.lastLine });
}

function item({ head, weak, entries, cells, content, metatable }, number) {
  const fields = { item: JSON.stringify(head.kind), number };
  if (head.shape !== undefined) fields.shape = head.shape;
  if (weak) fields.weak = true;
  if (head.prototype !== undefined) fields.prototype = head.prototype;
  if (head.name !== undefined) Object.assign(fields, { name: value(head.name), of: JSON.stringify(head.of) });
  if (head.type !== undefined) fields.type = value(head.type);
  if (entries) fields.entries = list(entries.map((entry) => list(entry.map(value))));
  if (cells) fields.cells = list(cells.map(value));
  if (content !== undefined) fields.content = list([value(content)]);
  if (metatable) fields.metatable = value(metatable);
  return object(fields);
}

export function dump({ header, root, shapes, prototypes, objects }) {
  const { format, readableBy, canonical, stripped, luaVersion, integerSize, floatSize } = header;
  return [
    object({ item: '"blob"', format, readableBy, canonical, stripped, luaVersion, integerSize, floatSize,
      root: value(root) }),
    ...shapes.map((keys, number) => object({ item: '"shape"', number, keys: list(keys.map(value)) })),
    ...prototypes.map(prototype),
    ...objects.map((o, i) => item(o, i + 1)),
  ];
}

function operation({ op, table, key, value: bytes }) {
  const fields = { op: JSON.stringify(op), table };
  if (key) fields.key = table === 0n ? JSON.stringify(entryName(key)) : object({ bytes: JSON.stringify(hex(key)) });
  if (bytes) fields.size = bytes.length;
  return object(fields);
}

export function dumpLog({ header, frames }) {
  const { writeVersion, readVersion, salt, first, synced, time } = header;
  return [
    object({ item: '"log"', writeVersion, readVersion, salt: JSON.stringify(salt.toString(16).padStart(16, "0")),
      first, synced, time, damaged: false }),
    ...frames.map(({ at, kind, sequence, length, time: written, synced: known, operations }) => object({
      item: '"frame"', at, kind: JSON.stringify(kind), sequence, length, time: written, synced: known,
      operations: list(operations.map(operation)) })),
  ];
}

async function main(paths) {
  if (paths.length !== 1) {
    process.stderr.write("usage: dump.mjs BLOB-OR-LOG\n");
    return 2;
  }
  try {
    const bytes = readFileSync(paths[0]);
    const items = bytes[0] === 0x89 ? dumpLog(await readLog(bytes)) : dump(await readBlob(bytes));
    process.stdout.write(`[\n${items.join(",\n")}\n]\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof Damaged) && error.syscall === undefined) throw error;
    process.stderr.write(`${paths[0]}: ${error.message}\n`);
    return 1;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main(process.argv.slice(2));
