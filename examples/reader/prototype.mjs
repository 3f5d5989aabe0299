/** A prototype record: what can be said of a function without running it. */
import { Bytes } from "./bytes.mjs";

/** A size or a line as Lua's ldump.c writes it: 7 bits a byte, the highest first; the last byte has its top bit set. */
function luaSize(bytes) {
  for (let n = 0n; ;) {
    const byte = bytes.byte();
    n = n << 7n | BigInt(byte & 127);
    if (byte & 128) return n;
  }
}

export function readPrototype(record) {
  const bytes = new Bytes(record);
  const flags = bytes.byte();
  const [luaVersion, , , integerSize, floatSize, upvalues] = bytes.take(6);
  const size = bytes.u32();
  const body = bytes.take(size);
  if (flags & 1) bytes.take(32);
  if (bytes.left > 0) bytes.fail("something follows the prototype");
  const prototype = { luaVersion, upvalues, size, sealed: (flags & 1) !== 0 };
  if (luaVersion !== 0x54 || integerSize !== 8 || floatSize !== 8) return prototype;
  const chunk = new Bytes(body);
  const sourceSize = luaSize(chunk);
  prototype.source = sourceSize === 0n ? null : { bytes: chunk.take(Number(sourceSize) - 1) };
  prototype.line = luaSize(chunk);
  prototype.lastLine = luaSize(chunk);
  return prototype;
}
