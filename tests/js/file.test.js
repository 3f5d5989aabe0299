/** Node's files: the same files as the native library's, with the same owner and the same errors. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { describe } from "node:test";
import { Hearth, command, failure, gone, lineOf, newFolder, runCommand, runNode, startNode } from "./testing.js";

/* A store with every kind of value, and what tells that all of it works: text, the same wherever it runs. */
const FILL = `
  local n, shared = 0, { "shared" }
  _home.numbers = { 0, -1, 2^53, math.maxinteger, math.mininteger, 0.1, -0.0, 1/0, -1/0 }
  _home.texts = { "", "text", "\\0\\xff\\xfe", ("long "):rep(5000), "ü€😀" }
  _home.keys = { [true] = 1, [1.5] = 2, [-7] = 3, ["a b"] = 4, [shared] = 5 }
  _home.count = function() n = n + 1 return n end
  _home.peek = function() return n end
  _home.a, _home.b = shared, { shared }
  _home.cycle = {} _home.cycle.self = _home.cycle
  local Class = {} Class.__index = Class
  function Class:name() return "class " .. self.n end
  _home.object = setmetatable({ n = 7 }, Class)
  _home.big = {} for i = 1, 5000 do _home.big[i] = i * 3 _home.big["k" .. i] = "v" .. i end
  _home.libraries = { print, string, math.sin, _G, io.stdout }
  _home.external = ext.table() _home.external.k = { deep = { 1, 2 } }
  _home.vararg = function(...) return select("#", ...), ... end
  _home.count() _home.count()`;
const TELL = `
  local h, out = _home, {}
  for i, v in ipairs(h.numbers) do out[#out + 1] = math.type(v) .. string.format("%q", v) end
  for _, s in ipairs(h.texts) do
    out[#out + 1] = #s .. ":" .. s:sub(1, 4):gsub("[^%w]", function(c) return "<" .. c:byte() .. ">" end)
  end
  out[#out + 1] = tostring(h.keys[true] + h.keys[1.5] + h.keys[-7] + h.keys["a b"] + h.keys[h.a])
  out[#out + 1] = h.count() .. " " .. h.peek()
  out[#out + 1] = tostring(h.a == h.b[1]) .. tostring(h.cycle.self == h.cycle) .. h.object:name()
  local sum, keys = 0, 0 for k, v in pairs(h.big) do if math.type(k) then sum = sum + v else keys = keys + #v end end
  out[#out + 1] = sum .. " " .. keys
  out[#out + 1] = tostring(h.libraries[1] == print and h.libraries[2] == string and h.libraries[3] == math.sin
    and h.libraries[4] == _G and h.libraries[5] == io.stdout)
  out[#out + 1] = #h.external.k.deep .. " " .. table.concat({ h.vararg(1, "x", 3) }, ",")
  return table.concat(out, "|")`;
const native = (path, code, options) => runCommand(["--store", `file:${path}`, "eval", code], options);
const inNode = async (path, f, options) => {
  const hearth = await Hearth.open({ store: `file:${path}`, ...options });
  try {
    return await f(hearth);
  } finally {
    await hearth.close();
  }
};
const exported = (path, to) => {
  runCommand(["--store", `file:${path}`, "export", to]);
  return readFileSync(to);
};

