/** Class Hearth in Chromium as its user has it: what is committed survives, in pages and workers; a silent console. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";

import { Browser } from "./chromium.js";
import {
  CHECK, Consoles, WORLD, load, newPage, newWorker, rounds, runCommand, servePackage,
} from "./hearth_testing.js";

let server;
let browser;
let folder;
const consoles = new Consoles();
const freshPage = () => newPage(browser, server.origin, consoles);

before(async () => {
  server = await servePackage();
  browser = await Browser.start();
  folder = await mkdtemp(join(tmpdir(), "hearth-browser-"));
});

after(async () => {
  await browser?.close();
  await server?.close();
  if (folder !== undefined) await rm(folder, { recursive: true });
});

afterEach(async () => {
  for (const page of browser.context.pages()) if (page.url().startsWith(server.origin)) await page.close();
  assert.deepEqual(consoles.take(), [], "the console stays empty");
});

/* What happens in the page or worker. */

const begin = async ({ store, world }) => {
  globalThis.hearth = await Hearth.open({ store });
  hearth.run(world);
  await hearth.commit();
};

/** Opens, checks, commits: how many checks there were. */
const check = async ({ store, check }) => {
  const hearth = await Hearth.open({ store, create: false });
  const [checks] = hearth.run(check);
  await hearth.commit();
  await hearth.close();
  return checks;
};

for (const [where, place] of [["a page", (page) => page], ["a dedicated worker", newWorker]])
  test(`closures, classes, cycles, external tables survive reloads and a new process, in ${where}`, async () => {
    const profile = join(folder, where);
    const store = "indexeddb:world";
    let own = await Browser.start({ profile });
    try {
      let page = await newPage(own, server.origin, consoles);
      await (await place(page)).evaluate(begin, { store, world: WORLD }); // the page goes without close
      await page.reload();
      await load(page);
      assert.equal(await (await place(page)).evaluate(check, { store, check: CHECK }), 1);
      await page.reload();
      await load(page);
      assert.equal(await (await place(page)).evaluate(check, { store, check: CHECK }), 2);
      await own.close();
      own = await Browser.start({ profile });
      page = await newPage(own, server.origin, consoles);
      assert.equal(await (await place(page)).evaluate(check, { store, check: CHECK }), 3);
    } finally {
      await own.close();
    }
  });

test("a page and its worker share the stores, one at a time", async () => {
  const page = await freshPage();
  const worker = await newWorker(page);
  await page.evaluate(begin, { store: "indexeddb:shared", world: "_home.n = 1" });
  const open = () => failureOf(Hearth.open({ store: "indexeddb:shared" }));
  assert.match(await worker.evaluate(open), /^busy: /);
  await page.evaluate(() => hearth.close());
  assert.equal(await worker.evaluate(async () => {
    globalThis.hearth = await Hearth.open({ store: "indexeddb:shared" });
    return hearth.get("_home.n");
  }), 1);
  assert.match(await page.evaluate(open), /^busy: /);
});

test("nothing is stored that was not committed", async () => {
  const page = await freshPage();
  await page.evaluate(begin, { store: "indexeddb:uncommitted", world: "_home.n = 1" });
  await page.evaluate(() => hearth.run("_home.n = 2"));
  await page.reload();
  await load(page);
  assert.equal(await page.evaluate(async () => {
    globalThis.hearth = await Hearth.open({ store: "indexeddb:uncommitted" });
    hearth.set("_home.n", 3);
    await hearth.close();
    return (await Hearth.open({ store: "indexeddb:uncommitted" })).get("_home.n");
  }), 1);
});

