/** Legacy records into a store and out of it: Hearth.importLegacy and exportLegacy, in Node. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test, { describe } from "node:test";
import { DUMPS, countOf, differences, recordsOf } from "./legacy_dumps.js";
import { Hearth, HearthError, failure, newFolder, root } from "./testing.js";

const readDump = (name) => JSON.parse(readFileSync(join(root, "tests/fixtures/legacy", `${name}.json`), "utf8"));
const first = (hearth) => (code) => hearth.run(code)[0];
const silent = { warn: () => {} };

const encoder = new TextEncoder();
const integer = (n) => [2, ...new Uint8Array(new BigInt64Array([BigInt(n)]).buffer)];
const string = (text) => [
  4,
  ...new Uint8Array(new Uint32Array([encoder.encode(text).length]).buffer),
  ...encoder.encode(text),
];
const reference = (id) => [7, ...new Uint8Array(new Uint32Array([id]).buffer)];
const binary = (data) => ({ _type: "binary", data });
const metadata = (fields) => ({ id: "__metadata__", data: fields });

const replaced = (list, at, value) => list.map((old, i) => (i === at ? value : old));

/** Imports records, calls f, closes. */
async function imported(from, options, f) {
  const { hearth, report } = await Hearth.importLegacy({ from, ...silent, ...options });
  try {
    await f(hearth, report);
  } finally {
    await hearth.close();
  }
}

describe("the three dumps", () => {
  for (const name of DUMPS) {
    const dump = readDump(name);

    for (const keys of ["integer", "number", "text"])
      test(`${name} reads as that version read it; keys: ${keys}`, async () => {
        assert.ok(countOf(dump) >= 40);
        await imported(recordsOf(dump), { keys }, (hearth, report) => {
          assert.deepEqual(differences(dump, first(hearth), keys), []);
          assert.equal(report.counts.damaged, undefined);
          assert.equal(report.savedAt, recordsOf(dump).at(-1).data.savedAt);
        });
      });

    test(`${name}: what the version itself got wrong`, async () => {
      await imported(recordsOf(dump), {}, (hearth, report) => {
        const ofKey = (key) => report.items.find((item) => item.key === key);
        // A C function had no name in the data, and the version trapped when it was called.
        assert.throws(() => hearth.run("_home.cfn()"), failure("raised", "'cfn' was a C function"));
        assert.equal(ofKey("cfn").what, "function");
        // An upvalue's value was never stored: it read the globals table in its place, without a word.
        assert.equal(ofKey("fnup").what, "upvalues");
        // `pairs` showed an internal field, and # counted deleted keys: the sequence is 1, 2, 3.
        assert.deepEqual(
          hearth.run(
            "local n = 0 for i, v in ipairs(_home) do n = i end return n, _home[2], _home[3], rawget(_home, 'gone')",
          ),
          [3, 2, "three", undefined],
        );
      });
    });

    test(`${name} in a file, opened again, exported and imported again`, async () => {
      const store = `file:${join(newFolder(), "taken.hearth")}`;
      await imported(recordsOf(dump), { store }, () => {});
      const hearth = await Hearth.open({ store, create: false });
      assert.deepEqual(differences(dump, first(hearth)), []);
      const { records } = await hearth.exportLegacy();
      await hearth.close();
      await imported(JSON.parse(JSON.stringify(records)), {}, (again) =>
        assert.deepEqual(differences(dump, first(again)), []),
      );
    });
  }
});

