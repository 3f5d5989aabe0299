/**
 * The database of one store: opening it, and reading the log that it holds.
 *
 * Two object stores. "log" has the records under [generation, sequence]. "notes" has "state",
 * { generations, poisons }: the generations whose records are the log, one behind the other, and the
 * generations that other tabs were writing when the store was taken from them, each with the sequence of its
 * poison. Without a note the log is generation 1. Records of a generation that the note does not name are what an
 * unfinished compaction left.
 */
import { HearthError } from "../error.js";
import { noteHere } from "./note.js";

export const LOG = "log";
export const NOTES = "notes";
export const STATE = "state";
export const BALLAST = "ballast";
/** A key of each generation that nobody but a taker leaves there; see guard in transaction.js. */
export const GUARD = -1;
/** The value of a poison record: no bytes, so that nobody takes it for a frame. */
export const POISON = "taken over";

const VERSION = 1;
const PATIENCE = 4000; // milliseconds until an open that does not get on is told to be busy
const AT_ONCE = 128; // records in one request

export const databaseName = (name) => `hearth:${name}`;

/** The records of one generation from `first` on. */
export const rangeOf = (generation, first = 0) =>
  IDBKeyRange.bound([generation, first], [generation, Infinity]);

/** A request as a promise. */
export const asked = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** What an exception of IndexedDB means for a store that is being opened. */
export function openFailure(name, exception) {
  if (exception instanceof HearthError) return exception;
  const codes = { QuotaExceededError: "full", VersionError: "version", SecurityError: "unsupported" };
  const why = `${exception?.name ?? "failure"}: ${exception?.message ?? ""}`;
  const [code, text] = [codes[exception?.name] ?? "io", `${name}: cannot open the browser's database: ${why}`];
  return new HearthError(code, text, { cause: exception });
}

/** globalThis.indexedDB, which may be missing or refuse to be looked at. */
export function factory(name) {
  let found;
  try {
    found = globalThis.indexedDB;
  } catch (exception) {
    throw openFailure(name, exception);
  }
  if (!found) throw new HearthError("unsupported", `${name}: there is no IndexedDB here`);
  return found;
}

/**
 * Opens the database; without `create` only where one is ("notfound"). "lost" when the browser says that it found its
 * data damaged and threw them away, which it says once: it is noted.
 * @returns {Promise<IDBDatabase>}
 */
export function openDatabase(name, { create, acceptLoss, patience = PATIENCE }) {
  return new Promise((resolve, reject) => {
    let request;
    let missing = false;
    let loss;
    let blocked = false;
    try {
      request = factory(name).open(databaseName(name), VERSION);
    } catch (exception) {
      reject(openFailure(name, exception));
      return;
    }
    const timer = setTimeout(() => {
      const why = blocked ? "another tab keeps an older version of it open" : "another tab deletes it or uses it";
      const text = `${name}: the browser's database is blocked: ${why}; close the other tabs of this site`;
      reject(new HearthError("busy", text));
      request.onsuccess = () => request.result.close();
    }, patience);
    request.onblocked = () => (blocked = true);
    request.onupgradeneeded = ({ oldVersion, dataLoss, dataLossMessage }) => {
      if (oldVersion === 0 && dataLoss === "total" && !acceptLoss) loss = dataLossMessage; // Chromium's
      missing = oldVersion === 0 && !create;
      if (missing || loss !== undefined) {
        request.transaction.abort(); // so that it is not made
        return;
      }
      request.result.createObjectStore(LOG);
      request.result.createObjectStore(NOTES);
    };
    request.onsuccess = () => {
      clearTimeout(timer);
      const database = request.result;
      if (database.objectStoreNames.contains(LOG) && database.objectStoreNames.contains(NOTES)) {
        resolve(database);
        return;
      }
      database.close();
      reject(new HearthError("notstore", `${name}: the database ${databaseName(name)} is no Hearth store`));
    };
    request.onerror = (event) => {
      event.preventDefault();
      clearTimeout(timer);
      if (loss !== undefined) {
        noteHere(name);
        const text = `${name}: the browser has lost this site's stores: ${loss}; acceptLoss begins anew`;
        reject(new HearthError("lost", text));
      } else if (missing) reject(new HearthError("notfound", `${name}: there is no such store`));
      else reject(openFailure(name, request.error));
    };
  });
}

export const freshState = () => ({ generations: [1], poisons: [] });

/** How many records of a generation stand one behind the other from 0 on, by its sorted keys. */
export function lengthOf(keys, generation) {
  let length = 0;
  for (const [g, sequence] of keys) if (g === generation && sequence === length) length++;
  return length;
}

async function readGeneration(log, keys, generation) {
  const length = lengthOf(keys, generation);
  const requests = [];
  for (let first = 0; first < length; first += AT_ONCE) {
    const last = Math.min(first + AT_ONCE, length) - 1;
    requests.push(asked(log.getAll(IDBKeyRange.bound([generation, first], [generation, last]))));
  }
  const values = (await Promise.all(requests)).flat();
  const end = values.findIndex((value) => !(value instanceof Uint8Array));
  return end < 0 ? values : values.slice(0, end);
}

/** Generations that are neither the log's nor poisoned. */
export function unfinished(keys, state) {
  const known = new Set([...state.generations, ...state.poisons.map(([generation]) => generation)]);
  return [...new Set(keys.map(([generation]) => generation))].filter((generation) => !known.has(generation));
}

/**
 * Reads what is there, as of one moment.
 * @returns {Promise<{state: object, records: Uint8Array[], counts: number[], strays: boolean, leftovers: number[],
 *   ballast: boolean}>} `counts`: records of each generation; `strays`: there are records beyond the last; `leftovers`:
 *   unfinished generations
 */
export async function readDatabase(database) {
  const transaction = database.transaction([LOG, NOTES], "readonly");
  const log = transaction.objectStore(LOG);
  const notes = transaction.objectStore(NOTES);
  const requests = [notes.get(STATE), log.getAllKeys(), notes.getKey(BALLAST)]; // not a megabyte for its length
  const [note, keys, ballast] = await Promise.all(requests.map(asked));
  const state = note ?? freshState();
  const parts = await Promise.all(state.generations.map((generation) => readGeneration(log, keys, generation)));
  const current = state.generations.at(-1);
  const length = parts.at(-1).length;
  return {
    state,
    records: parts.flat(),
    counts: parts.map((part) => part.length),
    strays: keys.some(([generation, sequence]) => generation === current && sequence >= length),
    leftovers: unfinished(keys, state),
    ballast: ballast !== undefined,
  };
}
