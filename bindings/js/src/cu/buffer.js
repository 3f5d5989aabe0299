/**
 * The legacy runtime's buffer, through which code and results went, and what a result looks like in it, little-endian:
 *
 *   u32 length and text of what was printed, then the value: a tag, and what follows
 *   00 nil   01 boolean, u8   02 integer, i64   03 float, f64   04 string, u32 length, bytes
 *   05 table   06 function   07 userdata   08 coroutine: not shown
 *
 * It had 65,536 bytes, and cut off what was longer; here a longer result makes room for itself.
 */
const ADDRESS = 1024; // not 0, which some take for a failure
const SIZE = 65536;

const TAGS = { nil: 0, boolean: 1, integer: 2, float: 3, string: 4, table: 5, function: 6, userdata: 7, thread: 8 };
const KINDS = Object.keys(TAGS);

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/** Text; the bytes themselves where they are none. */
function textOrBytes(bytes) {
  try {
    return strict.decode(bytes);
  } catch {
    return bytes;
  }
}

const numberOf = (integer) =>
  integer >= Number.MIN_SAFE_INTEGER && integer <= Number.MAX_SAFE_INTEGER ? Number(integer) : integer;

function encodeValue(kind, value) {
  const tag = TAGS[kind];
  if (tag === TAGS.boolean) return Uint8Array.of(tag, value ? 1 : 0);
  if (tag === TAGS.integer || tag === TAGS.float) {
    const view = new DataView(new ArrayBuffer(9));
    view.setUint8(0, tag);
    if (tag === TAGS.integer) view.setBigInt64(1, BigInt(value), true);
    else view.setFloat64(1, value, true);
    return new Uint8Array(view.buffer);
  }
  if (tag !== TAGS.string) return Uint8Array.of(tag);
  const bytes = typeof value === "string" ? encoder.encode(value) : value;
  const all = new Uint8Array(5 + bytes.length);
  all[0] = tag;
  new DataView(all.buffer).setUint32(1, bytes.length, true);
  all.set(bytes, 5);
  return all;
}

/**
 * @param {string} output
 * @param {string} kind of the value: its Lua type, a number's subtype
 * @param {unknown} value undefined where it is not shown
 */
export function encodeResult(output, kind, value) {
  const printed = encoder.encode(output);
  const encoded = encodeValue(kind, value);
  const all = new Uint8Array(4 + printed.length + encoded.length);
  new DataView(all.buffer).setUint32(0, printed.length, true);
  all.set(printed, 4);
  all.set(encoded, 4 + printed.length);
  return all;
}

function decodeValue(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  switch (bytes[0]) {
    case TAGS.nil: return null;
    case TAGS.boolean: return bytes[1] !== 0;
    case TAGS.integer: return numberOf(view.getBigInt64(1, true));
    case TAGS.float: return view.getFloat64(1, true);
    case TAGS.string: return textOrBytes(bytes.slice(5, 5 + view.getUint32(1, true)));
    default: return `<${KINDS[bytes[0]] ?? `unknown type ${bytes[0]}`}>`;
  }
}

/** @param {Uint8Array} bytes */
export function decodeResult(bytes) {
  if (bytes.length < 5) return { output: "", result: null };
  const end = 4 + new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0, true);
  if (end >= bytes.length) throw new RangeError("these bytes are no result");
  return { output: decoder.decode(bytes.subarray(4, end)), result: decodeValue(bytes.subarray(end)) };
}

export class Buffer {
  address = ADDRESS;
  size = SIZE;
  #bytes = new Uint8Array(SIZE);

  /** Puts bytes at its beginning: how many. */
  put(bytes) {
    if (bytes.length > this.#bytes.length) this.#bytes = new Uint8Array(bytes.length);
    this.#bytes.set(bytes);
    return bytes.length;
  }

  /** A copy of what is there; a RangeError where nothing is. */
  get(address, length) {
    const at = address - ADDRESS;
    if (!(at >= 0 && length >= 0 && at + length <= this.#bytes.length))
      throw new RangeError(`there are no ${length} bytes at ${address}`);
    return this.#bytes.slice(at, at + length);
  }

  text(address, length) {
    return decoder.decode(this.get(address, length));
  }

  /** Writes text: how many bytes. */
  write(address, text) {
    const bytes = encoder.encode(text);
    this.get(address, bytes.length);
    this.#bytes.set(bytes, address - ADDRESS);
    return bytes.length;
  }
}
