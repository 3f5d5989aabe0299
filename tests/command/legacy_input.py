"""legacy_input.py HEARTH: what import-legacy takes for a dump, and what it says of the rest."""
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True
from legacy_testing import (  # noqa: E402
    Testing, as_string, gone, integer, lua_text, metadata, put_json, read, table, text, write)

T = Testing(os.path.abspath(sys.argv[1]))


# ----------------------------------------------------------------- forms of a dump

def test_forms():
    records = [{"id": 1, "data": {"a": text("x"), "t": table(5)}}, {"id": "5", "data": {"1": integer(7)}},
            metadata(homeTableId=1)]
    store = {"name": "externalTables", "keyPath": "id", "records": records}
    other = {"name": "others", "records": [{"id": 1, "data": {"a": text("wrong")}}]}
    for form in (records, {"records": records}, {"database": {"objectStores": [other, store]}},
            {"objectStores": [store]},
                 {"format": "x", "records": None, "objectStores": [other, store]}):
        put_json("form.json", form)
        T.import_new("form.json")
        T.equal("a form of dump", T.describe("file:s.hearth", ["_home.a", "_home.t[1]"]),
                [as_string("x"), ["integer", "7"]])
        T.import_new("-", stdin=read("form.json"))
        T.equal("from standard input", T.describe("file:s.hearth", ["_home.a"]), [as_string("x")])
    write("bom.json", b"\xef\xbb\xbf" + json.dumps(records).encode())
    T.import_new("bom.json")
    for form in ({}, {"records": {}}, {"records": 1}, {"database": []}, {"database": {"objectStores": [other]}},
            {"objectStores": store},
                 {"objectStores": [None, 1, {"name": 5}, {"name": "externalTables"}]}):
        put_json("form.json", form)
        T.fails(3, "form.json: neither a list of records nor", "--store", "file:new.hearth", "import-legacy",
                "form.json")
    T.check(gone("new.hearth"), "no store was made")
    put_json("form.json", [])
    T.fails(1, "there is no record of a legacy database", "--store", "file:new.hearth", "import-legacy", "form.json")
    T.check(gone("new.hearth"), "no store was made of an empty list")


def test_values():
    """Every form of bytes, every key, and what is none of them: reported in its place, and its neighbours imported."""
    keys = ["ü", "\U0001f600", "__proto__", "constructor", "a\0b", "\0", "\1", "\1\2", "\\u0000", '"', "a\nb", " ",
            "\ufffe"]
    data = {key: text("value of " + key) for key in keys}
    data.update({
        "array": {"$uint8array": [4, 1, 0, 0, 0, 255]}, "object": {str(i): byte for i,
        byte in enumerate([4, 2, 0, 0, 0, 0, 128])},
        "text": "\4\2\0\0\0hi", "float bytes": {"_type": "binary", "data": [1.0, 1.0]},
    })
    bad = {
        "null": None, "true": True, "number": 5, "list": [1], "object of none": {}, "hole": {"0": 1, "2": 1},
        "256": {"_type": "binary", "data": [1, 256]}, "-1": {"_type": "binary", "data": [-1]},
        "half": {"$uint8array": [1, 0.5]},
        "null byte": {"_type": "binary", "data": [1, None]}, "text byte": {"_type": "binary", "data": ["1"]},
        "text bytes": {"_type": "binary", "data": "\1\1"}, "no data": {"_type": "binary"},
        "null data": {"_type": "binary", "data": None},
        "other type": {"_type": "text", "data": [1, 1]}, "empty": {"$uint8array": []}, "tag": {"$uint8array": [9]},
        "cut": {"$uint8array": [4, 9, 0, 0, 0, 1]}, "huge": {"$uint8array": [1, 1e300]},
        "nested": {"$uint8array": [[1], [1]]},
    }
    put_json("values.json", [{"id": 1, "data": {**data, **bad}}, metadata(homeTableId=1, savedAt="a\tb\n\0c")])
    out, _ = T.import_new("values.json", "--report")
    *report, summary = out.decode().splitlines()
    T.equal("damaged values", sorted(json.loads(line.split("\t")[1]) for line in report), sorted(bad))
    T.equal("all of them damaged", {line.split("\t")[2] for line in report}, {"damaged"})
    T.equal("summary", summary, f"imported 1 table, {len(data)} entries, saved at a?b??c; damaged {len(bad)}")
    T.equal("keys", T.describe("file:s.hearth", [f"_home[{lua_text(key)}]" for key in keys]),
            [as_string("value of " + key) for key in keys])
    T.equal("forms of bytes", T.describe("file:s.hearth", ["_home.array", "_home.object", "_home.text",
            '_home["float bytes"]']),
            [["string", "ff"], ["string", "0080"], as_string("hi"), ["boolean", "true"]])
    exported, _ = T.run("--store", "file:s.hearth", "export-legacy")
    T.equal("keys come back", sorted(json.loads(exported)[0]["data"]), sorted(data))


