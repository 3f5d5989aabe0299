/** The host of the indexeddb backend when the browser refuses, closes, deletes or has no room. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Browser, serve } from "./chromium.js";

let server;
let browser;
let page;

before(async () => {
  server = await serve();
  browser = await Browser.start({ flags: ["--host-resolver-rules=MAP hearth.test 127.0.0.1"] });
  page = await newPage();
});

after(async () => {
  await browser?.close();
  await server?.close();
});

async function newPage(origin = server.origin) {
  const fresh = await browser.page(`${origin}/`);
  await fresh.addScriptTag({ type: "module", url: "/tests/browser/indexeddb_page.js" });
  await fresh.waitForFunction(() => globalThis.Raw !== undefined);
  return fresh;
}

/** A page of an origin of its own, with little room, until the test is over. */
async function smallPage(t, quotaSize) {
  const own = await serve();
  t.after(() => own.close());
  const fresh = await newPage(own.origin);
  const session = await browser.cdp(fresh);
  const setQuota = (size) => session.send("Storage.overrideQuotaForOrigin", { origin: own.origin, quotaSize: size });
  await setQuota(quotaSize);
  t.after(() => fresh.close());
  return { page: fresh, setQuota };
}

test("full: nothing of it is written, what is stacked on it fails, and it can be retried", async (t) => {
  const small = await smallPage(t, 4e6);
  const filled = await small.page.evaluate(async () => {
    globalThis.raw = await Raw.open("full");
    raw.append("first");
    const events = [await raw.told()];
    raw.append("huge", { size: 8 << 20 });
    await Promise.resolve(); // its transaction begins
    raw.append("stacked");
    events.push(await raw.told());
    raw.append("second");
    events.push(await raw.told(), raw.storage.failure === undefined);
    return { events, dump: await dump("full") };
  });
  const noRoom = "-14 the browser gives this site no more room";
  assert.deepEqual(filled.events, [["1"], [`2: ${noRoom}`, `3: ${noRoom}`], ["4"], true]);
  assert.equal(filled.dump, "1,0=first 1,1=second");
  await small.setQuota(40e6);
  const retried = await small.page.evaluate(async () => {
    raw.append("huge", { size: 8 << 20 });
    const events = await raw.told();
    await raw.storage.close();
    return { events, dump: await dump("full") };
  });
  assert.deepEqual(retried.events, ["5"]);
  assert.equal(retried.dump, "1,0=first 1,1=second 1,2=huge");
});

test("full with others under way: their records are not accepted, and do not stay in the way", async () => {
  const result = await page.evaluate(async () => {
    const raw = await Raw.open("urgent");
    raw.append("first");
    await raw.told();
    failNext("QuotaExceededError");
    raw.append("refused");
    raw.storage.urgent();
    raw.append("stray1");
    raw.storage.urgent(); // a transaction of its own, behind the one that will fail
    raw.append("stray2");
    raw.storage.urgent();
    const events = await raw.told();
    const strays = await dump("urgent");
    const reader = await Raw.open("urgent", { readonly: true });
    await reader.storage.close();
    raw.append("second");
    raw.append("third");
    events.push(...(await raw.told()));
    await raw.storage.close();
    return { events, strays, read: reader.records.join(), dump: await dump("urgent") };
  });
  assert.deepEqual(result.events.map((event) => event.split(" ")[0]), ["2:", "3:", "4:", "5", "6"]);
  assert.match(result.strays, /stray1 .*=stray2$/); // they were written: else this tests nothing
  assert.equal(result.read, "first");
  assert.equal(result.dump, "1,0=first 1,1=second 1,2=third");
});