describe("one file, two builds", () => {
  test("written in Node, everything works natively", async () => {
    const path = join(newFolder(), "node.hearth");
    const told = await inNode(path, async (hearth) => {
      hearth.run(FILL);
      await hearth.commit();
      const [text] = hearth.run(TELL); // counts
      await hearth.rollback();
      return text;
    });
    assert.ok(told.includes("integer0") && told.includes("true") && told.includes("class 7"), told);
    runCommand(["--store", `file:${path}`, "verify"]);
    assert.equal(native(path, TELL), `${told}\n`);
    assert.equal(await inNode(path, (hearth) => hearth.run("return _home.peek()")[0]), 3, "the command committed");
    runCommand(["--store", `file:${path}`, "verify"]);
  });
  test("written natively, everything works in Node", async () => {
    const folder = newFolder(), path = join(folder, "native.hearth");
    native(path, FILL);
    const copy = join(folder, "copy.hearth");
    writeFileSync(copy, readFileSync(path));
    const told = native(copy, TELL);
    await inNode(path, async (hearth) => {
      assert.equal(`${hearth.run(TELL)[0]}\n`, told);
      await hearth.commit();
    });
    assert.equal(native(path, "return _home.peek()"), "3\n");
  });
  test("exports are the same bytes, and go both ways", async () => {
    const folder = newFolder(), path = join(folder, "one.hearth");
    native(path, FILL);
    const natively = exported(path, join(folder, "native.export"));
    const bytes = await inNode(path, (hearth) => hearth.export());
    assert.deepEqual(Buffer.from(bytes), natively);
    writeFileSync(join(folder, "node.export"), bytes);
    runCommand(["--store", `file:${join(folder, "two.hearth")}`, "import", join(folder, "node.export")]);
    assert.equal(native(join(folder, "two.hearth"), "return _home.peek()"), "2\n");
    const memory = await Hearth.open();
    await memory.import(natively);
    assert.deepEqual(Buffer.from(await memory.export()), natively);
    await memory.import(readFileSync(path), { replace: true });
    assert.equal(memory.run("return _home.peek()")[0], 2, "a store's file is taken too");
    await memory.close();
  });
  test("many turns, one after the other", async () => {
    const path = join(newFolder(), "turns.hearth");
    for (let i = 1; i <= 5; i++) {
      await inNode(path, async (hearth) => {
        hearth.run("_home.n = (_home.n or 0) + 1 _home.log = _home.log or {} " +
          "table.insert(_home.log, function() return _home.n end)");
        await hearth.commit();
        if (i % 2) await hearth.compact();
      });
      assert.equal(native(path, "_home.n = _home.n + 1 return _home.log[#_home.log]()"), `${2 * i}\n`);
    }
  });
});

describe("permissions", { skip: process.platform === "win32" }, () => {
  const look = (path) => {
    const { mode, uid, gid, ino } = fs.statSync(path);
    return { permissions: (mode & 0o777).toString(8), uid, gid, ino };
  };
  for (const mode of [0o600, 0o640, 0o666])
    test(`${mode.toString(8)} stays so when it is compacted`, async () => {
      const path = join(newFolder(), "permissions.hearth");
      await inNode(path, async (hearth) => {
        hearth.run("_home.x = 1");
        await hearth.commit();
      });
      fs.chmodSync(path, mode);
      if (process.getuid() === 0) fs.chownSync(path, 1234, 2345);
      const before = look(path);
      await inNode(path, (hearth) => hearth.compact());
      const { ino, ...after } = look(path);
      assert.notEqual(ino, before.ino, "it is the same file");
      assert.deepEqual(after, { permissions: mode.toString(8), uid: before.uid, gid: before.gid });
    });
  test("a torn tail is kept as the store is", async () => {
    const folder = newFolder(), path = join(folder, "torn.hearth");
    await inNode(path, async (hearth) => {
      hearth.run("_home.x = 1");
      await hearth.commit();
    });
    fs.chmodSync(path, 0o600);
    fs.appendFileSync(path, "torn");
    await inNode(path, async (hearth) => {
      hearth.run("_home.x = 2");
      await hearth.commit();
    });
    const tails = fs.readdirSync(folder).filter((name) => name.includes("tail"));
    assert.equal(tails.length, 1);
    assert.equal(look(join(folder, tails[0])).permissions, "600");
  });
});

const HOLD = `
  const hearth = await Hearth.open({ store: "file:" + process.argv[1] });
  hearth.run("_home.x = 'acknowledged'");
  await hearth.commit();
  hearth.run("_home.x = 'never committed'");
  console.log("ready");
  setInterval(() => {}, 1000);`;
const HOLD_NATIVELY = `_home.x = "acknowledged"
  print "ready" io.stdout:flush()
  io.read "l"`;

