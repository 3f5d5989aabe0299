/**
 * The page of examples/browser, driven as a user drives it. HEARTH_PAGE is the folder that tools/page/build.mjs made,
 * build/page by default; HEARTH_NODE_MODULES has playwright-core and axe-core. Nothing may come on the console.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";

import { serve } from "../../tools/page/serve.mjs";
import { Browser, repository } from "./chromium.js";

const nodeModules = process.env.HEARTH_NODE_MODULES;
const require = createRequire(nodeModules ? join(nodeModules, "/") : import.meta.url);
const folder = process.env.HEARTH_PAGE ?? join(repository, "build/page");

let server;
let browser;
let axe;
let pages = [];
let consoleMessages = [];

before(async () => {
  server = await serve(folder, 0);
  browser = await Browser.start();
  axe = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");
});

after(async () => {
  await browser?.close();
  await server?.close();
});

afterEach(async () => {
  for (const { page } of pages) if (!page.isClosed()) await page.close();
  const [told] = [consoleMessages, (pages = []), (consoleMessages = [])];
  assert.deepEqual(told, [], "the console stays empty");
});

const DESK = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

/** What a user sees and does. */
class User {
  constructor(page) {
    this.page = page;
  }

  async expectState(text) {
    await this.page.locator("#state", { hasText: text }).waitFor();
  }

