/** Options: what a call accepts is a table, and whatever is not in it is an error that names it. */
import { HearthError } from "./error.js";

export const DURABILITY = { default: 0, visible: 1, complete: 2, durable: 3 };
export const ALIAS = { off: 0, on: 1, track: 2 };

const boolean = (value) => typeof value === "boolean" || "true or false";
const callable = (value) => typeof value === "function" || "a function";
const text = (value) => typeof value === "string" || "a text";
const source = (value) => typeof value === "string" || value instanceof Uint8Array || "a text or a Uint8Array";
const isAutocommit = (value) => typeof value?.onError === "function" &&
  (value.durability === undefined || Object.hasOwn(DURABILITY, value.durability)) &&
  Object.keys(value).every((name) => name === "durability" || name === "onError");
const object = (value) => (typeof value === "object" && value !== null) || "an object";
const list = (value) => Array.isArray(value) || "an array";
/** An object whose values are all right: @param {(value: any) => true | string} right */
const all = (right) => (value) => {
  if (object(value) !== true) return "an object";
  const wrong = Object.keys(value).find((name) => right(value[name]) !== true);
  return wrong === undefined || `${right(value[wrong])} as '${wrong}'`;
};
const choice = (choices) => (value) => Object.hasOwn(choices, value) ||
  Object.keys(choices).map((name) => `"${name}"`).join(", ");
const count = (least, most) => (value) =>
  (Number.isSafeInteger(value) && value >= least && value <= most) || `an integer from ${least} to ${most}`;

export const OPEN = {
  store: text, wasm: () => true, readonly: boolean, create: boolean, exclusive: boolean, durability: choice(DURABILITY),
  takeover: boolean, persist: boolean, acceptLoss: boolean, alias: choice(ALIAS),
  autocommit: (value) => typeof value === "boolean" || isAutocommit(value) ||
    "true, false or { durability, onError(error) }",
  flushOnHide: boolean, print: callable, warn: callable, modules: all(all(callable)), sources: all(source),
  pageSize: count(64, 1 << 20),
  strip: boolean, functions: boolean, placeholders: boolean, seal: callable, legacyNotice: boolean,
};
export const IMPORT_LEGACY = {
  from: (value) => typeof value === "string" || Array.isArray(value) || "a database's name or an array of records",
  keys: choice({ integer: 0, number: 0, text: 0 }), unreachable: text,
  home: (value) => Number.isSafeInteger(value) || typeof value === "string" || "the number of a table",
};
export const EXPORT_LEGACY = { to: text, replace: boolean, runtime: choice({ "2.0": 0, "2.1": 0 }), savedAt: text };
export const RUN = { name: text, instructions: count(1, Number.MAX_SAFE_INTEGER), args: list };
export const COMMIT = { durability: choice(DURABILITY) };
export const COMPACT = { keep: count(0, 0xffffffff) };
export const ENCODE = { canonical: boolean, strip: boolean };
export const DECODE = { trusted: boolean, functions: boolean, permanents: boolean, metatables: boolean };
export const IMPORT = { replace: boolean };

/**
 * The options, checked; undefined ones are left out.
 * @param {object | undefined} options
 * @param {Record<string, (value: any) => true | string>} known
 */
export function check(options, known) {
  const checked = {};
  if (options === undefined) return checked;
  if (object(options) !== true) throw new HearthError("invalid", "options: an object expected");
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(known, name)) throw new HearthError("invalid", `unknown option '${name}'`);
    if (value === undefined) continue;
    const verdict = known[name](value);
    if (verdict !== true) throw new HearthError("invalid", `option '${name}': ${verdict} expected`);
    checked[name] = value;
  }
  return checked;
}
