/**
 * The browser is killed at random moments while a page commits: what was acknowledged is there, and all parts of a
 * commit are of one commit.
 *
 * Chromium itself loses all databases of a site now and then when it is killed: LevelDB writes the header of a record
 * and the record apart, and when it is killed in between, the next process appends behind the bare header, and the
 * one after that finds a checksum that does not fit and begins anew. Then, and only then, "lost" is right.
 */
import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { Browser } from "./chromium.js";
import { load, rounds, servePackage } from "./hearth_testing.js";

/** Every number it finds must be the same: tables, an upvalue, pages of a large table, entries outside. */
const READ = `
if _home.n == nil then return 0 end
local found = {
  _home.n, _home.deep.er.n, _home.counter(), _home.big.first, _home.big.last, _home.big[1], _home.big[20000],
  _home.log.n, _home.log.other.n, _home.other.n, #_home.text - #tostring(_home.n), tonumber(_home.text:match "%d+$"),
}
local length = _home.length
for i, n in ipairs(found) do
  if i ~= 11 and n ~= _home.n then error(("part %d is %s, of the commit %s"):format(i, n, _home.n)) end
end
assert(found[11] == length, "the text's length")
assert(_home.counter == _home.list[1] and _home.deep.er == _home.list[2])
return _home.n
`;

const BEGIN = `
if _home.n == nil then
  local n = 0
  _home.counter = function(k) n = k or n return n end
  _home.deep, _home.big, _home.log = {er = {}}, {}, ext.table()
  _home.list = {_home.counter, _home.deep.er}
  for i = 1, 20000 do _home.big[i] = i end
  _home.log.other = {}
end
local noise = {}
for i = 1, 50000 do noise[i] = string.pack("<d", math.random()) end
noise = table.concat(noise)
function change(n)
  _home.n, _home.deep.er.n = n, n
  _home.counter(n)
  _home.big.first, _home.big[1], _home.big[20000], _home.big.last = n, n, n, n
  _home.log.n, _home.log.other = n, {n = n}
  _home.other = {n = n, [n] = {}}
  _home.length = n % 10 == 0 and #noise or n % 300 -- enough for the log to be compacted now and then
  _home.text = noise:sub(1, _home.length):gsub("%d", "x") .. n
end
`;

const databaseFolder = (profile, port) =>
  join(profile, "Default/IndexedDB", `http_127.0.0.1_${port}.indexeddb.leveldb`);

/** Has this process of Chromium made the site's databases anew? Its own log says so. */
async function beganAnew(profile, port) {
  return /Creating DB .* since it was missing/.test(await readFile(join(databaseFolder(profile, port), "LOG"), "utf8"));
}

test("killed with SIGKILL while it commits, again and again", async (t) => {
  const profile = await mkdtemp(join(tmpdir(), "hearth-killed-"));
  const server = await servePackage();
  t.after(async () => {
    await server.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  });
  const tried = rounds(50);
  let [acknowledged, furthest, atWork, compacted, size, losses] = [0, 0, 0, 0, 0, 0];
  const failures = [];
  for (let round = 0; round < tried; round++) {
    const browser = await Browser.start({ profile });
    try {
      const page = await browser.page();
      let began;
      const working = new Promise((resolve) => (began = resolve));
      await page.exposeFunction("refused", (message) => {
        failures.push(`round ${round}: ${message}`);
        began();
      });
      await page.exposeFunction("acknowledge", (n, total) => {
        if (n <= acknowledged) failures.push(`round ${round}: ${n} was acknowledged after ${acknowledged}`);
        acknowledged = n;
        if (total < size) compacted++;
        size = total;
        began();
      });
      await page.goto(`${server.origin}/`);
      await load(page);
      const found = await page.evaluate(async ({ read, begin, stacked }) => {
        const warnings = [];
        const { hearth, lost } = await openOrLost({ store: "indexeddb:killed", warn: (line) => warnings.push(line) });
        const [found] = hearth.run(read);
        hearth.run(begin);
        const write = async () => {
          for (let n = found + 1; ; n++) {
            hearth.run("change(...)", { args: [n] });
            const written = hearth.commit().then(() => acknowledge(n, hearth.stat().storage.totalBytes));
            written.catch((error) => refused(error.message));
            if (n % 16 === 0) hearth.compact().catch((error) => refused(error.message));
            if (!stacked || n % 10 === 0) await written; // else they pile up, and share transactions
          }
        };
        setTimeout(() => write().catch((error) => refused(error.message)));
        return { found, warnings, lost };
      }, { read: READ, begin: BEGIN, stacked: round % 2 === 1 });
      assert.deepEqual(found.warnings, []);
      if (found.lost !== undefined) {
        assert.ok(await beganAnew(profile, server.port), found.lost);
        assert.equal(found.found, 0);
        losses++;
        acknowledged = 0;
      }
      assert.ok(found.found >= acknowledged,
        `round ${round}: ${acknowledged} was acknowledged, ${found.found} is there`);
      furthest = found.found;
      const before = acknowledged;
      if (round % 5 !== 4) await working; // else it is killed while it opens or commits for the first time
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 250));
      await browser.kill();
      if (acknowledged > before) atWork++;
      assert.deepEqual(failures, []);
    } finally {
      await browser.kill();
    }
  }
  const work = `${atWork} at work, ${furthest} commits, ${compacted} compactions`;
  t.diagnostic(`${tried} rounds, ${work}, ${losses} databases lost by Chromium`);
  assert.ok(atWork >= tried / 2, `in ${atWork} of ${tried} rounds commits had been acknowledged`);
});

