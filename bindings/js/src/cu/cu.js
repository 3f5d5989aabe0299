/**
 * The interface of the legacy runtime `cu`, versions 2.0 and 2.1, on top of Hearth. cu.d.ts documents all of it; the
 * package's README says what is different.
 */
import { DATABASE } from "../legacy/database.js";
import { Buffer, decodeResult, encodeResult } from "./buffer.js";
import { Session, ioTableId } from "./session.js";
import { fromLua, toLua } from "./values.js";
import { warn } from "./warn.js";

const STORE = "indexeddb:cu";
const OPENING = ["wasm", "takeover", "persist", "acceptLoss", "modules", "sources", "print", "warn"]; // of Hearth.open
const OPTIONS = [
  "autoRestore", "wasmPath", "store", "legacy", "onLegacyState", "keys", "home", "unreachable", ...OPENING,
];

/** @type {Session | undefined} */
let session;
let latest = {}; // options of the latest load()
let failed = false; // that one
/** @type {Promise<unknown>} loads come one after the other */
let loading = Promise.resolve();
const buffer = new Buffer();
let aliasEnabled = true;
let integerKeys = true;

const encoder = new TextEncoder();

function loaded() {
  if (session === undefined) throw new Error("not loaded: call load() first");
  return session;
}

function hasIndexedDB() {
  try {
    return Boolean(globalThis.indexedDB);
  } catch {
    return false; // the browser refuses to be asked
  }
}

/* ------------------------------------------------------------------ loading */

/** What there is to say about the legacy state, where there is something. */
function tellOf({ database, savedAt, takenOver, newer, failure }) {
  const commands = "takeLegacyState() puts it in place of what is here; clearLegacyState() removes it.";
  if (failure !== undefined) return `${database} could not be taken over: ${failure.message}. It is as it was`;
  if (!newer) return undefined;
  return takenOver === undefined
    ? `it is not known whether ${database} was taken over: the store is in use, and there is no note of it. ${commands}`
    : `the legacy database ${database} was saved (${savedAt}) after it had been taken over (${takenOver}): ` +
      `an old tab may still be writing. ${commands}`;
}

function tellLegacy(state, onLegacyState) {
  if (state === undefined) return;
  const line = tellOf(state);
  if (line !== undefined) warn(line);
  const { database, report } = state;
  const lost = report === undefined ? 0 : report.items.length;
  if (lost > 0)
    warn(`${lost} things in ${database} could not be taken over as they were: getLegacyState().report lists them`);
  try {
    onLegacyState?.(state);
  } catch (error) {
    console.error("onLegacyState failed:", error);
  }
}

async function closeSession() {
  const old = session;
  session = undefined;
  try {
    await old?.close();
  } catch (error) {
    warn(`what was open before failed to close: ${error.message}`); // a dead store: it saves nothing any more
  }
}

/** What a session is opened with. */
function settingsOf({ autoRestore = true, store, legacy = DATABASE, keys, home, unreachable, ...rest }) {
  const opening = Object.fromEntries(Object.entries(rest).filter(([name]) => OPENING.includes(name)));
  return {
    store: store ?? (hasIndexedDB() ? STORE : undefined), autoRestore,
    legacy: hasIndexedDB() ? legacy : undefined,
    importing: { keys, home, unreachable },
    opening: { ...opening, alias: aliasEnabled ? "on" : "off", legacyNotice: false },
  };
}

async function openSession(options) {
  latest = options;
  failed = true;
  for (const name of Object.keys(options)) if (!OPTIONS.includes(name)) warn(`load() knows no option '${name}'`);
  await closeSession();
  session = await Session.open(settingsOf(options));
  failed = false;
  integerKeys = options.keys !== "text";
  if (session.unsaved !== undefined) warn(session.unsaved);
  tellLegacy(session.legacy, options.onLegacyState);
}

function checked(options) {
  if (typeof options === "object" && options !== null) return options;
  warn(`load() takes an object with options, and was given ${options === null ? "null" : `a ${typeof options}`}`);
  return {};
}

/** f, when all that was begun before is done; what is loaded after it waits for it. */
function inTurn(f) {
  const done = loading.then(f);
  loading = done.catch(() => {});
  return done;
}

export async function load(options = {}) {
  try {
    const given = checked(options);
    await inTurn(() => openSession(given));
    return true;
  } catch (error) {
    console.error("load() failed:", error);
    throw error;
  }
}

export const loadLuaWasm = load;

export function init() {
  loaded().initialised = true;
  return 0;
}

