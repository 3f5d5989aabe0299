/** A cursor over bytes: the notation of docs/FORMAT.md. */

export class Damaged extends Error {
  constructor(position, why) {
    super(`damaged at byte ${position}: ${why}`);
    this.position = position;
  }
}

export class Bytes {
  #view;

  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left() {
    return this.bytes.length - this.at;
  }

  fail(why, at = this.at) {
    throw new Damaged(at, why);
  }

  /** Where the next `size` bytes begin; the cursor stands behind them. */
  skip(size) {
    if (size > this.left) this.fail("it ends too early");
    this.at += size;
    return this.at - size;
  }

  take(size) {
    const at = this.skip(size);
    return this.bytes.subarray(at, at + size);
  }

  byte() {
    return this.bytes[this.skip(1)];
  }

  u16() {
    return this.#view.getUint16(this.skip(2), true);
  }

  u32() {
    return this.#view.getUint32(this.skip(4), true);
  }

  u64() {
    return this.#view.getBigUint64(this.skip(8), true);
  }

  float32() {
    return this.#view.getFloat32(this.skip(4), true);
  }

  /** A bigint: 7 bits a byte, the lowest first, in the shortest form. */
  varint() {
    const began = this.at;
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte();
      if (shift === 63n && byte > 1) this.fail("a varint is too large", began);
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) {
        if (byte === 0 && shift > 0n) this.fail("a varint is not in its shortest form", began);
        return value;
      }
    }
  }

  /** A varint that is no more than the bytes that remain. */
  count() {
    const began = this.at;
    const value = this.varint();
    if (value > BigInt(this.left)) this.fail("a count is larger than what is left", began);
    return Number(value);
  }
}