test("strays that a crash left are removed by the next owner's first write", async () => {
  const result = await page.evaluate(async () => {
    const raw = await Raw.open("crash");
    raw.append("first");
    await raw.told();
    failNext("QuotaExceededError");
    raw.append("refused");
    raw.storage.urgent();
    raw.append("stray");
    raw.storage.urgent();
    await raw.told();
    await dump("crash"); // the one behind is written yet
    await raw.storage.close();
    const next = await Raw.open("crash");
    const before = await dump("crash");
    next.append("second");
    const events = await next.told();
    await next.storage.close();
    return { records: next.records.join(), before, events, dump: await dump("crash") };
  });
  assert.match(result.before, /1,2=stray$/);
  assert.deepEqual([result.records, result.events, result.dump], ["first", ["1"], "1,0=first 1,1=second"]);
});

test("the ballast is given up for what makes a full store smaller, and for compaction", async (t) => {
  const small = await smallPage(t, 6e6);
  const result = await small.page.evaluate(async () => {
    const raw = await Raw.open("ballast", { ballast: 1 << 20 });
    raw.append("first");
    await raw.told();
    await raw.ballast();
    const withBallast = raw.storage.occupied;
    let sizes = 0;
    for (let size = 1 << 20; size >= 128; size /= 2) // until nothing fits any more
      for (;;) {
        raw.append("fill", { size });
        const [event] = await raw.told();
        if (event.includes(":")) break;
        sizes += size;
      }
    raw.append("grows", { size: 500 });
    const refused = await raw.told();
    const room = raw.storage.occupied;
    raw.append("shrinks", { size: 500, last: 2 });
    const given = await raw.told();
    const occupied = raw.storage.occupied;
    raw.storage.compact();
    raw.storage.piece(bytesOf("piece1\n", 300000));
    const piece = await raw.told();
    raw.storage.replace(bytesOf("base\n", 100));
    const replaced = await raw.told();
    raw.append("after");
    const after = await raw.told();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const again = raw.storage.occupied;
    await raw.storage.close();
    const text = await dump("ballast");
    return { withBallast, sizes, refused, room, given, occupied, piece, replaced, after, again, dump: text };
  });
  assert.ok(result.withBallast > 1 << 20, "a ballast was made");
  assert.ok(result.sizes > 3e6, `${result.sizes} bytes until full`);
  assert.match(result.refused[0], /-14/);
  assert.doesNotMatch(result.given[0], /:/);
  assert.ok(result.room - result.occupied > 1e6, "it is gone");
  assert.doesNotMatch([...result.piece, ...result.replaced, ...result.after].join(), /:/);
  assert.ok(result.again > 1 << 20, "a new ballast after the compaction");
  assert.equal(result.dump, "2,0=piece1 2,1=base 2,2=after");
});

test("a compaction that finds no room is given up and leaves nothing", async (t) => {
  const small = await smallPage(t, 4e6);
  const result = await small.page.evaluate(async () => {
    const raw = await Raw.open("stay", { ballast: 1 << 20 });
    raw.append("first", { size: 500000 });
    await raw.told();
    await raw.ballast();
    const withBallast = raw.storage.occupied;
    raw.storage.compact();
    raw.storage.piece(bytesOf("piece1\n", 1 << 20));
    const events = await raw.told();
    raw.storage.piece(bytesOf("piece2\n", 4 << 20));
    events.push(...(await raw.told()));
    raw.storage.stay();
    raw.append("second");
    events.push(...(await raw.told()));
    const after = await dump("stay");
    const without = raw.storage.occupied;
    await raw.ballast(); // the ballast that it took is made again
    const again = raw.storage.occupied;
    raw.storage.compact();
    raw.storage.piece(bytesOf("piece3\n", 1000));
    await raw.told();
    raw.storage.detach(); // before its end
    await raw.storage.close();
    return { events, withBallast, without, again, after, dump: await dump("stay"), occupied: raw.storage.occupied };
  });
  assert.deepEqual(result.events.map((event) => event.split(" ")[0]), ["2", "3:", "4"]);
  assert.ok(result.without < 1e6 && result.again >= result.withBallast, JSON.stringify(result));
  assert.equal(result.after, "1,0=first 1,1=second");
  assert.equal(result.dump, "1,0=first 1,1=second");
});