test("killed while it imports: all of it is there, or nothing", async (t) => {
  const profile = await mkdtemp(join(tmpdir(), "hearth-killed-"));
  const server = await servePackage();
  t.after(async () => {
    await server.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  });
  const tried = rounds(8);
  const seen = { before: 0, after: 0 };
  let last = 0;
  for (let round = 1; round <= tried; round++) {
    const browser = await Browser.start({ profile });
    try {
      const page = await browser.page();
      await page.goto(`${server.origin}/`);
      await load(page);
      const { found, lost } = await page.evaluate(async (round) => {
        const { hearth, lost } = await openOrLost({ store: "indexeddb:imported" });
        const [found] = hearth.run(`
          local n = _home.n or 0
          for i, e in ipairs(_home.list or {}) do assert(e.n == n and #e.text == 50 and i <= 20000) end
          assert(n == 0 or #_home.list == 20000 and _home.log.n == n)
          return n`);
        const other = await Hearth.open();
        other.run(`_home.n, _home.list, _home.log = ..., {}, ext.table() _home.log.n = ...
          for i = 1, 20000 do _home.list[i] = {n = _home.n, text = string.format("%050d", i)} end`,
        { args: [round, round] });
        await other.commit();
        const bytes = await other.export();
        setTimeout(() => hearth.import(bytes, { replace: true }));
        return { found, lost };
      }, round);
      if (lost !== undefined) {
        assert.ok(await beganAnew(profile, server.port), lost);
        last = 0;
      }
      if (round > 1) seen[found === round - 1 ? "after" : "before"]++;
      assert.ok(found === last || (found === round - 1 && lost === undefined),
        `round ${round}: ${found} after ${last}`);
      last = found;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 300));
    } finally {
      await browser.kill();
    }
  }
  t.diagnostic(`${tried} rounds: ${seen.before} were killed before it was done, ${seen.after} after`);
});

test("Chromium finds its database damaged and throws it away: lost, though no note of ours is left", async (t) => {
  const profile = await mkdtemp(join(tmpdir(), "hearth-killed-"));
  const server = await servePackage();
  t.after(async () => {
    await server.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  });
  const inside = async (work) => {
    const browser = await Browser.start({ profile });
    try {
      const page = await browser.page(`${server.origin}/`);
      await load(page);
      return await page.evaluate(work);
    } finally {
      await browser.kill();
    }
  };
  const count = async () => {
    const hearth = await Hearth.open({ store: "indexeddb:torn" });
    hearth.run("_home.n = (_home.n or 0) + 1");
    await hearth.commit();
    return hearth.get("_home.n");
  };
  assert.equal(await inside(count), 1);
  const folder = databaseFolder(profile, server.port);
  const [log] = (await readdir(folder)).filter((name) => name.endsWith(".log"));
  await appendFile(join(folder, log), Buffer.from([1, 2, 3, 4, 64, 1, 1])); // a header, as a kill leaves it
  assert.equal(await inside(count), 2); // nothing is damaged yet
  await rm(join(profile, "Default/Local Storage"), { recursive: true, force: true });
  const said = await inside(async () => {
    const said = [await failureOf(Hearth.open({ store: "indexeddb:torn" }))];
    said.push(await failureOf(Hearth.open({ store: "indexeddb:torn", create: false })));
    const hearth = await Hearth.open({ store: "indexeddb:torn", acceptLoss: true });
    said.push(hearth.get("_home.n"));
    hearth.set("_home.n", 10);
    await hearth.commit();
    await hearth.close();
    return [...said, (await Hearth.open({ store: "indexeddb:torn" })).get("_home.n")];
  });
  assert.match(said[0], /^lost: .*corrupt/);
  assert.match(said[1], /^(lost|notfound): /);
  assert.deepEqual(said.slice(2), [undefined, 10]);
});
