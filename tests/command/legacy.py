"""legacy.py HEARTH FIXTURES JSON: import-legacy and export-legacy as a user runs them. JSON: "yes" with Jansson."""
import json
import os
import re
import resource
import signal
import sys
import tempfile

from legacy_testing import Testing, gone, read, write

HEARTH, FIXTURES = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
T = Testing(HEARTH)
os.environ.pop("HEARTH_STORE", None)
DUMPS = ["v1f-5b8eb35-web", "v2-a002643-web", "v21-af5905a-web"]


def text(value):
    """A string as a legacy record has it."""
    value = value.encode() if isinstance(value, str) else value
    return {"_type": "binary", "data": [4, *len(value).to_bytes(4, "little"), *value]}


def integer(value):
    return {"_type": "binary", "data": [2, *value.to_bytes(8, "little", signed=True)]}


def table(number):
    return {"_type": "binary", "data": [7, *number.to_bytes(4, "little")]}


def metadata(**fields):
    return {"id": "__metadata__", "data": fields}


def put_json(path, value):
    write(path, json.dumps(value))


def import_new(dump, *options, **more):
    """Imports into the store s.hearth, which is made anew."""
    for name in ("s.hearth", "s.hearth.ballast"):
        if os.path.exists(name):
            os.remove(name)
    return T.run("--store", "file:s.hearth", "import-legacy", dump, *options, **more)


def lines(report):
    """A printed report, as lists."""
    return [line.split("\t") for line in report.splitlines()]


# ---------------------------------------------------------------- the dumps

# What a value is, for expressions that it gets from standard input: `expression TAB kind TAB text`.
DESCRIBE = r"""
for expression in _home_expressions:gmatch "[^\0]+" do
  local ok, value = pcall(load("return " .. expression))
  if not ok then value = nil end
  local kind = math.type(value) or type(value)
  local shown = tostring(value)
  if kind == "float" then shown = string.format("%016x", (string.unpack("<i8", (string.pack("<d", value))))) end
  if kind == "string" then shown = value:gsub(".", function(c) return string.format("%02x", c:byte()) end) end
  if kind == "table" or kind == "function" then shown = "" end
  io.write(expression:gsub("\n", "\\n"), "\t", kind, "\t", shown, "\n")
end
"""


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


def describe(store, expressions):
    code = "local _home_expressions = " + lua_text("\0".join(expressions)) + "\n" + DESCRIBE
    out, _ = T.run("--store", store, "run", "-", stdin=code.encode())
    return [line.split("\t")[1:] for line in out.decode().splitlines()]


def lua_text(value):
    return '"' + "".join(f"\\x{byte:02x}" for byte in value.encode()) + '"'


def as_string(value):
    return ["string", value.encode().hex()]


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
    out, err = import_new(f"{FIXTURES}/{name}.json")
    deprecated = 'hearth: warning: [Deprecated] Using legacy "memoryTableId" - please migrate to "homeTableId"\n'
    T.equal(f"{name}: warnings", err, deprecated if name.startswith("v1f") else "")
    saved_at = {"1f": "2026-11-22T15:30:15.016Z", "2-": "2026-11-22T15:30:17.645Z", "21": "2026-11-22T15:30:21.487Z"}
    size, rest = ("8 tables, 67 entries", "") if "v21" in name else ("2 tables, 43 entries", " unreachable 1,")
    T.equal(f"{name}: summary", out.decode(), f"imported {size}, saved at {saved_at[name[1:3]]}; function 2, key 1,{rest}"
            " upvalues 1 (--report lists them)\n")
    actual = describe("file:s.hearth", list(expected))
    T.equal(f"{name}: how many", len(actual), len(expected))
    for (key, wanted), got in zip(expected.items(), actual):
        T.equal(f"{name}: {key}", got, wanted)
    T.run("--store", "file:s.hearth", "verify")
    T.equal(f"{name}: get", T.run("--store", "file:s.hearth", "get", "ibig")[0], b"9007199254740993\n")
    T.equal(f"{name}: get", T.run("--store", "file:s.hearth", "get", "--raw", "sbin")[0], b"\xff\xfe\x80")
    T.equal(f"{name}: get", T.run("--store", "file:s.hearth", "get", "f01")[0], b"0.1\n")