test("what an unfinished compaction left is removed when the store is opened", async () => {
  const text = await page.evaluate(async () => {
    const raw = await Raw.open("left");
    raw.append("first");
    raw.storage.compact();
    raw.storage.piece(bytesOf("piece\n", 1000));
    await raw.told();
    raw.storage.detach = () => {};
    const before = await dump("left");
    // the page goes on as another owner would: nothing was given up
    await raw.storage.close();
    const next = await Raw.open("left");
    await next.storage.idle();
    await next.storage.close();
    return `${before} | ${await dump("left")}`;
  });
  assert.equal(text, "1,0=first 2,0=piece | 1,0=first");
});

test("an abort that is none of the known ones leaves the store dead, and nothing of it", async () => {
  const result = await page.evaluate(async () => {
    const raw = await Raw.open("abort");
    raw.append("first");
    await raw.told();
    failNext();
    raw.append("second");
    const events = await raw.told();
    const later = await failureOf((async () => raw.append("third"))());
    await raw.storage.close();
    const again = await Raw.open("abort"); // the lock is free
    await again.storage.close();
    return { events, later, failure: raw.storage.failure.code, records: again.records.join() };
  });
  assert.deepEqual(result.events, ["0: -15 the browser aborted the transaction"]);
  assert.match(result.later, /^dead: /);
  assert.equal(result.failure, "io");
  assert.equal(result.records, "first");
});

test("a connection that the browser closes is dead", async (t) => {
  const own = await serve();
  t.after(() => own.close());
  const victim = await newPage(own.origin);
  await victim.evaluate(async () => {
    globalThis.raw = await Raw.open("closed");
    raw.append("first");
    await raw.told();
  });
  const session = await browser.cdp(victim);
  await session.send("Storage.clearDataForOrigin", { origin: own.origin, storageTypes: "indexeddb" });
  await victim.waitForFunction(() => raw.storage.failure !== undefined);
  const result = await victim.evaluate(async () => ({
    events: raw.events,
    later: await failureOf((async () => raw.append("second"))()),
    lost: await failureOf(Raw.open("closed")),
  }));
  assert.deepEqual(result.events, ["0: -13 the browser has closed the database"]);
  assert.match(result.later, /^dead: /);
  assert.match(result.lost, /^lost: /); // that is what clearing the data was
  await victim.close();
});

test("a store whose database another page deletes lets it, and is dead", async () => {
  const result = await page.evaluate(async () => {
    const raw = await Raw.open("deleted");
    raw.append("first");
    await raw.told();
    const deleted = await new Promise((resolve) => {
      const request = indexedDB.deleteDatabase("hearth:deleted");
      request.onsuccess = () => resolve("deleted");
      request.onblocked = () => resolve("blocked");
    });
    return { deleted, events: raw.events, failure: raw.storage.failure?.code };
  });
  const events = ["0: -13 another page deletes the database or upgrades it"];
  assert.deepEqual(result, { deleted: "deleted", events, failure: "dead" });
});

test("a database that another tab blocks is busy after a while, and opens when it is free", async () => {
  const other = await newPage();
  await other.evaluate(async () => {
    await Raw.open("blocked").then((raw) => raw.storage.close());
    await new Promise((resolve) => (indexedDB.open("hearth:blocked").onsuccess = resolve)); // ignores versionchange
    indexedDB.deleteDatabase("hearth:blocked");
  });
  const busy = await page.evaluate(() => failureOf(Raw.open("blocked", { patience: 500 })));
  assert.match(busy, /^busy: .*blocked/);
  await other.close();
  assert.equal(await page.evaluate(() => failureOf(Raw.open("blocked"))), "opened");
});