describe("one owner", () => {
  test("a native process has it: busy in Node, until it ends", async () => {
    const path = join(newFolder(), "owned.hearth");
    const owner =
      spawn(command(), ["--store", `file:${path}`, "eval", HOLD_NATIVELY], { stdio: ["pipe", "pipe", "inherit"] });
    try {
      assert.equal(await lineOf(owner), "ready");
      await assert.rejects(Hearth.open({ store: `file:${path}` }), failure("busy", "owned.hearth"));
    } finally {
      owner.stdin.end("\n");
      await gone(owner);
    }
    assert.equal(await inNode(path, (hearth) => hearth.get("_home.x")), "acknowledged");
  });
  test("Node has it: busy natively, in another node and under another name", async () => {
    const folder = newFolder(), path = join(folder, "owned.hearth");
    await inNode(path, async (hearth) => {
      assert.match(native(path, "return 1", { status: 3 }), /owned\.hearth/);
      symlinkSync(folder, `${folder}-link`);
      await assert.rejects(Hearth.open({ store: `file:${folder}-link/owned.hearth` }), failure("busy"));
      assert.equal(
        runNode("await Hearth.open({ store: 'file:' + process.argv[1] }).catch((e) => console.log(e.code))",
          { args: [path] }), "busy\n");
      hearth.run("_home.still = 'mine'");
      await hearth.commit();
    });
    assert.equal(native(path, "return _home.still"), "mine\n");
    assert.ok(!existsSync(`${path}.owner`));
  });
  test("an owner that was killed is succeeded: native, then Node", async () => {
    const path = join(newFolder(), "killed.hearth");
    await inNode(path, async (hearth) => {
      hearth.run("_home.x = 'before'");
      await hearth.commit();
    });
    const owner =
      spawn(command(), ["--store", `file:${path}`, "eval", HOLD_NATIVELY], { stdio: ["pipe", "pipe", "inherit"] });
    await lineOf(owner);
    owner.kill("SIGKILL");
    await gone(owner);
    assert.ok(existsSync(`${path}.owner`));
    assert.equal(await inNode(path, (hearth) => hearth.get("_home.x")), "before");
  });
  test("an owner that was killed is succeeded: Node, then native, then Node", async () => {
    const path = join(newFolder(), "killed.hearth");
    for (const next of [() => native(path, "return _home.x").trim(),
      () => inNode(path, (hearth) => hearth.get("_home.x"))]) {
      const owner = startNode(HOLD, { args: [path] });
      try {
        assert.equal(await lineOf(owner), "ready");
        assert.match(native(path, "return 1", { status: 3 }), /killed\.hearth/);
      } finally {
        owner.kill("SIGKILL");
        await gone(owner);
      }
      assert.equal(await next(), "acknowledged");
    }
  });
  test("killed while it commits, 50 times: nothing acknowledged is lost, nothing is half there", async () => {
    const path = join(newFolder(), "killed.hearth");
    const commits = `
      const hearth = await Hearth.open({ store: "file:" + process.argv[1] });
      hearth.run("_home.n = _home.n or 0 _home.t = _home.t or {} function step() _home.n = _home.n + 1 " +
        "_home.t[_home.n % 50] = ('x'):rep(_home.n % 700) _home.check = _home.n end");
      for (;;) {
        hearth.call("step");
        await hearth.commit({ durability: "complete" });
        fs.writeSync(1, hearth.get("_home.n") + "\\n");
      }`;
    let least = 0;
    for (let round = 0; round < 50; round++) {
      const child = startNode(commits, { args: [path] });
      let text = "";
      child.stdout.on("data", (bytes) => { text += bytes; });
      await lineOf(child);
      await new Promise((resolve) => setTimeout(resolve, (round * 7) % 40));
      child.kill("SIGKILL");
      await gone(child);
      await new Promise((resolve) => (child.stdout.readableEnded ? resolve() : child.stdout.once("end", resolve)));
      const acknowledged = Number(text.slice(0, text.lastIndexOf("\n")).split("\n").at(-1));
      assert.ok(acknowledged > least, `round ${round}: ${acknowledged}`);
      const [n, check, size] =
        await inNode(path, (hearth) => hearth.run("return _home.n, _home.check, #_home.t[_home.n % 50]"));
      assert.ok(n === acknowledged || n === acknowledged + 1,
        `round ${round}: ${acknowledged} acknowledged, ${n} there`);
      assert.deepEqual([check, size], [n, n % 700]);
      least = n;
    }
    runCommand(["--store", `file:${path}`, "verify"]);
  });
});

