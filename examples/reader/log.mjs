/** Chapter "The log": the header of a store's file, its frames, and the operations in them. */
import { Bytes } from "./bytes.mjs";
import { check } from "./check.mjs";

const MAGIC = [0x89, 0x48, 0x4c, 0x4f, 0x47, 0x0d, 0x0a, 0x1a];
const FRAME = [0xf5, 0x48, 0x46, 0x52];
const VERSION = 1;
const HEADER_SIZE = 64;
const KINDS = [undefined, "batch", "part", "synced", "closed"];

const seedAt = (salt, offset) => salt ^ (BigInt(offset) * 0x9e3779b97f4a7c15n & 0xffffffffffffffffn);

async function readHeader(bytes) {
  if (bytes.left < HEADER_SIZE || !MAGIC.every((byte) => byte === bytes.byte())) bytes.fail("this is no log", 0);
  const [writeVersion, readVersion] = [bytes.u16(), bytes.u16()];
  bytes.u32();
  const [salt, time, first, synced, again, expected] = Array.from({ length: 6 }, () => bytes.u64());
  if (salt !== again || await check(bytes.bytes.subarray(0, HEADER_SIZE - 8)) !== expected)
    bytes.fail("the header does not pass its check", 0);
  if (readVersion > VERSION) bytes.fail(`readers of version ${readVersion} and later can read this`, 10);
  return { writeVersion, readVersion, salt, time, first, synced, check: expected };
}

async function readOperation(bytes, base, salt) {
  const began = bytes.at;
  const op = ["put", "del", "drop"][bytes.byte() - 1] ?? bytes.fail("there is no such operation", began);
  const table = bytes.varint();
  if (op === "drop") return { op, table };
  const size = bytes.count();
  if (size > 1024) bytes.fail("a key is too long", began);
  const key = bytes.take(size);
  if (op === "del") return { op, table, key };
  const valueSize = bytes.varint();
  const expected = bytes.u64();
  if (valueSize > BigInt(bytes.left)) bytes.fail("a value is longer than what is left", began);
  const at = bytes.at;
  const value = bytes.take(Number(valueSize));
  if (await check(value, seedAt(salt, base + at) ^ await check(key, table)) !== expected)
    bytes.fail("a value is not as it was written", base + at);
  return { op, table, key, value };
}

/** The next frame, or undefined where the log ends: at the first that is not whole or does not follow. */
async function readFrame(bytes, header, before, batch) {
  const at = bytes.at;
  if (bytes.left < HEADER_SIZE) return undefined;
  const whole = bytes.bytes.subarray(at, at + HEADER_SIZE - 8);
  const magic = FRAME.every((byte) => byte === bytes.byte());
  const kind = KINDS[bytes.byte()];
  bytes.take(3);
  const [length, sequence, time, synced, expected, chain, own] = Array.from({ length: 7 }, () => bytes.u64());
  const follows = sequence === (kind === "synced" || kind === "closed" ? batch - 1n : batch);
  if (!magic || kind === undefined || !follows || chain !== before) return undefined;
  if (await check(whole, seedAt(header.salt, at)) !== own) return undefined;
  if (length > BigInt(bytes.left)) return undefined;
  const begin = bytes.at;
  const payload = bytes.take(Number(length));
  if (await check(payload, seedAt(header.salt, begin)) !== expected) return undefined;
  const inside = new Bytes(payload);
  const operations = [];
  while (inside.left > 0) operations.push(await readOperation(inside, begin, header.salt));
  return { at, kind, sequence, length, time, synced, operations, check: own };
}

/** `{ header, frames, end }`; `end` is where the last whole frame ends, and the file too unless its tail is torn. */
export async function readLog(input) {
  const bytes = new Bytes(input);
  const header = await readHeader(bytes);
  const frames = [];
  for (let before = header.check, batch = header.first; ;) {
    const end = bytes.at;
    const frame = await readFrame(bytes, header, before, batch);
    if (frame === undefined) return { header, frames, end };
    frames.push(frame);
    if (frame.kind === "batch") batch++;
    before = frame.check; // a mark is the last frame: what follows a mark was written over it
  }
}
