/** What a page that goes was writing comes back from localStorage, once, and only where it belongs. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { beforeEach, test } from "node:test";
import { pathToFileURL } from "node:url";
import { FakeDatabase } from "./fake_database.js";
import { packageFolder } from "./testing.js";

const source = (name) => import(pathToFileURL(join(packageFolder, "src", "indexeddb", name)).href);
const { Log } = await source("log.js");
const { Spare, headOf } = await source("spare.js");
const { takeOver } = await source("takeover.js");
const { LOG, freshState, lengthOf } = await source("database.js");

const DURABLE = 3;
const NAME = "world:1";
const bytes = (text) => new Uint8Array([...text].map((letter) => letter.charCodeAt(0)));

/** A site's localStorage: methods in the prototype, entries as properties. */
class FakeStorage {
  getItem(key) {
    return Object.hasOwn(this, key) ? this[key] : null;
  }

  setItem(key, value) {
    if (value.length > 5 << 20) throw new DOMException("full", "QuotaExceededError");
    this[key] = `${value}`;
  }

  removeItem(key) {
    delete this[key];
  }
}

beforeEach(() => {
  Object.defineProperty(globalThis, "localStorage", { value: new FakeStorage(), configurable: true });
});

const spares = () => Object.keys(localStorage);

/** FNV-1a of 32 bits, as a spare begins. */
const fnv = (text) => [...text].reduce((hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 0x01000193),
  0x811c9dc5) >>> 0;
const checkOf = (text) => fnv(text).toString(16).padStart(8, "0");

/** A page's log over a database, as it is found there. */
function openLog(database, state = freshState()) {
  const told = [];
  const keys = database.stores[LOG].map(([key]) => key);
  const counts = state.generations.map((generation) => lengthOf(keys, generation));
  const found = { state, counts, strays: false, leftovers: [], ballast: false, bytes: 0 };
  const log = new Log(database, found, {
    settled: (ticket, outcome) => told.push([ticket, outcome.complete ? "complete" : outcome.code]),
    failed: (outcome) => told.push(["failed", outcome.code]),
    idle: () => {},
    spare: new Spare(NAME),
  }, 0);
  log.cut(counts.at(-1), 0, headOf(database.stores[LOG].findLast(([, value]) => typeof value !== "string")?.[1]));
  return { log, told };
}

/** A page that goes while its last transactions are under way, which the browser aborts. */
async function leave(database, ...texts) {
  const { log } = openLog(database);
  const before = structuredClone(database.stores);
  texts.forEach((text, i) => {
    log.frames([bytes(text)], DURABLE, false, i + 1);
    log.urgent();
  });
  log.stop();
  await database.quiet();
  const written = database.stores;
  database.stores = before;
  return written;
}

async function written(database, ...texts) {
  const { log } = openLog(database);
  for (const text of texts) log.frames([bytes(text)], DURABLE, false, 1);
  await database.quiet();
}

/** The next page opens the store: what it had to say. */
async function replay(database) {
  const lines = [];
  await Spare.replay(database, NAME, (line) => lines.push(line));
  assert.deepEqual(spares(), [], "a spare is used once");
  return lines;
}

test("what the browser aborted is added by the next page", async () => {
  const database = new FakeDatabase();
  await written(database, "a");
  await leave(database, "b", "c");
  assert.equal(database.text, "1,0=a");
  assert.equal(spares().length, 1);
  assert.deepEqual(await replay(database), []);
  assert.equal(database.text, "1,0=a 1,1=b 1,2=c");
  assert.equal(database.durabilities.at(-1), "strict");
  await replay(database);
  assert.equal(database.text, "1,0=a 1,1=b 1,2=c");
});

test("a store's first record has none: it would fit into a store that was lost, or begun anew", async () => {
  const database = new FakeDatabase();
  await leave(database, "a", "b");
  assert.deepEqual(spares(), []);
  await written(database, "a");
  await leave(database, "b");
  await Spare.replay(new FakeDatabase(), "another", assert.fail);
  const [key] = spares();
  const text = localStorage.getItem(key);
  const anew = new FakeDatabase();
  await replay(anew);
  assert.equal(anew.text, "", "the same name, and nothing in it");
  const body = JSON.stringify({ ...JSON.parse(text.slice(8)), first: 0, after: "" });
  localStorage.setItem(key, checkOf(body) + body);
  await replay(anew);
  assert.equal(anew.text, "", "nor does one that names nothing before it");
});

