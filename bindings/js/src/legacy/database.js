/**
 * The database of the legacy runtime `cu`, as all its versions had it: one object store with a record for each table,
 * and one for the metadata. docs/LEGACY.md describes the records.
 *
 * Nothing here makes a database that is not there, but write(); nothing changes its version.
 */
import { HearthError } from "../error.js";
import { asked, factory, openFailure } from "../indexeddb/database.js";

export const DATABASE = "LuaPersistentDB";
const TABLES = "externalTables";
const METADATA = "__metadata__";
const PATIENCE = 4000; // milliseconds until an open that does not get on is told to be busy

/** @returns {Promise<IDBDatabase | undefined>} undefined where there is none, unless `create` */
function openAsItIs(name, create = false) {
  return new Promise((resolve, reject) => {
    const request = factory(name).open(name); // with whatever version it has
    let missing = false;
    const timer = setTimeout(() => {
      request.onsuccess = () => request.result.close();
      reject(new HearthError("busy", `${name}: another tab is upgrading or deleting the legacy database`));
    }, PATIENCE);
    request.onupgradeneeded = () => {
      missing = !create;
      if (missing) request.transaction.abort(); // so that it is not made
      else request.result.createObjectStore(TABLES, { keyPath: "id" });
    };
    request.onsuccess = () => {
      clearTimeout(timer);
      request.result.onversionchange = () => request.result.close(); // whoever deletes it does not wait for a reader
      resolve(request.result);
    };
    request.onerror = (event) => {
      event.preventDefault();
      clearTimeout(timer);
      if (missing) resolve(undefined);
      else reject(openFailure(name, request.error));
    };
  });
}

/** Calls f with the object store and its transaction; undefined where there is no database. */
async function withTables(name, mode, f, create = false) {
  const database = await openAsItIs(name, create);
  if (database === undefined) return undefined;
  try {
    if (!database.objectStoreNames.contains(TABLES)) {
      const there = [...database.objectStoreNames].join(", ") || "none";
      throw new HearthError("damaged",
        `${name}: the database has no object store '${TABLES}', so it is no legacy database; it has: ${there}`);
    }
    const transaction = database.transaction(TABLES, mode);
    const completed = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      const givenUp = () => transaction.error ?? new HearthError("io", `${name}: the transaction was given up`);
      transaction.onabort = () => reject(givenUp());
    });
    completed.catch(() => {}); // f fails first
    const result = await f(transaction.objectStore(TABLES), transaction);
    await completed;
    return result;
  } catch (exception) {
    throw exception instanceof HearthError ? exception : openFailure(name, exception);
  } finally {
    database.close();
  }
}

/**
 * All records. Rejects with "notfound" where there is no such database, "damaged" where it is another one.
 * @returns {Promise<object[]>}
 */
export async function read(name) {
  const records = await withTables(name, "readonly", (tables) => asked(tables.getAll()));
  if (records === undefined) throw new HearthError("notfound", `${name}: there is no legacy database`);
  return records;
}

/**
 * When it was last saved, without reading the tables: undefined where there is no database or nothing in it.
 * @returns {Promise<{savedAt: string | undefined} | undefined>} `savedAt` is undefined in the oldest ones
 */
export function look(name) {
  return withTables(name, "readonly", async (tables) => {
    const [count, metadata] = await Promise.all([asked(tables.count()), asked(tables.get(METADATA))]);
    return count === 0 ? undefined : { savedAt: savedAtOf(metadata) };
  });
}

const savedAtOf = (metadata) => (typeof metadata?.data?.savedAt === "string" ? metadata.data.savedAt : undefined);

/** The same of records that were read. */
export const savedAt = (records) => savedAtOf(records.find((record) => record?.id === METADATA));

/** Removes all records, as the legacy runtime's own clearPersistedState did. */
export async function clear(name) {
  await withTables(name, "readwrite", (tables) => void tables.clear());
}

/**
 * Writes records, in one transaction; makes the database where there is none. "exists" where it holds something, unless
 * `replace`.
 */
export async function write(name, records, replace) {
  await withTables(name, "readwrite", async (tables, transaction) => {
    if (!replace && (await asked(tables.count())) > 0) {
      transaction.abort();
      throw new HearthError("exists", `${name}: the legacy database is not empty; replace overwrites it`);
    }
    tables.clear();
    for (const record of records) tables.put(record);
  }, true);
}
