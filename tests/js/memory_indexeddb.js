/**
 * As much of IndexedDB, in memory, as the legacy database and the notes about it need: one object store in each
 * database, transactions that see only their own writes' order, requests that succeed later.
 */
class Request {
  result;
  error = null;
  transaction = null;

  succeed(result) {
    this.result = result;
    setTimeout(() => this.onsuccess?.({ target: this }));
    return this;
  }
}

class Store {
  #records = new Map();
  #keyPath;

  constructor(keyPath) {
    this.#keyPath = keyPath;
  }

  get = (key) => new Request().succeed(this.#records.get(key));
  getAll = () => new Request().succeed([...this.#records.values()]);
  count = () => new Request().succeed(this.#records.size);
  put = (value, key) =>
    new Request().succeed(void this.#records.set(key ?? value[this.#keyPath], structuredClone(value)));
  delete = (key) => new Request().succeed(void this.#records.delete(key));
  clear = () => new Request().succeed(void this.#records.clear());
}

class Database {
  stores = new Map();

  get objectStoreNames() {
    const names = [...this.stores.keys()];
    return Object.assign(names, { contains: (name) => names.includes(name) });
  }

  createObjectStore(name, { keyPath } = {}) {
    const store = new Store(keyPath);
    this.stores.set(name, store);
    return store;
  }

  transaction() {
    const transaction = { objectStore: (name) => this.stores.get(name) };
    setTimeout(() => transaction.oncomplete?.(), 5);
    return transaction;
  }

  close() {}
}

/** @returns {{open(name: string, version?: number): Request, deleteDatabase(name: string): Request}} */
export function memoryIndexedDB() {
  const databases = new Map();
  return {
    open(name) {
      const request = new Request();
      setTimeout(() => {
        const isNew = !databases.has(name);
        request.result = databases.get(name) ?? new Database();
        let aborted = false;
        request.transaction = { abort: () => (aborted = true) };
        if (isNew) request.onupgradeneeded?.({ target: request, oldVersion: 0 });
        if (aborted) {
          request.error = new DOMException("aborted", "AbortError");
          request.onerror?.({ target: request, preventDefault() {} });
          return;
        }
        databases.set(name, request.result);
        request.onsuccess?.({ target: request });
      });
      return request;
    },
    deleteDatabase(name) {
      databases.delete(name);
      return new Request().succeed(undefined);
    },
  };
}