test("stacked commits resolve in their order, each of what was there when it was called", async () => {
  const page = await freshPage();
  const result = await page.evaluate(async () => {
    const hearth = await Hearth.open({ store: "indexeddb:stacked" });
    const order = [];
    const commits = [];
    for (let n = 1; n <= 20; n++) {
      hearth.run("_home.n = ... _home.log = _home.log or ext.table() _home.log[_home.n] = {_home.n}", { args: [n] });
      commits.push(hearth.commit({ durability: ["complete", "durable"][n % 2] }).then(() => {
        order.push(n);
        if (hearth.stat().storage.sequence < n) order.push(`${n} before it was complete`);
      }));
      if (n % 7 === 0) await sleep(1); // some are under way, some wait
    }
    const early = order.length;
    hearth.run("_home.n = 'never committed'");
    await Promise.all(commits);
    await hearth.close();
    const again = await Hearth.open({ store: "indexeddb:stacked" });
    const result = { early, order, n: again.get("_home.n"), entries: again.run("return #_home.log, _home.log[20][1]") };
    await again.close();
    return result;
  });
  assert.deepEqual(result.order, Array.from({ length: 20 }, (_, i) => i + 1));
  assert.ok(result.early < 20, "all were written before the last was asked for: nothing was stacked");
  assert.deepEqual([result.n, result.entries], [20, [20, 20]]);
});

test("a commit resolves when its transaction is complete, not before", async () => {
  const page = await freshPage();
  const result = await page.evaluate(async () => {
    const hearth = await Hearth.open({ store: "indexeddb:complete" });
    let completed = 0;
    const { transaction } = IDBDatabase.prototype;
    IDBDatabase.prototype.transaction = function (stores, mode, options) {
      const made = transaction.call(this, stores, mode, options);
      made.addEventListener("complete", () => completed++); // before Hearth's own
      return made;
    };
    const seen = [];
    for (const durability of ["complete", "durable", "default"]) {
      hearth.run("_home.n = (_home.n or 0) + 1");
      const before = completed;
      await hearth.commit({ durability });
      seen.push(completed - before);
    }
    hearth.run("_home.n = _home.n + 1");
    const before = completed;
    await hearth.commit({ durability: "visible" }); // asks for no more than that
    seen.push(completed - before);
    IDBDatabase.prototype.transaction = transaction;
    await hearth.close();
    return seen;
  });
  assert.deepEqual(result, [1, 1, 1, 0]);
});

test("close waits for commits, and their promises are kept", async () => {
  const page = await freshPage();
  const result = await page.evaluate(async () => {
    const store = "indexeddb:closing";
    const hearth = await Hearth.open({ store });
    const said = [];
    hearth.set("_home.n", 1);
    hearth.commit().then(() => said.push("first"));
    hearth.set("_home.n", 2);
    hearth.commit().then(() => said.push("second"));
    hearth.set("_home.n", 3);
    await hearth.close();
    said.push("closed", await failureOf(hearth.commit()), (await Hearth.open({ store })).get("_home.n"));
    return said;
  });
  assert.deepEqual(result, ["first", "second", "closed", "closed: the store is closed", 2]);
});

test("two stores in one page; one store asked for twice at once", async () => {
  const page = await freshPage();
  const result = await page.evaluate(async () => {
    const [a, b] = await Promise.all(["a", "b"].map((name) => Hearth.open({ store: `indexeddb:two ${name}/?%` })));
    a.set("_home.of", "a");
    b.set("_home.of", "b");
    await Promise.all([a.commit(), b.commit(), a.compact(), b.compact()]);
    await Promise.all([a.close(), b.close()]);
    const again = await Promise.allSettled(["a", "b", "a"].map((name) =>
      Hearth.open({ store: `indexeddb:two ${name}/?%` })));
    return again.map(({ value, reason }) => value?.get("_home.of") ?? reason.code);
  });
  assert.deepEqual(result, ["a", "b", "busy"]);
});