test("a page that has written, compacted or failed before knows what its spare follows", async () => {
  const database = new FakeDatabase();
  await written(database, "a");
  const { log, told } = openLog(database);
  log.frames([bytes("b")], DURABLE, false, 1);
  await database.quiet();
  log.beginGeneration();
  log.piece(bytes("p"), 2);
  log.replace(bytes("q"), 3);
  await database.quiet();
  database.refuse = "QuotaExceededError";
  log.frames([bytes("no")], DURABLE, false, 5);
  await database.quiet();
  assert.deepEqual(told.map(([, outcome]) => outcome), ["complete", "complete", "complete", "full"]);
  const before = structuredClone(database.stores);
  log.frames([bytes("d")], DURABLE, false, 6);
  log.urgent();
  log.stop();
  await database.quiet();
  database.stores = before;
  assert.equal(database.text, "2,0=p 2,1=q");
  await replay(database);
  assert.equal(database.text, "2,0=p 2,1=q 2,2=d");
});

test("it stays until the last of what is in it is complete", async () => {
  const database = new FakeDatabase();
  await written(database, "a");
  const { log, told } = openLog(database);
  for (const [ticket, text] of ["b", "c"].entries()) {
    log.frames([bytes(text)], DURABLE, false, ticket);
    log.urgent();
  }
  while (told.length === 0) await new Promise(setImmediate);
  assert.deepEqual([told.length, spares().length], [1, 1]);
  await database.quiet();
  assert.deepEqual([told.length, spares().length], [2, 0]);
});

test("what was written all the same is not added twice", async () => {
  const database = new FakeDatabase();
  await written(database, "a");
  database.stores = await leave(database, "b", "c");
  assert.equal(database.text, "1,0=a 1,1=b 1,2=c");
  await replay(database);
  assert.equal(database.text, "1,0=a 1,1=b 1,2=c");
});

test("what was written in part is completed, over what lay behind a gap", async () => {
  const database = new FakeDatabase();
  await written(database, "a");
  const { log } = await leave(database, "b", "c");
  database.stores.log = log.filter(([[, sequence]]) => sequence !== 2);
  await replay(database);
  assert.equal(database.text, "1,0=a 1,1=b 1,2=c");
  database.stores.log = database.stores.log.filter(([[, sequence]]) => sequence === 0);
  await leave(database, "b", "c");
  database.stores.log.push([[1, 2], bytes("x")]);
  await replay(database);
  assert.equal(database.text, "1,0=a 1,1=b 1,2=c");
});

test("a log that went on otherwise, or another one, is left alone", async () => {
  const database = new FakeDatabase();
  await written(database, "a");
  await leave(database, "b", "c");
  await written(database, "x");
  await replay(database);
  assert.equal(database.text, "1,0=a 1,1=x");

  await leave(database, "b");
  database.stores.log = [[[1, 0], bytes("a")], [[1, 1], bytes("y")]];
  await replay(database);
  assert.equal(database.text, "1,0=a 1,1=y");

  await leave(database, "b");
  database.stores.log = [[[1, 0], bytes("a")]]; // it ends before
  await replay(database);
  assert.equal(database.text, "1,0=a");
});

test("a store that was taken over is left alone; its taker has a spare of its own", async () => {
  const database = new FakeDatabase();
  await written(database, "a");
  await leave(database, "b");
  const [former] = spares();
  const text = localStorage.getItem(former);
  await takeOver(database, NAME);
  const taken = database.text;
  await replay(database);
  assert.equal(database.text, taken);
  assert.match(taken, /1,0=a 1,1=<taken over>$/);

  const { log } = openLog(database, { generations: [1, 3], poisons: [[1, 1]] });
  const before = structuredClone(database.stores);
  log.frames([bytes("c")], DURABLE, false, 1);
  log.urgent();
  log.stop();
  await database.quiet();
  database.stores = before;
  localStorage.setItem(former, text); // a frozen tab wakes
  await replay(database);
  assert.equal(database.text, `${taken} 3,0=c`);
});

test("a page that is only hidden drops it when all is written, or when it failed", async () => {
  const database = new FakeDatabase();
  await written(database, "z");
  let { log, told } = openLog(database);
  log.frames([bytes("a")], DURABLE, false, 1);
  log.urgent();
  log.frames([bytes("b")], DURABLE, false, 2);
  log.urgent();
  assert.equal(spares().length, 1);
  await database.quiet();
  assert.deepEqual([told, spares()], [[[1, "complete"], [2, "complete"]], []]);
  database.refuse = "QuotaExceededError";
  log.frames([bytes("c")], DURABLE, false, 3);
  log.urgent();
  assert.equal(spares().length, 1);
  await database.quiet();
  assert.deepEqual([told.at(-1), spares()], [[3, "full"], []]);
  log.urgent(); // nothing is under way
  assert.deepEqual(spares(), []);
});

test("of much, the first that fits is kept: nothing fits without it", async () => {
  const database = new FakeDatabase();
  await written(database, "a");
  await leave(database, "b".repeat((1 << 20) - 1), "c", "d");
  await replay(database);
  assert.deepEqual(database.stores.log.map(([key, { length }]) => [key, length]),
    [[[1, 0], 1], [[1, 1], (1 << 20) - 1], [[1, 2], 1]]);
  await leave(database, "e".repeat((1 << 20) + 1), "f");
  assert.deepEqual(spares(), []);
});

