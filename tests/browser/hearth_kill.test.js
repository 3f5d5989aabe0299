/**
 * The browser is killed at random moments while a page commits: what was acknowledged is there, and all parts of a
 * commit are of one commit.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
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

test("killed with SIGKILL while it commits, again and again", async (t) => {
  const profile = await mkdtemp(join(tmpdir(), "hearth-killed-"));
  const server = await servePackage();
  t.after(async () => {
    await server.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  });
  const tried = rounds(50);
  let [acknowledged, furthest, atWork, compacted, size] = [0, 0, 0, 0, 0];
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
        const hearth = await Hearth.open({ store: "indexeddb:killed", warn: (line) => warnings.push(line) });
        const [found] = hearth.run(read);
        hearth.run(begin);
        const write = async () => {
          for (let n = found + 1; ; n++) {
            hearth.run("change(...)", { args: [n] });
            const written = hearth.commit().then(() => acknowledge(n, hearth.stat().storage.totalBytes));
            written.catch((error) => refused(error.message));
            if (!stacked || n % 10 === 0) await written; // else they pile up, and share transactions
          }
        };
        setTimeout(() => write().catch((error) => refused(error.message)));
        return { found, warnings };
      }, { read: READ, begin: BEGIN, stacked: round % 2 === 1 });
      assert.deepEqual(found.warnings, []);
      assert.ok(found.found >= acknowledged, `round ${round}: ${acknowledged} was acknowledged, ${found.found} is there`);
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
  t.diagnostic(`${tried} rounds, ${atWork} at work, ${furthest} commits, ${compacted} compactions`);
  assert.ok(atWork >= tried / 2, `in ${atWork} of ${tried} rounds commits had been acknowledged`);
});