describe("importLegacy", () => {
  test("bytes in each form, and text", async () => {
    const utf8 = (bytes) => new TextDecoder().decode(Uint8Array.from(bytes));
    const records = [
      {
        id: 1,
        data: {
          list: binary(integer(300)),
          array: binary(Uint8Array.from(string("h\u00e9\0"))),
          raw: Uint8Array.from(string("raw")),
          dumped: { $uint8array: string("dumped") },
          json: JSON.parse(JSON.stringify(Uint8Array.from(string("json")))),
          text: utf8(string("as text")),
          lost: utf8(integer(128)),
        },
      },
    ];
    await imported(records, {}, (hearth, report) => {
      const value = (key) => hearth.get(`_home.${key}`);
      assert.deepEqual(["list", "array", "raw", "dumped", "json", "text", "lost"].map(value), [
        300,
        "h\u00e9\0",
        "raw",
        "dumped",
        "json",
        "as text",
        undefined,
      ]);
      assert.deepEqual(
        report.items.map(({ key, what }) => [key, what]),
        [["lost", "lossy"]],
      );
    });
  });

  test("shared, cyclic, dangling and unreachable tables", async () => {
    const records = [
      { id: 1, data: { a: binary(reference(5)), b: binary(reference(5)), nothing: binary(reference(99)) } },
      { id: 5, data: { home: binary(reference(1)), me: binary(reference(5)), 1: binary(string("one")) } },
      { id: 7, data: { alone: binary(integer(7)) } },
    ];
    const check = (hearth) =>
      assert.equal(
        hearth.run(
          `return rawequal(_home.a, _home.b) and rawequal(_home.a.home, _home) and _home.a.me == _home.a
            and next(_home.nothing) == nil`,
        )[0],
        true,
      );
    await imported(records, {}, (hearth, report) => {
      check(hearth);
      assert.equal(hearth.get("_home.a[1]"), "one");
      assert.deepEqual(
        report.items.map(({ table, what }) => [table, what]),
        [[7, "unreachable"]],
      );
    });
    await imported(records, { unreachable: "rest" }, (hearth) => {
      check(hearth);
      assert.equal(hearth.get("_home.rest[7].alone"), 7);
    });
  });

  test("whatever a damaged record holds is reported, and costs no neighbour", async () => {
    const cycle = {};
    cycle.cycle = cycle;
    const odd = [
      undefined,
      null,
      5,
      true,
      5n,
      new Date(),
      new Map([[1, 2]]),
      cycle,
      [],
      {},
      [1, 2],
      () => {},
      Symbol("x"),
      binary(undefined),
      binary([1, 2, 300]),
      binary([1.5]),
      binary("text"),
      binary({}),
      binary([]),
      binary([0x63]),
      binary([4, 255, 0, 0, 0]),
      { $uint8array: [256] },
      { _type: "other", data: [0] },
      "\ud800",
      new Uint8Array(0),
      new Float64Array(2),
    ];
    const data = Object.fromEntries(odd.map((value, i) => [`odd${i}`, value]));
    const records = [
      null,
      5,
      "text",
      [],
      {},
      new Date(),
      { id: 1, data: { before: binary(integer(1)), ...data, after: binary(integer(2)) } },
      { id: 1n, data: {} },
      { id: {}, data: {} },
      { id: 9, data: 5 },
      { id: 10 },
      { id: NaN, data: {} },
      { data: {} },
      { id: 11, data: { "\ud800": binary(integer(3)), "\udc00": binary(integer(4)) } },
    ];
    await imported(records, { unreachable: "rest" }, (hearth, report) => {
      assert.deepEqual([hearth.get("_home.before"), hearth.get("_home.after")], [1, 2]);
      for (let i = 0; i < odd.length; i++) {
        assert.equal(hearth.get(`_home.odd${i}`), undefined, `odd${i}`);
        assert.ok(
          report.items.some((item) => item.key === `odd${i}`),
          `odd${i} is reported`,
        );
      }
      assert.deepEqual(
        Object.values(Object.fromEntries(hearth.get("_home.rest").entries()))
          .flatMap((table) => Object.values(table))
          .sort(),
        [3, 4],
        "both keys that are no text are there",
      );
    });
  });

  test("a damaged value costs no other one: any value, damaged in any way", async () => {
    const seed = Number(process.env.HEARTH_TEST_SEED ?? Date.now() % 2 ** 31);
    let state = seed;
    const random = (n) => ((state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff) >>> 8) % n;
    const damages = [
      () => [null, 5, -1, NaN, "junk", "", true, {}, [], new Date(0), new Map(), 7n][random(12)],
      (value) => ({ ...value, data: [null, 5, "x", {}, [300], [1, "2"], [-1]][random(7)] }),
      (value) => ({ ...value, data: value.data.slice(0, random(value.data.length)) }),
      (value) => ({ ...value, data: replaced(value.data, random(value.data.length), random(256)) }),
      (value) => ({ ...value, data: [...value.data, ...Array.from({ length: random(9) + 1 }, () => random(256))] }),
    ];
    const dumps = DUMPS.map((name) => recordsOf(readDump(name)));
    /** The home table's values that are no tables, as records again. */
    const values = async (records) => {
      let home;
      await imported(records, {}, async (hearth) => {
        home = (await hearth.exportLegacy()).records[0].data;
      });
      return Object.fromEntries(Object.entries(home).filter(([, { data }]) => data[0] !== 7));
    };
    const clean = await Promise.all(dumps.map(values));
    for (let round = 0; round < 200 * Number(process.env.HEARTH_TEST_ROUNDS ?? 1); round++) {
      const which = random(dumps.length);
      const records = structuredClone(dumps[which]);
      const { data } = records[random(records.length - 1)];
      const keys = Object.keys(data);
      const key = keys[random(keys.length)];
      data[key] = damages[random(damages.length)](data[key]);
      const [found, expected] = [await values(records), { ...clean[which] }];
      if (data === records[0].data) {
        delete found[key];
        delete expected[key];
      }
      assert.deepEqual(found, expected, `HEARTH_TEST_SEED=${seed}, round ${round}, key ${key}`);
    }
  });

  test("a damaged home id is for the user to choose; the store stays as it was", async () => {
    const records = [
      { id: 3, data: { n: binary(integer(3)) } },
      { id: 4, data: { n: binary(integer(4)) } },
    ];
    const store = `file:${join(newFolder(), "new.hearth")}`;
    for (const homeTableId of [-1, 4000000000, "junk", {}, [], true]) {
      const from = [...records, metadata({ homeTableId })];
      await assert.rejects(
        Hearth.importLegacy({ from, store, ...silent }),
        failure("damaged", "3 (1 entries), 4 (1 entries)"),
      );
    }
    await imported([...records, metadata({ homeTableId: "junk" })], { store, home: 4 }, (hearth, report) => {
      assert.equal(hearth.get("_home.n"), 4);
      assert.equal(report.home, 4);
    });
  });

  test("homeTableId, else memoryTableId with the warning, else table 1", async () => {
    const tables = [1, 2, 3].map((id) => ({ id, data: { n: binary(integer(id)) } }));
    for (const [fields, home, warning] of [
      [{ homeTableId: 2, memoryTableId: 2 }, 2],
      [{ memoryTableId: 3 }, 3, 'legacy "memoryTableId"'],
      [{ homeTableId: null, memoryTableId: "3" }, 3, "[Deprecated]"],
      [{}, 1],
      [undefined, 1],
      [{ homeTableId: 2, memoryTableId: 3 }, 2, "two tables"],
    ]) {
      const lines = [];
      await imported(
        fields === undefined ? tables : [...tables, metadata(fields)],
        { warn: (line) => lines.push(line) },
        (hearth) => {
          assert.equal(hearth.get("_home.n"), home, JSON.stringify(fields));
        },
      );
      assert.equal(lines.length, warning === undefined ? 0 : 1, lines.join());
      assert.ok(lines.join().includes(warning ?? ""), lines.join());
    }
  });

  test("only into a new or empty store, which stays as it was otherwise", async () => {
    const path = join(newFolder(), "full.hearth"),
      store = `file:${path}`;
    const from = [{ id: 1, data: { n: binary(integer(5)) } }];
    const before = await Hearth.open({ store });
    before.run("_home.n = 1");
    await before.commit();
    await before.close();
    const bytes = readFileSync(path);
    await assert.rejects(Hearth.importLegacy({ from, store }), failure("exists"));
    assert.deepEqual(readFileSync(path).subarray(0, bytes.length), bytes);
    const after = await Hearth.open({ store });
    assert.equal(after.get("_home.n"), 1);
    after.run("_home.n = nil");
    await after.commit();
    await after.close();
    await imported(from, { store }, (hearth) => assert.equal(hearth.get("_home.n"), 5));
    const again = await Hearth.open({ store });
    assert.equal(again.get("_home.n"), 5, "it was committed");
    await again.close();
  });

  test("what fails commits nothing, with autocommit too", async () => {
    const store = `file:${join(newFolder(), "failed.hearth")}`;
    const from = [
      { id: 1, data: { rest: binary(integer(1)), n: binary(integer(2)) } },
      { id: 5, data: { n: binary(integer(5)) } },
    ];
    // found out when the home table has been filled
    await assert.rejects(
      Hearth.importLegacy({ from, store, unreachable: "rest", autocommit: true }),
      failure("invalid", "'rest' already"),
    );
    const hearth = await Hearth.open({ store, autocommit: true });
    assert.deepEqual(hearth.get("_home"), {});
    assert.equal(hearth.stat().storage.sequence, 0);
    await hearth.close();
  });

  test("its options go to the store too; misuse", async () => {
    const from = [{ id: 1, data: { n: binary(integer(5)) } }];
    await imported(from, { alias: "on", pageSize: 128 }, (hearth) => {
      assert.equal(hearth.run("return Memory.n")[0], 5);
      assert.equal(hearth.stat().pageSize, 128);
    });
    const fails = (options, code, text) => assert.rejects(Hearth.importLegacy(options), failure(code, text));
    await fails({ from, keys: "numbers" }, "invalid", "'keys'");
    await fails({ from, home: {} }, "invalid", "'home'");
    await fails({ from, home: "junk" }, "invalid", "'home'");
    await fails({ from, unreachable: 5 }, "invalid", "'unreachable'");
    await fails({ from, other: 5 }, "invalid", "unknown option 'other'");
    await fails({ from: 5 }, "invalid", "'from'");
    await fails({}, "invalid", "'from'");
    await fails(undefined, "invalid", "'from'");
    await fails({ from, readonly: true }, "invalid", "'readonly'");
    await fails({ from, store: "nowhere:x" }, "invalid", "no store's URI");
    await fails({ from: "LuaPersistentDB" }, "unsupported", "no IndexedDB");
    const path = join(newFolder(), "never.hearth");
    await fails({ from: "LuaPersistentDB", store: `file:${path}` }, "unsupported");
    assert.ok(!existsSync(path), "the store was not touched");
    await assert.rejects(Hearth.open({ from }), failure("invalid", "'from'"));
  });
});

