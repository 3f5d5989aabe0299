/**
 * The storage method of the legacy runtime, written for this benchmark from its description alone: tables are maps in
 * JavaScript, from a key to the bytes of an encoded value, and every save clears the database and writes all of them
 * again, one record a table, each value an array of numbers. There is no Lua in it.
 *
 * Two things are in its favour: all requests are made at once, and nothing is kept but what a save needs. One may be
 * against it: `save` resolves when the transaction is complete, where the original resolved before; so the time at
 * which the last request had succeeded is told too.
 */
const RECORDS = "externalTables";
const METADATA = "__metadata__";
const STRING = 4; // tag

const HOME = 1; // id of the home table

/** A Lua string as the legacy runtime encodes it: tag, length as 4 bytes little-endian, bytes. */
export function encodeString(bytes) {
  const encoded = new Uint8Array(5 + bytes.length);
  encoded[0] = STRING;
  new DataView(encoded.buffer).setUint32(1, bytes.length, true);
  encoded.set(bytes, 5);
  return encoded;
}

/** @param {Uint8Array} encoded */
export function decodeString(encoded) {
  if (encoded[0] !== STRING) throw new Error(`tag ${encoded[0]} is no string`);
  const size = new DataView(encoded.buffer, encoded.byteOffset).getUint32(1, true);
  return encoded.subarray(5, 5 + size);
}

const asked = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

export class LegacyStore {
  /** @type {Map<number, Map<string, Uint8Array>>} */
  tables = new Map([[HOME, new Map()]]);
  #database;

  static async open(name) {
    const store = new LegacyStore();
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(RECORDS, { keyPath: "id" });
    store.#database = await asked(request);
    return store;
  }

  static delete(name) {
    return asked(indexedDB.deleteDatabase(name));
  }

  get home() {
    return this.tables.get(HOME);
  }

  /**
   * Writes everything.
   * @param {"default" | "relaxed" | "strict"} durability the original never said one: "default"
   * @returns {Promise<number>} when the last request had succeeded, by performance.now()
   */
  save(durability = "default") {
    return new Promise((resolve, reject) => {
      const transaction = this.#database.transaction([RECORDS], "readwrite", { durability });
      const records = transaction.objectStore(RECORDS);
      let succeeded;
      transaction.oncomplete = () => resolve(succeeded);
      transaction.onabort = () => reject(transaction.error);
      records.clear();
      for (const [id, table] of this.tables) {
        if (table.size === 0) continue;
        const data = {};
        for (const [key, bytes] of table) data[key] = { _type: "binary", data: Array.from(bytes) };
        records.put({ id, data });
      }
      records.put({ id: METADATA, data: this.#metadata() }).onsuccess = () => (succeeded = performance.now());
    });
  }

  #metadata() {
    const tableIds = [...this.tables.keys()];
    return {
      homeTableId: HOME, memoryTableId: HOME, nextTableId: Math.max(...tableIds) + 1, savedAt: Date.now(),
      stateRestored: false, tableCount: tableIds.length, tableIds,
    };
  }

  /** Reads everything. */
  async load() {
    const records = await asked(this.#database.transaction([RECORDS], "readonly").objectStore(RECORDS).getAll());
    this.tables = new Map([[HOME, new Map()]]);
    for (const { id, data } of records) {
      if (id === METADATA) continue;
      const table = new Map();
      for (const key of Object.keys(data)) table.set(key, new Uint8Array(data[key].data));
      this.tables.set(id, table);
    }
  }

  close() {
    this.#database.close();
  }
}
