"""legacy.py HEARTH FIXTURES: real dumps through import-legacy and export-legacy, there and back."""
import json
import os
import re
import sys
import tempfile

sys.dont_write_bytecode = True
from legacy_testing import Testing, as_string, gone, integer, lines, read, table, text, write  # noqa: E402

T = Testing(os.path.abspath(sys.argv[1]))
FIXTURES = os.path.abspath(sys.argv[2])
DUMPS = ["v1f-5b8eb35-web", "v2-a002643-web", "v21-af5905a-web"]


# ---------------------------------------------------------------- the dumps

def expression_of(key):
    """`fn(21)` and `[1]` as the dumps' read-back has them."""
    if key.startswith("["):
        return "_home" + key.replace("\n", "\\n")
    return re.sub(r"^(type\()?(\w)", r"\1_home.\2", key)


def expected_of(shown):
    """What the legacy version said that it read: a kind and a text as DESCRIBE gives them."""
    match = re.fullmatch(r"(integer|float) (\S+)(?: \[([0-9a-f]{16})\])?", shown)
    if match:
        return [match[1], match[3] or match[2]]
    match = re.fullmatch(r'string\(len \d+\) "(.*)"', shown, re.S)
    if match:
        return ["string", match[1].encode("latin-1").decode("unicode_escape").encode("latin-1").hex()]
    return {"nil": ["nil", "nil"], "true": ["boolean", "true"], "false": ["boolean", "false"]}.get(shown, [shown, ""])


# Where the version that wrote the dump read something wrong, or something else than Hearth does by default.
OTHERWISE = {
    "slong": as_string("ab" * 1500),  # its read-back was of a buffer that it had written over
    '["3"]': ["nil", "nil"],          # 1 and "1" were one key; it is the integer now, so that # and ipairs work
    '["10"]': ["nil", "nil"],
    "[2.5]": ["nil", "nil"],          # may have been the string "2.5": it stays text
}
FURTHER = {
    "_home[3]": as_string("three"), "_home[10]": as_string("ten"), '_home["2.5"]': as_string("two and a half"),
    "#_home": ["integer", "3"],
    "rawequal(_home.fnup(), _G)": ["boolean", "true"],  # upvalues were never stored, and the first becomes the globals
    "pcall(_home.cfn)": ["boolean", "false"],           # trapped the WebAssembly instance
    "tostring(select(2, pcall(_home.cfup))):find('cfup', 1, true) ~= nil": ["boolean", "true"],
}


def test_readback(name):
    dump = json.loads(read(f"{FIXTURES}/{name}.json"))
    expected = {key: expected_of(shown) for key, shown in dump["readbackBySameVersion"].items()}
    T.check(len(expected) > 40, f"{name}: values to read back")
    expected = {expression_of(key): OTHERWISE.get(key, value) for key, value in expected.items()}
    expected.update(FURTHER)
    out, err = T.import_new(f"{FIXTURES}/{name}.json")
    deprecated = 'hearth: warning: [Deprecated] Using legacy "memoryTableId" - please migrate to "homeTableId"\n'
    T.equal(f"{name}: warnings", err, deprecated if name.startswith("v1f") else "")
    saved_at = {"1f": "2026-11-22T15:30:15.016Z", "2-": "2026-11-22T15:30:17.645Z", "21": "2026-11-22T15:30:21.487Z"}
    size, rest = ("8 tables, 67 entries", "") if "v21" in name else ("1 table, 40 entries", " unreachable 1,")
    T.equal(f"{name}: summary", out.decode(),
            f"imported {size}, saved at {saved_at[name[1:3]]}; function 2, key 1,{rest} upvalues 1"
            " (--report lists them)\n")
    actual = T.describe("file:s.hearth", list(expected))
    T.equal(f"{name}: how many", len(actual), len(expected))
    for (key, wanted), got in zip(expected.items(), actual):
        T.equal(f"{name}: {key}", got, wanted)
    T.run("--store", "file:s.hearth", "verify")
    T.equal(f"{name}: get", T.run("--store", "file:s.hearth", "get", "ibig")[0], b"9007199254740993\n")
    T.equal(f"{name}: get", T.run("--store", "file:s.hearth", "get", "--raw", "sbin")[0], b"\xff\xfe\x80")
    T.equal(f"{name}: get", T.run("--store", "file:s.hearth", "get", "f01")[0], b"0.1\n")


