/** printf, the calendar and streams, which are not the C library's here: as the native command has them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { after, describe } from "node:test";
import { Hearth, command, newFolder } from "./testing.js";

process.env.TZ = "Asia/Kolkata"; // no summer time, which the two know by different means, and no whole hours since 1946
const printed = [];
const hearth = await Hearth.open({ print: (line) => printed.push(line), warn: (line) => printed.push(line) });
after(() => hearth.close());

/** Runs Lua code that gives one text, here and natively, and compares the lines. */
function same(code, lines) {
  const file = join(newFolder(), "same.lua");
  writeFileSync(file, `io.write((function() ${code} end)())`);
  const native = spawnSync(command(), ["--store", "memory:", "run", file],
    { encoding: "utf8", maxBuffer: 1 << 28, env: { ...process.env, LC_ALL: "C" } });
  assert.equal(native.status, 0, native.stderr);
  const expected = native.stdout.split("\n"), got = hearth.run(code)[0].split("\n");
  for (let i = 0; i < expected.length; i++) assert.equal(got[i], expected[i]);
  assert.equal(got.length, expected.length);
  assert.ok(got.length >= lines, `${got.length} lines`);
}

/** Lua: `lines` of what `make` gives, `random(n)` and `pick{...}` at hand. */
const repeatedly = (lines, make) => `
  math.randomseed(42)
  local random, out = math.random, {}
  local function pick(t) return t[random(#t)] end
  ${make}
  for i = 1, ${lines} do out[i] = line() end
  return table.concat(out, "\\n")`;

// Not by the operator ^, whose last bit is each library's own.
const NUMBERS = `
  local function ten(n) return tonumber("1e" .. n) end
  local function two(n) return tonumber("0x1p" .. n) end
  local function any()
    local x = string.unpack("d", string.pack("j", random(0)))
    return (x ~= x or x == 1/0 or x == -1/0) and 0.0 or x
  end
  local numbers = {
    any, function() return random() * ten(random(-20, 30)) end,
    function() return random(-2000, 2000) / two(random(0, 12)) end, -- ties
    function() return (random(0, 99999) * 10 + 5) / ten(random(0, 8)) end,
    function() return ten(random(-320, 308)) end, function() return two(random(-1074, 1023)) end,
    function() return random(0) + 0.0 end,
    function() return pick{0.0, -0.0, 1/0, -1/0, 5e-324, 0.1, 1e23, 9.5, 0.5, 1.5, 2.5} end,
  }
  local function flags(from)
    local s = ""
    for _ = 1, random(0, 3) do
      local at = random(#from)
      s = s .. from:sub(at, at)
    end
    return s
  end
  local function size() return pick{"", "", tostring(random(1, 30))} end
`;

describe("string.format", () => {
  test("floats in decimal", () => same(repeatedly(60000, `${NUMBERS}
    local function line()
      local precision = pick{"", "." .. random(0, 20), "." .. random(0, 99)}
      local form = "%" .. flags "-+ #0" .. size() .. precision .. pick{"e", "E", "f", "g", "G"}
      local x = pick(numbers)()
      return form .. " " .. form:format(x)
    end`), 60000));
  test("as tostring shows them", () => same(repeatedly(60000, `${NUMBERS}
    local function line() return tostring(pick(numbers)()) end`), 60000));
  test("floats in hexadecimal", () => same(repeatedly(20000, `${NUMBERS}
    local function line()
      local form = "%" .. flags "-+ #0" .. size() .. pick{"", "", "." .. random(0, 30)} .. pick{"a", "A"}
      local x = pick(numbers)()
      if math.abs(x) < two(-1022) then x = 0.0 end -- below, the first digit is each library's to choose
      return form .. " " .. form:format(x)
    end`), 20000));
  test("integers", () => same(repeatedly(60000, `${NUMBERS}
    local function line()
      local letter = pick{"d", "i", "x", "X", "o"}
      local signed = letter == "d" or letter == "i"
      local form = "%" .. flags(signed and "-+ 0" or "-#0") .. size() .. pick{"", "." .. random(0, 40)} .. letter
      return form .. " " .. form:format(random(0) >> random(0, 63)) .. form:format(0) .. form:format(-random(100))
    end`), 60000));
  test("strings, bytes, pointers and per cent", () => {
    same(repeatedly(5000, `${NUMBERS}
      local function line()
        local form = "%" .. flags "-" .. size() .. pick{"", "." .. random(0, 20)} .. "s%%%-5c|%c"
        return form:format(("abcdefghijklmnopqrstuvwxyz"):sub(1, random(0, 26)), random(33, 126), random(33, 126))
      end`), 5000);
    assert.match(hearth.run("return ('%p'):format({})")[0], /^0x[0-9a-f]{8}$/);
    assert.match(hearth.run("return ('%14p|'):format({})")[0], /^ {4}0x[0-9a-f]{8}\|$/);
    assert.deepEqual(hearth.run("return ('%p %-8p|'):format(1, 2)"), ["(null) (null)  |"]);
    assert.equal(hearth.run("return ('%5.1f|%-5g|%05g'):format(0/0, 1/0, -1/0)")[0].replace("-nan", " nan"),
      "  nan|inf  | -inf");
  });
  test("texts longer than any buffer", () => assert.deepEqual(hearth.run(`local s = ("x"):rep(3000)
    return #("%s%s"):format(s, s), select(2, pcall(error, ("%s"):format(s))) == s`), [6000, true]));
});

