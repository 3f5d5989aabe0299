/**
 * What the legacy release 2.0.0 promised for the names _home and Memory, through the drop-in module.
 * Runs in Node and in a page.
 */

function same(actual, expected, what) {
  if (JSON.stringify(actual) !== JSON.stringify(expected))
    throw new Error(`${what}: ${JSON.stringify(expected)} expected, got ${JSON.stringify(actual)}`);
}

/** Calls f, which is given what it needs: what failed, or nothing. */
async function kept(number, name, f) {
  try {
    await f();
    return { number, name };
  } catch (error) {
    return { number, name, failure: error.message };
  }
}

/**
 * The results: { number, name, failure? } of each promise.
 * @param {object} cu the module
 * @param {object} options of load()
 * @param {boolean} alias is Memory tested too? Otherwise it is switched off, and the rest holds for _home alone
 */
export async function promises(cu, options, alias) {
  const run = async (code) => {
    const length = await cu.compute(code);
    if (length < 0) throw new Error(cu.readBuffer(cu.getBufferPtr(), -length));
    return cu.readResult(cu.getBufferPtr(), length).result;
  };
  /** The same code under both names; with the alias off there is one, and what compares the two says nothing. */
  const both = (code) => run(code.replaceAll("OTHER", alias ? "Memory" : "_home"));
  const compared = async (code, value, what) => {
    if (alias) same(await both(code), value, what);
    else same(await run("return Memory == nil and rawget(_G, 'Memory') == nil"), true, "the name Memory is absent");
  };
  const restart = async () => {
    same(await cu.load(options), true, "load");
    same(cu.init(), 0, "init");
  };

  const quiet = console.warn;
  console.warn = () => {}; // "Memory" is deprecated
  cu.setMemoryAliasEnabled(alias);
  console.warn = quiet;
  await restart();
  const results = [];
  const promise = async (number, name, f) => results.push(await kept(number, name, f));

  await promise(1, "both names give the same value", async () =>
    compared("_home.one = {} return OTHER.one == _home.one and OTHER == _home", true, "the same"),
  );
  await promise(2, "what is written through one is read through the other", async () => {
    await compared("_home.probe = 'x' local x = OTHER.probe _home.probe = nil return x", "x", "a value");
    same(
      [await both("_home.a = 'x' return OTHER.a"), await both("OTHER.b = 'y' return _home.b")],
      ["x", "y"],
      "values",
    );
  });
  await promise(3, "rawequal", async () => compared("return rawequal(OTHER, _home)", true, "rawequal"));
  await promise(4, "functions stored through the alias", async () =>
    same(await both("function OTHER.double(x) return x * 2 end return _home.double(21)"), 42, "the function"),
  );
  await promise(5, "both iterate the same keys", async () =>
    compared(
      `
    local n = 0
    for k, v in pairs(_home) do n = n + 1 assert(rawequal(OTHER[k], v)) end
    for k in pairs(OTHER) do n = n - 1 assert(_home[k] ~= nil) end
    return n == 0 and next(_home) ~= nil`,
      true,
      "the keys",
    ),
  );
  await promise(6, "nested operations", async () =>
    same(
      await both(
        "OTHER.deep = {er = {}} _home.deep.er.n = 1 OTHER.deep.er.n = OTHER.deep.er.n + 1 return _home.deep.er.n",
      ),
      2,
      "n",
    ),
  );
  await promise(7, "calls through both names", async () =>
    same(await both("_home.add = function(a, b) return a + b end return _home.add(OTHER.add(1, 2), 3)"), 6, "the sum"),
  );
  await promise(8, "deletion through either", async () => {
    await compared("_home.x = 1 OTHER.x = nil return _home.x == nil", true, "gone");
    same(
      await both("_home.x, _home.y = 1, 2 OTHER.x = nil _home.y = nil return _home.x == nil and OTHER.y == nil"),
      true,
      "gone",
    );
  });
  await promise(9, "metatables set on one act through the other", async () => {
    same(
      await both("setmetatable(OTHER, {__index = function(_, k) return 'no ' .. k end}) return _home.nothing"),
      "no nothing",
      "__index",
    );
    same(await both("setmetatable(_home, nil) return OTHER.nothing"), null, "without");
  });
  await promise(10, "batch operations", async () =>
    same(
      await both(`
    OTHER.items = {}
    for i = 1, 1000 do _home.items[i] = i * i end
    local sum = 0
    for _, v in ipairs(OTHER.items) do sum = sum + v end
    return sum`),
      333833500,
      "the sum",
    ),
  );
  await promise(11, "restoration", async () => {
    same(await cu.saveState(), true, "saveState");
    await restart();
    same(await both("return OTHER.a .. _home.b .. #OTHER.items"), "xy1000", "values");
  });
  await promise(12, "access after restoring", async () => {
    same(await both("OTHER.after = _home.double(4) return _home.after"), 8, "the function");
    await compared("return rawequal(OTHER, _home)", true, "rawequal");
    same(await cu.loadState(), true, "loadState");
    same(await both("return OTHER.after"), null, "what was not saved");
  });
  await promise(13, "debug information shows both ids", async () => {
    const { homeTableId, memoryTableId, tables } = cu.getTableInfo();
    same([homeTableId, memoryTableId], [cu.getHomeTableId(), cu.getMemoryTableId()], "ids");
    same(homeTableId > 0 && homeTableId === memoryTableId, true, "one table");
    same(tables.find(({ id }) => id === homeTableId).keys.includes("items"), true, "its keys");
  });
  await promise(14, "the flag turns the alias off, and on", async () => {
    cu.setMemoryAliasEnabled(false);
    same(await run("return Memory == nil and _home.a"), "x", "without");
    if (!alias) return;
    console.warn = () => {};
    cu.setMemoryAliasEnabled(true);
    console.warn = quiet;
    same(await run("return rawequal(Memory, _home)"), true, "with");
  });
  // 15, the two ids in the metadata, is about legacy data: see the tests of taking it over.
  return results;
}
