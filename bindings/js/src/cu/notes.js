/**
 * What was taken over from the legacy database, in a small database of its own, since workers have no localStorage:
 * for each store { stamp, done }. The stamp tells one saved legacy state from another. It is noted before the one
 * commit that takes the state over, and marked as done after it. Of a state that was found beside a store in use, and
 * not taken over, it is { seen, done: true }.
 */
import { asked, factory, openFailure } from "../indexeddb/database.js";

const DATABASE = "hearth-cu";
const NOTES = "takeovers";

async function open() {
  const request = factory(DATABASE).open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(NOTES);
  const database = await asked(request);
  database.onversionchange = () => database.close();
  return database;
}

async function withNotes(mode, f) {
  try {
    const database = await open();
    try {
      const transaction = database.transaction(NOTES, mode, { durability: "strict" });
      const completed = new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = () => reject(transaction.error);
      });
      const [result] = await Promise.all([asked(f(transaction.objectStore(NOTES))), completed]);
      return result;
    } finally {
      database.close();
    }
  } catch (exception) {
    throw openFailure(DATABASE, exception);
  }
}

/** @returns {Promise<{stamp?: string, seen?: string, done: boolean} | undefined>} */
export const noteOf = (key) => withNotes("readonly", (notes) => notes.get(key));

export const setNote = (key, note) => withNotes("readwrite", (notes) => notes.put(note, key));

export const removeNote = (key) => withNotes("readwrite", (notes) => notes.delete(key));
