/** The host of the indexeddb backend alone, with raw records: order, sharing of transactions, levels, closing. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Browser, serve } from "./chromium.js";

let server;
let browser;
let page;

before(async () => {
  server = await serve();
  browser = await Browser.start();
  page = await newPage();
});

after(async () => {
  await browser?.close();
  await server?.close();
});

async function newPage() {
  const fresh = await browser.page(`${server.origin}/`);
  await fresh.addScriptTag({ type: "module", url: "/tests/browser/indexeddb_page.js" });
  await fresh.waitForFunction(() => globalThis.Raw !== undefined);
  return fresh;
}

test("records come back in their order, from another opening and another tab", async () => {
  const told = await page.evaluate(async () => {
    const raw = await Raw.open("order");
    const before = raw.records.length;
    for (let i = 0; i < 300; i++) raw.append(`r${i}`, { level: i % 2 ? STRICT : RELAXED });
    const events = await raw.told();
    await raw.storage.close();
    return { before, events };
  });
  assert.equal(told.before, 0);
  assert.deepEqual(told.events, Array.from({ length: 300 }, (_, i) => `${i + 1}`));
  const other = await newPage();
  const records = await other.evaluate(async () => {
    const raw = await Raw.open("order");
    await raw.storage.close();
    return raw.records;
  });
  assert.deepEqual(records, Array.from({ length: 300 }, (_, i) => `r${i}`));
  await other.close();
});

test("what was appended together shares a transaction; parts are of one batch or of none", async () => {
  const result = await page.evaluate(async () => {
    const raw = await Raw.open("share");
    let transactions = 0;
    const { transaction } = IDBDatabase.prototype;
    IDBDatabase.prototype.transaction = function (...args) {
      transactions++;
      return transaction.apply(this, args);
    };
    raw.append("a1", { last: 0 });
    raw.append("a2", { last: 0 });
    raw.append("a3");
    raw.append("b");
    raw.append("forgotten", { last: 0 });
    raw.storage.forget();
    raw.append("c");
    const first = await raw.told();
    const shared = transactions;
    raw.append("d");
    const flush = raw.storage.flush(3);
    const second = await raw.told();
    const alone = raw.storage.flush(3);
    const third = await raw.told();
    raw.append("lost", { last: 0 });
    await raw.storage.close();
    IDBDatabase.prototype.transaction = transaction;
    return { first, shared, second, flush, third, alone, transactions, dump: await dump("share") };
  });
  assert.deepEqual(result.first, ["1", "2", "3"]);
  assert.equal(result.shared, 1);
  assert.deepEqual(result.second, ["4", "5"]);
  assert.deepEqual(result.third, ["6"]);
  assert.equal(result.transactions, 3);
  assert.equal(result.dump, "1,0=a1 1,1=a2 1,2=a3 1,3=b 1,4=c 1,5=d");
});

test("a transaction that is durable is strict, another is not, and all are committed without a read", async () => {
  const calls = await page.evaluate(async () => {
    const raw = await Raw.open("levels");
    const calls = [];
    const { transaction } = IDBDatabase.prototype;
    IDBDatabase.prototype.transaction = function (stores, mode, options) {
      calls.push(`${mode} ${options.durability}`);
      return transaction.call(this, stores, mode, options);
    };
    const spy = (prototype, name) => {
      const original = prototype[name];
      prototype[name] = function (...args) {
        calls.push(name);
        return original.apply(this, args);
      };
      return () => (prototype[name] = original);
    };
    const names = ["add", "put", "get", "getAll", "getAllKeys", "getKey", "count", "openCursor", "delete"];
    const undo = [...names.map((name) => spy(IDBObjectStore.prototype, name)), spy(IDBTransaction.prototype, "commit")];
    raw.append("a", { level: RELAXED });
    await raw.told();
    raw.append("b", { level: STRICT });
    await raw.told();
    for (const restore of undo) restore();
    IDBDatabase.prototype.transaction = transaction;
    await raw.storage.close();
    return calls;
  });
  assert.deepEqual(calls, ["readwrite relaxed", "add", "commit", "readwrite strict", "add", "commit"]);
});

test("a copy is taken: the caller's memory may change at once", async () => {
  const text = await page.evaluate(async () => {
    const raw = await Raw.open("copy");
    const memory = bytesOf("0123456789\n", 1 << 16);
    raw.storage.append(memory.subarray(2, 11), 1, 3);
    memory.fill(120);
    await raw.told();
    await raw.storage.close();
    return dump("copy");
  });
  assert.equal(text, "1,0=23456789");
});

test("closing waits for what was appended, and lets the next one in", async () => {
  const result = await page.evaluate(async () => {
    const raw = await Raw.open("close");
    for (let i = 0; i < 20; i++) raw.append(`r${i}`);
    raw.storage.detach();
    await raw.storage.close();
    const again = await Raw.open("close");
    await again.storage.close();
    return { events: raw.events, records: again.records.length };
  });
  assert.deepEqual(result, { events: [], records: 20 });
});

test("create, exclusive, lost, and delete", async () => {
  const results = await page.evaluate(async () => {
    const results = [];
    results.push(await failureOf(Raw.open("flags", { create: false })));
    results.push((await indexedDB.databases()).some(({ name }) => name === "hearth:flags"));
    results.push(await failureOf(Raw.open("flags", { exclusive: true })));
    results.push(await failureOf(Raw.open("flags", { create: false }))); // nothing was ever committed
    const raw = await Raw.open("flags");
    raw.append("a");
    await raw.told();
    results.push(raw.storage.lossIsNoticed);
    await raw.storage.close();
    results.push(await failureOf(Raw.open("flags", { exclusive: true })));
    results.push(await failureOf(Raw.open("flags", { create: false })));
    // the browser loses it
    await new Promise((resolve) => (indexedDB.deleteDatabase("hearth:flags").onsuccess = resolve));
    results.push(await failureOf(Raw.open("flags")));
    results.push(await failureOf(Raw.open("flags", { acceptLoss: true })));
    results.push(await failureOf(Raw.open("flags")));
    await IndexedDBStorage.delete("flags");
    results.push(await failureOf(Raw.open("flags")));
    return results;
  });
  assert.match(results[0], /^notfound: /);
  assert.equal(results[1], false);
  assert.equal(results[2], "opened");
  assert.match(results[3], /^notfound: /);
  assert.equal(results[4], true);
  assert.match(results[5], /^exists: /);
  assert.equal(results[6], "opened");
  assert.match(results[7], /^lost: .*acceptLoss/);
  assert.equal(results[8], "opened");
  assert.match(results[9], /^lost: /); // nothing was committed since: the loss stays known
  assert.equal(results[10], "opened");
});

test("a reader takes no lock, writes nothing, and is told when the store moves on", async () => {
  const results = await page.evaluate(async () => {
    const results = [];
    results.push(await failureOf(Raw.open("reader", { readonly: true })));
    const raw = await Raw.open("reader");
    raw.append("a");
    await raw.told();
    const reader = await Raw.open("reader", { readonly: true });
    results.push(reader.records.join(), reader.storage.moved, reader.storage.reload());
    raw.append("b");
    await raw.told();
    for (let i = 0; i < 100 && !reader.storage.moved; i++) await new Promise((resolve) => setTimeout(resolve, 10));
    results.push(reader.storage.moved);
    await reader.storage.refresh();
    results.push(reader.storage.moved, reader.storage.reload(), reader.storage.reload());
    await reader.storage.close();
    await raw.storage.close();
    return results;
  });
  assert.match(results.shift(), /^notfound: /);
  assert.deepEqual(results, ["a", false, undefined, true, false, 4, undefined]);
});

test("a worker has a store as well; only a loss goes unnoticed", async () => {
  const result = await page.evaluate(async () => {
    const source = `
      import "${location.origin}/tests/browser/indexeddb_page.js";
      const raw = await Raw.open("worker");
      raw.append("a");
      const events = await raw.told();
      const second = await failureOf(Raw.open("worker"));
      await raw.storage.close();
      const { lossIsNoticed: noticed, persistent } = raw.storage;
      postMessage({ events, noticed, second: second.split(":")[0], persistent });`;
    const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })), { type: "module" });
    const answer = await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => reject(new Error(event.message));
    });
    worker.terminate();
    return answer;
  });
  assert.deepEqual(result, { events: ["1"], noticed: false, second: "busy", persistent: false });
});

test("whether the storage is persistent is reported, and a warning says that it is not", async () => {
  const result = await page.evaluate(async () => {
    const raw = await Raw.open("persist", { persist: true });
    await raw.storage.close();
    return { persistent: raw.storage.persistent, warnings: raw.warnings.length };
  });
  assert.equal(typeof result.persistent, "boolean");
  assert.equal(result.warnings, result.persistent ? 0 : 1);
});

test("12 MB in 5,000 records are read in chunks, not one request a record", async () => {
  const result = await page.evaluate(async () => {
    const raw = await Raw.open("big");
    for (let i = 0; i < 5000; i++) raw.append(`r${i}`, { size: 2500, level: RELAXED });
    await raw.told();
    await raw.storage.close();
    let requests = 0;
    const { getAll } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.getAll = function (...args) {
      requests++;
      return getAll.apply(this, args);
    };
    const start = performance.now();
    const again = await IndexedDBStorage.open("big");
    const spent = performance.now() - start;
    IDBObjectStore.prototype.getAll = getAll;
    const length = again.attach(0, () => {});
    await again.close();
    await IndexedDBStorage.delete("big");
    return { requests, length, spent };
  });
  assert.equal(result.length, 5000 * 2500);
  assert.ok(result.requests < 100, `${result.requests} requests`);
  console.log(`# opening 12 MB in 5,000 records: ${result.spent.toFixed(0)} ms`);
});
