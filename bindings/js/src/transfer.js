/**
 * Messages: JavaScript values as bytes on their way to Lua and back. The other half is
 * bindings/js/native/transfer_read.c and transfer_write.c; transfer.h says what a message looks like.
 */
import { HearthError } from "./error.js";

const NIL = 0, FALSE = 1, TRUE = 2, SMALL = 3, INTEGER = 4, FLOAT = 5, TEXT = 6, BYTES = 7, TABLE = 8, REFERENCE = 9,
  FUNCTION = 10;
const ARRAY = 0, OBJECT = 1, MAP = 2;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

const LEAST_INTEGER = -(2n ** 63n);
const MOST_INTEGER = 2n ** 63n - 1n;

/** Text with a lone half of a surrogate pair has no bytes that would come back as the same text. */
const hasLoneSurrogate = (text) => /\p{Surrogate}/u.test(text);

/**
 * What crosses by number instead of by value.
 * @typedef {object} Crossing
 * @property {(f: Function) => number} functionNumber of a JavaScript function
 * @property {(number: number) => Function} functionOf the function with that number
 * @property {(value: any) => {type: number, handle: number} | undefined} referenceOf what stands for a Lua value
 * @property {(type: number, handle: number) => any} reference the JavaScript value that stands for a Lua value
 */

class Writer {
  /** @param {Crossing} crossing */
  constructor(crossing) {
    this.crossing = crossing;
    this.bytes = new Uint8Array(256);
    this.view = new DataView(this.bytes.buffer);
    this.size = 0;
    /** @type {Map<object, number>} */
    this.numbers = new Map();
    /** @type {object[]} */
    this.tables = [];
    /** @type {{at: number, f: Function}[]} functions, and where their numbers go */
    this.functions = [];
  }

  /** Makes room for n more bytes: where they begin. */
  reserve(n) {
    const at = this.size;
    this.size += n;
    if (this.size > this.bytes.length) {
      const bytes = allocate(Math.max(this.size, this.bytes.length * 2));
      bytes.set(this.bytes.subarray(0, at));
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer);
    }
    return at;
  }

  u8(n) {
    const at = this.reserve(1);
    this.bytes[at] = n;
  }

  u32(n) {
    const at = this.reserve(4);
    this.view.setUint32(at, n, true);
  }

  string(tag, bytes) {
    this.u8(tag);
    this.u32(bytes.length);
    const at = this.reserve(bytes.length);
    this.bytes.set(bytes, at);
  }

  text(text) {
    if (hasLoneSurrogate(text))
      throw new HearthError("invalid", "text with half of a surrogate pair has no UTF-8 form");
    const most = text.length * 3;
    this.u8(TEXT);
    const at = this.reserve(4 + most);
    const { written } = encoder.encodeInto(text, this.bytes.subarray(at + 4));
    this.view.setUint32(at, written, true);
    this.size = at + 4 + written;
  }

  number(n) {
    if (Number.isSafeInteger(n) && !Object.is(n, -0)) {
      if (n === (n | 0)) {
        this.u8(SMALL);
        this.u32(n);
      } else {
        this.bigint(BigInt(n));
      }
      return;
    }
    this.u8(FLOAT);
    const at = this.reserve(8);
    this.view.setFloat64(at, n, true);
  }

  bigint(n) {
    if (n < LEAST_INTEGER || n > MOST_INTEGER) throw new HearthError("invalid", `${n} does not fit 64 bits`);
    this.u8(INTEGER);
    const at = this.reserve(8);
    this.view.setBigInt64(at, n, true);
  }

  table(object) {
    let number = this.numbers.get(object);
    if (number === undefined) {
      number = this.tables.length;
      this.numbers.set(object, number);
      this.tables.push(object);
    }
    this.u8(TABLE);
    this.u32(number);
  }

  value(value) {
    switch (typeof value) {
      case "undefined": return this.u8(NIL);
      case "boolean": return this.u8(value ? TRUE : FALSE);
      case "number": return this.number(value);
      case "bigint": return this.bigint(value);
      case "string": return this.text(value);
      case "function":
      case "object": return this.object(value);
      default: throw new HearthError("invalid", `a ${typeof value} cannot become a Lua value`);
    }
  }

  object(value) {
    if (value === null) return this.u8(NIL);
    const reference = this.crossing.referenceOf(value);
    if (reference !== undefined) {
      this.u8(REFERENCE);
      this.u8(reference.type);
      return this.u32(reference.handle);
    }
    if (typeof value === "function") {
      this.u8(FUNCTION);
      this.functions.push({ at: this.reserve(4), f: value });
      return undefined;
    }
    if (value instanceof Uint8Array) return this.string(BYTES, value);
    if (value instanceof ArrayBuffer) return this.string(BYTES, new Uint8Array(value));
    if (Array.isArray(value) || value instanceof Map || value instanceof Set || isPlain(value))
      return this.table(value);
    throw new HearthError("invalid", `${describe(value)} cannot become a Lua value`);
  }

  contents(object) {
    if (Array.isArray(object)) {
      this.u8(ARRAY);
      this.u32(object.length);
      for (let i = 0; i < object.length; i++) this.value(object[i]); // holes are nil
    } else if (object instanceof Set) {
      this.u8(ARRAY);
      this.u32(object.size);
      for (const member of object) this.value(member);
    } else if (object instanceof Map) {
      this.u8(MAP);
      this.u32(object.size);
      for (const [key, value] of object) {
        if (key === undefined || key === null || Number.isNaN(key))
          throw new HearthError("invalid", `${key} cannot be a key of a Lua table`);
        this.value(key);
        this.value(value);
      }
    } else {
      const keys = Object.keys(object);
      this.u8(OBJECT);
      this.u32(keys.length);
      for (const key of keys) {
        this.text(key);
        this.value(object[key]);
      }
    }
  }
}