def test_other_keys():
    dump = f"{FIXTURES}/{DUMPS[2]}.json"
    import_new(dump, "--keys", "text")
    T.equal("--keys text", describe("file:s.hearth", ['_home["3"]', '_home["1"]', "_home[1]", '_home["2.5"]', '_home.arr["3"]']),
            [as_string("three"), as_string("one"), ["nil", "nil"], as_string("two and a half"), ["integer", "30"]])
    out, _ = import_new(dump, "--keys=number", "--report")
    T.check('"2.5"' not in out.decode(), "--keys number: nothing to say about the key")
    T.equal("--keys number", describe("file:s.hearth", ["_home[2.5]", '_home["2.5"]', "_home[3]"]),
            [as_string("two and a half"), ["nil", "nil"], as_string("three")])
    import_new(dump, "--keys=integer")
    T.equal("--keys integer", describe("file:s.hearth", ["_home[3]", '_home["2.5"]']),
            [as_string("three"), as_string("two and a half")])


def test_unreachable():
    import_new(f"{FIXTURES}/{DUMPS[0]}.json", "--unreachable", "left over")
    T.equal("--unreachable", describe("file:s.hearth", ['_home["left over"][2].name', '_home["left over"][2][1]']),
            [as_string("ext"), as_string("first")])
    T.fails(1, "has an entry 's'", "--store", "file:u.hearth", "import-legacy", f"{FIXTURES}/{DUMPS[1]}.json",
            "--unreachable", "s")
    T.check(gone("u.hearth"), "--unreachable with a name that is there: a store was left")


# --------------------------------------------------------------- there and back

def canonical(store):
    """The whole home graph as bytes that say nothing of where it is stored."""
    return T.run("--store", store, "run", "-", stdin=b'io.write(require "hearth".encode(_home, {canonical = true}))')[0]


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
    import_new(f"{FIXTURES}/{name}.json")
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
    T.equal(f"{name}: the same home table", canonical("file:t.hearth"), canonical("file:s.hearth"))
    again, _ = T.run("--store", "file:t.hearth", "export-legacy")
    T.equal(f"{name}: the same records", without_time(again), without_time(exported))
    dumps = []
    for store in "st":
        write(f"{store}.blob", canonical(f"file:{store}.hearth"))
        dumps.append(T.run("dump", f"{store}.blob")[0])
    T.check(dumps[0] == dumps[1] and len(dumps[0]) > 1000, f"{name}: the dump says the same")

    arrays, _ = T.run("--store", "file:s.hearth", "export-legacy", "--uint8array")
    T.check(b'"_type"' not in arrays and arrays.count(b'"$uint8array"') == exported.count(b'"_type"'), f"{name}: --uint8array")
    os.remove("t.hearth")
    T.run("--store", "file:t.hearth", "import-legacy", "-", stdin=arrays)
    T.equal(f"{name}: the same from --uint8array", canonical("file:t.hearth"), canonical("file:s.hearth"))
    os.remove("t.hearth")


def test_file():
    import_new(f"{FIXTURES}/{DUMPS[2]}.json")
    expected, _ = T.run("--store", "file:s.hearth", "export-legacy")
    out, err = T.run("--store", "file:s.hearth", "export-legacy", "new.json", "--report")
    T.equal("a file has the same", read("new.json"), expected)
    T.check(re.fullmatch(rb"new.json: 9 tables, 67 entries, saved at \S+Z\n", out), out)
    T.equal("report of an export", lines(err), [
        ["1", f'"{key}"', "function", "a C function that an import could not tell: it raises when it is called"]
        for key in ("cfn", "cfup")])
    T.fails(1, "new.json", "--store", "file:s.hearth", "export-legacy", "new.json")
    T.equal("it was not written over", read("new.json"), expected)
    T.fails(1, "nowhere/x.json", "--store", "file:s.hearth", "export-legacy", "nowhere/x.json")
    T.fails(1, ".: cannot make it", "--store", "file:s.hearth", "export-legacy", ".")
    _, err = T.run("--store", "file:s.hearth", "export-legacy")
    T.equal("a warning without --report", err, "hearth: warning: not all is in it as it is: function 2 (--report lists it)\n")