describe("numbers", () => {
  test("the remainder of floats", () => same(repeatedly(20000, `${NUMBERS}
    local function line()
      local a, b = pick(numbers)(), pick(numbers)()
      local mod, rest = a % b, math.fmod(a, b)
      return mod ~= mod and "nan" or ("%.17g %.17g"):format(mod, rest)
    end`), 20000));
});

describe("the calendar", () => {
  const letters = "a A b B c C d D e F g G h H I j m M n p r R S t T u U V w W x X y Y z % " +
    "Ec EC Ex EX Ey EY Od Oe OH OI Om OM OS Ou OU OV Ow OW Oy";
  const forms = letters.split(" ").map((letter) => `${letter === "%" ? "" : letter}=%${letter}`).join(" ");
  for (const utc of ["!", ""])
    test(`os.date ${utc === "" ? "in local time" : "in UTC"}`, () => same(repeatedly(8000, `
      local function line()
        local t = random(${utc === "" ? -600000000 : -2100000000}, 2100000000)
        return (os.date("${utc}${forms}", t):gsub("%s", " "))
      end`), 8000));
  test("every day of the 400 years' corners", () => same(repeatedly(1, `
      local function line()
        local days = {}
        for _, year in ipairs{1904, 1999, 2000, 2001, 2004, 2020, 2021, 2026} do
          for day = 1, 366 do
            local noon = os.time{year = year, month = 1, day = day, hour = 12}
            days[#days + 1] = os.date("!%F %j %a %G-%V %g %U %W", noon)
          end
        end
        return table.concat(days, "\\n")
      end`), 8 * 366));
  test("os.time, and the fields that it puts right", () => same(repeatedly(8000, `
    local function line()
      local t = {year = random(1955, 2035), month = random(-20, 30), day = random(-60, 90), hour = random(-50, 50),
        min = random(-200, 200), sec = random(-5000, 5000)}
      local time = os.time(t)
      return ("%d %d-%d-%d %d:%d:%d %d %d"):format(time, t.year, t.month, t.day, t.hour, t.min, t.sec, t.wday, t.yday)
    end`), 8000));
  test("moments that 32 bits do not hold are errors", () => {
    for (const year of [1800, 2050, 100000])
      assert.equal(hearth.run(`return pcall(os.time, {year = ${year}, month = 1, day = 1})`)[0], false);
  });
  test("one locale", () => assert.deepEqual(hearth.run(`
    return os.setlocale(), os.setlocale '', os.setlocale 'C', os.setlocale 'POSIX', os.setlocale 'de_DE'`),
  ["C", "C", "C", "C", undefined]));
});

describe("streams", () => {
  /** What is printed while Lua code runs, and what the code returns. */
  function output(code) {
    printed.length = 0;
    return [hearth.run(code), printed.join("\n")];
  }
  test("what is written comes in its order, however large", () => {
    assert.deepEqual(output(`io.write(("a"):rep(700)) io.write(("b"):rep(700)) io.write(("c"):rep(5000), "\\n")
      print(1, 2.5, true)`), [[], `${"a".repeat(700)}${"b".repeat(700)}${"c".repeat(5000)}\n1\t2.5\ttrue`]);
    assert.deepEqual(output(`io.write(1, " ", 0.1, " ", -7.5, "\\n")`), [[], "1 0.1 -7.5"]);
  });
  test("without a buffer, by lines, and with one", () => {
    for (const mode of ["no", "line", "full"])
      assert.equal(output(`assert(io.stdout:setvbuf("${mode}")) io.write("x\\n") io.write("y") print "z"`)[1], "x\nyz");
    assert.deepEqual(hearth.run("local at, message = io.stdout:seek() return at, type(message)"),
      [undefined, "string"]);
  });
  test("standard input has ended", () => assert.deepEqual(hearth.run(`
    return io.read(), io.read 'a', io.read(0), #io.read 'a', io.lines()(), debug.debug()`),
  [undefined, "", undefined, 0, undefined]));
  test("nothing is read from standard output, or written to standard input", () => {
    assert.deepEqual(hearth.run("local r, message = io.stdout:read() return r, type(message)"), [undefined, "string"]);
    assert.deepEqual(hearth.run("local r, message = io.stdin:write 'x' return r, type(message)"),
      [undefined, "string"]);
  });
  test("no file is opened, made, removed or renamed", () => assert.deepEqual(hearth.run(`
    local all = {}
    for i, f in ipairs{function() return io.open "x" end, io.tmpfile, function() return os.remove "x" end,
        function() return os.rename("x", "y") end, function() return loadfile "x" end} do
      local r, message = f()
      all[i] = r == nil and type(message) == "string"
    end
    all[6], all[7] = not pcall(os.tmpname), not pcall(io.lines, "x")
    return all`), [[true, true, true, true, true, true, true]]));
});
