/**
 * Transactions that write. Success is the `complete` event and nothing earlier. Nothing is read before a write: a
 * read would need this page once more, and the last write of a page that is being left would fail.
 */
import { GUARD, LOG, POISON } from "./database.js";

/**
 * @typedef {object} Outcome
 * @property {boolean} complete
 * @property {"full" | "dead" | "nomem" | "io"} [code]
 * @property {string} [reason]
 */

const FAILURES = {
  QuotaExceededError: ["full", "the browser gives this site no more room"],
  ConstraintError: ["dead", "another tab has taken the store over"],
};

function judge(exception) {
  const known = FAILURES[exception?.name];
  if (known !== undefined) return { complete: false, code: known[0], reason: known[1] };
  const reason = exception ? `${exception.name}: ${exception.message}` : "the browser aborted the transaction";
  return { complete: false, code: exception instanceof RangeError ? "nomem" : "io", reason };
}

/**
 * Runs `body(transaction)`, which asks for writes alone, and commits.
 * @param {IDBDatabase} database
 * @param {string[]} stores
 * @param {"strict" | "relaxed"} durability
 * @param {(transaction: IDBTransaction) => void} body
 * @param {(outcome: Outcome) => void} done called once, later
 */
export function write(database, stores, durability, body, done) {
  let transaction;
  let thrown;
  try {
    transaction = database.transaction(stores, "readwrite", { durability });
  } catch (exception) {
    queueMicrotask(() => done(judge(exception)));
    return;
  }
  transaction.oncomplete = () => done({ complete: true });
  transaction.onabort = () => done(judge(thrown ?? transaction.error));
  try {
    body(transaction);
    transaction.commit?.();
  } catch (exception) {
    thrown = exception;
    try {
      transaction.abort();
    } catch {
      // it has aborted by itself
    }
  }
}

/**
 * Makes a transaction fail when the generation was poisoned: for those whose first record has no place of its own
 * at the end of the log.
 */
export function guard(transaction, generation) {
  const log = transaction.objectStore(LOG);
  log.add(POISON, [generation, GUARD]);
  log.delete([generation, GUARD]);
}
