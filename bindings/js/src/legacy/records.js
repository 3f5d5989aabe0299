/**
 * Legacy records on their way to lib/legacy/legacy.lua and back. Bytes go as bytes, not as lists of numbers; whatever a
 * damaged record holds goes as something that can cross, and is reported there.
 */
const encoder = new TextEncoder();
const METADATA = "__metadata__";

const isObject = (value) => typeof value === "object" && value !== null;

/** Text with a lone half of a surrogate pair has no UTF-8 form. */
const wellFormed = (text) => text.replace(/\p{Surrogate}/gu, "\ufffd");

/** The numbers of an array, or of what JSON makes of a Uint8Array: an object with the keys "0", "1" and so on. */
function listOf(data) {
  if (Array.isArray(data)) return Array.from(data); // without holes
  return isObject(data) && Object.keys(data).every((key, i) => key === String(i)) ? Object.values(data) : undefined;
}

/** Bytes, or false for what is none. */
function bytesOf(data) {
  if (data instanceof Uint8Array) return data;
  const list = listOf(data);
  return list?.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255) ? Uint8Array.from(list) : false;
}

/** Numbers, truth values and text as they are; nil for null; anything else as the text that it gives. */
function scalar(value) {
  if (typeof value === "number" || typeof value === "boolean" || value === null || value === undefined) return value;
  return wellFormed(typeof value === "string" ? value : Object.prototype.toString.call(value));
}

function valueToLua(value) {
  if (value instanceof Uint8Array) return { $uint8array: value };
  if (typeof value === "string") return wellFormed(value);
  if (isObject(value) && value._type === "binary") return { _type: "binary", data: bytesOf(value.data) };
  if (isObject(value) && value.$uint8array !== undefined) return { $uint8array: bytesOf(value.$uint8array) };
  if (isObject(value) && !Array.isArray(value) && Object.hasOwn(value, "0")) return { $uint8array: bytesOf(value) };
  return isObject(value) ? {} : typeof value === "number" ? value : false; // not nil, which would be no entry
}

function entriesToLua(data, convert) {
  const entries = new Map();
  for (const [name, value] of Object.entries(data)) {
    let key = wellFormed(name);
    while (entries.has(key)) key += "\ufffd";
    entries.set(key, convert(value));
  }
  return entries;
}

function recordToLua(record) {
  if (!isObject(record)) return false;
  const { id, data } = record;
  const convert = id === METADATA ? scalar : valueToLua;
  return { id: scalar(id), data: isObject(data) ? entriesToLua(data, convert) : scalar(data) };
}

/** @param {object[]} records as getAll() gives them, or as a dump in JSON has them */
export const recordsToLua = (records) => Array.from(records, recordToLua);

/** What came over as text was bytes too: valid UTF-8 by chance. */
const bytesFromLua = (value) => (typeof value === "string" ? encoder.encode(value) : value);

const valueFromLua = ({ _type, data }) => ({ _type, data: Array.from(bytesFromLua(data)) });

function recordFromLua({ id, data }) {
  if (id === METADATA) return { id, data: { ...data, tableIds: listFromLua(data.tableIds) } };
  return { id, data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, valueFromLua(value)])) };
}

/** An empty table comes over as an object. */
export const listFromLua = (list) => (Array.isArray(list) ? list : []);

/** Records in the form that the legacy runtime put into IndexedDB. */
export const recordsFromLua = (records) => listFromLua(records).map(recordFromLua);
