/** Taking a store from another tab: one that lives, one that is frozen and wakes up, one that knows no locks. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Browser, serve } from "./chromium.js";

let server;
let browser;

before(async () => {
  server = await serve();
  browser = await Browser.start();
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

/** The page's stores think that they hold a lock that nobody can steal: poison alone stops them. */
const blindToLocks = (page) => page.evaluate(() => {
  const request = (name, options, callback) => Promise.resolve(callback({}));
  Object.defineProperty(navigator, "locks", { value: { request } });
});

const take = (page, name) => page.evaluate(async (name) => {
  globalThis.raw = await Raw.open(name, { takeover: true });
  return raw.records.join();
}, name);

test("a tab that lives is dead at once when its store is taken", async () => {
  const [old, next] = [await newPage(), await newPage()];
  await old.evaluate(async () => {
    globalThis.raw = await Raw.open("alive");
    raw.append("a");
    raw.append("b");
    await raw.told();
  });
  assert.equal(await take(next, "alive"), "a,b");
  await old.waitForFunction(() => raw.storage.failure !== undefined);
  assert.deepEqual(await old.evaluate(() => raw.events), ["0: -13 another tab has taken the store over"]);
  assert.match(await old.evaluate(() => failureOf((async () => raw.append("c"))())), /^dead: /);
  assert.match(await old.evaluate(() => failureOf(Raw.open("alive"))), /^busy: /);
  const result = await next.evaluate(async () => {
    raw.append("c");
    const events = await raw.told();
    await raw.storage.close();
    const again = await Raw.open("alive");
    await again.storage.close();
    return { events, records: again.records.join(), dump: await dump("alive") };
  });
  const text = "1,-1=<taken over> 1,0=a 1,1=b 1,2=<taken over> 3,0=c";
  assert.deepEqual(result, { events: ["1"], records: "a,b,c", dump: text });
  await old.close();
  await next.close();
});

for (const [what, act] of Object.entries({
  "a record": () => raw.append("c"),
  "records in transactions of their own": () => {
    for (const text of ["c", "d", "e"]) {
      raw.append(text);
      raw.storage.urgent();
    }
  },
  "a piece of a compaction": () => {
    raw.storage.compact();
    raw.storage.piece(bytesOf("piece\n", 100));
  },
  "the end of a compaction": () => {
    raw.storage.compact();
    raw.storage.replace(bytesOf("base\n", 100));
    raw.append("c");
  },
  "the end of a compaction, and records behind it under way": () => {
    raw.storage.compact();
    raw.storage.replace(bytesOf("base\n", 100));
    raw.append("c");
    raw.storage.urgent();
  },
}))
  test(`a former owner that does not know it collides with the poison: ${what}`, async () => {
    const [old, next] = [await newPage(), await newPage()];
    await blindToLocks(old);
    await old.evaluate(async () => {
      globalThis.raw = await Raw.open("blind");
      for (const text of ["a", "b"]) raw.append(text);
      await raw.told();
    });
    assert.equal(await take(next, "blind"), "a,b");
    await old.evaluate(act);
    await old.waitForFunction(() => raw.storage.failure !== undefined, { timeout: 5000 });
    assert.deepEqual(await old.evaluate(() => raw.events), ["0: -13 another tab has taken the store over"]);
    const result = await next.evaluate(async () => {
      raw.append("x");
      raw.append("y");
      const events = await raw.told();
      raw.storage.compact();
      raw.storage.piece(bytesOf("x1\n", 100));
      raw.storage.replace(bytesOf("x2\n", 100));
      raw.append("z");
      events.push(...(await raw.told()));
      const poisoned = await dump("blind");
      await raw.storage.close();
      const again = await Raw.open("blind");
      await again.storage.idle();
      await again.storage.close();
      const clean = await dump("blind");
      await IndexedDBStorage.delete("blind");
      return { events, poisoned, records: again.records.length, clean };
    });
    assert.deepEqual(result.events, ["1", "2", "3", "4", "5"]);
    assert.match(result.poisoned, /^1,-1=<taken over> 1,2=<taken over> /); // compaction keeps it
    assert.equal(result.clean, "1,-1=<taken over> 1,2=<taken over> 4,0=x1 4,1=x2 4,2=z");
    await old.close();
    await next.close();
  });

test("a former owner is stopped after the new one has compacted, and after a second taker", async () => {
  const [old, middle, next] = [await newPage(), await newPage(), await newPage()];
  await blindToLocks(old);
  await blindToLocks(middle);
  await old.evaluate(async () => {
    globalThis.raw = await Raw.open("twice");
    raw.append("a");
    await raw.told();
  });
  await middle.evaluate(async () => {
    globalThis.raw = await Raw.open("twice", { takeover: true });
    raw.append("b");
    raw.storage.compact();
    raw.storage.replace(bytesOf("ab\n"));
    raw.append("c");
    await raw.told();
  });
  const records = await take(next, "twice");
  assert.equal(records, "ab,c");
  for (const page of [old, middle]) {
    await page.evaluate(() => raw.append("late"));
    await page.waitForFunction(() => raw.storage.failure?.code === "dead");
  }
  assert.equal(await next.evaluate(async () => {
    raw.append("d");
    await raw.told();
    await raw.storage.close();
    return dump("twice");
  }), "1,-1=<taken over> 1,1=<taken over> 4,-1=<taken over> 4,0=ab 4,1=c 4,2=<taken over> 6,0=d");
  for (const page of [old, middle, next]) await page.close();
});