/** @returns {Uint8Array} */
function allocate(size) {
  try {
    return new Uint8Array(size);
  } catch (cause) {
    throw new HearthError("nomem", `not enough memory for ${size} bytes`, { cause });
  }
}

function isPlain(object) {
  const prototype = Object.getPrototypeOf(object);
  return prototype === null || Object.getPrototypeOf(prototype) === null; // plain objects of other frames too
}

function describe(object) {
  const name = object.constructor?.name;
  return name ? `an object of class ${name}` : "this object";
}

/**
 * Values as a message: bytes that are valid until the next call.
 * @param {any[]} values
 * @param {Crossing} crossing
 * @returns {Uint8Array}
 */
export function writeMessage(values, crossing) {
  const writer = new Writer(crossing);
  writer.u32(values.length);
  for (const value of values) writer.value(value);
  for (let i = 0; i < writer.tables.length; i++) writer.contents(writer.tables[i]);
  // Last: whatever failed before, or ran in a getter, leaves no function held for nothing, and none released meanwhile.
  for (const { at, f } of writer.functions) writer.view.setUint32(at, crossing.functionNumber(f), true);
  return writer.bytes.subarray(0, writer.size);
}

/** @param {Uint8Array} bytes */
function decode(bytes) {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new HearthError("nomem", `a text of ${bytes.length} bytes is too long for JavaScript`, { cause });
  }
}

class Reader {
  /**
   * @param {Uint8Array} bytes
   * @param {Crossing} crossing
   */
  constructor(bytes, crossing) {
    this.crossing = crossing;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.at = 0;
    /** @type {{kind: number, count: number, object: any}[]} one a table */
    this.tables = [];
  }

  u8() {
    return this.bytes[this.at++];
  }

  u32() {
    const n = this.view.getUint32(this.at, true);
    this.at += 4;
    return n;
  }

  span() {
    const size = this.u32();
    const bytes = this.bytes.subarray(this.at, this.at + size);
    this.at += size;
    return bytes;
  }

  text() {
    const size = this.u32();
    const { bytes, at } = this;
    this.at += size;
    if (size > 24) return decode(bytes.subarray(at, at + size));
    let text = ""; // short names: cheaper than a decoder's call
    for (let i = at; i < at + size; i++) {
      if (bytes[i] > 0x7f) return decode(bytes.subarray(at, at + size));
      text += String.fromCharCode(bytes[i]);
    }
    return text;
  }

  float() {
    const n = this.view.getFloat64(this.at, true);
    this.at += 8;
    return n;
  }

  integer() {
    const n = this.view.getBigInt64(this.at, true);
    this.at += 8;
    return n >= Number.MIN_SAFE_INTEGER && n <= Number.MAX_SAFE_INTEGER ? Number(n) : n;
  }

  small() {
    const n = this.view.getInt32(this.at, true);
    this.at += 4;
    return n;
  }

  value() {
    switch (this.u8()) {
      case FALSE: return false;
      case TRUE: return true;
      case SMALL: return this.small();
      case INTEGER: return this.integer();
      case FLOAT: return this.float();
      case TEXT: return this.text();
      case BYTES: return this.span().slice();
      case TABLE: return this.tables[this.u32()].object;
      case REFERENCE: {
        const type = this.u8();
        return this.crossing.reference(type, this.u32());
      }
      case FUNCTION: return this.crossing.functionOf(this.u32());
      default: return undefined;
    }
  }

  /** Moves over a value: how many tables were met by then. */
  skip(met) {
    const tag = this.u8();
    switch (tag) {
      case SMALL: case FUNCTION: this.at += 4; break;
      case INTEGER: case FLOAT: this.at += 8; break;
      case TEXT: case BYTES: this.span(); break;
      case TABLE: return Math.max(met, this.u32() + 1);
      case REFERENCE: this.at += 5; break;
    }
    return met;
  }

  /** What a table will be is said only where its contents are: looks through the message once and makes the objects. */
  makeTables(values) {
    const begin = this.at;
    let met = 0;
    for (let i = 0; i < values; i++) met = this.skip(met);
    for (let number = 0; number < met; number++) {
      const kind = this.u8(), count = this.u32();
      const object = kind === ARRAY ? new Array(count) : kind === OBJECT ? {} : new Map();
      this.tables.push({ kind, count, object });
      for (let i = 0; i < (kind === ARRAY ? count : count * 2); i++) met = this.skip(met);
    }
    this.at = begin;
  }

  contents({ kind, count, object }) {
    this.at += 5;
    if (kind === ARRAY) {
      for (let i = 0; i < count; i++) object[i] = this.value();
    } else if (kind === OBJECT) {
      for (let i = 0; i < count; i++) {
        const key = this.value();
        setField(object, key, this.value());
      }
    } else {
      for (let i = 0; i < count; i++) {
        const key = this.value();
        object.set(key, this.value());
      }
    }
  }
}

/** `__proto__` is a key like any other. */
function setField(object, key, value) {
  if (key === "__proto__")
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  else object[key] = value;
}

/**
 * The values of a message. Nothing refers to the bytes afterwards.
 * @param {Uint8Array} bytes
 * @param {Crossing} crossing
 * @returns {any[]}
 */
export function readMessage(bytes, crossing) {
  if (bytes.length === 0) return [];
  const reader = new Reader(bytes, crossing);
  const values = new Array(reader.u32());
  reader.makeTables(values.length);
  for (let i = 0; i < values.length; i++) values[i] = reader.value();
  for (const table of reader.tables) reader.contents(table);
  return values;
}