def test_two_versions():
    write("w.lua", "_home.a = {1} _home.b = 'x'")
    T.run("--store", "file:v.hearth", "run", "w.lua")
    out, err = T.run("--store", "file:v.hearth", "export-legacy", "--runtime", "2.0", "--report")
    T.equal("--runtime 2.0", json.loads(out)[0], {"id": 1, "data": {"b": text("x")}})
    T.equal("--runtime 2.0", [line[:3] for line in lines(err)], [["1", '"a"', "table"]])
    out, err = T.run("--store", "file:v.hearth", "export-legacy", "--runtime=2.1", "--report")
    T.equal("--runtime 2.1", [r["data"] for r in json.loads(out)][:2], [{"a": table(3), "b": text("x")}, {"1": integer(1)}])
    T.equal("nothing to report", err, "")


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
    ('"long"', "long"), ('"out"', "userdata"), ('"print"', "function"), ('"self"', "identity"), ('"true"', "key"),
]


def test_losses():
    write("l.lua", LOSSES)
    T.run("--store", "file:l.hearth", "run", "l.lua")
    out, err = T.run("--store", "file:l.hearth", "export-legacy", "--report")
    report = lines(err)
    T.check(all(len(line) == 4 and line[3] for line in report), "four fields a line")
    shown = [(line[1].replace("\\xef\\xbb\\xbf", "\\xef\\xbb\\xbf"), line[2]) for line in report if line[0] == "1"]
    addresses = [key for key, _ in shown if re.match(r'"(table|function|builtin|file)[: ]', key)]
    T.equal("keys that are a table or a function", len(addresses), 2)
    T.check(('"\\"' + "k" * 16385 + '\\""', "key") in shown, "the longest key")
    T.equal("what is lost of the home table", sorted(s for s in shown if s[0] not in addresses and "kkk" not in s[0]), sorted(LOST))
    others = [(line[1], line[2]) for line in report if line[0] != "1"]
    T.equal("what is lost of other tables", others, [("-", "metatable")])
    data = json.loads(out)[0]["data"]
    T.equal("kept entries", sorted(data), sorted(
        ["1", "2.5", "7", "a", "again", "b", "class", "counter", "empty", "ext", "fits", "float", "long", "minus", "print",
         "pure", "self", "a\tb\n\0"]))
    T.equal("a number wins", data["1"], text("number"))
    T.equal("floats stay floats", [data["float"]["data"][0], bytes(data["minus"]["data"])], [3, b"\3\0\0\0\0\0\0\0\x80"])
    T.equal("a shared table", data["a"], data["b"])
    T.equal("an external table", data["ext"], data["again"])
    T.equal("the home table in itself", data["self"], table(1))
    write("l.json", out)
    import_new("l.json")
    T.equal("it comes back", describe("file:s.hearth", [
        "rawequal(_home.a, _home.b)", "rawequal(_home.self, _home)", "_home.ext.deep.down[1]", "_home.pure 'x'", "_home.float",
        "next(_home.empty)", "#_home.long", "math.type(_home.float)"]),
            [["boolean", "true"], ["boolean", "true"], ["integer", "1"], as_string("X"), ["float", "4000000000000000"],
             ["nil", "nil"], ["integer", "16380"], as_string("float")])
    _, err = T.run("--store", "file:l.hearth", "export-legacy")
    T.check(re.fullmatch(r"hearth: warning: not all is in it as it is: collision 1, function 2, identity 3, key 11, long 1, "
                         r"metatable 1, upvalues 1, userdata 1 \(--report lists it\)\n", err), err)


# ----------------------------------------------------------------- forms of a dump

def test_forms():
    records = [{"id": 1, "data": {"a": text("x"), "t": table(5)}}, {"id": "5", "data": {"1": integer(7)}}, metadata(homeTableId=1)]
    store = {"name": "externalTables", "keyPath": "id", "records": records}
    other = {"name": "others", "records": [{"id": 1, "data": {"a": text("wrong")}}]}
    for form in (records, {"records": records}, {"database": {"objectStores": [other, store]}}, {"objectStores": [store]},
                 {"format": "x", "records": None, "objectStores": [other, store]}):
        put_json("form.json", form)
        import_new("form.json")
        T.equal("a form of dump", describe("file:s.hearth", ["_home.a", "_home.t[1]"]), [as_string("x"), ["integer", "7"]])
        import_new("-", stdin=read("form.json"))
        T.equal("from standard input", describe("file:s.hearth", ["_home.a"]), [as_string("x")])
    write("bom.json", b"\xef\xbb\xbf" + json.dumps(records).encode())
    import_new("bom.json")
    for form in ({}, {"records": {}}, {"records": 1}, {"database": []}, {"database": {"objectStores": [other]}}, {"objectStores": store},
                 {"objectStores": [None, 1, {"name": 5}, {"name": "externalTables"}]}):
        put_json("form.json", form)
        T.fails(3, "form.json: neither a list of records nor", "--store", "file:new.hearth", "import-legacy", "form.json")
    T.check(gone("new.hearth"), "no store was made")
    put_json("form.json", [])
    out, _ = import_new("form.json")
    T.equal("an empty list", out, b"imported 1 table, 0 entries\n")


