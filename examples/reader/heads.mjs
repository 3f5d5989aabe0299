/** Chapter "Records": heads of objects, and the shapes and bodies that go with them. */
import { isReference } from "./value.mjs";

const KINDS =
  [undefined, "table", "closure", "upvalue", "permanent", "special", "late", "shape", "prototype", "string", "paged"];
const PERMANENTS = ["table", "function", "C function", "userdata", "upvalue"];
const ARRAY = 0x10, SHAPE = 0x20, PAIRS = 0x40, METATABLE = 0x80;
const FLAGS = { table: 0xf0, permanent: 0xf0, special: 0x10, paged: METATABLE };

function readName(bytes, values) {
  const began = bytes.at;
  const name = values.read();
  if (name === null || isReference(name)) bytes.fail("a name is a boolean, number or string", began);
  return name;
}

/** `values` reads names, which are not in the dictionary. */
export function readHead(bytes, values) {
  const began = bytes.at;
  const first = bytes.byte();
  const kind = KINDS[first & 15];
  const flags = first & 0xf0;
  if (kind === undefined || (flags & ~(FLAGS[kind] ?? 0))) bytes.fail("no head begins so", began);
  const head = { kind, metatable: false };
  switch (kind) {
    case "table":
      head.array = flags & ARRAY ? bytes.varint() : 0n;
      head.shape = flags & SHAPE ? bytes.varint() : undefined;
      head.pairs = flags & PAIRS ? bytes.varint() : 0n;
      head.metatable = (flags & METATABLE) !== 0;
      break;
    case "closure": head.prototype = bytes.varint(); break;
    case "permanent":
      head.of = PERMANENTS[flags >> 4] ?? bytes.fail("no such kind of permanent", began);
      head.name = readName(bytes, values);
      break;
    case "special": if (flags) head.type = readName(bytes, values); break;
    case "prototype": head.check = bytes.u64(); break;
    case "string": head.size = bytes.varint(); break;
    case "paged":
      [head.integers, head.others] = [bytes.varint(), bytes.varint()];
      head.metatable = (flags & METATABLE) !== 0;
      break;
    default:
  }
  return head;
}

/** The keys of a shape: strings in ascending order of their bytes. */
export function readShape(bytes, values) {
  const began = bytes.at;
  const count = bytes.count();
  if (count < 1 || count > 32) bytes.fail("a shape has 1 to 32 keys", began);
  const keys = [];
  for (let i = 0; i < count; i++) {
    const at = bytes.at;
    const key = values.read();
    if (!key?.bytes || key.bytes.length > 40) bytes.fail("a shape's key is a string of at most 40 bytes", at);
    if (i > 0 && Buffer.compare(keys[i - 1].bytes, key.bytes) >= 0) bytes.fail("a shape's keys do not ascend", at);
    keys.push(key);
  }
  return keys;
}

/** A value, which is never a cell. */
export function readValue(bytes, values, isCell) {
  const began = bytes.at;
  const value = values.read();
  if (isReference(value) && isCell(value.ref)) bytes.fail("a value is no cell", began);
  return value;
}

/** What fills the object: entries, cells or a content, and a metatable. `shapes` and `upvalues` look constants up,
 *  `isCell` an object by its number. */
export function readBody(bytes, values, head, { shapes, upvalues, isCell }) {
  const { kind } = head;
  const plain = () => readValue(bytes, values, isCell);
  const value = () => {
    const began = bytes.at;
    const read = plain();
    if (read === null) bytes.fail("nil is no value of a table", began);
    return read;
  };
  const cell = () => {
    const began = bytes.at;
    const read = values.read();
    if (!isReference(read) || !isCell(read.ref)) bytes.fail("an upvalue is a cell", began);
    return read;
  };
  const object = () => {
    const began = bytes.at;
    const read = plain();
    if (!isReference(read)) bytes.fail("a metatable is an object", began);
    return read;
  };
  if (kind === "closure") {
    const cells = [];
    for (let i = upvalues(head.prototype); i > 0; i--) cells.push(cell());
    return { cells };
  }
  if (kind === "upvalue" || kind === "special") return { content: plain() };
  if (kind !== "table") return {};
  const entries = [];
  for (let i = 1n; i <= head.array; i++) entries.push([i, value()]);
  if (head.shape !== undefined) for (const key of shapes(head.shape)) entries.push([key, value()]);
  for (let i = 0n; i < head.pairs; i++) {
    const began = bytes.at;
    const key = plain();
    if (key === null || Number.isNaN(key?.float)) bytes.fail("no such key", began);
    entries.push([key, value()]);
  }
  return head.metatable ? { entries, metatable: object() } : { entries };
}