test("a transaction is stored when it returns, and undone in the same tables when it throws", async () => {
  const page = await freshPage();
  const result = await page.evaluate(async () => {
    let hearth = await Hearth.open({ store: "indexeddb:transaction" });
    hearth.run("_home.list = {1, 2, 3} local n = 0 _home.next = function() n = n + 1 return n end kept = _home.list");
    const said = [await hearth.transaction((h) => h.run("_home.list[4] = 4 return _home.next()")[0])];
    const refused = await hearth.transaction(() => {
      hearth.run("_home.list[1] = 'changed' _home.list[5] = 5 _home.extra = {} _home.next()");
      throw new TypeError("mine");
    }).catch((error) => `${error.name}: ${error.message}`);
    said.push(refused, await failureOf(hearth.transaction((h) => h.run("_home.next() error 'lua'"))));
    said.push(hearth.run("return rawequal(kept, _home.list), #kept, kept[1], _home.extra, _home.next()"));
    said.push(await failureOf(hearth.transaction(async () => hearth.run("_home.asynchronous = true"))));
    await hearth.close();
    hearth = await Hearth.open({ store: "indexeddb:transaction" });
    said.push(hearth.run("return #_home.list, _home.list[1], _home.extra, _home.asynchronous, _home.next()"));
    await hearth.close();
    return said;
  });
  assert.deepEqual(result.slice(0, 2), [1, "TypeError: mine"]);
  assert.match(result[2], /^raised: .*lua/);
  assert.deepEqual(result[3], [true, 4, 1, undefined, 2]);
  assert.match(result[4], /^invalid: .*async/);
  assert.deepEqual(result[5], [4, 1, undefined, undefined, 3]); // what was outstanding is committed first
});

test("rollback goes back to the last commit, and awaits those under way", async () => {
  const page = await freshPage();
  const result = await page.evaluate(async () => {
    let hearth = await Hearth.open({ store: "indexeddb:rollback" });
    hearth.run("_home.t = {n = 1} kept = _home.t _home.log = ext.table() _home.log[1] = 'one'");
    const first = hearth.commit();
    hearth.run("_home.t.n = 2 _home.log[1] = 'two'");
    const second = hearth.commit();
    hearth.run("_home.t.n = 3 _home.log[1], _home.log[2] = 'three', 'more' _home.t = {n = 4}");
    await hearth.rollback();
    await Promise.all([first, second]);
    const live = hearth.run("return rawequal(kept, _home.t), kept.n, _home.log[1], _home.log[2]");
    await hearth.close();
    hearth = await Hearth.open({ store: "indexeddb:rollback" });
    const stored = hearth.run("return _home.t.n, _home.log[1], _home.log[2]");
    await hearth.close();
    return { live, stored };
  });
  assert.deepEqual(result, { live: [true, 2, "two", undefined], stored: [2, "two", undefined] });
});

test("autocommit: runs, calls, sets and calls of Lua functions are stored soon, several as one", async () => {
  const page = await freshPage();
  const result = await page.evaluate(async () => {
    let hearth = await Hearth.open({ store: "indexeddb:auto", autocommit: true });
    const sequence = () => hearth.stat().storage.sequence;
    hearth.run("_home.n = 0 function _home.add(k) _home.n = _home.n + k end");
    await sleep(200);
    const before = sequence();
    for (let i = 0; i < 50; i++) hearth.run("_home.n = _home.n + 1");
    hearth.call("_home.add", 100);
    hearth.set("_home.m", "set");
    const add = hearth.get("_home.add");
    add(1000);
    const committed = sequence();
    await sleep(200);
    const commits = sequence() - before;
    await hearth.close();
    hearth = await Hearth.open({ store: "indexeddb:auto" });
    const stored = [hearth.get("_home.n"), hearth.get("_home.m")];
    await hearth.close();
    return { early: committed - before, commits, stored };
  });
  assert.deepEqual(result, { early: 0, commits: 1, stored: [1150, "set"] });
});

