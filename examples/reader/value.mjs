/**
 * Chapter "Values". What JavaScript cannot tell apart is an object: { float }, with the bits of a NaN, { bytes } for
 * every string, { ref } and { local } for objects. Integers are bigints; nil, false and true are null, false and true.
 */

/** Reads the values of one heap, in the order of the bytes, which the dictionary and TAG_NEXT depend on. */
export class Values {
  #strings = [];
  #top = 0n;

  /** `objects`: how many there are; undefined in a store. `locals`: of a special object of a store. */
  constructor(bytes, { objects, locals } = {}) {
    this.bytes = bytes;
    this.objects = objects;
    this.locals = locals;
  }

  read() {
    const { bytes } = this;
    const began = bytes.at;
    const tag = bytes.byte();
    if (tag < 0x80) return BigInt(tag);
    if (tag < 0xa0) return { bytes: bytes.take(tag - 0x80) };
    if (tag < 0xc0) return this.#known(BigInt(tag - 0xa0), began);
    if (tag >= 0xd0 && tag < 0xe0) return this.#integer(tag, began);
    switch (tag) {
      case 0xc0: return null;
      case 0xc1: return false;
      case 0xc2: return true;
      case 0xc3: return this.#narrow(began);
      case 0xc4: return this.#wide(began);
      case 0xc5: return this.#long(began);
      case 0xc6: return this.#define(began);
      case 0xc7: return this.#farKnown(began);
      case 0xc8: return this.#reference(bytes.varint(), began);
      case 0xc9: return this.#reference(this.#top + 1n, began);
      case 0xca: return this.#local(began);
      default: return bytes.fail(`no value begins with ${tag}`, began);
    }
  }

  #integer(tag, began) {
    const size = (tag & 7) + 1;
    let n = 0n;
    this.bytes.take(size).forEach((byte, i) => { n |= BigInt(byte) << BigInt(8 * i); });
    const positive = tag < 0xd8;
    const least = size > 1 ? 1n << BigInt(8 * (size - 1)) : positive ? 128n : 0n;
    if (n < least || n >= 1n << 63n) this.bytes.fail("an integer is not in its shortest form", began);
    return positive ? n : -1n - n;
  }

  #narrow(began) {
    const float = this.bytes.float32();
    if (Number.isNaN(float) || (float !== 0 && Math.abs(float) < 2 ** -126))
      this.bytes.fail("a float of 32 bits is not normal", began);
    return { float };
  }

  #wide(began) {
    const bits = this.bytes.u64();
    const float = new Float64Array(new BigUint64Array([bits]).buffer)[0];
    const narrow = Math.fround(float);
    if (narrow === float && (float === 0 || !Number.isFinite(float) || Math.abs(narrow) >= 2 ** -126))
      this.bytes.fail("a float could be narrower", began);
    return { float, bits };
  }

  #long(began) {
    const string = this.bytes.take(this.bytes.count());
    if (string.length < 32) this.bytes.fail("a short string in the form of a long one", began);
    return { bytes: string };
  }

  #define(began) {
    if (this.objects === undefined) this.bytes.fail("a store has no dictionary", began);
    const string = { bytes: this.bytes.take(this.bytes.count()) };
    this.#strings.push(string);
    return string;
  }

  #known(number, began) {
    if (number >= BigInt(this.#strings.length)) this.bytes.fail("there is no such string", began);
    return this.#strings[Number(number)];
  }

  #farKnown(began) {
    const number = this.bytes.varint();
    if (number < 32n) this.bytes.fail("a near string of the dictionary in the form of a far one", began);
    return this.#known(number, began);
  }

  #reference(number, began) {
    if (number === 0n || (this.objects !== undefined && number > BigInt(this.objects)))
      this.bytes.fail("there is no such object", began);
    if (number > this.#top) this.#top = number;
    return { ref: number };
  }

  #local(began) {
    const number = this.bytes.varint();
    if (this.locals === undefined || number >= BigInt(this.locals))
      this.bytes.fail("there is no such local object", began);
    return { local: number };
  }
}

export const isReference = (value) => value !== null && typeof value === "object" &&
  ("ref" in value || "local" in value);
