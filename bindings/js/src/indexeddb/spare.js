/**
 * A spare copy, in localStorage, of what a page was writing when it was hidden or left.
 *
 * The browser may abort the last transaction of a page that goes, though all of it was asked for and commit() called:
 * Chromium first asks its quota manager, unless it did within 30 seconds, and gives a transaction up whose page is
 * gone when the answer comes (Transaction::Commit and OnQuotaCheckDone in content/browser/indexed_db). What was put
 * into localStorage before the page goes stays.
 *
 * The next writer adds what the database lacks, before it reads it. A spare belongs to one place of one log: to a
 * generation, which ends when another tab takes the store, and behind the record that begins as `after` does, with its
 * chained check among these bytes. A store's first record follows none, and has no spare: it would fit into any empty
 * database, one that was lost or begun anew too. A spare that fits nowhere is dropped.
 */
import { BALLAST, LOG, NOTES, STATE, asked, freshState, lengthOf, rangeOf } from "./database.js";

const LIMIT = 1 << 20; // bytes of records: in localStorage, where a site has 5 MiB, they take three times as much
const HEAD = 64; // bytes by which a record is known again
const KEY = /^hearth-spare1:(\d+):(.*)$/su; // 1: of what `encode` gives

const keyOf = (name, generation) => `hearth-spare1:${generation}:${name}`;

/** @param {Uint8Array | undefined} record undefined: there is none */
export const headOf = (record) => record?.slice(0, HEAD) ?? new Uint8Array(0);

function storage() {
  try {
    return globalThis.localStorage ?? undefined; // none in workers
  } catch {
    return undefined; // the browser refuses to be asked
  }
}

/** What `use` answers of localStorage; undefined without one, or where it refuses. */
function asking(use) {
  try {
    const all = storage();
    return all === undefined ? undefined : use(all);
  } catch {
    return undefined;
  }
}