test("autocommit: close stores what was outstanding, and what cannot be stored is told", async () => {
  const page = await freshPage();
  const result = await page.evaluate(async () => {
    const told = [];
    const onError = (error) => told.push(`${error.code} ${error.path}`);
    let hearth = await Hearth.open({ store: "indexeddb:autoclose", autocommit: { onError } });
    hearth.run("_home.thread = coroutine.create(print)");
    await sleep(50);
    hearth.run("_home.thread = nil _home.n = 1");
    await hearth.close();
    hearth = await Hearth.open({ store: "indexeddb:autoclose" });
    const n = hearth.get("_home.n");
    await hearth.close();
    return { told, n };
  });
  assert.deepEqual(result, { told: ["unstorable _home.thread"], n: 1 });
});

/** How a page goes, right after `change`, in the same task. */
const WAYS = {
  "to another page": async (page, change) => {
    const leave = `(${change})().then(() => { location.href = "/away/" })`;
    await Promise.all([page.waitForURL("**/away/"), page.evaluate(leave)]);
    await page.goto(`${server.origin}/`);
  },
  "by a reload": async (page, change) => {
    const leave = `(${change})().then(() => location.reload())`;
    await Promise.all([page.waitForEvent("load"), page.evaluate(leave).catch(() => {})]);
  },
};

/** The last change before a page is left. */
const CHANGES = {
  "": async () => {
    hearth.run("_home.n = ...", { args: [round] });
  },
  ", while another commit is being written": async () => {
    hearth.run("for i = 1, 2000 do _home.big[i] = ('y'):rep(1000) .. i .. ... end", { args: [round] });
    if (!hearth.autocommits) void hearth.commit();
    for (let i = 0; i < 10; i++) await undefined; // its transaction has begun
    hearth.run("_home.n = ...", { args: [round] });
  },
};

for (const [what, options] of [["autocommit", { autocommit: true }], ["flushOnHide alone", { flushOnHide: true }]])
  for (const [when, change] of Object.entries(CHANGES))
    for (const [way, go] of Object.entries(WAYS))
      test(`left ${way} right after a change${when}: ${what} has stored it, every time`, async () => {
        const page = await freshPage();
        let kept = 0;
        const tried = rounds(10);
        for (let round = 1; round <= tried; round++) {
          await page.evaluate(async ({ options, round }) => {
            globalThis.hearth = await Hearth.open({ store: "indexeddb:leave", ...options });
            hearth.autocommits = options.autocommit;
            hearth.run("_home.big = _home.big or {}");
            await hearth.commit();
            globalThis.round = round;
          }, { options, round });
          await go(page, change);
          await load(page);
          kept += await page.evaluate(async (round) => {
            const hearth = await Hearth.open({ store: "indexeddb:leave" });
            const found = hearth.get("_home.n");
            await hearth.close();
            return found === round ? 1 : 0;
          }, round);
        }
        assert.equal(kept, tried, `${kept} of ${tried} rounds were kept`);
      });

/** As Chromium does when its quota manager answers after the page is gone. */
const giveUp = () => {
  addEventListener("pagehide", () => {
    IDBTransaction.prototype.commit = function () {
      this.abort();
    };
  }, { capture: true });
};

for (const [what, options] of [["autocommit", { autocommit: true }], ["flushOnHide alone", { flushOnHide: true }]])
  for (const [way, go] of Object.entries(WAYS))
    test(`left ${way}, and the browser gives its last transactions up: ${what} has it all the same`, async () => {
      const page = await freshPage();
      await page.evaluate(begin, { store: "indexeddb:given-up", world: "_home.n = 0" });
      await page.evaluate(() => hearth.close());
      for (let round = 1; round <= 3; round++) {
        await page.evaluate(giveUp);
        await page.evaluate(async ({ options, round }) => {
          globalThis.hearth = await Hearth.open({ store: "indexeddb:given-up", ...options });
          globalThis.round = round;
          addEventListener("pagehide", () => hearth.run("_home.n = ...", { args: [round] }), { capture: true });
        }, { options, round });
        await go(page, async () => {});
        await load(page);
        const [found, left] = await page.evaluate(async () => {
          const hearth = await Hearth.open({ store: "indexeddb:given-up" });
          const found = hearth.get("_home.n");
          await hearth.close();
          return [found, Object.keys(localStorage).filter((key) => key.startsWith("hearth-spare"))];
        });
        assert.deepEqual([found, left], [round, []]);
      }
    });