def test_other_keys():
    dump = f"{FIXTURES}/{DUMPS[2]}.json"
    T.import_new(dump, "--keys", "text")
    T.equal("--keys text", T.describe("file:s.hearth", ['_home["3"]', '_home["1"]', "_home[1]", '_home["2.5"]',
            '_home.arr["3"]']),
            [as_string("three"), as_string("one"), ["nil", "nil"], as_string("two and a half"), ["integer", "30"]])
    out, _ = T.import_new(dump, "--keys=number", "--report")
    T.check('"2.5"' not in out.decode(), "--keys number: nothing to say about the key")
    T.equal("--keys number", T.describe("file:s.hearth", ["_home[2.5]", '_home["2.5"]', "_home[3]"]),
            [as_string("two and a half"), ["nil", "nil"], as_string("three")])
    T.import_new(dump, "--keys=integer")
    T.equal("--keys integer", T.describe("file:s.hearth", ["_home[3]", '_home["2.5"]']),
            [as_string("three"), as_string("two and a half")])


def test_unreachable():
    T.import_new(f"{FIXTURES}/{DUMPS[0]}.json", "--unreachable", "left over")
    T.equal("--unreachable", T.describe("file:s.hearth", ['_home["left over"][2].name', '_home["left over"][2][1]']),
            [as_string("ext"), as_string("first")])
    T.fails(1, "has an entry 's'", "--store", "file:u.hearth", "import-legacy", f"{FIXTURES}/{DUMPS[1]}.json",
            "--unreachable", "s")
    T.check(gone("u.hearth"), "--unreachable with a name that is there: a store was left")


# --------------------------------------------------------------- there and back

def without_time(exported):
    return re.sub(rb'"savedAt":"[^"]*"', b'"savedAt":""', exported)


def same_records(left, right):
    """Are these the same entries, but for deleted ones and the tables' numbers? From the home table on."""
    left, right = ({record["id"]: record["data"] for record in records} for records in (left, right))
    seen, queue, entries = {1: 1}, [(1, 1)], 0
    while queue:
        a, b = queue.pop()
        one = {key: v["data"] for key, v in left.get(a, {}).items() if v["data"][0] != 0}
        other = {key: v["data"] for key, v in right.get(b, {}).items()}
        if not T.equal(f"keys of table {a}", sorted(other), sorted(one)):
            return -1
        for key, data in one.items():
            if data[0] == 7:
                to = [int.from_bytes(bytes(d[1:]), "little") for d in (data, other[key])]
                if to[0] not in seen:
                    seen[to[0]] = to[1]
                    queue.append(to)
                data, other[key] = [7, seen[to[0]]], [7, to[1]]
            if key == "fnup":  # its first upvalue is the globals table now, and the chunk says so
                T.equal("upvalue 1: in the stack of the function around it", data[-8], 1)
                data = [*data[:-8], 0, *data[-7:]]
            T.equal(f"bytes of {a}.{key}", other[key], data)
            entries += 1
    return entries