describe("exportLegacy", () => {
  const withHome = async (code, f) => {
    const hearth = await Hearth.open();
    try {
      hearth.run(code);
      await f(hearth);
    } finally {
      await hearth.close();
    }
  };

  test("records in the form that the legacy runtime stored, byte for byte", () =>
    withHome(
      `
    _home.i, _home.f, _home.s, _home.t, _home[1] = 300, 0.5, "h\\u{e9}\\0\\xff", true, "one"
    _home.list = {10}`,
      async (hearth) => {
        const { records, report } = await hearth.exportLegacy({ savedAt: "2026-01-02T03:04:05.678Z" });
        assert.deepEqual(records, [
          {
            id: 1,
            data: {
              i: binary(integer(300)),
              f: binary([3, ...new Uint8Array(new Float64Array([0.5]).buffer)]),
              s: binary([4, 5, 0, 0, 0, 0x68, 0xc3, 0xa9, 0, 0xff]),
              t: binary([1, 1]),
              1: binary(string("one")),
              list: binary(reference(3)),
            },
          },
          { id: 3, data: { 1: binary(integer(10)) } },
          metadata({
            homeTableId: 1,
            memoryTableId: 1,
            nextTableId: 4,
            savedAt: "2026-01-02T03:04:05.678Z",
            stateRestored: false,
            tableCount: 2,
            tableIds: [1, 3],
          }),
        ]);
        assert.deepEqual(structuredClone(records), records);
        assert.deepEqual(
          report.items.map(({ table, what }) => [table, what]),
          [[1, "table"]],
          "a table in a table",
        );
        assert.equal(report.tables, 2);
      },
    ));

  test("an empty home table", () =>
    withHome("", async (hearth) => {
      const { records } = await hearth.exportLegacy();
      assert.deepEqual(
        records.map(({ id }) => id),
        ["__metadata__"],
      );
      assert.deepEqual(records[0].data.tableIds, []);
      assert.ok(Math.abs(Date.parse(records[0].data.savedAt) - Date.now()) < 60000);
    }));

  test("what the legacy form cannot hold is reported", () =>
    withHome(
      `
    local n = 1
    _home.shared = {} _home.again = _home.shared
    _home.object = setmetatable({}, {})
    _home.counter = function() n = n + 1 return n end
    _home.print, _home[true] = print, 1
    _home.e = ext.table() _home.e.x = 5`,
      async (hearth) => {
        const { records, report } = await hearth.exportLegacy();
        for (const what of ["identity", "metatable", "upvalues", "function", "key"])
          assert.equal(report.counts[what] >= 1, true, what);
        const e = records[0].data.e.data;
        assert.equal(e[0], 7, "an external table is a table");
        assert.deepEqual(records.find(({ id }) => id === e[1]).data.x, binary(integer(5)));
      },
    ));

  test("for version 2.0, without tables in tables", () =>
    withHome("_home.t = {1} _home.n = 1", async (hearth) => {
      const { records, report } = await hearth.exportLegacy({ runtime: "2.0" });
      assert.deepEqual(Object.keys(records[0].data), ["n"]);
      assert.equal(report.counts.table, 1);
    }));

  test("misuse, and no database in Node", () =>
    withHome("", async (hearth) => {
      await assert.rejects(hearth.exportLegacy({ to: "LuaPersistentDB" }), failure("unsupported", "no IndexedDB"));
      await assert.rejects(hearth.exportLegacy({ runtime: "3" }), failure("invalid", "'runtime'"));
      await assert.rejects(hearth.exportLegacy({ other: 1 }), failure("invalid", "'other'"));
      const other = await Hearth.open();
      await other.close();
      await assert.rejects(other.exportLegacy(), failure("closed"));
      assert.ok(new HearthError("closed", "") instanceof Error);
    }));
});