  /** As if it were pasted: playwright's own way would let the browser write inline styles, which the page forbids. */
  async write(code) {
    const editor = this.page.getByRole("textbox", { name: "Lua program" });
    await editor.focus();
    await this.page.keyboard.press("Control+A");
    await editor.evaluate((element, text) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text/plain", text);
      element.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
    }, code);
  }

  /** Runs and waits for what the run put out: the text of its block. */
  async run(code) {
    if (code !== undefined) await this.write(code);
    const before = await this.page.locator("#output .ran, #output .failed").count();
    await this.page.getByRole("button", { name: "Run" }).click();
    return this.#block(before);
  }

  async #block(before) {
    const block = this.page.locator("#output .ran, #output .failed").nth(before);
    await block.waitFor();
    return block.innerText();
  }

  sample(label) {
    return this.page.getByLabel("Load a sample program").selectOption({ label });
  }

  lastOutput() {
    return this.page.locator("#output .block").last().innerText();
  }

  async click(name) {
    await this.page.getByRole("button", { name }).click();
  }

  async commit() {
    const blocks = this.page.locator("#output .block");
    const before = await blocks.count();
    await this.click(/^Commit/);
    await blocks.nth(before).waitFor();
    return this.lastOutput();
  }

  row(path) {
    return this.page.locator(`[role=treeitem][data-path='${path}']`);
  }

  async toggle(path) {
    await this.row(path).click();
  }

  /** The rows as they can be seen: "visits: 1". */
  rows() {
    return this.page.locator("[role=treeitem]").evaluateAll((items) => items.map((item) => {
      const textOf = (part) => (part.className === "same" ? "same as " : "") + part.innerText;
      const [label, ...rest] = [...item.children].map(textOf).filter(Boolean);
      return `${label}: ${rest.join(", ")}`;
    }));
  }

  /** The file that a click gives. */
  async download(name) {
    const [download] = await Promise.all([this.page.waitForEvent("download"), this.click(name)]);
    assert.match(download.suggestedFilename(), /^[\w-]+\.hearth$/);
    return readFile(await download.path());
  }

  import(bytes, name = "given.hearth") {
    const file = { name, mimeType: "application/octet-stream", buffer: Buffer.from(bytes) };
    return this.page.locator("#file").setInputFiles(file);
  }

  async violations() {
    await this.page.evaluate(axe);
    const { violations } = await this.page.evaluate(() => globalThis.axe.run(document));
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`));
  }

  /** What reaches beyond the window to the right. */
  overflow() {
    return this.page.evaluate(() => {
      const found = [...document.querySelectorAll("body *")].filter((element) => {
        const { right, width } = element.getBoundingClientRect();
        if (width === 0 || right <= innerWidth + 0.5) return false;
        for (let box = element.parentElement; box !== document.body && box !== null; box = box.parentElement) {
          const cuts = getComputedStyle(box).overflowX !== "visible"; // or scrolls
          if (cuts && box.getBoundingClientRect().right <= innerWidth + 0.5) return false;
        }
        return true;
      }).map((element) => element.outerHTML.slice(0, 80));
      const { scrollWidth } = document.documentElement;
      return scrollWidth > innerWidth ? [`the document is ${scrollWidth} wide`, ...found] : found;
    });
  }
}

/** A tab at the page, in a window of that size. */
async function visit(store, { size = DESK, scheme = "light", state = /all committed/ } = {}) {
  const page = await browser.page();
  pages.push({ page });
  page.on("console", (message) => consoleMessages.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => consoleMessages.push(error.stack));
  await page.setViewportSize(size);
  await page.emulateMedia({ colorScheme: scheme });
  page.setDefaultTimeout(10000);
  await page.goto(`${server.origin}/?store=${encodeURIComponent(store)}`);
  const user = new User(page);
  await user.expectState(state);
  return user;
}

test("a program is run by a click and by Ctrl-Enter; output, results and the tree show what it did", async () => {
  const user = await visit("indexeddb:run");
  const program = 'print("hello", 1 // 1) io.write("no end") _home.a = { 1, 2 } return _home.a, nil, "x\\n"';
  assert.match(await user.run(program), /hello\t1\nno end\n+→ \{1, 2\}, nil, "x\\n"/);
  await user.expectState("not committed yet");
  assert.deepEqual(await user.rows(), ["_home: 1 entry", "a: {1, 2}, 2 entries"]);
  await user.page.getByRole("textbox", { name: "Lua program" }).click();
  await user.page.keyboard.press("Control+A");
  await user.page.keyboard.type("_home.a = nil");
  await user.page.keyboard.press("Control+Enter");
  await user.row("_home.a").waitFor({ state: "detached" });
  assert.match(await user.lastOutput(), /printed and returned nothing/);
});

test("errors: the message and the program's own frames, and the state is as healthy as before", async () => {
  const user = await visit("indexeddb:errors");
  const text = await user.run('local function f() error("oh") end\nlocal function g() f() end\ng()');
  assert.match(text, /program:1: oh/);
  assert.match(text, /program:2: in upvalue 'g'|program:2: in local 'g'|program:2: in function/);
  assert.doesNotMatch(text, /\(page\)/);
  assert.match(await user.run("x ="), /program:1: unexpected symbol near <eof>/);
  assert.match(await user.run("return 1"), /→ 1/);
});

test("a program that never ends is stopped, and says how far it may go", async () => {
  const user = await visit("indexeddb:endless");
  await user.page.getByLabel("Stop after").selectOption("1 million instructions");
  assert.match(await user.run("while true do pcall(error) end"),
    /stopped after 1 million instructions\n+The program may run for ever/);
  assert.match(await user.run("for i = 1, 20000 do print(i) end"), /1\n2\n[^]*… \d+ lines left out …[^]*\n20000/);
  await user.page.reload();
  await user.expectState("all committed");
  assert.equal(await user.page.getByLabel("Stop after").inputValue(), "1000000", "the choice is remembered");
});

test("what was committed is there after a reload: closures, class, cycle; what was not is gone", async () => {
  const user = await visit("indexeddb:reload");
  for (const sample of ["A counter", "A class and its objects", "Closures that share a variable", "Cycles",
    "An external table"]) {
    await user.sample(sample);
    assert.doesNotMatch(await user.run(), /program:\d/, sample);
  }
  await user.toggle("_home.counter");
  await user.toggle("_home.counter.up");
  assert.match(await user.commit(), /Committed\n?[^]*records/);
  await user.expectState("all committed");
  await user.run("_home.visits = 99");
  await user.click("Reload");
  await user.expectState("all committed");
  assert.match(await user.lastOutput(), /what was committed on .* is here/);
  const rows = await user.rows();
  assert.ok(rows.includes("visits: 1"), `${rows}`);
  assert.ok(rows.includes("count: 3"), "what was open in the tree is open again");
  assert.ok(rows.includes("log: an external table, 1,000 entries"), `${rows}`);
  assert.match(await user.run(`
    _home.counter.up(4)
    assert(_home.house.rooms[1].doors[1].doors[1] == _home.house.rooms[1])
    return _home.counter.get(), tostring(_home.accounts.ada:deposit(1)), #_home.log`), /→ 7, "Ada has 13.5", 1000/);
  assert.ok((await user.rows()).some((row) => row === "count: 7"));
});

