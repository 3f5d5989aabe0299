/**
 * Taking a store from the tab that has it. That tab may be frozen, with a write under way or to come: a poison
 * record stands where it will add its next one, so that it collides.
 */
import {
  BALLAST, GUARD, LOG, NOTES, POISON, STATE, asked, freshState, lengthOf, rangeOf, unfinished,
} from "./database.js";
import { HearthError } from "../error.js";

export const PATIENCE = 10000; // milliseconds that a transaction of the other tab may take

/** The old owner writes in its generation and, compacting, in the next one. */
const generationAfter = (generation) => generation + 2;

function poison(transaction, state, keys) {
  const log = transaction.objectStore(LOG);
  const old = state.generations.at(-1);
  const end = lengthOf(keys, old);
  log.delete(rangeOf(old, end)); // what lies beyond was never part of the log
  log.add(POISON, [old, end]);
  log.put(POISON, [old, GUARD]);
  for (const generation of unfinished(keys, state)) log.delete(rangeOf(generation, GUARD));
  const generations = end > 0 ? state.generations : state.generations.slice(0, -1);
  const next = { generations: [...generations, generationAfter(old)], poisons: [...state.poisons, [old, end]] };
  transaction.objectStore(NOTES).put(next, STATE);
}

async function attempt(database, name) {
  const transaction = database.transaction([LOG, NOTES], "readwrite", { durability: "strict" });
  const stuck = new HearthError("busy", `${name}: another tab does not let go of the database; close it`);
  const ended = new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? stuck);
  });
  const timer = setTimeout(() => transaction.abort(), PATIENCE);
  const reading = Promise.all([
    asked(transaction.objectStore(NOTES).get(STATE)),
    asked(transaction.objectStore(LOG).getAllKeys()),
  ]).then(([note, keys]) => {
    poison(transaction, note ?? freshState(), keys);
    transaction.commit?.();
  });
  reading.catch(() => {}); // the transaction tells
  try {
    await ended;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Poisons the generation that the store's log ends with, and begins another. The lock must have been stolen before.
 * @param {IDBDatabase} database
 */
export async function takeOver(database, name) {
  try {
    await attempt(database, name);
  } catch (exception) {
    if (exception?.name !== "QuotaExceededError") throw exception;
    const transaction = database.transaction(NOTES, "readwrite");
    transaction.objectStore(NOTES).delete(BALLAST); // a few bytes are needed
    await new Promise((resolve) => (transaction.oncomplete = transaction.onabort = resolve));
    await attempt(database, name);
  }
}
