/**
 * One database of IndexedDB in memory, as the log of a store needs it. Transactions run one after the other, see their
 * own writes, and are complete or aborted as a whole; their requests succeed before that, each in a turn of its own.
 */
const compare = (a, b) => {
  if (!Array.isArray(a) || !Array.isArray(b)) return a < b ? -1 : Number(a > b);
  const at = a.findIndex((part, i) => part !== b[i]);
  return at < 0 ? 0 : a[at] < b[at] ? -1 : 1;
};

class FakeRange {
  constructor(lower, upper, lowerOpen, upperOpen) {
    Object.assign(this, { lower, upper, lowerOpen, upperOpen });
  }

  includes(key) {
    const [low, high] = [compare(this.lower, key), compare(key, this.upper)];
    return (this.lowerOpen ? low < 0 : low <= 0) && (this.upperOpen ? high < 0 : high <= 0);
  }
}

globalThis.IDBKeyRange ??= {
  bound: (lower, upper, lowerOpen = false, upperOpen = false) => new FakeRange(lower, upper, lowerOpen, upperOpen),
};

/** An object store as one transaction sees it: a list of [key, value], in order. */
class FakeStore {
  #transaction;
  #name;

  constructor(transaction, name) {
    this.#transaction = transaction;
    this.#name = name;
  }

  #ask(kind, body) {
    return this.#transaction.ask(kind, () => body(this.#transaction.records(this.#name)));
  }

  static #remove(records, keys) {
    const gone = keys instanceof FakeRange ? (key) => keys.includes(key) : (key) => compare(key, keys) === 0;
    records.splice(0, Infinity, ...records.filter(([key]) => !gone(key)));
  }

  static #put(records, value, key) {
    FakeStore.#remove(records, key);
    records.push([key, structuredClone(value)]);
    records.sort(([a], [b]) => compare(a, b));
  }

  get = (key) => this.#ask("get", (records) => records.find(([other]) => compare(key, other) === 0)?.[1]);
  count = () => this.#ask("count", (records) => records.length);
  getAllKeys = () => this.#ask("getAllKeys", (records) => records.map(([key]) => key));
  put = (value, key) => this.#ask("put", (records) => FakeStore.#put(records, value, key));
  delete = (keys) => this.#ask("delete", (records) => FakeStore.#remove(records, keys));

  add = (value, key) => this.#ask("add", (records) => {
    if (records.some(([other]) => compare(key, other) === 0)) throw new DOMException("it is there", "ConstraintError");
    FakeStore.#put(records, value, key);
  });
}

class FakeTransaction {
  error = null;
  #database;
  #drafts = new Map();
  #requests = [];
  #aborted = false;

  constructor(database) {
    this.#database = database;
  }

  objectStore(name) {
    return new FakeStore(this, name);
  }

  records(name) {
    if (!this.#drafts.has(name)) this.#drafts.set(name, [...this.#database.stores[name]]);
    return this.#drafts.get(name);
  }

  ask(kind, body) {
    const request = { body, error: null };
    this.#database.asked.push(kind);
    this.#requests.push(request);
    return request;
  }

  commit() {}

  abort(error = null) {
    this.error = error;
    this.#aborted = true;
  }

  #answer(request) {
    try {
      request.result = request.body();
    } catch (exception) {
      request.error = exception;
      this.abort(exception);
      request.onerror?.({ target: request });
      return;
    }
    this.#database.succeeded++;
    request.onsuccess?.({ target: request });
  }

  async run() {
    while (!this.#aborted && this.#requests.length > 0) {
      this.#answer(this.#requests.shift());
      await new Promise(setImmediate); // what its event leads to may ask for more
    }
    await this.#database.held;
    const { refuse } = this.#database;
    this.#database.refuse = undefined;
    if (refuse !== undefined && !this.#aborted) this.abort(new DOMException("refused", refuse));
    if (!this.#aborted) Object.assign(this.#database.stores, Object.fromEntries(this.#drafts));
    if (this.#aborted) this.onabort?.();
    else this.oncomplete?.();
  }
}

export class FakeDatabase {
  stores = { log: [], notes: [] };
  asked = []; // the kinds of all requests
  durabilities = []; // of all transactions
  succeeded = 0; // requests
  held; // a promise: no transaction ends before it is fulfilled
  refuse; // the name of the exception with which the next transaction ends, when all of its requests have succeeded
  #last = Promise.resolve();

  transaction(names, mode, { durability } = {}) {
    const transaction = new FakeTransaction(this);
    this.durabilities.push(durability);
    this.#last = this.#last.then(() => new Promise(setImmediate)).then(() => transaction.run());
    return transaction;
  }

  /** Resolves when every transaction that was begun has ended, and what that leads to has begun. */
  async quiet() {
    for (let last; last !== this.#last;) {
      last = this.#last;
      await last;
      await new Promise(setImmediate);
    }
  }

  /** The log as text: "1,0=a 1,1=b". */
  get text() {
    const shown = (value) => (typeof value === "string" ? `<${value}>` : String.fromCharCode(...value));
    return this.stores.log.map(([key, value]) => `${key}=${shown(value)}`).join(" ");
  }
}