function toText(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

const fromText = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** FNV-1a of a text of ASCII. */
function checkOf(text) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/**
 * @typedef {object} Frames
 * @property {number} generation
 * @property {number} first the sequence of the first record
 * @property {Uint8Array} after the head of the record before it
 * @property {Uint8Array[]} records
 */

/** @param {Frames} frames */
function encode({ first, after, records }) {
  const body = JSON.stringify({ first, after: toText(after), records: records.map(toText) });
  return checkOf(body) + body;
}

/** @returns {Frames | undefined} undefined: these are not what `encode` gave */
function decode(text, generation) {
  const body = text.slice(8);
  if (checkOf(body) !== text.slice(0, 8)) return undefined;
  try {
    const { first, after, records } = JSON.parse(body);
    const frames = { generation, first, after: fromText(after), records: records.map(fromText) };
    return Number.isSafeInteger(first) && first >= 0 && frames.after.length > 0 ? frames : undefined;
  } catch {
    return undefined; // somebody else's
  }
}

/** As many of the first ones as fit: what follows them is worth nothing without them. */
function oldest(flights) {
  let size = 0;
  const end = flights.findIndex(({ records }) => {
    size += records.reduce((sum, { length }) => sum + length, 0);
    return size > LIMIT;
  });
  return end < 0 ? flights : flights.slice(0, end);
}

const equal = (a, b) => a instanceof Uint8Array && a.length === b.length && a.every((byte, i) => byte === b[i]);

export class Spare {
  #name;
  #key;

  /** @param {string} name of the store */
  constructor(name) {
    this.#name = name;
  }

  /**
   * Keeps what is being written, until `remove`.
   * @param {Frames[]} flights one behind the other, of one generation
   */
  put(flights) {
    const kept = oldest(flights);
    if (kept.length === 0 || kept[0].after.length === 0) return;
    const key = keyOf(this.#name, kept[0].generation);
    asking((all) => {
      all.setItem(key, encode({ ...kept[0], records: kept.flatMap(({ records }) => records) }));
      this.#key = key;
    });
  }

  /** What `put` kept is in the database, or has failed. */
  remove() {
    if (this.#key !== undefined) asking((all) => all.removeItem(this.#key));
    this.#key = undefined;
  }

  /** The spares of a store, of whatever generation: { key, generation, text }. */
  static #all(name) {
    return asking((all) => Object.keys(all).map((key) => [key, KEY.exec(key)])
      .filter(([, match]) => match?.[2] === name)
      .map(([key, match]) => ({ key, generation: Number(match[1]), text: all.getItem(key) ?? "" }))) ?? [];
  }

  /** Removes them, but one that somebody has written anew. */
  static #drop(spares) {
    for (const { key, text } of spares) asking((all) => all.getItem(key) === text && all.removeItem(key));
  }

  /** Those of a store that is deleted. */
  static forget(name) {
    Spare.#drop(Spare.#all(name));
  }

  /**
   * Adds to the database what its last page could not. A database without room gives its ballast up. What cannot be
   * added now, which is told, stays for the next time.
   * @param {IDBDatabase} database
   * @param {(line: string) => void} warn
   * @param {number} [patience] milliseconds that another page's transaction may take, where one may be at work
   */
  static async replay(database, name, warn, patience) {
    const found = Spare.#all(name);
    const decoded = found.map(({ generation, text }) => decode(text, generation)).filter(Boolean);
    const spares = new Map(decoded.map((frames) => [frames.generation, frames]));
    try {
      if (spares.size > 0) await Spare.#write(database, spares, patience, false).catch((exception) => {
        if (exception?.name !== "QuotaExceededError") throw exception;
        return Spare.#write(database, spares, patience, true);
      });
    } catch (exception) {
      warn(`the last change of a page that was left cannot be stored now: ${exception?.message ?? exception}`);
      return;
    }
    Spare.#drop(found);
  }

  static async #write(database, spares, patience, withoutBallast) {
    const transaction = database.transaction([LOG, NOTES], "readwrite", { durability: "strict" });
    const timer = patience === undefined ? undefined : setTimeout(() => transaction.abort(), patience);
    const ended = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    }).finally(() => clearTimeout(timer));
    ended.catch(() => {}); // when it is not waited for, as something was thrown before
    const [log, notes] = [transaction.objectStore(LOG), transaction.objectStore(NOTES)];
    const [note, keys] = await Promise.all([asked(notes.get(STATE)), asked(log.getAllKeys())]);
    const state = note ?? freshState();
    const spare = spares.get(state.generations.at(-1));
    if (spare !== undefined && (await Spare.#fits(log, keys, state, spare))) {
      if (withoutBallast) notes.delete(BALLAST);
      const { generation, first, records } = spare;
      const length = lengthOf(keys, generation);
      const missing = records.slice(length - first);
      if (missing.length > 0) log.delete(rangeOf(generation, length)); // behind a gap: never part of the log
      missing.forEach((record, i) => log.add(record, [generation, length + i]));
    }
    transaction.commit?.();
    await ended;
  }

  /** Is it behind the record that it was written behind, and the same as what is there by now? */
  static async #fits(log, keys, state, { generation, first, after, records }) {
    const length = lengthOf(keys, generation);
    if (first > length) return false;
    const before = first > 0 ? [generation, first - 1] : Spare.#lastBefore(keys, state);
    const asks = before === undefined ? [] : [before];
    for (let i = first; i < Math.min(length, first + records.length); i++) asks.push([generation, i]);
    const there = await Promise.all(asks.map((key) => asked(log.get(key))));
    const previous = before === undefined ? undefined : there.shift();
    return equal(headOf(previous), after) && there.every((record, i) => equal(record, records[i]));
  }

  /** The key of the last record of the generations before the last one, each of which ends at its poison. */
  static #lastBefore(keys, { generations, poisons }) {
    const ends = new Map(poisons);
    const lengths = generations.slice(0, -1)
      .map((generation) => [generation, Math.min(lengthOf(keys, generation), ends.get(generation) ?? Infinity)]);
    const last = lengths.findLast(([, length]) => length > 0);
    return last && [last[0], last[1] - 1];
  }
}