test("flushOnHide: false stores nothing by itself", async () => {
  const page = await freshPage();
  await page.evaluate(begin, { store: "indexeddb:noflush", world: "_home.n = 1" });
  await page.evaluate(() => hearth.close());
  await page.evaluate(async () => {
    globalThis.hearth = await Hearth.open({ store: "indexeddb:noflush", flushOnHide: false });
  });
  await WAYS["to another page"](page, async () => hearth.run("_home.n = 2"));
  await load(page);
  assert.equal(await page.evaluate(async () => (await Hearth.open({ store: "indexeddb:noflush" })).get("_home.n")), 1);
});

test("a page that is hidden has stored what changed, though it is not left", async () => {
  const page = await freshPage();
  const result = await page.evaluate(async () => {
    const hearth = await Hearth.open({ store: "indexeddb:hidden", flushOnHide: true });
    const sequence = () => hearth.stat().storage.sequence;
    const become = (state) => { // headless windows are never hidden
      Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    };
    hearth.run("_home.n = 1");
    become("visible");
    await sleep(100);
    const visible = sequence();
    become("hidden");
    await sleep(100);
    const hidden = sequence();
    const spares = Object.keys(localStorage).filter((key) => key.startsWith("hearth-spare"));
    await hearth.close();
    become("hidden"); // nobody listens any more
    return { visible, hidden, spares };
  });
  assert.deepEqual(result, { visible: 0, hidden: 1, spares: [] });
});

/* ------------------------------------------------- in exchange with the native library */

const bytesOf = (page, store) => page.evaluate(async (store) => {
  const hearth = await Hearth.open({ store, create: false });
  const bytes = await hearth.export();
  await hearth.close();
  return toText(bytes);
}, store).then((text) => Buffer.from(text, "base64"));

const importInto = (page, store, bytes) => page.evaluate(async ({ store, text }) => {
  const hearth = await Hearth.open({ store });
  await hearth.import(fromText(text));
  await hearth.close();
}, { store, text: bytes.toString("base64") });

/** Lua code that calls the store's functions and would tell if one value had changed. */
const nativeCheck = (store) => Number(runCommand("--store", store, "eval", CHECK).trim());

test("exported in the browser: opens natively, everything works, the native export has the same bytes", async () => {
  const page = await freshPage();
  await page.evaluate(begin, { store: "indexeddb:out", world: WORLD });
  await page.evaluate(() => hearth.close());
  await page.evaluate(check, { store: "indexeddb:out", check: CHECK });
  const bytes = await bytesOf(page, "indexeddb:out");
  const [file, again] = [join(folder, "out.export"), join(folder, "out.again")];
  const store = `file:${join(folder, "out.hearth")}`;
  await writeFile(file, bytes);
  runCommand("--store", store, "import", file);
  runCommand("--store", store, "export", again);
  assert.deepEqual(await readFile(again), bytes);
  assert.deepEqual([nativeCheck(store), nativeCheck(store)], [2, 3]);
  runCommand("--store", store, "verify");
});

