/** Chromium with isolated pages that have a module of this folder in them as `Bench`. */
import { once } from "node:events";
import { createServer, get } from "node:http";

import { Browser, repository, serve } from "../../tests/browser/chromium.js";

/** A page's clock is coarse (0.1 ms) unless it is isolated. */
const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

/** Serves what another server here serves, with these headers. playwright's routes would slow each request. */
async function isolating(origin) {
  const server = createServer((request, response) => {
    const passed = get(origin + request.url, (answer) => {
      response.writeHead(answer.statusCode, { ...answer.headers, ...ISOLATED });
      answer.pipe(response);
    });
    passed.on("error", () => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

export class Session {
  #files;
  #isolating;
  browser;

  /**
   * @param {string} packageFolder the npm package, hearth.wasm in it
   * @param {string[]} others folders that are served, too
   */
  static async start(packageFolder, ...others) {
    const session = new Session();
    session.#files = await serve(packageFolder, repository, ...others);
    session.#isolating = await isolating(session.#files.origin);
    session.browser = await Browser.start({ flags: ["--js-flags=--expose-gc"] });
    return session;
  }

  get version() {
    return this.browser.browser.version();
  }

  /** A new page, in which nothing has run yet but the loading of its modules. */
  async page(module = "/bench/browser/page.js") {
    const page = await this.browser.page(`http://127.0.0.1:${this.#isolating.address().port}/`);
    await page.evaluate(async (module) => {
      globalThis.Bench = await import(module);
      await Bench.use();
    }, module);
    return page;
  }

  async close() {
    await this.browser?.close();
    this.#isolating?.close();
    this.#isolating?.closeAllConnections();
    await this.#files?.close();
  }
}

/** Calls a function of that module in a page. */
export const call = (page, name, ...args) => page.evaluate(([f, list]) => Bench[f](...list), [name, args]);
