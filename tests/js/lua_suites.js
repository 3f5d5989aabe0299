/**
 * Runs the suites of tests/lua inside WebAssembly, with the harness that they have natively. Nothing of Node's is
 * used here: a page runs them too.
 */

const NO_SODIUM = "libsodium is not linked here, JavaScript brings the seal";
const NO_BACKENDS = "backends are no Lua modules here";

/** What cannot run in WebAssembly, wherever: suite -> test -> why. */
export const IMPOSSIBLE = {
  backends: {
    "an unknown scheme is the name of a module": NO_BACKENDS,
    "a module that is none, that raises, or that cannot be required": NO_BACKENDS,
    "sqlite is one": NO_BACKENDS,
    "a store in sqlite and one in file at once": NO_BACKENDS,
  },
  functions: { "a C function without a name, and userdata without a type": "/dev/null is no file here" },
  hooks: { "a registered type of userdata": "io.open gives no file here" },
  large: { "a table through sqlite takes no more memory than caches": NO_BACKENDS },
  migration: { "sample 6, From JSON and MessagePack files": "io.open gives no file here" },
  permanents: { "registered userdata": "/dev/null is no file here" },
  processes: {
    "the file of a process that was killed is taken over": "io.popen and kill; file.test.js does the same by Node",
    "a process that ends inside a transaction": "os.exit ends nothing here; file.test.js kills processes",
  },
  stdlib: { "a file that is none of the three has no name": "io.tmpfile gives no file here" },
  store: { "a sealed store": NO_SODIUM },
  untrusted: {
    "a sealed function is read with its seal only": NO_SODIUM,
    "an unsealed function is refused where a seal is set": NO_SODIUM,
    "data needs no seal": NO_SODIUM,
  },
  warnings: {
    "without it Lua's warn is": "warnings of another process are not captured",
    "long names are told whole": "os.execute makes no folders here",
    "what it raises ends in Lua's warn, with the line": "warnings of another process are not captured",
  },
};

const BEGIN = `
local harness, host = ...
_home, ext = nil, nil -- as in a state of Lua's own
package.preload.harness = assert(load(harness, "@tests/lua/harness.lua"))
package.loaded["harness.host"] = host`;

/**
 * @param {object} what
 * @param {typeof import("../../bindings/js/src/hearth.js").Hearth} what.Hearth
 * @param {string} what.name of the suite
 * @param {string} what.suite its text
 * @param {string} what.harness the text of harness.lua
 * @param {object} [what.options] for Hearth.open
 * @param {{path?: (name: string) => string, read?: (path: string) => Uint8Array,
 *   write?: (path: string, bytes: any) => void, source?: (name: string) => string,
 *   run?: (code: string, ...args: string[]) => string}} [what.host] what the
 *   place offers of files and processes; a test that needs more is skipped
 * @returns {Promise<{passed: number, failed: number, skipped: {name: string, reason: string}[], output: string}>}
 */
export async function runSuite({ Hearth, name, suite, harness, options = {}, host = {} }) {
  const lines = [], met = new Set(), skipped = [], impossible = IMPOSSIBLE[name] ?? {};
  const print = (line) => {
    const skip = /^skipped: (.*?): ([^:]*)$/.exec(line);
    if (skip !== null) skipped.push({ name: skip[1], reason: skip[2] });
    lines.push(line);
  };
  let result;
  const hearth = await Hearth.open({ ...options, print, warn: (line) => lines.push(line) });
  try {
    hearth.run(BEGIN, {
      name: "=begin",
      args: [harness, {
        ...host,
        skip: (test) => {
          met.add(test);
          return Object.hasOwn(impossible, test) ? impossible[test] : undefined;
        },
        finish: (passed, failed, left) => {
          result = { passed, failed, left };
        },
      }],
    });
    hearth.run(suite, { name: `@tests/lua/${name}.lua` });
  } catch (error) {
    lines.push(`${name}.lua: ${error.message}\n${error.traceback ?? error.stack}`);
    result = { passed: 0, failed: 1, left: 0 };
  } finally {
    await hearth.close();
  }
  if (result === undefined) {
    lines.push(`${name}.lua did not finish`);
    result = { passed: 0, failed: 1, left: 0 };
  }
  for (const test of Object.keys(impossible)) {
    if (met.has(test)) continue;
    lines.push(`${name}.lua has no test "${test}" that could be skipped`);
    result.failed++;
  }
  if (result.left !== skipped.length) result.failed++;
  return { passed: result.passed, failed: result.failed, skipped, output: lines.join("\n") };
}
