/** Class Hearth where the browser refuses, closes, has no room, or another tab wants the store: each has its code. */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { Browser } from "./chromium.js";
import { CHECK, Consoles, WORLD, load, newPage, newWorker, rounds, servePackage } from "./hearth_testing.js";

let server;
let browser;
const consoles = new Consoles();
const freshPage = (origin = server.origin) => newPage(browser, origin, consoles);

before(async () => {
  server = await servePackage();
  browser = await Browser.start({ flags: ["--host-resolver-rules=MAP app.test 127.0.0.1"] });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

afterEach(async () => {
  for (const page of browser.context.pages()) if (page.url().startsWith("http")) await page.close();
  assert.deepEqual(consoles.take(), [], "the console stays empty");
});

/** What is stored, read by another instance once this one is closed. */
const stored = (page, store, code) => page.evaluate(async ({ store, code }) => {
  const hearth = await Hearth.open({ store, create: false });
  const values = hearth.run(code);
  await hearth.close();
  return values;
}, { store, code });

/** A page of an origin of its own, with this much room. */
async function smallPage(t, quotaSize) {
  const own = await servePackage();
  t.after(() => own.close());
  const page = await freshPage(own.origin);
  const session = await browser.cdp(page);
  const setQuota = (size) => session.send("Storage.overrideQuotaForOrigin", { origin: own.origin, quotaSize: size });
  await setQuota(quotaSize);
  return { page, setQuota };
}

/** Text that no database can compress. */
const NOISE = `local function noise(n)
  local t = {}
  for i = 1, n do t[i] = string.pack("<d", math.random()) end
  return table.concat(t)
end `;

test("full: the commit says so, what was committed is there, with more room the same commit succeeds", async (t) => {
  const { page, setQuota } = await smallPage(t, 6e6);
  const first = await page.evaluate(async ({ noise, world }) => {
    globalThis.hearth = await Hearth.open({ store: "indexeddb:full" });
    hearth.run(world);
    await hearth.commit();
    hearth.run(`${noise} _home.huge = {} for i = 1, 100 do _home.huge[i] = noise(12000) end
      _home.log[1] = nil _home.log.huge = noise(1000)`);
    const events = [await failureOf(hearth.commit())];
    hearth.run("_home.late = true");
    const stacked = [hearth.commit(), hearth.commit()];
    events.push(...(await Promise.all(stacked.map(failureOf))));
    events.push(hearth.failure, hearth.run("return #_home.huge, _home.log[1], #_home.log.huge"));
    const reader = await Hearth.open({ store: "indexeddb:full", readonly: true });
    events.push(reader.run("return _home.huge, _home.late, _home.log[1].text, _home.counter.get()"));
    await reader.close();
    return events;
  }, { noise: NOISE, world: WORLD });
  for (const event of first.slice(0, 3)) assert.match(event, /^full: /);
  assert.deepEqual(first.slice(3), [undefined, [100, undefined, 8000], [undefined, undefined, "event 1", 0, 2 ** 40]]);

  await setQuota(100e6);
  await page.evaluate(() => hearth.commit());
  await page.reload(); // without close: it was durable
  await load(page);
  const sizes = "return #_home.huge, #_home.huge[100], _home.late, #_home.log.huge";
  assert.deepEqual(await stored(page, "indexeddb:full", sizes), [100, 96000, true, 8000]);
  const mended = "_home.log[1] = {time = 10, text = 'event 1', nested = {1, {1}}}";
  assert.deepEqual(await stored(page, "indexeddb:full", `${mended} ${CHECK}`), [1]);
});

test("full: less is stored where more is not, and a transaction that does not fit is told", async (t) => {
  const { page, setQuota } = await smallPage(t, 5e6);
  const result = await page.evaluate(async (noise) => {
    globalThis.hearth = await Hearth.open({ store: "indexeddb:less" });
    hearth.run("_home.n = 1");
    await hearth.commit();
    hearth.run(`${noise} _home.huge = noise(1000000)`);
    const events = [await failureOf(hearth.commit())];
    hearth.run("_home.huge = nil _home.n = 2");
    events.push(await failureOf(hearth.commit()));
    events.push(await failureOf(hearth.transaction((h) => h.run(`${noise} _home.huge, _home.n = noise(1000000), 3`))));
    events.push(hearth.get("_home.n"), hearth.run("return #(_home.huge or '')")[0]);
    return events;
  }, NOISE);
  assert.match(result[0], /^full: /);
  assert.equal(result[1], "nothing failed");
  assert.match(result[2], /^full: /);
  assert.deepEqual(result.slice(3), [3, 8000000]); // it stays for the next commit
  const reader = await page.evaluate(async () =>
    (await Hearth.open({ store: "indexeddb:less", readonly: true })).run("return _home.n, _home.huge"));
  assert.deepEqual(reader, [2, undefined]);
  await setQuota(100e6);
  await page.evaluate(async () => {
    await hearth.commit();
    await hearth.close();
  });
  assert.deepEqual(await stored(page, "indexeddb:less", "return _home.n, #_home.huge"), [3, 8000000]);
});

test("full: autocommit tells, and stores everything when there is room again", async (t) => {
  const { page, setQuota } = await smallPage(t, 5e6);
  assert.match(await page.evaluate(async (noise) => {
    globalThis.told = [];
    const onError = (error) => told.push(error.code);
    globalThis.hearth = await Hearth.open({ store: "indexeddb:autofull", autocommit: { onError } });
    hearth.run(`${noise} _home.huge = noise(1000000)`);
    for (let i = 0; i < 500 && told.length === 0; i++) await sleep(10);
    return told.join();
  }, NOISE), /^full/);
  await setQuota(100e6);
  await page.evaluate(async () => {
    hearth.run("_home.n = 1");
    await hearth.close();
  });
  assert.deepEqual(await stored(page, "indexeddb:autofull", "return _home.n, #_home.huge"), [1, 8000000]);
});

test("a database that another tab blocks: busy, and open when it is free", async () => {
  const [page, other] = [await freshPage(), await freshPage()];
  await other.evaluate(async () => {
    await (await Hearth.open({ store: "indexeddb:blocked" })).close();
    await new Promise((resolve) => (indexedDB.open("hearth:blocked").onsuccess = resolve)); // ignores versionchange
    indexedDB.deleteDatabase("hearth:blocked");
  });
  const open = () => failureOf(Hearth.open({ store: "indexeddb:blocked" }));
  assert.match(await page.evaluate(open), /^busy: .*blocked/);
  await other.close();
  assert.equal(await page.evaluate(open), "nothing failed");
});

test("a connection that the browser closes: dead; its data cleared: lost", async (t) => {
  const own = await servePackage();
  t.after(() => own.close());
  const page = await freshPage(own.origin);
  await page.evaluate(async () => {
    globalThis.hearth = await Hearth.open({ store: "indexeddb:cleared" });
    hearth.run("local n = 0 function _home.next() n = n + 1 return n end");
    await hearth.commit();
    hearth.call("_home.next");
  });
  const session = await browser.cdp(page);
  await session.send("Storage.clearDataForOrigin", { origin: own.origin, storageTypes: "indexeddb" });
  await page.waitForFunction(() => hearth.failure !== undefined);
  const result = await page.evaluate(async () => {
    const { code, message } = hearth.failure;
    const said = [`${code}: ${message}`, await failureOf(hearth.commit()), hearth.call("_home.next")];
    const saved = hearth.encodePath("_home.next"); // the state goes on, to be saved elsewhere
    const other = await Hearth.open();
    other.set("next", other.decode(saved, { trusted: true }));
    said.push(other.call("next"));
    said.push(await failureOf(hearth.close()), hearth.closed);
    said.push(await failureOf(Hearth.open({ store: "indexeddb:cleared" })));
    const again = await Hearth.open({ store: "indexeddb:cleared", acceptLoss: true });
    said.push(again.get("_home.next"));
    again.run("_home.n = 5");
    await again.close();
    return said;
  });
  assert.match(result[0], /^dead: .*the browser has closed the database/);
  assert.match(result[1], /^dead: /);
  assert.deepEqual(result.slice(2, 6), [[2], [3], "nothing failed", true]);
  assert.match(result[6], /^lost: /);
  assert.equal(result[7], undefined);
});

test("another page deletes the database: it may, and the store is dead", async () => {
  const [page, other] = [await freshPage(), await freshPage()];
  await page.evaluate(async () => {
    globalThis.hearth = await Hearth.open({ store: "indexeddb:deleted" });
    hearth.run("_home.n = 1");
    await hearth.commit();
  });
  assert.equal(await other.evaluate(() => new Promise((resolve) => {
    const request = indexedDB.deleteDatabase("hearth:deleted");
    request.onsuccess = () => resolve("deleted");
    request.onblocked = () => resolve("blocked");
  })), "deleted");
  assert.match(await page.evaluate(() => failureOf(hearth.commit())), /^dead: .*another page deletes/);
  assert.match(await other.evaluate(() => failureOf(Hearth.open({ store: "indexeddb:deleted" }))), /^lost: /);
});

test("a transaction that is aborted: io, then dead; what was committed before is there, nothing of it", async () => {
  const page = await freshPage();
  const result = await page.evaluate(async () => {
    const hearth = await Hearth.open({ store: "indexeddb:aborted" });
    hearth.run("_home.n = 1 _home.log = ext.table() _home.log[1] = 1");
    await hearth.commit();
    const { commit } = IDBTransaction.prototype;
    IDBTransaction.prototype.commit = function () {
      IDBTransaction.prototype.commit = commit;
      this.abort();
    };
    hearth.run("_home.n = 2 _home.log[1] = 2");
    const [first, second] = [hearth.commit(), (hearth.run("_home.n = 3"), hearth.commit())];
    const said = await Promise.all([first, second].map(failureOf));
    said.push(await failureOf(hearth.commit()), hearth.failure.code, hearth.run("return _home.n")[0]);
    await hearth.close();
    const again = await Hearth.open({ store: "indexeddb:aborted" });
    said.push(again.run("return _home.n, _home.log[1]"));
    return said;
  });
  assert.match(result[0], /^io: .*aborted/);
  assert.match(result[1], /^(io|dead): /);
  assert.match(result[2], /^dead: /);
  assert.deepEqual(result.slice(3), ["io", 3, [1, 1]]);
});

test("a transaction that is aborted for want of room: full, and the next commit stores everything", async () => {
  const page = await freshPage();
  const result = await page.evaluate(async () => {
    const hearth = await Hearth.open({ store: "indexeddb:abortedfull" });
    hearth.run("_home.n = 1");
    await hearth.commit();
    const { commit } = IDBTransaction.prototype;
    IDBTransaction.prototype.commit = function () {
      IDBTransaction.prototype.commit = commit;
      this.abort();
      Object.defineProperty(this, "error", { value: new DOMException("", "QuotaExceededError") });
    };
    const commits = [2, 3, 4].map((n) => {
      hearth.run("_home.n = ... _home['n' .. ...] = ...", { args: [n] });
      return hearth.commit();
    });
    const said = await Promise.all(commits.map(failureOf));
    const after = [hearth.failure, hearth.get("_home.n")];
    await hearth.commit();
    await hearth.close();
    const again = await Hearth.open({ store: "indexeddb:abortedfull" });
    after.push(again.run("return _home.n, _home.n2, _home.n3, _home.n4"));
    return { said, after };
  });
  for (const said of result.said) assert.match(said, /^full: /);
  assert.deepEqual(result.after, [undefined, 4, [4, 2, 3, 4]]);
});

test("no IndexedDB: unsupported, never a store in memory instead", async () => {
  const page = await freshPage();
  await page.addInitScript(() => {
    Object.defineProperty(globalThis, "indexedDB", { value: undefined, configurable: true });
  });
  await page.reload();
  await load(page);
  const open = () => failureOf(Hearth.open({ store: "indexeddb:none" }));
  assert.match(await page.evaluate(open), /^unsupported: none: .*no IndexedDB/);
  const inMemory = async () => (await Hearth.open({ store: "memory:" })).run("_home.n = 1 return _home.n");
  assert.deepEqual(await page.evaluate(inMemory), [1]);

  const framed = await freshPage();
  await framed.evaluate((origin) => {
    const frame = document.createElement("iframe");
    frame.sandbox = "allow-scripts";
    frame.src = `${origin}/sandboxed/`;
    document.body.append(frame);
    return new Promise((resolve) => (frame.onload = resolve));
  }, server.origin);
  const frame = framed.frames().find((frame) => frame.url().endsWith("/sandboxed/"));
  await frame.addScriptTag({ type: "module", url: `${server.origin}/tests/browser/hearth_page.js` });
  await frame.waitForFunction(() => globalThis.Hearth !== undefined);
  assert.equal(await frame.evaluate(() => origin), "null");
  assert.match(await frame.evaluate(open), /^(unsupported|insecure): /);
});

test("an insecure origin has no Web Locks: insecure", async () => {
  const page = await freshPage(`http://app.test:${server.port}`);
  assert.equal(await page.evaluate(() => isSecureContext), false);
  assert.match(await page.evaluate(() => failureOf(Hearth.open({ store: "indexeddb:none" }))), /^insecure: .*https/);
  assert.deepEqual(await page.evaluate(async () => (await Hearth.open()).run("return 1")), [1]);
});

test("a page has no files, and a store needs a name", async () => {
  const page = await freshPage();
  assert.match(await page.evaluate(() => failureOf(Hearth.open({ store: "file:x" }))), /^unsupported: /);
  assert.match(await page.evaluate(() => failureOf(Hearth.open({ store: "indexeddb:" }))), /^invalid: /);
  assert.match(await page.evaluate(() => failureOf(Hearth.open({ store: "sqlite:x" }))), /^invalid: /);
});

test("no store there: notfound; one there: exists; read-only: readonly, and refreshed", async () => {
  const page = await freshPage();
  const result = await page.evaluate(async () => {
    const store = "indexeddb:there";
    const said = [await failureOf(Hearth.open({ store, create: false }))];
    said.push(await failureOf(Hearth.open({ store, readonly: true })));
    const hearth = await Hearth.open({ store, exclusive: true });
    hearth.run("_home.t = {n = 1}");
    await hearth.commit();
    const reader = await Hearth.open({ store, readonly: true });
    reader.run("kept = _home.t");
    hearth.run("_home.t.n = 2");
    await hearth.commit();
    const before = reader.run("return kept.n")[0];
    await reader.refresh();
    said.push([before, reader.run("return kept.n, rawequal(kept, _home.t)")]);
    reader.run("_home.t.n = 3");
    said.push(await failureOf(reader.commit()));
    await hearth.close();
    said.push(await failureOf(Hearth.open({ store, exclusive: true })));
    return said;
  });
  assert.match(result[0], /^notfound: /);
  assert.match(result[1], /^notfound: /);
  assert.deepEqual(result[2], [1, [2, true]]);
  assert.match(result[3], /^readonly: /);
  assert.match(result[4], /^exists: /);
});

test("a second tab is busy; with takeover it has the store, and the first is dead", async () => {
  const [first, second] = [await freshPage(), await freshPage()];
  await first.evaluate(async () => {
    globalThis.hearth = await Hearth.open({ store: "indexeddb:tabs" });
    hearth.run("_home.n = 1 local n = 10 function _home.f() n = n + 1 return n end");
    await hearth.commit();
    hearth.run("_home.n = 'not committed'");
  });
  const busy = await second.evaluate(() => failureOf(Hearth.open({ store: "indexeddb:tabs" })));
  assert.match(busy, /^busy: .*another tab/);
  assert.deepEqual(await second.evaluate(async () => {
    globalThis.hearth = await Hearth.open({ store: "indexeddb:tabs", takeover: true });
    hearth.run("_home.m = 2");
    await hearth.commit();
    return hearth.run("return _home.n, _home.f()");
  }), [1, 11]);
  await first.waitForFunction(() => hearth.failure !== undefined);
  const said = await first.evaluate(async () => [
    hearth.failure.message, await failureOf(hearth.commit()), await failureOf(hearth.transaction(() => {})),
    await failureOf(hearth.rollback()),
    hearth.run("return _home.n, _home.f()"), hearth.encodePath("_home").length > 0, await failureOf(hearth.close()),
  ]);
  assert.match(said[0], /another tab has taken the store over/);
  assert.match(said[1], /^dead: /);
  assert.match(said[2], /^dead: /);
  assert.match(said[3], /^dead: /);
  assert.deepEqual(said.slice(4), [["not committed", 11], true, "nothing failed"]);
  await second.evaluate(() => hearth.close());
  assert.deepEqual(await stored(first, "indexeddb:tabs", "return _home.n, _home.m"), [1, 2]);
});

test("taken while it commits: what was acknowledged is there, all parts of one commit, and it is dead", async () => {
  const tried = rounds(5);
  for (let round = 0; round < tried; round++) {
    const store = `indexeddb:busily${round}`;
    const [old, next] = [await freshPage(), await freshPage()];
    await old.evaluate(async (store) => {
      globalThis.acknowledged = 0;
      const hearth = await Hearth.open({ store });
      hearth.run("_home.a, _home.log = {}, ext.table()");
      globalThis.ended = (async () => {
        for (let n = 1; ; n++) {
          hearth.run("_home.n, _home.a.n, _home.log[1] = ..., ..., ...", { args: [n, n, n] });
          const written = hearth.commit().then(() => (acknowledged = n));
          written.catch(() => {});
          if (n % 8 === 0) await written; // else they are stacked
          if (n % 40 === 0) await hearth.compact();
        }
      })();
      globalThis.reason = failureOf(ended);
      await sleep(100);
    }, store);
    const found = await next.evaluate(async (store) => {
      globalThis.hearth = await Hearth.open({ store, takeover: true });
      return hearth.run("return _home.n, _home.a.n, _home.log[1]");
    }, store);
    const [reason, acknowledged] = await old.evaluate(async () => [await reason, acknowledged]);
    assert.match(reason, /^(dead|raised): .*another tab has taken the store over/);
    assert.ok(acknowledged > 0 && found[0] >= acknowledged, `${acknowledged} was acknowledged, ${found[0]} was there`);
    assert.deepEqual(found, [found[0], found[0], found[0]]);
    await next.evaluate(async () => {
      hearth.set("_home.mine", true);
      await hearth.commit();
      await hearth.close();
    });
    assert.deepEqual(await stored(next, store, "return _home.n, _home.mine"), [found[0], true]);
    await old.close();
    await next.close();
  }
});

test("a worker takes a store from a page, which is told though it writes nothing", async () => {
  const page = await freshPage();
  await page.evaluate(async () => {
    const before = await Hearth.open({ store: "indexeddb:workertakes" });
    before.run("_home.n = 1");
    await before.commit();
    await before.close();
    globalThis.hearth = await Hearth.open({ store: "indexeddb:workertakes" });
  });
  const worker = await newWorker(page);
  assert.equal(await worker.evaluate(async () =>
    (await Hearth.open({ store: "indexeddb:workertakes", takeover: true })).get("_home.n")), 1);
  await page.waitForFunction(() => hearth.failure?.code === "dead", undefined, { timeout: 10000 });
});

for (const [blind, how] of [[false, ""], [true, ", though no lock tells it"]])
  test(`a tab that was frozen while another took its store is dead when it wakes${how}`, async () => {
    const tried = rounds(2);
    for (let round = 0; round < tried; round++) {
      const store = `indexeddb:frozen${blind}${round}`;
      const [old, next] = [await freshPage(), await freshPage()];
      const pid = await browser.rendererOf(old);
      assert.notEqual(pid, await browser.rendererOf(next), "two tabs, two processes");
      let acknowledged = 0;
      await old.exposeFunction("acknowledge", (n) => (acknowledged = n));
      await old.evaluate(async ({ store, blind }) => {
        const request = (name, options, callback) => Promise.resolve(callback({}));
        if (blind) Object.defineProperty(navigator, "locks", { value: { request } });
        globalThis.hearth = await Hearth.open({ store });
        hearth.run(`_home.a, _home.b, _home.log = {}, {}, ext.table()
          local n = 0 function _home.set(k) n = k _home.a.n, _home.b.n = k, k return n end`);
        globalThis.writing = true;
        globalThis.written = (async () => {
          for (let n = 1; writing; n++) {
            hearth.run("_home.set(...) _home.log[1] = ...", { args: [n] });
            await hearth.commit();
            acknowledge(n);
          }
        })();
        await sleep(200);
        writing = false; // it is frozen between two commits: one under way would hold the database
        await written;
      }, { store, blind });
      process.kill(pid, "SIGSTOP");
      let taken;
      try {
        taken = await next.evaluate(async (store) => {
          globalThis.hearth = await Hearth.open({ store, takeover: true });
          const taken = hearth.run("return _home.a.n, _home.b.n, _home.log[1]");
          hearth.run("_home.mine = true");
          await hearth.commit();
          return taken;
        }, store);
      } finally {
        process.kill(pid, "SIGCONT");
      }
      const said = await old.evaluate(async () => {
        hearth.run("_home.set(-1) _home.stolen = true pcall(function() _home.log[1] = -1 end)");
        const said = [await failureOf(hearth.commit()), await failureOf(hearth.commit())];
        said.push(hearth.failure?.code, hearth.failure?.message, hearth.run("return _home.a.n, _home.set(-2)"));
        const saved = hearth.encodePath("_home.a");
        const elsewhere = await Hearth.open();
        said.push(elsewhere.decode(saved));
        return said;
      });
      assert.ok(acknowledged > 0 && taken[0] >= acknowledged,
        `${acknowledged} was acknowledged, ${taken[0]} was there`);
      assert.deepEqual(taken, [taken[0], taken[0], taken[0]]);
      assert.match(said[0], /^dead: /);
      assert.match(said[1], /^dead: /);
      assert.equal(said[2], "dead");
      assert.match(said[3], /another tab has taken the store over/);
      assert.deepEqual(said.slice(4), [[-1, -2], { n: -2 }]);
      await next.evaluate(async () => {
        hearth.run("_home.later = true");
        await hearth.close();
      });
      const parts = "return _home.a.n, _home.stolen, _home.mine, _home.later";
      assert.deepEqual(await stored(next, store, parts), [taken[0], undefined, true, undefined]);
      await old.close();
      await next.close();
    }
  });