test("exported natively: opens in the browser, everything works, the browser's export has the same bytes", async () => {
  const page = await freshPage();
  const store = `file:${join(folder, "in.hearth")}`;
  await writeFile(join(folder, "world.lua"), WORLD);
  runCommand("--store", store, "run", join(folder, "world.lua"));
  assert.equal(nativeCheck(store), 1);
  runCommand("--store", store, "export", join(folder, "in.export"));
  const bytes = await readFile(join(folder, "in.export"));
  await importInto(page, "indexeddb:in", bytes);
  assert.deepEqual(await bytesOf(page, "indexeddb:in"), bytes);
  assert.equal(await page.evaluate(check, { store: "indexeddb:in", check: CHECK }), 2);
  assert.equal(await page.evaluate(check, { store: "indexeddb:in", check: CHECK }), 3);
  const back = await bytesOf(page, "indexeddb:in"); // and back once more
  await writeFile(join(folder, "back.export"), back);
  runCommand("--store", `file:${join(folder, "back.hearth")}`, "import", join(folder, "back.export"));
  assert.equal(nativeCheck(`file:${join(folder, "back.hearth")}`), 4);
});

test("a file of the native library is imported as it is", async () => {
  const page = await freshPage();
  const path = join(folder, "raw.hearth");
  await writeFile(join(folder, "raw.lua"), WORLD);
  runCommand("--store", `file:${path}`, "run", join(folder, "raw.lua"));
  runCommand("--store", `file:${path}`, "eval", "_home.big.key1[1] = 1");
  await importInto(page, "indexeddb:raw", await readFile(path));
  assert.equal(await page.evaluate(check, { store: "indexeddb:raw", check: CHECK }), 1);
});

/* ---------------------------------------------------------------- a long session */

test("10,000 exceptions of JavaScript under pcall, 100,000 runs: memory does not grow", async () => {
  const page = await freshPage();
  const result = await page.evaluate(async () => {
    const hearth = await Hearth.open({ store: "indexeddb:session" });
    hearth.set("thrower", (text) => {
      throw new RangeError(text);
    });
    hearth.set("identity", (value) => value);
    const measure = () => {
      hearth.run("collectgarbage() collectgarbage()");
      const { luaBytes, memoryBytes } = hearth.stat();
      return { luaBytes, memoryBytes };
    };
    const caught = (n) => hearth.run(`local caught = 0
      for i = 1, ... do
        local ok, message = pcall(thrower, "number " .. i)
        if not ok and message == "number " .. i and identity(i) == i then caught = caught + 1 end
      end
      return caught`, { args: [n] })[0];
    const wrong = () => hearth.run("error({1, 2, 3})");
    let failures = 0;
    const runs = (n) => {
      let sum = 0;
      for (let i = 0; i < n; i++) {
        const args = [i % 10, "text", [1, 2, { x: 3 }]];
        sum += hearth.run("local t = {...} _home.last = t return #t + t[1]", { args })[0];
        if (i % 10 === 0) hearth.run("local t = {...} return function() return t end")[0].release();
        if (i % 100 === 0) {
          try {
            wrong();
          } catch {
            failures++;
          }
        }
      }
      return sum;
    };
    caught(1000);
    runs(5000);
    await hearth.commit();
    const before = measure();
    failures = 0;
    const counted = caught(10000);
    const sum = runs(100000);
    await hearth.commit();
    const after = measure();
    await hearth.close();
    return { before, after, counted, sum, failures };
  });
  assert.deepEqual([result.counted, result.sum, result.failures], [10000, 100000 * (3 + 4.5), 1000]);
  assert.equal(result.after.memoryBytes, result.before.memoryBytes);
  // Lua's table of strings may have another size now
  assert.ok(result.after.luaBytes < result.before.luaBytes + 16384,
    `${result.before.luaBytes} bytes became ${result.after.luaBytes}`);
});

test("what is printed goes to the console, and only that", async () => {
  const page = await freshPage();
  await page.evaluate(async () => {
    const hearth = await Hearth.open({ store: "indexeddb:print" });
    hearth.run("print('one', 2) io.write('th', 'ree\\n') warn('@on') warn('fo', 'ur')");
    await hearth.commit();
    await hearth.close();
  });
  const said = consoles.take();
  assert.deepEqual(said.slice(0, 2), ["log: one\t2", "log: three"]);
  assert.match(said[2], /^warning: .*four$/);
  assert.equal(said.length, 3);
});