/* ---------------------------------------------------------------- computing */

export async function compute(code) {
  if (typeof code !== "string" || code === "") throw new Error("Code must be a non-empty string");
  try {
    if (!loaded().initialised) throw new Error("not initialised: call init() first");
    const { output, kind, value } = session.compute(code);
    return buffer.put(encodeResult(output, kind, value));
  } catch (error) {
    console.error("compute() failed:", error);
    return -buffer.put(encoder.encode(`Error: ${error.message}`));
  }
}

export function getBufferPtr() {
  loaded();
  return buffer.address;
}

export function getBufferSize() {
  loaded();
  return buffer.size;
}

/** What f gives; where it throws, what it would give for nothing. */
function attempt(name, otherwise, f) {
  loaded();
  try {
    return f();
  } catch (error) {
    console.error(`${name}() failed:`, error);
    return otherwise;
  }
}

export const readBuffer = (ptr, len) => attempt("readBuffer", "", () => buffer.text(ptr, len));

export const readResult = (ptr, len) =>
  attempt("readResult", { output: "", result: null }, () => decodeResult(buffer.get(ptr, len)));

export function writeBuffer(ptr, text) {
  loaded();
  return buffer.write(ptr, text);
}

export const getMemoryStats = () => attempt("getMemoryStats", { total: 0, used: 0, free: 0 }, () => {
  const { memoryBytes: total, luaBytes: used } = session.hearth.stat();
  return { total, used, free: total - used };
});

export const runGc = () => attempt("runGc", false, () => {
  session.collect();
  return true;
});

/* ------------------------------------------------------------------- saving */

/** Did it succeed? Why not is on the console. */
async function succeeded(name, f) {
  try {
    await f();
    return true;
  } catch (error) {
    console.error(`${name}() failed:`, error);
    return false;
  }
}

/** A session that is there is called at once, since a page may be going away; else after the load() under way. */
async function withSession(f, otherwise = loaded) {
  if (session !== undefined) await f(session);
  else await inTurn(() => (session === undefined ? otherwise() : f(session)));
}

export const saveState = () => succeeded("saveState", () => withSession((current) => current.save()));

/** Before load() there is nothing to be done: that reads what is saved. */
export const loadState = () => succeeded("loadState", () =>
  withSession((current) => current.restore(), () => failed && loaded()));

export const clearPersistedState = () => succeeded("clearPersistedState", () =>
  withSession((current) => current.clear(), () => Session.clear(settingsOf(latest))));

/* --------------------------------------------------------- the legacy state */

export const getLegacyState = () => loaded().legacy;

export const takeLegacyState = async () => loaded().takeLegacy();

export const clearLegacyState = () => succeeded("clearLegacyState", () =>
  withSession((current) => current.clearLegacy(), () => Session.clearLegacy(settingsOf(latest))));

/* ------------------------------------------------------------------- tables */

export function getTableInfo() {
  const none = { tableCount: 0, homeTableId: null, memoryTableId: null, nextTableId: 1, tables: [] };
  return session?.tables() ?? none;
}

export const getHomeTableId = () => session?.hearth.stat().homeId ?? null;

export const getMemoryTableId = getHomeTableId;

export function setMemoryAliasEnabled(enabled) {
  aliasEnabled = Boolean(enabled);
  session?.hearth.setAlias(aliasEnabled ? "on" : "off");
  if (aliasEnabled) warn('the name "Memory" is deprecated: the table is _home');
}

/** The Hearth underneath: everything that it can do. */
export const getHearth = () => loaded().hearth;

/* --------------------------------------------------------------------- _io */

export function getIoTableId() {
  loaded();
  return ioTableId;
}

export function setInput(value) {
  loaded().setIo("input", toLua(value, integerKeys));
}

export function setMetadata(value) {
  loaded().setIo("meta", toLua(value, integerKeys));
}

export function getOutput() {
  return fromLua(loaded().getIo("output"));
}

export function clearIo() {
  for (const key of ["input", "output", "meta"]) session?.setIo(key, undefined);
}

export default {
  load, loadLuaWasm, init, compute, getBufferPtr, getBufferSize, getMemoryStats, runGc, readBuffer, readResult,
  writeBuffer, saveState, loadState, clearPersistedState, getTableInfo, getMemoryTableId, getHomeTableId,
  setMemoryAliasEnabled, getIoTableId, setInput, getOutput, setMetadata, clearIo,
  getLegacyState, takeLegacyState, clearLegacyState, getHearth,
};