test("one that was damaged is dropped", async () => {
  const database = new FakeDatabase();
  await written(database, "a");
  await leave(database, "b");
  const [key] = spares();
  const text = localStorage.getItem(key);
  for (let at = 0; at < text.length; at++) {
    localStorage.setItem(key, text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ 1) + text.slice(at + 1));
    await replay(database);
    assert.equal(database.text, "1,0=a", `character ${at}`);
    localStorage.setItem(key, text.slice(0, at));
    await replay(database);
    assert.equal(database.text, "1,0=a", `${at} characters`);
  }
  for (const body of ["", "null", "{}", "[]", '{"first":-1,"after":"QQ==","records":[]}', '{"first":1,"after":"QQ=="}',
    '{"first":1,"after":"?","records":["QQ=="]}', '{"first":1,"after":"QQ==","records":[7]}']) {
    localStorage.setItem(key, checkOf(body) + body); // another program's, with a right checksum
    await replay(database);
    assert.equal(database.text, "1,0=a", body);
  }
});

test("other stores' and other keys stay, and one that was written meanwhile", async () => {
  const database = new FakeDatabase();
  await written(database, "a");
  await leave(database, "b");
  const [own] = spares();
  localStorage.setItem("hearth-spare1:1:world", "another store's");
  localStorage.setItem("hearth-spare2:1:world:1", "another version's");
  localStorage.setItem("hearth:world:1", "1");
  const kept = ["hearth-spare1:1:world", "hearth-spare2:1:world:1", "hearth:world:1"];
  const replayed = Spare.replay(database, NAME, assert.fail);
  localStorage.setItem(own, "anew");
  await replayed;
  assert.deepEqual(spares(), [own, ...kept]);
  Spare.forget(NAME);
  assert.deepEqual(spares(), kept);
});

test("a full database gives its ballast up; what cannot be added is told, and stays", async () => {
  const database = new FakeDatabase();
  await written(database, "a");
  await leave(database, "b");
  database.stores.notes = [["ballast", bytes("ballast")]];
  database.refuse = "QuotaExceededError";
  assert.deepEqual(await replay(database), []);
  assert.deepEqual([database.text, database.stores.notes], ["1,0=a 1,1=b", []]);
  await leave(database, "c");
  database.refuse = "UnknownError";
  const lines = [];
  await Spare.replay(database, NAME, (line) => lines.push(line));
  assert.deepEqual(lines, ["the last change of a page that was left cannot be stored now: refused"]);
  assert.deepEqual([database.text, spares().length], ["1,0=a 1,1=b", 1]);
  assert.deepEqual(await replay(database), []);
  assert.equal(database.text, "1,0=a 1,1=b 1,2=c");
});

test("a takeover does not wait for ever behind another page's transaction", async () => {
  const database = new FakeDatabase();
  await written(database, "a");
  await leave(database, "b");
  const { transaction } = database;
  let aborted = false;
  const requests = [];
  const never = () => requests[requests.push({}) - 1];
  database.transaction = () => { // it never begins
    const fake = { error: null, objectStore: () => ({ get: never, getAllKeys: never }), commit: () => {} };
    fake.abort = () => {
      aborted = true;
      for (const request of requests) {
        request.error = new DOMException("aborted", "AbortError");
        request.onerror();
      }
      fake.onabort();
    };
    return fake;
  };
  const lines = [];
  await Spare.replay(database, NAME, (line) => lines.push(line), 20);
  assert.ok(aborted);
  assert.match(lines.join(), /^the last change of a page that was left cannot be stored now: aborted$/);
  database.transaction = transaction;
  await replay(database);
  assert.equal(database.text, "1,0=a 1,1=b");
});

test("without localStorage, or where it is full or refuses, it is as without a spare", async () => {
  const database = new FakeDatabase();
  await written(database, "a");
  const refuse = () => assert.fail("refused");
  const refusing = new Proxy(new FakeStorage(), { get: refuse, ownKeys: refuse });
  for (const value of [undefined, Object.assign(new FakeStorage(), { setItem: refuse }), refusing]) {
    Object.defineProperty(globalThis, "localStorage", { value, configurable: true });
    await leave(database, "b");
    await Spare.replay(database, NAME, assert.fail);
    assert.equal(database.text, "1,0=a");
  }
  Object.defineProperty(globalThis, "localStorage", { get: refuse, configurable: true });
  await leave(database, "b");
  await Spare.replay(database, NAME, assert.fail);
  const put = new FakeStorage();
  Object.defineProperty(globalThis, "localStorage", { value: put, configurable: true });
  const { log, told } = openLog(database);
  log.frames([bytes("c")], DURABLE, false, 1);
  log.urgent();
  put.removeItem = refuse; // once it is there
  await database.quiet();
  assert.deepEqual(told, [[1, "complete"]], "it is told all the same");
});
