/**
 * What the tests of legacy data find in a page or a worker, as globals: the package, its drop-in module, a legacy
 * database filled as the legacy runtime did, and a small reader of one that knows nothing of the package.
 */
import "/tests/browser/hearth_page.js";
import * as cu from "/src/cu/cu.js";
import { differences } from "/tests/js/legacy_dumps.js";
import { promises } from "/tests/js/cu_promises.js";

const DATABASE = "LuaPersistentDB";
const TABLES = "externalTables";

const asked = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
const completed = (transaction) =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error);
  });

/** A connection as the legacy runtime opens one, and keeps it. */
async function connect(version = 1) {
  const request = indexedDB.open(DATABASE, version);
  request.onupgradeneeded = () => {
    if (!request.result.objectStoreNames.contains(TABLES)) request.result.createObjectStore(TABLES, { keyPath: "id" });
  };
  return asked(request);
}

/** Saves records as the legacy runtime does. */
async function fillLegacy(records, { version, keep = false } = {}) {
  const database = await connect(version);
  const transaction = database.transaction(TABLES, "readwrite");
  transaction.objectStore(TABLES).clear();
  for (const record of records) transaction.objectStore(TABLES).put(record);
  await completed(transaction);
  if (keep) globalThis.oldTab = database;
  else database.close();
}

/** The records, and the version; undefined where there is no database. */
async function legacyContents() {
  const there = (await indexedDB.databases()).find(({ name }) => name === DATABASE);
  if (there === undefined) return undefined;
  const database = await asked(indexedDB.open(DATABASE));
  const stores = [...database.objectStoreNames];
  const records = stores.includes(TABLES)
    ? await asked(database.transaction(TABLES).objectStore(TABLES).getAll())
    : undefined;
  const { version } = database;
  database.close();
  return { version, stores, records };
}

/** Reads a legacy database as the legacy runtime would: { tables: { id: { key: value } }, metadata }. */
async function readLegacy() {
  const { records } = await legacyContents();
  const tables = {};
  let metadata;
  const read = (bytes) => {
    const view = new DataView(bytes.buffer);
    const length = () => view.getUint32(1, true);
    switch (bytes[0]) {
      case 0:
        return null;
      case 1:
        return bytes[1] !== 0;
      case 2:
        return `integer ${view.getBigInt64(1, true)}`;
      case 3:
        return `float ${view.getFloat64(1, true)}`;
      case 4:
        return bytes.length === 5 + length() ? new TextDecoder("latin1").decode(bytes.slice(5)) : "wrong length";
      case 5:
        return bytes.length === 5 + length() && bytes[5] === 27 ? "function" : "wrong function";
      case 6:
        return "C function";
      case 7:
        return `table ${length()}`;
      default:
        return `tag ${bytes[0]}`;
    }
  };
  for (const { id, data } of records) {
    if (id === "__metadata__") metadata = data;
    else
      tables[id] = Object.fromEntries(
        Object.entries(data).map(([key, value]) => [
          key,
          value._type === "binary" && Array.isArray(value.data)
            ? read(Uint8Array.from(value.data))
            : `form ${typeof value}`,
        ]),
      );
  }
  return { tables, metadata };
}

/** Records with one table, saved at some time. */
const integer = (n) => ({ _type: "binary", data: [2, ...new Uint8Array(new BigInt64Array([BigInt(n)]).buffer)] });
const saved = (n, savedAt) => [
  { id: 1, data: { n: integer(n) } },
  {
    id: "__metadata__",
    data: {
      homeTableId: 1,
      memoryTableId: 1,
      nextTableId: 2,
      savedAt,
      stateRestored: false,
      tableCount: 1,
      tableIds: [1],
    },
  },
];

/** What code gives through the drop-in module. */
async function compute(code) {
  const length = await cu.compute(code);
  if (length < 0) return cu.readBuffer(cu.getBufferPtr(), -length);
  return cu.readResult(cu.getBufferPtr(), length).result;
}

/** load and init, and one value. */
async function begin(options, code = "return _home.n") {
  await cu.load(options);
  cu.init();
  return compute(code);
}

const databases = async () => (await indexedDB.databases()).map(({ name }) => name).sort();

Object.assign(globalThis, {
  cu,
  asked,
  begin,
  compute,
  connect,
  databases,
  differences,
  fillLegacy,
  integer,
  legacyContents,
  promises,
  readLegacy,
  saved,
});
if (typeof document === "undefined") postMessage("legacy ready");
