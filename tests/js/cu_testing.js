/**
 * What the tests of the drop-in module hearth-lua/cu in Node share: a module with a file as its store, and the console.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, afterEach, beforeEach } from "node:test";
import { pathToFileURL } from "node:url";
import { newFolder, packageFolder } from "./testing.js";

export const cu = await import(pathToFileURL(join(packageFolder, "src/cu/cu.js")).href);
export const newStore = () => `file:${join(newFolder(), "cu.hearth")}`;

/** What comes on the console, of which the tests take what they expect. */
let lines = [];
const original = { warn: console.warn, error: console.error };
export const take = () => lines.splice(0);
beforeEach(() => {
  lines = [];
  for (const level of ["warn", "error"])
    console[level] = (...args) => lines.push(args.map((arg) => arg?.message ?? String(arg)).join(" "));
});
afterEach(() => {
  Object.assign(console, original);
  assert.deepEqual(take(), [], "the console stays empty");
});
after(() => cu.getHearth().close());

/** The number that compute gives, and what is in the buffer then. */
export async function compute(code) {
  const length = await cu.compute(code);
  if (length < 0) return { length, error: cu.readBuffer(cu.getBufferPtr(), -length) };
  return { length, ...cu.readResult(cu.getBufferPtr(), length) };
}
export const result = async (code) => {
  const computed = await compute(code);
  assert.ok(computed.length > 0, computed.error);
  return computed.result;
};
export async function begin(options = {}) {
  const store = options.store ?? newStore();
  assert.equal(await cu.load({ store, ...options }), true);
  assert.equal(cu.init(), 0);
  return store;
}
