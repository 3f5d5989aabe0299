/** Chapter "Stores": what the keys of table 0 mean. */
import { Bytes } from "./bytes.mjs";

/** A number in 7 bytes, the most significant first. */
function number(bytes) {
  return bytes.take(7).reduce((n, byte) => n << 8n | BigInt(byte), 0n);
}

const big = (bytes, size) => bytes.take(size).reduce((n, byte) => n << 8n | BigInt(byte), 0n);

/** "object 12", "constant 3 part 0", ...: the names that `hearth dump` uses. */
export function entryName(key) {
  const bytes = new Bytes(key);
  const kind = String.fromCharCode(bytes.byte());
  if (kind === "m" && bytes.left === 0) return "metadata";
  const n = number(bytes);
  if (kind === "x" && bytes.left === 0) return `external table ${n}`;
  if (kind === "c") return bytes.left === 0 ? `constant ${n}` : `constant ${n} part ${big(bytes, 4)}`;
  if (kind !== "o") bytes.fail("there is no such entry", 0);
  if (bytes.left === 0) return `object ${n}`;
  const [section, prefix, depth] = [bytes.byte(), big(bytes, 8), bytes.byte()];
  return `object ${n} page ${section}.${prefix.toString(16).padStart(16, "0")}/${depth}`;
}