test("an empty store is taken, too", async () => {
  const [old, next] = [await newPage(), await newPage()];
  await blindToLocks(old);
  await old.evaluate(async () => (globalThis.raw = await Raw.open("empty")));
  assert.equal(await take(next, "empty"), "");
  await old.evaluate(() => raw.append("a"));
  await old.waitForFunction(() => raw.storage.failure?.code === "dead");
  assert.equal(await next.evaluate(async () => {
    raw.append("b");
    await raw.told();
    await raw.storage.close();
    return (await Raw.open("empty")).records.join();
  }), "b");
  await old.close();
  await next.close();
});

/** The records, and one more is written; undefined when the frozen tab holds a transaction. */
async function takeUnlessHeld(page, name) {
  try {
    const records = (await take(page, name)).split(",");
    await page.evaluate(async () => {
      raw.append("mine");
      await raw.told();
    });
    return records;
  } catch (error) {
    assert.match(error.message, /does not let go of the database/);
    return undefined;
  }
}

test("a tab that is frozen while it writes: what it was told is there, and it is dead when it wakes", async () => {
  let taken = 0;
  for (let round = 0; round < 6; round++) {
    const name = `frozen${round}`;
    const [old, next] = [await newPage(), await newPage()];
    await old.evaluate(async (name) => {
      globalThis.raw = await Raw.open(name);
      globalThis.count = 0;
      (async () => {
        while (raw.storage.failure === undefined) {
          raw.append(`r${count++}`, { size: 3000 });
          if (count % 3 === 0) raw.storage.urgent();
          if (count % 50 === 0) {
            raw.storage.compact(); // its base stands for all so far
            raw.storage.replace(bytesOf(`r0-r${count - 1}\n`));
          }
          await new Promise((resolve) => setTimeout(resolve, 0));
        }
      })().catch(() => {});
    }, name);
    const pid = await browser.rendererOf(old);
    assert.notEqual(pid, await browser.rendererOf(next), "two tabs, two processes");
    await new Promise((resolve) => setTimeout(resolve, 100 + round * 37));
    process.kill(pid, "SIGSTOP");
    let records;
    try {
      assert.match(await next.evaluate((name) => failureOf(Raw.open(name)), name), /^busy: /);
      records = await takeUnlessHeld(next, name);
    } finally {
      process.kill(pid, "SIGCONT");
    }
    // it was stopped between beginning a transaction and committing it: nobody gets past that
    if (records === undefined) records = (await take(next, name)).split(",");
    else taken++;
    await old.waitForFunction(() => raw.storage.failure !== undefined);
    const { events, code } = await old.evaluate(() => ({ events: raw.events, code: raw.storage.failure.code }));
    assert.equal(code, "dead");
    assert.match(events.at(-1), /^0: -13 /);
    // tickets that were told, less those of compactions: one in 51
    const told = events.slice(0, -1).map(Number);
    assert.deepEqual(told, told.map((_, i) => i + 1));
    const appended = told.filter((ticket) => ticket % 51 !== 0).length;
    const numbersOf = (text) => text.split("-").map((part) => Number(part.slice(1)));
    const numbers = records.filter((text) => text.startsWith("r")).map(numbersOf);
    let end = 0;
    for (const [first, last = first] of numbers) {
      assert.equal(first, end === 0 || first === 0 ? 0 : end);
      end = last + 1;
    }
    assert.ok(end >= appended, `${appended} were told, ${end} are there`);
    const last = await next.evaluate(async (name) => {
      await raw.storage.close();
      const again = await Raw.open(name);
      await again.storage.close();
      return again.records;
    }, name);
    assert.deepEqual(last.slice(0, records.length), records);
    assert.ok(last.length === records.length || last.at(-1) === "mine");
    await old.close();
    await next.close();
  }
  assert.ok(taken >= 3, `${taken} of 6 were taken while the other was frozen`);
});

test("a full database can be taken", async (t) => {
  const own = await serve();
  t.after(() => own.close());
  const page = await browser.page(`${own.origin}/`);
  const session = await browser.cdp(page);
  await page.addScriptTag({ type: "module", url: "/tests/browser/indexeddb_page.js" });
  await page.waitForFunction(() => globalThis.Raw !== undefined);
  await session.send("Storage.overrideQuotaForOrigin", { origin: own.origin, quotaSize: 4e6 });
  const records = await page.evaluate(async () => {
    const raw = await Raw.open("fulltaken", { ballast: 1 << 20 });
    raw.append("a");
    await raw.told();
    await raw.ballast();
    for (let size = 1 << 20; size >= 64; size /= 2)
      for (;;) {
        raw.append("fill", { size });
        if ((await raw.told())[0].includes(":")) break;
      }
    await raw.storage.close();
    const taken = await Raw.open("fulltaken", { takeover: true });
    await taken.storage.close();
    return taken.records.slice(0, 2);
  });
  assert.deepEqual(records, ["a", "fill"]);
  await page.close();
});
