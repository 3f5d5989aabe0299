/** When a log in IndexedDB calls something written, and how a taker stops the former owner: in a database in memory. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { FakeDatabase } from "./fake_database.js";
import { packageFolder } from "./testing.js";

const source = (name) => import(pathToFileURL(join(packageFolder, "src", "indexeddb", name)).href);
const { Log } = await source("log.js");
const { takeOver } = await source("takeover.js");
const { freshState } = await source("database.js");

const [COMPLETE, DURABLE] = [2, 3];
const bytes = (text) => new Uint8Array([...text].map((letter) => letter.charCodeAt(0)));

/** A log in an empty database, and what its host was told. */
function newLog(database = new FakeDatabase()) {
  const told = [];
  const found = { state: freshState(), counts: [0], strays: false, leftovers: [], ballast: false, bytes: 0 };
  const log = new Log(database, found, {
    settled: (ticket, outcome) => told.push([ticket, outcome.complete ? "complete" : outcome.code]),
    failed: (outcome) => told.push(["failed", outcome.code]),
    idle: () => {},
    spare: { put() {}, remove() {} },
  }, 0);
  return { database, log, told };
}

test("success is the transaction's complete event, and nothing before it", async () => {
  const { database, log, told } = newLog();
  let release;
  database.held = new Promise((resolve) => (release = resolve));
  log.frames([bytes("a"), bytes("b")], DURABLE, false, 1);
  while (database.succeeded < 2) await new Promise(setImmediate);
  for (let i = 0; i < 10; i++) await new Promise(setImmediate);
  assert.deepEqual(told, []);
  release();
  await database.quiet();
  assert.deepEqual(told, [[1, "complete"]]);
  assert.equal(database.text, "1,0=a 1,1=b");
});

test("a transaction may fail when all of its requests have succeeded: nothing is there, and that is said", async () => {
  const { database, log, told } = newLog();
  database.refuse = "QuotaExceededError";
  log.frames([bytes("a")], DURABLE, false, 1);
  await database.quiet();
  assert.deepEqual(told, [[1, "full"]]);
  assert.equal(database.text, "");
  log.frames([bytes("b")], DURABLE, false, 2);
  await database.quiet();
  assert.deepEqual(told, [[1, "full"], [2, "complete"]]);
  assert.equal(database.text, "1,0=b");
  database.refuse = "UnknownError";
  log.frames([bytes("c")], DURABLE, false, 3);
  await database.quiet();
  assert.deepEqual(told.at(-1), ["failed", "io"]);
});

test("durable batches ask for strict transactions, complete ones do not", async () => {
  const { database, log } = newLog();
  log.frames([bytes("a")], COMPLETE, false, 1);
  await database.quiet();
  log.frames([bytes("b")], DURABLE, false, 2);
  await database.quiet();
  log.flush(DURABLE, 3);
  await database.quiet();
  assert.deepEqual(database.durabilities, ["relaxed", "strict", "strict"]);
});

test("nothing is read before a write", async () => {
  const { database, log } = newLog();
  log.frames([bytes("a"), bytes("b")], DURABLE, false, 1);
  log.urgent();
  await database.quiet();
  assert.deepEqual(database.asked, ["add", "add"]);
});

test("records behind a gap are removed before the log grows over them", async () => {
  const { database, log, told } = newLog();
  database.refuse = "QuotaExceededError";
  log.frames([bytes("a"), bytes("b")], DURABLE, false, 1);
  log.urgent();
  log.frames([bytes("c")], DURABLE, false, 2);
  log.urgent(); // stacked: it is written, behind what failed
  await database.quiet();
  assert.deepEqual(told, [[1, "full"], [2, "full"]]);
  assert.equal(database.text, "1,2=c");
  log.frames([bytes("d")], DURABLE, false, 3);
  await database.quiet();
  assert.equal(database.text, "1,0=d");
});

test("a former owner that knows nothing of a takeover collides with the poison", async () => {
  const { database, log, told } = newLog();
  log.frames([bytes("a")], DURABLE, false, 1);
  await database.quiet();
  await takeOver(database, "world");
  assert.match(database.text, /1,0=a 1,1=<taken over>$/);
  log.frames([bytes("b")], DURABLE, false, 2);
  await database.quiet();
  assert.deepEqual(told, [[1, "complete"], ["failed", "dead"]]);
  assert.match(database.text, /1,0=a 1,1=<taken over>$/);
  assert.deepEqual(database.stores.notes, [["state", { generations: [1, 3], poisons: [[1, 1]] }]]);
});

test("so does one that compacts", async () => {
  const { database, log, told } = newLog();
  log.frames([bytes("a")], DURABLE, false, 1);
  await database.quiet();
  await takeOver(database, "world");
  log.beginGeneration();
  log.piece(bytes("b"), 2);
  await database.quiet();
  assert.deepEqual(told, [[1, "complete"], ["failed", "dead"]]);
  assert.doesNotMatch(database.text, /=b/);
});