def test_round_trip(name):
    dump = json.loads(read(f"{FIXTURES}/{name}.json"))["database"]["objectStores"][0]["records"]
    T.import_new(f"{FIXTURES}/{name}.json")
    before = read("s.hearth")
    exported, _ = T.run("--store", "file:s.hearth", "export-legacy")
    T.equal(f"{name}: exported again", T.run("--store", "file:s.hearth", "export-legacy")[0], exported)
    T.equal(f"{name}: exporting changed the store", read("s.hearth"), before)
    records = json.loads(exported)
    T.equal(f"{name}: entries compared", same_records(dump, records), 67 if "v21" in name else 40)
    stat = T.run("--store", "file:s.hearth", "stat")[0].decode()
    last = records[-1]["data"]
    T.equal(f"{name}: metadata", {key: last[key] for key in ("homeTableId", "memoryTableId", "tableCount", "tableIds")},
            {"homeTableId": 1, "memoryTableId": 1, "tableCount": len(records) - 1,
             "tableIds": [record["id"] for record in records[:-1]]})
    T.check(last["savedAt"][:-1].replace("T", " ") in stat, f"{name}: {last['savedAt']} in {stat}")

    write("1.json", exported)
    T.run("--store", "file:t.hearth", "import-legacy", "1.json")
    T.equal(f"{name}: the same home table", T.canonical("file:t.hearth"), T.canonical("file:s.hearth"))
    again, _ = T.run("--store", "file:t.hearth", "export-legacy")
    T.equal(f"{name}: the same records", without_time(again), without_time(exported))
    dumps = []
    for store in "st":
        write(f"{store}.blob", T.canonical(f"file:{store}.hearth"))
        dumps.append(T.run("dump", f"{store}.blob")[0])
    T.check(dumps[0] == dumps[1] and len(dumps[0]) > 1000, f"{name}: the dump says the same")

    arrays, _ = T.run("--store", "file:s.hearth", "export-legacy", "--uint8array")
    T.check(b'"_type"' not in arrays and arrays.count(b'"$uint8array"') == exported.count(b'"_type"'),
            f"{name}: --uint8array")
    os.remove("t.hearth")
    T.run("--store", "file:t.hearth", "import-legacy", "-", stdin=arrays)
    T.equal(f"{name}: the same from --uint8array", T.canonical("file:t.hearth"), T.canonical("file:s.hearth"))
    os.remove("t.hearth")


def test_file():
    T.import_new(f"{FIXTURES}/{DUMPS[2]}.json")
    expected, _ = T.run("--store", "file:s.hearth", "export-legacy")
    out, err = T.run("--store", "file:s.hearth", "export-legacy", "new.json", "--report")
    T.equal("a file has the same", read("new.json"), expected)
    T.check(re.fullmatch(rb"new.json: 9 tables, 67 entries, saved at \S+Z\n", out), out)
    inner = "tables in tables (8) are written: version 2.1 reads them, 2.0 does not; runtime \"2.0\" leaves them out"
    T.equal("report of an export", lines(err), [["1", "-", "table", inner]] + [
        ["1", f'"{key}"', "function", "a C function that an import could not tell: it raises when it is called"]
        for key in ("cfn", "cfup")])
    T.fails(1, "new.json", "--store", "file:s.hearth", "export-legacy", "new.json")
    T.equal("it was not written over", read("new.json"), expected)
    T.fails(1, "nowhere/x.json", "--store", "file:s.hearth", "export-legacy", "nowhere/x.json")
    T.fails(1, ".: cannot make it", "--store", "file:s.hearth", "export-legacy", ".")
    _, err = T.run("--store", "file:s.hearth", "export-legacy")
    T.equal("a warning without --report", err,
            "hearth: warning: not all is in it as it is: function 2, table 1 (--report lists it)\n")


def test_two_versions():
    write("w.lua", "_home.a = {1} _home.b = 'x'")
    T.run("--store", "file:v.hearth", "run", "w.lua")
    out, err = T.run("--store", "file:v.hearth", "export-legacy", "--runtime", "2.0", "--report")
    T.equal("--runtime 2.0", json.loads(out)[0], {"id": 1, "data": {"b": text("x")}})
    T.equal("--runtime 2.0", [line[:3] for line in lines(err)], [["1", '"a"', "table"]])
    out, err = T.run("--store", "file:v.hearth", "export-legacy", "--runtime=2.1", "--report")
    T.equal("--runtime 2.1", [r["data"] for r in json.loads(out)][:2],
            [{"a": table(3), "b": text("x")}, {"1": integer(1)}])
    T.equal("only that 2.0 does not read tables in tables", [line[1:3] for line in lines(err)], [["-", "table"]])


# ------------------------------------------------- what legacy records cannot hold