def test_values():
    """Every form of bytes, every key, and what is none of them: reported in its place, and its neighbours imported."""
    keys = ["ü", "\U0001f600", "__proto__", "constructor", "a\0b", "\0", "\1", "\1\2", "\\u0000", '"', "a\nb", " ", "\ufffe"]
    data = {key: text("value of " + key) for key in keys}
    data.update({
        "array": {"$uint8array": [4, 1, 0, 0, 0, 255]}, "object": {str(i): byte for i, byte in enumerate([4, 2, 0, 0, 0, 0, 128])},
        "text": "\4\2\0\0\0hi", "float bytes": {"_type": "binary", "data": [1.0, 1.0]},
    })
    bad = {
        "null": None, "true": True, "number": 5, "list": [1], "object of none": {}, "hole": {"0": 1, "2": 1},
        "256": {"_type": "binary", "data": [1, 256]}, "-1": {"_type": "binary", "data": [-1]}, "half": {"$uint8array": [1, 0.5]},
        "null byte": {"_type": "binary", "data": [1, None]}, "text byte": {"_type": "binary", "data": ["1"]},
        "text bytes": {"_type": "binary", "data": "\1\1"}, "no data": {"_type": "binary"}, "null data": {"_type": "binary", "data": None},
        "other type": {"_type": "text", "data": [1, 1]}, "empty": {"$uint8array": []}, "tag": {"$uint8array": [9]},
        "cut": {"$uint8array": [4, 9, 0, 0, 0, 1]}, "huge": {"$uint8array": [1, 1e300]}, "nested": {"$uint8array": [[1], [1]]},
    }
    put_json("values.json", [{"id": 1, "data": {**data, **bad}}, metadata(homeTableId=1, savedAt="a\tb\n\0c")])
    out, _ = import_new("values.json", "--report")
    *report, summary = out.decode().splitlines()
    T.equal("damaged values", sorted(json.loads(line.split("\t")[1]) for line in report), sorted(bad))
    T.equal("all of them damaged", {line.split("\t")[2] for line in report}, {"damaged"})
    T.equal("summary", summary, f"imported 1 table, {len(data)} entries, saved at a?b??c; damaged {len(bad)}")
    T.equal("keys", describe("file:s.hearth", [f"_home[{lua_text(key)}]" for key in keys]), [as_string("value of " + key) for key in keys])
    T.equal("forms of bytes", describe("file:s.hearth", ["_home.array", "_home.object", "_home.text", '_home["float bytes"]']),
            [["string", "ff"], ["string", "0080"], as_string("hi"), ["boolean", "true"]])
    exported, _ = T.run("--store", "file:s.hearth", "export-legacy")
    T.equal("keys come back", sorted(json.loads(exported)[0]["data"]), sorted(data))


def test_records():
    """Records that are none, in their places."""
    whole = {"id": 1, "data": {"x": integer(1)}}
    dump = [None, 5, [], "text", {}, {"id": 2}, {"id": 3, "data": None}, {"id": {}, "data": {"y": integer(2)}}, {"id": 4.5, "data": {}},
            {"id": 18446744073709551616, "data": {}}, whole, {"id": 1, "data": {"z": integer(3)}}, metadata(homeTableId=1)]
    put_json("records.json", dump)
    out, _ = import_new("records.json", "--report")
    T.equal("the record that is one", describe("file:s.hearth", ["_home.x"]), [["integer", "1"]])
    for place in (1, 2, 3, 4, 5):
        T.check(f"-\t-\tdamaged\trecord {place} has no entries" in out.decode(), f"record {place} in {out}")
    for said in ("2\t-\tdamaged", "3\t-\tdamaged", '"(an object) (record 8)"\t-\tdamaged', '"4.5 (record 9)"\t-\tdamaged',
                 '(record 12)"\t-\tcollision', "(record 10)\"\t-\tdamaged"):
        T.check(said in out.decode(), f"{said!r} in {out}")