def test_surrogates():
    """Halves of surrogate pairs, as JSON.stringify writes them: U+FFFD, and nothing else is lost."""
    lost = "\ufffd"
    for escaped, expected in (
            ("\\ud800", lost), ("\\udbff", lost), ("\\udc00", lost), ("\\uDFFF", lost), ("\\uDabc", lost),
            ("\\ude00\\ud83d", lost * 2), ("\\ud83d\\ude00", "\U0001f600"), ("\\uD83D\\uDE00", "\U0001f600"),
            ("\\ud800\\udc00\\udbff\\udfff", "\U00010000\U0010ffff"),
            ("\\ud83d\\ud83d\\ude00", lost + "\U0001f600"), ("\\ud83d\\ude00\\ude00", "\U0001f600" + lost),
            ("\\ud800x\\udc00", f"{lost}x{lost}"), ("\\\\ud800", "\\ud800"), ("\\\\\\ud800", "\\" + lost),
            ("\\\\\\\\udc00", "\\\\udc00"), ("\\ud800\\\\udc00", lost + "\\udc00"), ("\\ud800\\n", lost + "\n"),
            ("\\ud800\\u0000", lost + "\0"), ("\\u0000\\ud800\\u0001", f"\0{lost}\1"), ("\\u0001\\udc00", "\1" + lost),
            ("\\ud7ff\\ue000", "\ud7ff\ue000"), ("\\ud800d800", lost + "d800"), ("\\u0001\\u0003d800\\ud800",
            "\1\3d800" + lost)):
        header = "".join(f"\\u{byte:04x}" for byte in text(expected)["data"][:5])
        write("half.json", json.dumps([{"id": 1, "data": {"KEY": integer(7), "text": "TEXT", "n": text("kept")}},
                metadata(homeTableId=1, savedAt="SAVED")]).replace("KEY", escaped).replace("SAVED", escaped)
                .replace("TEXT", header + escaped))
        out, _ = T.import_new("half.json", "--report")
        *report, summary = out.decode().splitlines()
        T.equal(f"{escaped}: key, text, neighbour", T.describe("file:s.hearth",
                [f"_home[{lua_text(expected)}]", "_home.text", "_home.n"]),
                [["integer", "7"], as_string(expected), as_string("kept")])
        T.equal(f"{escaped}: all entries", summary.split(",")[1], " 3 entries")
        T.equal(f"{escaped}: lossy, the key and the text", [len(report), sum('\t"text"\t' in line for line in report)],
                [2, 1] if lost in expected else [0, 0])
        T.check(all(line.split("\t")[2] == "lossy" for line in report), out)
    write("halves.json", '[{"id":1,"data":{"\\ud800":{"_type":"binary","data":[1,0]},"\\udc00":{"_type":"binary",'
          '"data":[1,1]},"\ufffd\ufffd":{"_type":"binary","data":[0]},"\ufffd":{"$uint8array":[4,0,0,0,0]}}}]')
    T.import_new("halves.json")
    T.equal("keys that differ in what is lost", T.describe("file:s.hearth",
            [f"_home[{lua_text(lost * n)}]" for n in range(1, 6)]),
            [as_string(""), ["nil", "nil"], ["boolean", "false"], ["boolean", "true"], ["nil", "nil"]])


def test_records():
    """Records that are none, in their places."""
    whole = {"id": 1, "data": {"x": integer(1)}}
    dump = [None, 5, [], "text", {}, {"id": 2}, {"id": 3, "data": None}, {"id": {}, "data": {"y": integer(2)}},
            {"id": 4.5, "data": {}},
            {"id": 18446744073709551616, "data": {}}, whole, {"id": 1, "data": {"z": integer(3)}},
            metadata(homeTableId=1)]
    put_json("records.json", dump)
    out, _ = T.import_new("records.json", "--report")
    T.equal("the last record of table 1", T.describe("file:s.hearth", ["_home.z", "_home.x"]),
            [["integer", "3"], ["nil", "nil"]])
    for place in (1, 2, 3, 4, 5):
        T.check(f"-\t-\tdamaged\trecord {place} has no entries" in out.decode(), f"record {place} in {out}")
    for said in ("2\t-\tdamaged", "3\t-\tdamaged", '"(an object) (record 8)"\t-\tdamaged',
            '"4.5 (record 9)"\t-\tdamaged',
                 '(before record 12)"\t-\tcollision', "(record 10)\"\t-\tdamaged"):
        T.check(said in out.decode(), f"{said!r} in {out}")


