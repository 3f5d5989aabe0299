/**
 * The page that `hearth stat --html` writes, opened from its file: nothing on the console, nothing fetched, nothing
 * that the store holds runs, and axe finds nothing to object to. HEARTH_COMMAND is the native command.
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";

import { Browser } from "./chromium.js";
import { runCommand } from "./hearth_testing.js";

const nodeModules = process.env.HEARTH_NODE_MODULES;
const require = createRequire(nodeModules ? join(nodeModules, "/") : import.meta.url);

const WORLD = `
_home.players = {}
for i = 1, 200 do _home.players[i] = {name = "player " .. i, items = {("sword"):rep(i % 9)}} end
_home.text = ("long "):rep(20000)
_home.log = ext.table() for i = 1, 500 do _home.log[i] = "line " .. i end
_home.run = function(a) return function() return a, _home end end
_home["</script><img src=x onerror=alert(1)>"] = {"</title><script>alert(2)</script>" .. ("x"):rep(500)}
_home['" onload="alert(3)'] = {("<svg onload=alert(4)>"):rep(50)}
`;

let folder;
let browser;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "hearth-stat-"));
  browser = await Browser.start();
  const store = `file:${join(folder, "world.hearth")}`;
  runCommand("--store", store, "eval", WORLD);
  runCommand("--store", store, "eval", "_home.n = 1");
  runCommand("--store", store, "stat", "--html", join(folder, "page.html"));
});

after(async () => {
  await browser?.close();
  if (folder) await rm(folder, { recursive: true, force: true });
});

for (const colorScheme of ["light", "dark"]) {
  test(`opens from its file, ${colorScheme}`, async () => {
    const page = await browser.page();
    const told = [];
    const requests = [];
    page.on("console", (message) => told.push(message.text()));
    page.on("pageerror", (error) => told.push(String(error)));
    page.on("dialog", (dialog) => {
      told.push(dialog.message());
      void dialog.dismiss();
    });
    page.on("request", (request) => requests.push(request.url()));
    await page.emulateMedia({ colorScheme });
    const url = pathToFileURL(join(folder, "page.html")).href;
    await page.goto(url);
    assert.equal(await page.locator("h1").textContent(), join(folder, "world.hearth"));
    const pictures = page.locator("svg:not(svg *)"); // the map, whose labels are inside of it, and the commits
    assert.equal(await pictures.count(), 2);
    assert.ok((await pictures.first().locator("rect").count()) > 20);
    assert.equal(await pictures.nth(1).locator("rect").count(), 2, "a bar for each commit");
    assert.equal(await page.locator("script, img").count(), 0);
    assert.ok((await page.textContent("main")).includes("</script><img src=x onerror=alert(1)>"));
    const [width, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(width <= room, "nothing stands out of the window");
    await page.evaluate(await readFile(require.resolve("axe-core/axe.min.js"), "utf8"));
    const { violations } = await page.evaluate(() => globalThis.axe.run(document));
    assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), []);
    assert.deepEqual(requests.filter((each) => each !== url && !each.startsWith("data:")), []);
    assert.deepEqual(told, []);
    await page.close();
  });
}