def test_home():
    """Metadata that do not tell the home table."""
    tables = [{"id": 1, "data": {"x": integer(1)}}, {"id": 2, "data": {"y": integer(2)}}]
    for broken in (metadata(homeTableId="junk"), metadata(homeTableId=-1), metadata(memoryTableId=4000000000), metadata(homeTableId={}),
                   {"id": "__metadata__", "data": None}, {"id": "__metadata__"}, metadata(homeTableId=1.5), metadata(homeTableId=True)):
        put_json("home.json", [*tables, broken])
        T.fails(1, "(--home ID chooses it)", "--store", "file:h.hearth", "import-legacy", "home.json")
        T.check(gone("h.hearth"), "no store was left")
        import_new("home.json", "--home", "2", "--unreachable=rest")
        T.equal("--home", describe("file:s.hearth", ["_home.y", "_home.rest[1].x"]), [["integer", "2"], ["integer", "1"]])
    for right, home in ((metadata(homeTableId="2"), 2), (metadata(homeTableId=None, memoryTableId=2), 2), (metadata(), 1)):
        put_json("home.json", [*tables, right])
        import_new("home.json")
        T.equal("a home table", describe("file:s.hearth", ["_home.x", "_home.y"]).index(["nil", "nil"]), 2 - home)


# -------------------------------------------------------------------- JSON that is none

def test_json():
    deep, line = "[" * 3000, '{"a\\u0000b": 1, "c\\u0001": 2, '
    for content, says in (
            ("", "byte 0 (line 1, column 1)"), (" \n ", "byte 3 (line 2, column 2)"), ("null", "byte 3 "), ("5", "byte 0 "),
            ("[1,]", "byte 3 (line 1, column 4)"), ("[\n\n  1, x]", "byte 8 (line 3, column 6)"), ("[1", "byte 2 (line 1, column 3)"),
            ('[{"a":1,"a":2}]', "duplicate object key"), (b'["ab\xff"]', "byte 4 (line 1, column 5)"), ('["\\ud800"]', "\\uD800"),
            (b'["\xed\xa0\x80"]', "byte 2 "), ('["\x01"]', "byte 1 "), (deep, "depth"), ("[1e999]", "overflow"), ("[01]", "byte "),
            ("[] x", "byte 3 "), ("[NaN]", "byte "), ("[]\0", "byte 2 "), (json.dumps([1]).encode("utf-16"), "byte 0 "),
            ("[" + line + "}]", f"byte {len(line) + 1} (line 1, column {len(line) + 2})"),
            ("[" + line[:-2], f"byte {len(line) - 1} "), (b"\xef\xbb\xbf[1,]", "byte 6 "), (b"\xef\xbb", "byte 0 "),
            ('["\\', "byte "), ('["\\u000', "byte "), ('{"\\u0000', "byte "), ('[{"\\u0000":1,"\\u0000":1}]', "duplicate object key")):
        write("bad.json", content)
        T.fails(3, says, "--store", "file:j.hearth", "import-legacy", "bad.json")
        T.fails(3, "bad.json: no JSON near byte ", "--store", "file:j.hearth", "import-legacy", "bad.json")
    T.fails(3, "standard input: no JSON", "--store", "file:j.hearth", "import-legacy", "-", stdin=b"[")
    T.check(gone("j.hearth"), "no store was made")


# ---------------------------------------------------------------- usage, and failures

def test_usage():
    put_json("d.json", [])
    for args in (["import-legacy"], ["import-legacy", "d.json", "e"], ["import-legacy", "d.json", "--nonsense"],
                 ["import-legacy", "--report=1", "d.json"], ["import-legacy", "d.json", "--home"], ["import-legacy", "d.json", "--home", "0"],
                 ["import-legacy", "d.json", "--home=-1"], ["import-legacy", "d.json", "--home=1x"], ["import-legacy", "d.json", "--home="],
                 ["import-legacy", "d.json", "--home=4294967296"], ["import-legacy", "d.json", "--keys=both"],
                 ["import-legacy", "d.json", "--keys"], ["import-legacy", "d.json", "--unreachable="], ["import-legacy", "-x"],
                 ["export-legacy", "a", "b"], ["export-legacy", "--runtime=3"], ["export-legacy", "--runtime"],
                 ["export-legacy", "--uint8array=1"], ["export-legacy", "--home=1"]):
        T.fails(2, "", "--store", "file:w.hearth", *args)
    T.check(gone("w.hearth") and not os.path.exists("a"), "wrong usage makes nothing")
    for command in ("import-legacy", "export-legacy"):
        out, _ = T.run(command, "--help")
        T.check(f"usage: hearth [--store URI] {command}" in out.decode() and b"--report" in out, command)
        T.check(f"  {command} " in T.run("--help")[0].decode(), command)