test("a second tab is busy, and gets the store when the first is closed", async () => {
  const other = await newPage();
  await other.evaluate(async () => {
    const raw = await Raw.open("second");
    raw.append("first");
    await raw.told();
  });
  assert.match(await page.evaluate(() => failureOf(Raw.open("second"))), /^busy: second: another tab/);
  await other.close();
  assert.equal(await page.evaluate(() => failureOf(Raw.open("second"))), "opened");
});

test("a page that is reloaded gets its store back at once, ten times", async () => {
  const other = await newPage();
  for (let i = 0; i < 10; i++) {
    const length = await other.evaluate(async () => {
      globalThis.raw = await Raw.open("reload");
      raw.append("x");
      await raw.told();
      return raw.records.length;
    });
    assert.equal(length, i);
    await other.reload();
    await other.addScriptTag({ type: "module", url: "/tests/browser/indexeddb_page.js" });
    await other.waitForFunction(() => globalThis.Raw !== undefined);
  }
  await other.close();
});

test("what is appended while the page is being left is written", async () => {
  const other = await newPage();
  for (let i = 0; i < 10; i++) {
    await other.evaluate(async () => {
      globalThis.raw = await Raw.open("leave");
      addEventListener("pagehide", () => {
        raw.append("under way", { size: 200000 });
        raw.append("last");
        raw.storage.urgent();
      });
    });
    await other.goto(`${server.origin}/elsewhere/`);
    await other.goto(`${server.origin}/`);
    await other.addScriptTag({ type: "module", url: "/tests/browser/indexeddb_page.js" });
    await other.waitForFunction(() => globalThis.Raw !== undefined);
  }
  const records = await other.evaluate(async () => (await Raw.open("leave")).records);
  assert.equal(records.filter((text) => text === "last").length, 10);
  await other.close();
});

test("no locks: insecure; no IndexedDB, or one that refuses: unsupported; never memory instead", async () => {
  const insecure = await newPage(`http://hearth.test:${server.port}`);
  assert.match(await insecure.evaluate(() => failureOf(Raw.open("x"))), /^insecure: /);
  assert.match(await insecure.evaluate(() => failureOf(Raw.open("x", { readonly: true }))), /^notfound: /);
  await insecure.close();
  const none = await newPage();
  const missing = await none.evaluate(() => {
    Object.defineProperty(globalThis, "indexedDB", { value: undefined, configurable: true });
    return failureOf(Raw.open("x"));
  });
  assert.match(missing, /^unsupported: /);
  await none.close();
  const refused = await page.evaluate(async (origin) => {
    const frame = document.createElement("iframe");
    frame.sandbox = "allow-scripts"; // an opaque origin
    frame.srcdoc = `<script type="module">
      import("${origin}/tests/browser/indexeddb_page.js").then(async () =>
        parent.postMessage(await failureOf(Raw.open("x", { readonly: true })), "*"),
        (error) => parent.postMessage("import: " + error.message, "*"));
    </script>`;
    const answer = new Promise((resolve) => addEventListener("message", ({ data }) => resolve(data), { once: true }));
    document.body.append(frame);
    return answer;
  }, server.origin);
  assert.match(refused, /^(unsupported|insecure): /);
});

test("a foreign database of that name is not touched", async () => {
  const result = await page.evaluate(async () => {
    const database = await new Promise((resolve) => {
      const request = indexedDB.open("hearth:foreign", 1);
      request.onupgradeneeded = () => request.result.createObjectStore("theirs");
      request.onsuccess = () => resolve(request.result);
    });
    database.close();
    const foreign = await failureOf(Raw.open("foreign"));
    const newer = await new Promise((resolve) => {
      const request = indexedDB.open("hearth:newer", 7);
      request.onsuccess = () => resolve(request.result);
    });
    newer.close();
    return [foreign, await failureOf(Raw.open("newer"))];
  });
  assert.match(result[0], /^notstore: /);
  assert.match(result[1], /^version: /);
});