LOSSES = r"""
local shared, n = {1}, 5
_home.a, _home.b, _home.self = shared, shared, _home
_home.class = setmetatable({x = 1}, {__index = {}})
_home.counter = function() n = n + 1 return n end
_home.pure = function(x) return string.upper(x) end
_home.print, _home.out = print, io.stdout
_home[true], _home[shared], _home[print], _home[""] = 1, 2, 3, 4
_home[2.5], _home[0.1 + 0.2] = "f", "precise"
_home["7"], _home[1], _home["1"] = "digits", "number", "text"
_home["\xff"], _home["\u{FEFF}bom"], _home.__ext_table_id, _home[("k"):rep(16385)] = 1, 2, 3, 4
_home.long, _home.fits = ("x"):rep(16380), ("x"):rep(16379)
_home.ext = ext.table()
_home.ext.deep, _home.again = {down = {1}}, _home.ext
_home.float, _home.minus, _home.empty, _home["a\tb\n\0"] = 2.0, -0.0, {}, print
"""
# What is reported: the key, as printed, and the kind. In the order of keys as bytes.
LOST = [
    ('"\\"\\""', "key"), ('"\\"\\xef\\xbb\\xbfbom\\""', "key"), ('"\\"\\xff\\""', "key"),
    ('"\\"__ext_table_id\\""', "key"), ('"0.3"', "key"), ('"1"', "collision"), ('"2.5"', "key"), ('"7"', "key"),
    ('"a\\x09b\\n\\x00"', "function"), ('"b"', "identity"), ('"counter"', "upvalues"), ('"ext"', "identity"),
    ("-", "table"), ('"long"', "long"), ('"out"', "userdata"), ('"print"', "function"), ('"self"', "identity"),
    ('"true"', "key"),
]


def test_losses():
    write("l.lua", LOSSES)
    T.run("--store", "file:l.hearth", "run", "l.lua")
    out, err = T.run("--store", "file:l.hearth", "export-legacy", "--report")
    report = lines(err)
    T.check(all(len(line) == 4 and line[3] for line in report), "four fields a line")
    shown = [(line[1].replace("\\xef\\xbb\\xbf", "\\xef\\xbb\\xbf"), line[2]) for line in report if line[0] == "1"]
    nameless = [key for key, _ in shown if key in ('"(a table)"', '"(a function)"')]
    T.equal("keys that are a table or a function", len(nameless), 2)
    T.check(('"\\"' + "k" * 16385 + '\\""', "key") in shown, "the longest key")
    T.equal("what is lost of the home table", sorted(s for s in shown if s[0] not in nameless and "kkk" not in s[0]),
            sorted(LOST))
    others = [(line[1], line[2]) for line in report if line[0] != "1"]
    T.equal("what is lost of other tables", others, [("-", "metatable")])
    data = json.loads(out)[0]["data"]
    T.equal("kept entries", sorted(data), sorted(
        ["1", "2.5", "7", "a", "again", "b", "class", "counter", "empty", "ext", "fits", "float", "long", "minus",
        "print",
         "pure", "self", "a\tb\n\0"]))
    T.equal("a number wins", data["1"], text("number"))
    T.equal("floats stay floats", [data["float"]["data"][0], bytes(data["minus"]["data"])],
            [3, b"\3\0\0\0\0\0\0\0\x80"])
    T.equal("a shared table", data["a"], data["b"])
    T.equal("an external table", data["ext"], data["again"])
    T.equal("the home table in itself", data["self"], table(1))
    write("l.json", out)
    T.import_new("l.json")
    T.equal("it comes back", T.describe("file:s.hearth", [
        "rawequal(_home.a, _home.b)", "rawequal(_home.self, _home)", "_home.ext.deep.down[1]", "_home.pure 'x'",
        "_home.float",
        "next(_home.empty)", "#_home.long", "math.type(_home.float)"]),
            [["boolean", "true"], ["boolean", "true"], ["integer", "1"], as_string("X"), ["float", "4000000000000000"],
             ["nil", "nil"], ["integer", "16380"], as_string("float")])
    _, err = T.run("--store", "file:l.hearth", "export-legacy")
    T.equal("a warning without --report", err, "hearth: warning: not all is in it as it is: collision 1, function 2, "
            "identity 3, key 11, long 1, metatable 1, table 1, upvalues 1, userdata 1 (--report lists it)\n")


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    for dump_name in DUMPS:
        test_readback(dump_name)
        test_round_trip(dump_name)
    for test in (test_other_keys, test_unreachable, test_file, test_two_versions, test_losses):
        test()
    os.chdir("/")
T.finish()