describe("what goes wrong", () => {
  test("a full disk is full, and the store usable", async () => {
    const path = join(newFolder(), "full.hearth");
    const code = `
      const hearth = await Hearth.open({ store: "file:" + process.argv[1] });
      hearth.run("_home.x = 'small'");
      await hearth.commit();
      hearth.run("_home.big = ('x'):rep(8 << 20)");
      await assert.rejects(hearth.commit(), { code: "full" });
      await assert.rejects(hearth.commit(), { code: "full" });
      assert.equal(hearth.failure, undefined);
      hearth.run("_home.big = nil _home.x = 'after'");
      await hearth.commit();
      await hearth.close();
      const again = await Hearth.open({ store: "file:" + process.argv[1] });
      console.log(again.get("_home.x"), again.get("_home.big"));
      await again.close();`;
    const script = join(newFolder(), "full.mjs");
    const url = JSON.stringify((await import("./testing.js")).packageURL);
    writeFileSync(script, 'import assert from "node:assert/strict"; ' +
      `const { Hearth } = await import(${url});${code.replaceAll("argv[1]", "argv[2]")}`);
    const four = 'ulimit -f 4096; exec "$0" "$@"'; // 4 MiB
    const child = spawnSync("bash", ["-c", four, process.execPath, script, path], { encoding: "utf8" });
    assert.equal(child.stdout, "after undefined\n", child.stderr);
    assert.equal(native(path, "return _home.x"), "after\n");
  });
  test("no folder, a folder, a text, somebody else's: the codes are those of the native library", async () => {
    const folder = newFolder();
    writeFileSync(join(folder, "text"), "This is a text. ".repeat(100));
    writeFileSync(join(folder, "empty"), "");
    mkdirSync(join(folder, "folder"));
    const lua = `local path, options = ...
      local readonly, create = options == "readonly" or nil, options ~= "nocreate" and nil
      return (select(3, require "hearth".open("file:" .. path, { readonly = readonly, create = create })))`;
    const places = ["no/such/folder/x", "folder", "text", "text/below", "empty", "absent", `${"x".repeat(300)}`];
    for (const place of places) {
      for (const mode of ["readonly", "nocreate", "write"]) {
        if (mode === "write" && (place === "empty" || place === "absent")) continue; // it becomes a store
        const path = join(folder, place);
        const natively = runCommand(["--store", "memory:", "eval", lua, path, mode]).trim();
        const options = { readonly: mode === "readonly" || undefined, create: mode === "nocreate" ? false : undefined };
        const code = await Hearth.open({ store: `file:${path}`, ...options })
          .then(async (hearth) => { await hearth.close(); return "nil"; }, (error) => error.code);
        assert.equal(code, natively, `${place.slice(0, 40)} ${mode}`);
      }
    }
    assert.equal(readFileSync(join(folder, "text"), "utf8").slice(0, 15), "This is a text.");
  });
  const skip = process.getuid() !== 0 && "needs root, who becomes nobody";
  test("a folder that may not be written", { skip }, async () => {
    const folder = newFolder(), path = join(folder, "s.hearth");
    native(path, "_home.x = 1");
    for (let up = folder; up !== "/tmp" && up.length > 4; up = join(up, "..")) chmodSync(up, 0o755);
    chmodSync(path, 0o644);
    const code = `process.setgid(65534); process.setuid(65534);
      for (const options of [{}, { readonly: true }, { store: "file:" + process.argv[1] + ".new" }])
        console.log(await Hearth.open({ store: "file:" + process.argv[1], ...options })
          .then((h) => "open " + h.get("_home.x"), (e) => e.code));`;
    const lines = runNode(code, { args: [path] }).trim().split("\n");
    const lua = `for _, p in ipairs { {(...)}, {(...), {readonly = true}}, {(...) .. ".new"} } do
      local s, _, code = require "hearth".open("file:" .. p[1], p[2]) print(s and "open " .. s.home.x or code) end`;
    const child =
      spawnSync(command(), ["--store", "memory:", "eval", lua, path], { encoding: "utf8", uid: 65534, gid: 65534 });
    if (child.error === undefined && child.status === 0) assert.deepEqual(lines, child.stdout.trim().split("\n"));
    assert.equal(lines[1], "open 1");
  });
});

test("the text that tells says something", async () => {
  const hearth = await Hearth.open();
  hearth.run(FILL);
  const [told] = hearth.run(TELL);
  assert.ok(told.startsWith("integer0|integer-1|float0x1p+53|") && told.endsWith("|true|2 3,1,x,3"), told);
  await hearth.close();
});
