"""legacy_damage.py HEARTH: import-legacy on a small dump cut at every byte, and with every byte changed.

What was not touched must be there, whatever became of the rest: the dump is written in pieces, and it is known which
entry of which record each byte belongs to."""
import os
import sys
import tempfile
from typing import NamedTuple

sys.dont_write_bytecode = True
from legacy_testing import Testing, as_string, gone, is_one_line, write  # noqa: E402

T = Testing(os.path.abspath(sys.argv[1]))



class Piece(NamedTuple):
    """Text of the dump: in a record, which has a place in the list, or between them; an entry has a key and a value."""
    place: int
    text: str
    key: str = None
    value: list = None


# Every form of value, an escaped NUL and a surrogate pair in keys, text over 7F, and metadata.
PIECES = [
    Piece(0, "["),
    Piece(1, '{"id":1,"data":{'),
    Piece(1, '"a\\u0000\\u0001":{"_type":"binary","data":[2,1,0,0,0,0,0,0,0]}', "a\0\1", ["integer", "1"]),
    Piece(1, ","),
    Piece(1, '"ü":{"$uint8array":[7,3,0,0,0]}', "ü", ["table", ""]),
    Piece(1, ",\n"),
    Piece(1, '"t":"\\u0004\\u0001\\u0000\\u0000\\u0000x"', "t", as_string("x")),
    Piece(1, ","),
    Piece(1, '"o":{"0":1,"1":1}', "o", ["boolean", "true"]),
    Piece(1, "}}"),
    Piece(0, ","),
    Piece(2, '{"id":3,"data":{'),
    Piece(2, '"b":{"_type":"binary","data":[1,0]}', "b", ["boolean", "false"]),
    Piece(2, ","),
    Piece(2, '"\\ud83d\\ude00":{"$uint8array":[1,1]}', "\U0001f600", ["boolean", "true"]),
    Piece(2, "}}"),
    Piece(0, ",\n"),
    Piece(3, '{"id":"__metadata__","data":{"homeTableId":1,"savedAt":"2026-11-22T15:30:21.487Z","stateRestored":false,'
        '"tableIds":[1,3]}}'),
    Piece(0, "]\n"),
]
DUMP = "".join(piece.text for piece in PIECES).encode()
NOTHING = PIECES[0]  # is not touched: no record, no entry
TOUCHED = [piece for piece in PIECES for _ in piece.text.encode()]  # by a change of each byte

# Every table of the store: a line for each entry with a string for a key, and an empty one between tables.
LIST = rb"""
local function hex(s) return (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)) end
local tables, seen = { _home }, { [_home] = true }
for _, t in ipairs(tables) do -- which grows
  for k, v in next, t do
    local kind = math.type(v) or type(v)
    local shown = kind == "string" and hex(v) or kind == "table" and "" or tostring(v)
    if type(k) == "string" then print(hex(k) .. "\t" .. kind .. "\t" .. shown) end
    if kind == "table" and not seen[v] then
      seen[v] = true
      tables[#tables + 1] = v
    end
  end
  print()
end
"""


def tables_in(store):
    """The tables of a store: for each what its string keys mean."""
    out, _ = T.run("--store", store, "run", "--readonly", "-", stdin=LIST)
    tables = [{}]
    for line in out.decode().splitlines():
        key, *value = line.split("\t")
        if line:
            tables[-1][bytes.fromhex(key).decode(errors="replace")] = value
        else:
            tables.append({})
    return tables


def is_kept(place, touched, tables, report):
    """Are the entries of a record there, in one table, but for the one that was touched?"""
    wanted = {piece.key: piece.value for piece in PIECES if piece.place == place and piece.key and piece != touched}
    if touched.place == place and not touched.key and f"\trecord {place} has no entries" in report:
        return True
    if place == 1 and touched.place == 2 and not touched.key and '\t"ü"\t' in report:
        del wanted["ü"]  # it refers to a table that has another number now
    return any(all(table.get(key) == value for key, value in wanted.items()) for table in tables)


def attempt(name, content, touched=NOTHING):
    """An import that keeps what was not touched, or one clear error and no store. Answers whether it was one."""
    write("d.json", content)
    out, err = T.run("--store", "file:d.hearth", "import-legacy", "d.json", "--report", "--unreachable=rest",
            status=None)
    imported = T.status == 0
    if imported:
        report = out.decode(errors="replace")
        T.check(report.splitlines()[-1].startswith("imported "), f"{name}: {out!r:.300}")
        tables = tables_in("file:d.hearth")
        for place in (1, 2):
            T.check(is_kept(place, touched, tables, report),
                    f"{name}: entries of record {place} are lost: {tables} {report}")
    else:
        T.check(T.status in (1, 3) and is_one_line(err) and not out, f"{name}: {T.status} {out!r:.300} {err!r:.300}")
        T.check(gone("d.hearth"), f"{name}: a store was left")
    for left in ("d.hearth", "d.hearth.ballast"):
        if os.path.exists(left):
            os.remove(left)
    return imported


def test_prefixes():
    end = len(DUMP.rstrip())
    for size in range(len(DUMP) + 1):
        T.check(attempt(f"cut to {size} bytes", DUMP[:size]) == (size >= end), f"cut to {size} bytes: imported, or not")


def test_changes():
    imported = 0
    for at, byte in enumerate(DUMP):
        for other in {byte ^ 1, byte ^ 0x10, byte ^ 0x80, 0, ord('"'), ord("\\")} - {byte}:
            imported += attempt(f"byte {at} is {other:02x}", DUMP[:at] + bytes([other]) + DUMP[at + 1:], TOUCHED[at])
    T.check(imported > len(DUMP) // 2, f"{imported} changes that leave JSON")


def test_left_out():
    imported = 0
    for at in range(len(DUMP)):
        imported += attempt(f"byte {at} is left out", DUMP[:at] + DUMP[at + 1:], TOUCHED[at])
        imported += attempt(f"byte {at} is there twice", DUMP[:at] + DUMP[at:at + 1] + DUMP[at:], TOUCHED[at])
    T.check(imported > len(DUMP) // 2, f"{imported} lengths that leave JSON")


def test_test():
    """What is lost is seen."""
    outside, other = next(piece for piece in PIECES if piece.place == 2), PIECES[1]
    entry = next(piece for piece in PIECES if piece.key == "b")
    whole = [{}, {"b": ["boolean", "false"], "\U0001f600": ["boolean", "true"]}]
    torn = [{"b": ["boolean", "false"]}, {"\U0001f600": ["boolean", "true"]}]
    unread = '-\t-\tdamaged\trecord 2 has no entries'
    for wanted, touched, tables, report in (
            (True, NOTHING, whole, ""), (False, NOTHING, torn, ""), (False, NOTHING, torn, unread),
            (True, outside, torn, unread), (False, outside, torn, unread.replace("2", "1")),
            (False, other, torn, unread), (True, entry, torn, ""), (False, entry, torn[:1], unread)):
        T.equal("the entries of record 2 are kept", is_kept(2, touched, tables, report), wanted)


MEMORY = "/dev/shm"  # thousands of stores are synced
with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
    os.chdir(folder)
    if T.check(attempt("the whole dump", DUMP), "the whole dump"):
        test_test()
        test_prefixes()
        test_changes()
        test_left_out()
    os.chdir("/")
T.finish()
