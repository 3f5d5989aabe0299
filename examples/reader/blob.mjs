/** Chapter "Blobs": one value and all objects that it reaches. */
import { Bytes } from "./bytes.mjs";
import { check } from "./check.mjs";
import { readBody, readHead, readShape, readValue } from "./heads.mjs";
import { readPrototype } from "./prototype.mjs";
import { Values } from "./value.mjs";

const MAGIC = [0xce, 0x48, 0x74, 0x68];
const VERSION = 1;
const REPEAT = 11;
function readHeader(bytes) {
  if (!MAGIC.every((byte) => byte === bytes.byte())) bytes.fail("this is no blob", 0);
  const [format, readableBy] = bytes.take(2);
  if (readableBy > VERSION) bytes.fail(`readers of version ${readableBy} and later can read this`, 5);
  const [flags, luaVersion, sizes] = bytes.take(3);
  if (readableBy === 0 || readableBy > format) bytes.fail("its versions contradict each other", 5);
  if (format <= VERSION && flags & ~3) bytes.fail("there are no such flags", 6);
  return { format, readableBy, canonical: (flags & 1) !== 0, stripped: (flags & 2) !== 0, luaVersion,
    integerSize: sizes >> 4, floatSize: sizes & 15 };
}

/** Some heads more, each equal to the one a period before. */
function repeat(bytes, heads, count) {
  const began = bytes.at;
  const period = (bytes.byte() >> 4) + 1;
  const times = bytes.varint();
  if (times === 0n || times > BigInt(count - heads.length)) bytes.fail("a repeat goes beyond the objects", began);
  for (let i = 0n; i < times; i++) {
    const head = heads.at(-period);
    if (heads.length < period || head.kind !== "table") bytes.fail("only heads of tables are repeated", began);
    heads.push(head);
  }
}

function readHeads(bytes, count, size) {
  const end = bytes.at + size;
  const names = new Values(bytes);
  const heads = [];
  if (count > bytes.left) bytes.fail("there are more objects than bytes");
  while (heads.length < count) {
    const began = bytes.at;
    if ((bytes.bytes[began] & 15) === REPEAT) {
      repeat(bytes, heads, count);
      continue;
    }
    const head = readHead(bytes, names);
    if (["shape", "prototype", "string", "paged"].includes(head.kind)) bytes.fail("a blob has no such objects", began);
    heads.push(head);
  }
  if (bytes.at !== end) bytes.fail("the heads are of another size");
  return heads;
}

async function readCheckedPrototype(bytes) {
  const size = bytes.count();
  const expected = bytes.u64();
  const at = bytes.at;
  const record = bytes.take(size);
  if (await check(record) !== expected) bytes.fail("a prototype is not as it was written", at);
  return readPrototype(record);
}

/** `{ header, root, shapes, prototypes, objects }`; objects from number 1 on, each with its kind, head and body. */
export async function readBlob(input) {
  const bytes = new Bytes(input);
  const header = readHeader(bytes);
  const [shapeCount, prototypeCount, objectCount, headSize] =
    [bytes.count(), bytes.count(), bytes.count(), bytes.count()];
  const shapes = Array.from({ length: shapeCount }, () => readShape(bytes, new Values(bytes)));
  const prototypes = [];
  while (prototypes.length < prototypeCount) prototypes.push(await readCheckedPrototype(bytes));
  const heads = readHeads(bytes, objectCount, headSize);
  const values = new Values(bytes, { objects: objectCount });
  const isCell = (number) => {
    const { kind, of } = heads[Number(number) - 1];
    return kind === "upvalue" || (kind === "permanent" && of === "upvalue");
  };
  const root = readValue(bytes, values, isCell);
  const constant = (list, what) => (number) => {
    if (number >= BigInt(list.length)) bytes.fail(`there is no such ${what}`);
    return list[Number(number)];
  };
  const constants =
    { shapes: constant(shapes, "shape"), upvalues: (n) => constant(prototypes, "prototype")(n).upvalues, isCell };
  const objects =
    heads.map((head) => (head.kind === "late" ? undefined : { head, ...readBody(bytes, values, head, constants) }));
  heads.forEach(({ kind }, i) => {
    if (kind !== "late") return;
    const began = bytes.at;
    const head = readHead(bytes, new Values(bytes));
    if (head.kind !== "table" || head.shape !== undefined)
      bytes.fail("a late object is a table without a shape", began);
    objects[i] = { head, weak: true, ...readBody(bytes, values, head, constants) };
  });
  if (bytes.left > 0) bytes.fail("something follows the blob");
  return { header, root, shapes, prototypes, objects };
}
