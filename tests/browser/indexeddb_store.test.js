/**
 * A whole store in IndexedDB, through the package: a full database that shrinks, compaction while programs go on, a
 * browser that is killed. HEARTH_WASM is the built hearth.wasm.
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";

import { Browser, repository, serve } from "./chromium.js";

const wasm = process.env.HEARTH_WASM ?? join(repository, "build/wasm32/bindings/js/native/hearth.wasm");

let server;
let browser;

before(async () => {
  await readFile(wasm); // says what is missing
  server = await serve(repository, dirname(wasm));
  browser = await Browser.start();
});

after(async () => {
  await browser?.close();
  await server?.close();
});

async function newPage(origin = server.origin, from = browser) {
  const page = await from.page(`${origin}/`);
  await page.addScriptTag({ type: "module", content: `
    import { Hearth } from "/bindings/js/src/hearth.js";
    globalThis.open = (name, options) => Hearth.open({ store: "indexeddb:" + name, wasm: "/hearth.wasm", ...options });
    globalThis.codeOf = (promise) => promise.then(() => "ok", (error) => error.code);` });
  await page.waitForFunction(() => globalThis.open !== undefined && globalThis.codeOf !== undefined);
  return page;
}

test("a full database: nothing is lost, what is taken out makes room, and it goes on", async (t) => {
  const own = await serve(repository, dirname(wasm));
  t.after(() => own.close());
  const page = await newPage(own.origin);
  t.after(() => page.close());
  const session = await browser.cdp(page);
  await session.send("Storage.overrideQuotaForOrigin", { origin: own.origin, quotaSize: 8e6 });
  const result = await page.evaluate(async () => {
    const hearth = await open("full");
    hearth.run("_home.keep = 'kept' _home.data = {}");
    await hearth.commit();
    await new Promise((resolve) => setTimeout(resolve, 1500)); // the ballast is made
    const random = () => {
      const bytes = new Uint8Array(200000);
      for (let at = 0; at < bytes.length; at += 50000) crypto.getRandomValues(bytes.subarray(at, at + 50000));
      bytes[0] = 0xff; // no text
      return bytes;
    };
    let stored = 0;
    let code = "ok";
    while (code === "ok" && stored < 100) {
      hearth.set("_home.last", random());
      hearth.run(`_home.data[${stored + 1}] = _home.last .. ''`);
      code = await codeOf(hearth.commit());
      if (code === "ok") stored++;
    }
    const again = await codeOf(hearth.commit());
    hearth.run("for i = 4, #_home.data do _home.data[i] = nil end _home.last = nil");
    const shrunk = await codeOf(hearth.commit());
    await codeOf(hearth.compact());
    const codes = [];
    for (let i = 0; i < 30; i++) { // all of it rewritten, again and again: dead bytes make room
      hearth.set("_home.last", random());
      codes.push(await codeOf(hearth.commit()));
    }
    await hearth.close();
    const next = await open("full");
    const [kept, count] = next.run("return _home.keep, #_home.data");
    await next.close();
    return { stored, code, again, shrunk, codes, kept, count };
  });
  assert.equal(result.code, "full");
  assert.equal(result.again, "full");
  assert.ok(result.stored > 5);
  assert.equal(result.shrunk, "ok");
  assert.ok(result.codes.filter((code) => code === "ok").length >= 15, result.codes.join());
  assert.deepEqual([result.kept, result.count], ["kept", 3]);
});

test("a compaction goes on while a program commits, and takes nothing with it", async () => {
  const page = await newPage();
  const result = await page.evaluate(async () => {
    const hearth = await open("compact");
    hearth.run("_home.t = {} for i = 1, 60000 do _home.t[i] = 'entry ' .. i .. ('x'):rep(50) end");
    await hearth.commit();
    for (let i = 0; i < 5; i++) {
      hearth.run(`for i = 1, 60000, 3 do _home.t[i] = 'changed ${i} ' .. i end`);
      await hearth.commit();
    }
    const before = hearth.stat().storage.totalBytes;
    const compacting = codeOf(hearth.compact());
    const commits = [];
    for (let i = 0; i < 20; i++) {
      hearth.run(`_home.t[${i * 2500 + 1}] = 'during ${i}' _home.n = ${i}`);
      commits.push(codeOf(hearth.commit()));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const codes = [...new Set([await compacting, ...(await Promise.all(commits))])];
    const after = hearth.stat().storage.totalBytes;
    await hearth.close();
    const next = await open("compact");
    const values = next.run("return _home.n, _home.t[47501], _home.t[4], _home.t[5], #_home.t");
    await next.close();
    return { before, after, codes, values };
  });
  assert.deepEqual(result.codes, ["ok"]);
  assert.ok(result.after < result.before, `${result.before} -> ${result.after}`);
  assert.deepEqual(result.values, [19, "during 19", "changed 4 4", `entry 5${"x".repeat(50)}`, 60000]);
  await page.close();
});

test("a browser that is killed, ten times: what was acknowledged is there, and no half", async (t) => {
  const profile = await mkdtemp(join(tmpdir(), "hearth-killed-"));
  t.after(() => rm(profile, { recursive: true, force: true, maxRetries: 5 }));
  let acknowledged = 0;
  let losses = 0; // Chromium's own (docs/RELIABILITY.md), of everything and said
  for (let round = 0; round < 10; round++) {
    const victim = await Browser.start({ profile });
    try {
      const page = await newPage(server.origin, victim);
      await page.exposeFunction("acknowledge", (n) => (acknowledged = n));
      const [n, m, lost] = await page.evaluate(async () => {
        let lost = false;
        globalThis.hearth = await open("killed").catch((error) => {
          if (error.code !== "lost") throw error;
          lost = true;
          return open("killed", { acceptLoss: true });
        });
        const values = hearth.run(`_home.a = _home.a or {n = 0} _home.b = _home.b or {n = 0}
          return _home.a.n, _home.b.n`);
        (async () => {
          for (;;) {
            const [n] = hearth.run(`_home.a.n = _home.a.n + 1 _home.b.n = _home.a.n
              _home.a.fill = ('x'):rep(_home.a.n * 997 % 50000) return _home.a.n`);
            await hearth.commit({ durability: n % 3 === 0 ? "complete" : "durable" });
            await acknowledge(n);
          }
        })();
        return [...values, lost];
      });
      losses += lost;
      if (lost) acknowledged = 0;
      assert.equal(n, m);
      assert.ok(n >= acknowledged, `${acknowledged} was acknowledged, ${n} is there`);
      await new Promise((resolve) => setTimeout(resolve, 150 + round * 43));
    } finally {
      await victim.kill();
    }
  }
  assert.ok(losses < 3, `${losses} losses`);
  assert.ok(acknowledged > 10);
});
