/**
 * Values of JavaScript and of Lua, as `_io` passed them: plain objects and arrays. What the legacy runtime made nil
 * (functions, symbols) is nil; cycles, floats and integers of 64 bits, which it could not pass, go over.
 */
const CANONICAL = /^(?:0|-?[1-9]\d{0,18})$/;
const LEAST = -(2n ** 63n), MOST = 2n ** 63n - 1n;

/** The legacy runtime's t[1] and t["1"] were one entry: the text of an integer becomes the integer. */
function integerOf(text) {
  if (!CANONICAL.test(text)) return text;
  const integer = BigInt(text);
  return integer >= LEAST && integer <= MOST ? integer : text;
}

const wellFormed = (text) => text.replace(/\p{Surrogate}/gu, "\ufffd"); // as TextEncoder does

/**
 * @param {unknown} value
 * @param {boolean} integerKeys does the text of an integer become an integer key?
 */
export function toLua(value, integerKeys) {
  const keyOf = (key) => {
    if (typeof key !== "string") return convert(key);
    return integerKeys ? integerOf(wellFormed(key)) : wellFormed(key);
  };
  const made = new Map();
  const convert = (one) => {
    if (typeof one === "string") return wellFormed(one);
    if (typeof one === "function" || typeof one === "symbol" || one === null) return undefined;
    if (typeof one !== "object" || one instanceof Uint8Array) return one;
    const known = made.get(one);
    if (known !== undefined) return known;
    const isList = Array.isArray(one) || one instanceof Set;
    const copy = isList ? [] : new Map();
    made.set(one, copy);
    if (isList) for (const item of one) copy.push(convert(item));
    else for (const [key, item] of one instanceof Map ? one : Object.entries(one)) copy.set(keyOf(key), convert(item));
    return copy;
  };
  return convert(value);
}

/** An object whose keys are the texts of a Map's; the Map itself where two keys have one text, or a key has none. */
function objectOf(map) {
  const keys = [...map.keys()];
  const texts = new Set(keys.map(String));
  if (texts.size < keys.length || keys.some((key) => typeof key === "object" || typeof key === "function")) return map;
  return Object.fromEntries([...map].map(([key, value]) => [String(key), value]));
}

/** A function, or something that has no form in JavaScript; not a table with entries of these names. */
const isReference = (value) => Object.getOwnPropertyDescriptor(value, "release")?.enumerable === false;

/** What Hearth gives, as the legacy runtime gave it: null for nil, [] for an empty table, text for keys. */
export function fromLua(value) {
  const made = new Map();
  const convert = (one) => {
    if (one === undefined) return null;
    if (typeof one !== "object" && typeof one !== "function") return one;
    if (one === null || one instanceof Uint8Array) return one;
    if (isReference(one)) {
      one.release();
      return null;
    }
    return made.get(one) ?? table(one);
  };
  const table = (one) => {
    const object = one instanceof Map ? objectOf(one) : one;
    const isEmpty = !Array.isArray(one) && (one instanceof Map ? one.size : Object.keys(one).length) === 0;
    const result = isEmpty ? [] : object;
    made.set(one, result);
    if (Array.isArray(result)) for (let i = 0; i < result.length; i++) result[i] = convert(result[i]);
    else if (result instanceof Map) for (const [key, item] of [...result]) result.set(key, convert(item));
    else for (const [key, item] of Object.entries(result)) result[key] = convert(item);
    return result;
  };
  return convert(value);
}