test("rolling back takes back what was not committed", async () => {
  const user = await visit("indexeddb:rollback");
  await user.run("_home.t = { n = 1 }");
  await user.commit();
  await user.toggle("_home.t");
  await user.run("_home.t.n = 2");
  assert.ok((await user.rows()).includes("n: 2"));
  await user.click("Roll back");
  await user.expectState("all committed");
  assert.ok((await user.rows()).includes("n: 1"));
});

test("committing after each run, when that is chosen", async () => {
  const user = await visit("indexeddb:each");
  await user.page.getByLabel("Commit after each run").check();
  await user.run("_home.n = 5");
  await user.expectState("all committed");
  await user.page.reload();
  await user.expectState("all committed");
  assert.ok((await user.rows()).includes("n: 5"));
  await user.page.getByLabel("Commit after each run").uncheck();
});

test("an error that names a path shows it in the tree", async () => {
  const user = await visit("indexeddb:path");
  await user.sample("What cannot be stored");
  await user.run();
  assert.match(await user.commit(), /_home\.players\[2\]\.script: a coroutine cannot be stored/);
  await user.page.locator(".row.marked[data-path='_home.players[2].script']").waitFor();
  await user.expectState("not committed yet");
  await user.click("_home.players[2].script");
  assert.equal(await user.page.evaluate(() => document.activeElement.dataset.path), "_home.players[2].script");
  await user.run("_home.players[2].script = nil");
  assert.match(await user.commit(), /Committed/);
});

test("the tree reads large tables in parts, and keeps what is open and what has the focus", async () => {
  const user = await visit("indexeddb:large");
  await user.run("_home.big = {} for i = 1, 100000 do _home.big[i] = i end _home.a = { x = 1 }");
  await user.toggle("_home.big");
  assert.equal(await user.page.locator("[role=treeitem]").count(), 104);
  await user.row("_home.big…").filter({ hasText: "… and 99,900 more" }).click();
  await user.row("_home.big…").filter({ hasText: "… and 99,800 more" }).waitFor();
  assert.equal(await user.page.evaluate(() => document.activeElement.dataset.path), "_home.big[101]");
  await user.run("_home.big[150] = 'changed' _home.a.x = 2");
  await user.row("_home.big[150]").filter({ hasText: '"changed"' }).waitFor();
  assert.equal(await user.page.locator(".row.changed[data-path='_home.big[150]']").count(), 1);
  assert.equal(await user.page.locator(".row.changed[data-path='_home.big[149]']").count(), 0);
  assert.equal(await user.page.locator("[role=treeitem][tabindex='0']").getAttribute("data-path"), "_home.big[101]");
});

