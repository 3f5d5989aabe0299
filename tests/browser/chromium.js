/**
 * What the tests in a browser share: Chromium, driven by playwright-core, and a server of files.
 *
 * HEARTH_NODE_MODULES is the folder that playwright-core was installed into (its node_modules), HEARTH_CHROMIUM the
 * program, /usr/bin/chromium by default.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const nodeModules = process.env.HEARTH_NODE_MODULES;
const require = createRequire(nodeModules ? join(nodeModules, "/") : import.meta.url);
const { chromium } = require("playwright-core");

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--remote-debugging-port=0",
];
const TYPES = {
  ".js": "text/javascript", ".mjs": "text/javascript", ".html": "text/html; charset=utf-8", ".css": "text/css",
  ".wasm": "application/wasm", ".json": "application/json",
};

const EMPTY = '<!doctype html><title>test</title><link rel="icon" href="data:,">'; // else it asks for favicon.ico

export const repository = fileURLToPath(new URL("../../", import.meta.url));

/** The bytes of a file, from the first folder that has it. */
async function readFrom([folder, ...others], path) {
  try {
    return await readFile(join(folder, path));
  } catch (exception) {
    if (others.length === 0) throw exception;
    return readFrom(others, path);
  }
}

/**
 * Serves the files of folders on 127.0.0.1, the first that has one; "/" and every path ending in "/" is an empty page.
 * @param {string[]} folders by default the repository
 * @returns {Promise<{origin: string, port: number, close(): Promise<void>}>}
 */
export async function serve(...folders) {
  if (folders.length === 0) folders.push(repository);
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://x").pathname));
    try {
      const body = path.endsWith("/") ? EMPTY : await readFrom(folders, path);
      const type = TYPES[path.endsWith("/") ? ".html" : extname(path)];
      response.setHeader("content-type", type ?? "application/octet-stream");
      response.setHeader("access-control-allow-origin", "*"); // for a page without an origin
      response.setHeader("cache-control", "no-store"); // a killed browser's cache is no part of any test
      response.end(body);
    } catch {
      response.statusCode = 404;
      response.end();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  const close = () => new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
  return { origin: `http://127.0.0.1:${port}`, port, close };
}

async function endpointOf(program) {
  let text = "";
  for await (const chunk of program.stderr) {
    text += chunk;
    const found = /DevTools listening on (ws:\S+)/.exec(text);
    if (found) return found[1];
  }
  throw new Error(`Chromium did not start:\n${text}`);
}

export class Browser {
  /** playwright's browser and its one context, whose storage is the profile's. */
  browser;
  context;
  pid;
  #program;
  #profile;
  #own;

  /** @param {{profile?: string, flags?: string[]}} [options] a profile of the caller's stays behind */
  static async start({ profile, flags = [] } = {}) {
    const started = new Browser();
    started.#own = profile === undefined;
    started.#profile = profile ?? (await mkdtemp(join(tmpdir(), "hearth-chromium-")));
    const program = process.env.HEARTH_CHROMIUM ?? "/usr/bin/chromium";
    started.#program = spawn(program, [...FLAGS, ...flags, `--user-data-dir=${started.#profile}`, "about:blank"],
      { stdio: ["ignore", "ignore", "pipe"], detached: true }); // a process group of its own
    started.pid = started.#program.pid;
    process.once("exit", started.#signal); // a test that is given up leaves no browser behind
    const endpoint = await endpointOf(started.#program);
    started.#program.stderr.resume?.();
    started.browser = await chromium.connectOverCDP(endpoint);
    [started.context] = started.browser.contexts();
    return started;
  }

  async page(url) {
    const page = await this.context.newPage();
    if (url !== undefined) await page.goto(url);
    return page;
  }

  /** A DevTools session of a page, or of the browser. */
  cdp(page) {
    return page === undefined ? this.browser.newBrowserCDPSession() : this.context.newCDPSession(page);
  }

  /** The process that runs a page: the renderer that gets busy when the page does. */
  async rendererOf(page) {
    const session = await this.cdp();
    const times = async () => {
      const { processInfo } = await session.send("SystemInfo.getProcessInfo");
      return new Map(processInfo.filter(({ type }) => type === "renderer").map(({ id, cpuTime }) => [id, cpuTime]));
    };
    const before = await times();
    await page.evaluate(() => {
      for (const end = performance.now() + 500; performance.now() < end; );
    });
    const after = await times();
    await session.detach();
    const spent = [...after].map(([id, time]) => [time - (before.get(id) ?? 0), id]).sort(([a], [b]) => b - a);
    return spent[0][1];
  }

  #signal = () => {
    try {
      process.kill(-this.pid, "SIGKILL");
    } catch {
      // it is gone
    }
  };

  /** SIGKILL for it and all its processes, as when the machine takes it down. */
  async kill() {
    const { exitCode, signalCode } = this.#program;
    const gone = exitCode !== null || signalCode !== null ? undefined : once(this.#program, "exit");
    this.#signal();
    process.off("exit", this.#signal);
    await gone;
    await this.browser?.close().catch(() => {});
    if (this.#own) await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  async close() {
    const gone = this.#program.exitCode !== null ? undefined : once(this.#program, "exit");
    const session = await this.cdp().catch(() => undefined);
    await session?.send("Browser.close").catch(() => {});
    const late = setTimeout(() => this.#signal(), 5000);
    await gone;
    clearTimeout(late);
    await this.kill();
  }
}