def test_failures():
    dump = f"{FIXTURES}/{DUMPS[2]}.json"
    for path in ("missing.json", ".", "nowhere/x.json"):
        T.fails(3, f"{path}: cannot ", "--store", "file:f.hearth", "import-legacy", path)
    T.check(gone("f.hearth"), "no store was made")
    write("text.hearth", "a text that is longer than the header of a store, so that it is not taken for one that was cut short")
    for uri in ("file:text.hearth", "file:.", "file:nowhere/x.hearth", "ftp:x", "x"):
        T.fails(3, "", "--store", uri, "import-legacy", dump)
        T.fails(3, "", "--store", uri, "export-legacy")
    T.fails(3, "f.hearth", "--store", "file:f.hearth", "export-legacy", "f.json")
    T.check(gone("f.hearth") and gone("f.json"), "exporting a missing store makes nothing")
    write("text.json", "[")
    T.fails(3, "text.json", "--store", "file:text.hearth", "import-legacy", "text.json")

    import_new(dump)
    before = read("s.hearth")
    T.fails(1, "not empty", "--store", "file:s.hearth", "import-legacy", dump)
    T.check(read("s.hearth") == before or canonical("file:s.hearth"), "a store that is not empty stays")
    T.equal("it is as it was", describe("file:s.hearth", ["_home.i42"]), [["integer", "42"]])
    T.run("--store", "file:e.hearth", "eval", "1")
    T.check(os.path.exists("e.hearth"), "an empty store")
    put_json("junk.json", [metadata(homeTableId="junk")])
    T.fails(1, "junk", "--store", "file:e.hearth", "import-legacy", "junk.json")
    T.check(os.path.exists("e.hearth"), "an empty store that was there stays")
    T.run("--store", "file:e.hearth", "import-legacy", dump)
    T.equal("into an empty store", canonical("file:e.hearth"), canonical("file:s.hearth"))
    os.symlink("target.hearth", "link.hearth")
    T.fails(3, "link.hearth", "--store", "file:link.hearth", "import-legacy", "junk.json")
    T.check(os.path.islink("link.hearth"), "a link is not taken for a new store")
    out, _ = T.run("--store", "memory:", "import-legacy", dump)
    T.check(out.startswith(b"imported 8 tables"), out)

    def no_large_files(): # as on a full disk
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))
    T.fails(1, "", "--store", "file:x.hearth", "import-legacy", dump, preexec_fn=no_large_files)
    T.check(not os.path.exists("x.hearth"), "what could not be committed leaves no store")
    T.fails(1, "x.json: cannot write", "--store", "file:s.hearth", "export-legacy", "x.json", preexec_fn=no_large_files)
    T.check(gone("x.json"), "what could not be written leaves no file")

    if os.path.exists("/dev/full"):
        for args in (["--store", "file:s.hearth", "export-legacy"], ["--store", "file:y.hearth", "import-legacy", dump, "--report"]):
            T.full = os.spawnvp(os.P_WAIT, "sh", ["sh", "-c", '"$@" >/dev/full 2>full.err', "sh", HEARTH, *args])
            T.equal(f"{args} to a full device", T.full, 1)
            T.check("standard output: cannot write" in read("full.err").decode(), read("full.err"))
        T.check(gone("y.hearth"), "a report that cannot be told: nothing is imported")


def without_json():
    for args in (["import-legacy", "x"], ["export-legacy"]):
        T.fails(1, "was built without Jansson", *args)


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    if sys.argv[3] == "yes":
        for dump_name in DUMPS:
            test_readback(dump_name)
            test_round_trip(dump_name)
        for test in (test_other_keys, test_unreachable, test_file, test_two_versions, test_losses, test_forms, test_values, test_records,
                     test_home, test_json, test_failures):
            test()
        test_usage()
    else:
        without_json()
    os.chdir("/")
T.finish()