test("the tree shows what is special: metatables, functions, sharing, cycles, strings, odd keys", async () => {
  const user = await visit("memory:");
  await user.run(`
    local hostile = { __pairs = error, __len = error, __tostring = error, __index = error, __name = {} }
    _home.h = setmetatable({ 1, 2 }, hostile)
    local n = 2^53 | 0
    _home.f = function(a, b, ...) n = n + 1 return print end
    _home.g = function() return n end
    _home.me = _home
    _home.p, _home.s, _home.bytes = string.format, ("é"):rep(100), "\\xff\\0\\n"
    _home[1], _home[2.5], _home[true], _home[{}], _home[{ 1 }] = 1.0, -0.0, 0/0, "table as key", "another"
    _home["two words"] = math.mininteger
    _home.co = coroutine.create(print)`);
  for (const path of ["_home.f", "_home.g", "_home.h"]) await user.toggle(path);
  const rows = await user.rows();
  for (const expected of [
    "h: its own, 2 entries", "f: function(a, b, ...), ", "n: 9007199254740992",
    "n: 9007199254740992, shared with _home.f^n", /^me: same as _home, \d+ entries$/, "p: string.format",
    /^s: "é+…", 200 B$/, 'bytes: "\\xff\\x00\\n"', "[1]: 1.0", "[2.5]: -0.0", /^\[true\]: -?nan$/,
    '[{}]: "table as key"', '[{1}]: "another"', '["two words"]: -9223372036854775808', "co: a coroutine",
    /^metatable: \{__index = error/,
  ]) {
    const fits = (row) => (expected instanceof RegExp ? expected.test(row) : row.startsWith(expected));
    assert.ok(rows.some(fits), `${expected} in\n${rows.join("\n")}`);
  }
});

test("a store goes out as a file and into another; what is there is replaced when the user says so", async () => {
  const user = await visit("indexeddb:out");
  await user.sample("Closures that share a variable");
  await user.run();
  await user.commit();
  const bytes = await user.download("Export");
  await user.page.close();

  const other = await visit("indexeddb:into");
  await other.import(bytes);
  await other.page.locator("#output .said", { hasText: "Imported" }).waitFor();
  assert.match(await other.run("_home.counter.up(1) return _home.counter.get()"), /→ 4/);
  await other.commit();
  await other.import(bytes);
  const dialog = other.page.getByRole("dialog");
  await dialog.getByText("Replace everything in indexeddb:into").waitFor();
  assert.equal(await other.page.evaluate(() => document.activeElement.textContent), "Cancel");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  assert.match(await other.run("return _home.counter.get()"), /→ 4/);
  await other.import(bytes);
  await dialog.getByRole("button", { name: "Replace" }).click();
  await other.page.locator("#output .said", { hasText: "Imported" }).nth(1).waitFor();
  assert.match(await other.run("return _home.counter.get()"), /→ 3/);
  await other.import(bytes.subarray(0, bytes.length - 9), "broken.hearth");
  await other.page.locator("#output .failed", { hasText: "broken.hearth was not imported" }).waitFor();
  await other.page.reload();
  await other.expectState("all committed");
  assert.match(await other.run("return _home.counter.get()"), /→ 3/);
});

test("a second tab is told busy; it takes over, and the first one gets out what it has in memory", async () => {
  const first = await visit("indexeddb:tabs");
  await first.run("_home.kept = 'committed'");
  await first.commit();
  await first.run(`
    local n = 0
    _home.up, _home.get = function() n = n + 1 return n end, function() return n end
    _home.me = _home
    _home.up()
    _home.log = ext.table()
    for i = 1, 2500 do _home.log[i] = "entry " .. i end
    _home.log.sub = { deep = { _home.log[7] } }
    _home.object = setmetatable({}, { __index = { class = "yes" } })`);

  const second = await visit("indexeddb:tabs", { state: /not open/ });
  const notice = second.page.getByRole("alert");
  await notice.getByRole("heading", { name: "Another tab has this store" }).waitFor();
  assert.equal(await second.page.getByRole("button", { name: "Run" }).isDisabled(), true);
  assert.deepEqual(await second.violations(), []);
  await second.click("Try again");
  await second.expectState("not open");
  await second.click("Take it over");
  await second.expectState("all committed");
  assert.equal(await notice.isVisible(), false);
  assert.match(await second.run("return _home.kept, _home.up"), /→ "committed", nil/);
  await second.run("_home.kept = 'by the second'");
  await second.commit();

  await first.expectState("not stored any more");
  assert.deepEqual(await first.violations(), []);
  assert.equal(await first.page.getByRole("button", { name: /^Commit/ }).isDisabled(), true);
  assert.match(await first.run("return _home.get()"), /→ 1/, "its Lua state goes on");
  const bytes = await first.download("Export what is in memory");
  await first.click("Reload this tab");
  await first.expectState("not open");

  const third = await visit("indexeddb:rescued");
  await third.import(bytes);
  await third.page.locator("#output .said", { hasText: "Imported" }).waitFor();
  assert.match(await third.run(`
    _home.up()
    return _home.kept, _home.get(), _home.me == _home, #_home.log, _home.log.sub.deep[1], _home.object.class`),
  /→ "committed", 2, true, 2500, "entry 7", "yes"/);

  await second.page.close();
  await first.click("Try again");
  await first.expectState("all committed");
  assert.match(await first.run("return _home.kept"), /→ "by the second"/);
});

test("a store that the browser has lost is not silently a new one", async () => {
  const user = await visit("indexeddb:lost");
  await user.run("_home.n = 1");
  await user.commit();
  await user.page.goto(`${server.origin}/?store=memory:`);
  await user.expectState("all committed");
  const deleted = await user.page.evaluate(async () => {
    const [found] = (await indexedDB.databases()).filter(({ name }) => name.endsWith("lost"));
    const request = indexedDB.deleteDatabase(found.name);
    await new Promise((resolve, reject) => Object.assign(request, { onsuccess: resolve, onerror: reject }));
    return found.name;
  });
  assert.match(deleted, /lost$/);
  await user.page.goto(`${server.origin}/?store=indexeddb:lost`);
  await user.page.getByRole("alert").getByRole("heading", { name: "The browser has lost this store" }).waitFor();
  await user.click("Begin anew");
  await user.expectState("all committed");
  assert.match(await user.run("return _home.n"), /→ nil/);
});

test("without a database the page says so, and offers memory", async () => {
  const page = await browser.page();
  pages.push({ page });
  await page.addInitScript(() => Object.defineProperty(globalThis, "indexedDB", { value: undefined }));
  await page.goto(`${server.origin}/?store=indexeddb:none`);
  const user = new User(page);
  await user.page.getByRole("alert").getByRole("heading", { name: "indexeddb:none could not be opened" }).waitFor();
  await user.click("Use a store in memory");
  await user.expectState("all committed");
  assert.match(await user.run("return 7"), /→ 7/);
});

test("with the keyboard alone: every control is reached in order with its focus visible, and works", async () => {
  const user = await visit("indexeddb:keys");
  const { page } = user;
  const focused = () => page.evaluate(() => {
    let at = document.activeElement;
    const { outlineStyle, outlineWidth } = getComputedStyle(at);
    const visible = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
    const name = at.id || at.dataset.path;
    while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
    return { name, visible };
  });
  const order = [];
  for (let i = 0; i < 16; i++) {
    await page.keyboard.press("Tab");
    const { name, visible } = await focused();
    if (name === undefined || name === "") break; // the browser's own controls
    assert.ok(visible, `the focus on ${name} is visible`);
    order.push(name);
  }
  assert.deepEqual(order.slice(0, 15), ["sample", "run", "editor", "limit", "autocommit", "clear", "output", "commit",
    "rollback", "reload", "_home", "export", "import", "compact", "keep"]);

  await page.locator("#sample").focus();
  await page.keyboard.type("Cycles");
  await page.keyboard.press("Control+Enter");
  await user.row("_home.house").waitFor();
  await page.keyboard.press("Control+S");
  await user.expectState("all committed");

  await page.locator("[role=treeitem][tabindex='0']").focus();
  const press = async (key, path) => {
    await page.keyboard.press(key);
    assert.equal((await focused()).name, path, key);
  };
  await press("ArrowDown", "_home.house");
  await press("ArrowRight", "_home.house"); // opens
  assert.equal(await user.row("_home.house").getAttribute("aria-expanded"), "true");
  await press("ArrowRight", "_home.house.rooms");
  await press("End", "_home.house.you_are_in");
  await press("Enter", "_home.house.you_are_in");
  await press("Home", "_home");
  await press("ArrowDown", "_home.house");
  await press("ArrowDown", "_home.house.rooms");
  await press("Enter", "_home.house.rooms"); // opens
  await press("ArrowDown", "_home.house.rooms[1]");
  await press(" ", "_home.house.you_are_in"); // the hall is shown there: it is the same table
  await press("ArrowLeft", "_home.house.you_are_in"); // closes
  await press("ArrowLeft", "_home.house");
  await press("ArrowLeft", "_home.house"); // closes
  assert.equal(await user.row("_home.house").getAttribute("aria-expanded"), "false");
  await press("ArrowLeft", "_home");
  await press("ArrowUp", "_home");
});

for (const [name, size] of Object.entries({ desk: DESK, phone: PHONE })) {
  for (const scheme of ["light", "dark"]) {
    test(`axe finds nothing to object to: ${name}, ${scheme}`, async () => {
      const user = await visit("memory:", { size, scheme });
      assert.deepEqual(await user.violations(), [], "empty");
      for (const sample of ["A counter", "A class and its objects", "Closures that share a variable",
        "What cannot be stored"]) {
        await user.sample(sample);
        await user.run();
      }
      await user.commit();
      await user.run("print(1) warn('@on') warn('careful') error({})");
      await user.run("while true do end");
      for (const path of ["_home.accounts", "_home.accounts.ada", "_home.counter", "_home.counter.up", "_home.players"])
        if ((await user.row(path).getAttribute("aria-expanded")) === "false") await user.toggle(path);
      await user.page.waitForTimeout(1700); // rows that changed have come to rest
      assert.deepEqual(await user.violations(), [], "full");
      await user.run("_home.players = nil");
      await user.commit();
      await user.import(await user.download("Export"));
      await user.page.getByRole("dialog").waitFor();
      assert.deepEqual(await user.violations(), [], "asking");
    });
  }
}

test("nothing overflows at 320 pixels", async () => {
  const store = "indexeddb:a-store-with-a-name-that-is-rather-long-for-a-phone";
  const size = { width: 320, height: 600 };
  const user = await visit(store, { size });
  assert.deepEqual(await user.overflow(), []);
  await user.run(`_home[('long'):rep(60)] = ('x'):rep(500)
    print(('y'):rep(500)) _home.t = {{{}}} return ('z'):rep(300)`);
  await user.run("_home.co = coroutine.create(print) error(('w'):rep(300))");
  await user.commit();
  await user.toggle("_home.t");
  assert.deepEqual(await user.overflow(), []);
  const second = await visit(store, { size, state: /not open/ });
  assert.deepEqual(await second.overflow(), []);
});

test("nothing is asked of another host, and the policy of the page forbids it", async () => {
  const page = await browser.page();
  pages.push({ page });
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.goto(`${server.origin}/?store=memory:`);
  await new User(page).expectState("all committed");
  assert.ok(asked.length >= 4);
  assert.deepEqual(asked.filter((url) => !url.startsWith(server.origin)), []);
  const policy = page.waitForEvent("console", (message) => message.text().includes("Content Security Policy"));
  assert.equal(await page.evaluate(() => fetch("http://127.0.0.1:9/").then(() => "went", () => "refused")), "refused");
  await policy;
  assert.equal(await page.evaluate(() => document.querySelectorAll("script:not([src]), style").length), 0);
});