def test_home():
    """Metadata that do not tell the home table."""
    tables = [{"id": 1, "data": {"x": integer(1)}}, {"id": 2, "data": {"y": integer(2)}}]
    for broken in (metadata(homeTableId="junk"), metadata(homeTableId=-1), metadata(memoryTableId=4000000000),
            metadata(homeTableId={}),
                   {"id": "__metadata__", "data": None}, {"id": "__metadata__"}, metadata(homeTableId=1.5),
                   metadata(homeTableId=True)):
        put_json("home.json", [*tables, broken])
        T.fails(1, "(--home ID chooses it)", "--store", "file:h.hearth", "import-legacy", "home.json")
        T.check(gone("h.hearth"), "no store was left")
        T.import_new("home.json", "--home", "2", "--unreachable=rest")
        T.equal("--home", T.describe("file:s.hearth", ["_home.y", "_home.rest[1].x"]),
                [["integer", "2"], ["integer", "1"]])
    for right, home in ((metadata(homeTableId="2"), 2), (metadata(homeTableId=None, memoryTableId=2), 2),
            (metadata(), 1)):
        put_json("home.json", [*tables, right])
        T.import_new("home.json")
        T.equal("a home table", T.describe("file:s.hearth", ["_home.x", "_home.y"]).index(["nil", "nil"]), 2 - home)


# -------------------------------------------------------------------- JSON that is none

def test_json():
    deep, line = "[" * 3000, '{"a\\u0000b": 1, "c\\u0001": 2, '
    for content, says in (
            ("", "byte 0 (line 1, column 1)"), (" \n ", "byte 3 (line 2, column 2)"), ("null", "byte 3 "),
            ("5", "byte 0 "),
            ("[1,]", "byte 3 (line 1, column 4)"), ("[\n\n  1, x]", "byte 8 (line 3, column 6)"),
            ("[1", "byte 2 (line 1, column 3)"),
            ('[{"a":1,"a":2}]', "duplicate object key"), (b'["ab\xff"]', "byte 4 (line 1, column 5)"),
            ('["\\ud800", x]', "byte 11 (line 1, column 12)"), ('["\\ud800', "byte 8 "), ('["\\ud800\\', "byte "),
            ('["\\ud800\\ud8', "byte "), ('["\\ud83d\\ude00", "\\udc00",\n x]', "byte 28 (line 2, column 2)"),
            ('["\\ud8zz"]', "byte "), ('[{"\\ud800":1,"\\ud800":1}]', "duplicate object key"),
            ("[1e400]", "overflow"), ("[-1e400]", "overflow"),
            (b'["\xed\xa0\x80"]', "byte 2 "), ('["\x01"]', "byte 1 "), (deep, "depth"), ("[1e999]", "overflow"),
            ("[01]", "byte "),
            ("[] x", "byte 3 "), ("[NaN]", "byte "), ("[]\0", "byte 2 "), (json.dumps([1]).encode("utf-16"), "byte 0 "),
            ("[" + line + "}]", f"byte {len(line) + 1} (line 1, column {len(line) + 2})"),
            ("[" + line[:-2], f"byte {len(line) - 1} "), (b"\xef\xbb\xbf[1,]", "byte 6 "), (b"\xef\xbb", "byte 0 "),
            ('["\\', "byte "), ('["\\u000', "byte "), ('{"\\u0000', "byte "),
            ('[{"\\u0000":1,"\\u0000":1}]', "duplicate object key")):
        write("bad.json", content)
        T.fails(3, says, "--store", "file:j.hearth", "import-legacy", "bad.json")
        T.fails(3, "bad.json: no JSON near byte ", "--store", "file:j.hearth", "import-legacy", "bad.json")
    T.fails(3, "standard input: no JSON", "--store", "file:j.hearth", "import-legacy", "-", stdin=b"[")
    T.check(gone("j.hearth"), "no store was made")


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    for test in (test_forms, test_values, test_surrogates, test_records, test_home, test_json):
        test()
    os.chdir("/")
T.finish()
