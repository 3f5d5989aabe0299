/** Chromium with isolated pages that have page.js in them as `Bench`. */
import { Browser, repository, serve } from "../../tests/browser/chromium.js";

/** A page's clock is coarse (0.1 ms) unless it is isolated. */
const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

export class Session {
  #files;
  browser;

  /** @param {string} packageFolder the npm package, hearth.wasm in it */
  static async start(packageFolder) {
    const session = new Session();
    session.#files = await serve(packageFolder, repository);
    session.browser = await Browser.start({ flags: ["--js-flags=--expose-gc"] });
    await session.browser.context.route(`${session.#files.origin}/`, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, headers: { ...response.headers(), ...ISOLATED } });
    });
    return session;
  }

  get version() {
    return this.browser.browser.version();
  }

  /** A new page, in which nothing has run yet but the loading of its modules. */
  async page() {
    const page = await this.browser.page(`${this.#files.origin}/`);
    await page.evaluate(async () => {
      globalThis.Bench = await import("/bench/browser/page.js");
      await Bench.use();
    });
    return page;
  }

  async close() {
    await this.browser?.close();
    await this.#files?.close();
  }
}

/** Calls a function of page.js in a page. */
export const call = (page, name, ...args) => page.evaluate(([f, list]) => Bench[f](...list), [name, args]);