test("exporting does not use the globals, which are the program's", async () => {
  const hearth = await Hearth.open({});
  hearth.run("_home.n, _home.t, home = 1, {x = 'text'}, _home");
  const expected = await hearth.exportLegacy({ savedAt: "x" });
  hearth.run("for k, v in pairs(_G) do if k ~= '_G' and k ~= 'home' then _G[k] = false end end");
  assert.deepEqual(await hearth.exportLegacy({ savedAt: "x" }), expected);
  hearth.run("home.n = 2");
  assert.deepEqual((await hearth.exportLegacy()).records[0].data.n, binary(integer(2)));
  await hearth.rollback();
  hearth.run("_home.n = 3");
  assert.deepEqual((await hearth.exportLegacy()).records[0].data.n, binary(integer(3)));
  await hearth.close();
});

test("nor after an import; what a source replaces changes nothing", async () => {
  const other = await Hearth.open({});
  other.run("_home.n = 5");
  await other.commit();
  const bytes = await other.export();
  await other.close();
  for (const store of ["memory:", `file:${join(newFolder(), "imported.hearth")}`]) {
    const hearth = await Hearth.open({ store, sources: { mine: "next, pairs, ipairs = nil return {}" } });
    await hearth.import(bytes, { replace: true });
    hearth.run("load = false");
    assert.deepEqual((await hearth.exportLegacy()).records[0].data.n, binary(integer(5)), store);
    await hearth.close();
  }
});
