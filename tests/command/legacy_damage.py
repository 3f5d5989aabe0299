"""legacy_damage.py HEARTH: import-legacy on a small dump cut at every byte, and with every byte changed."""
import os
import sys
import tempfile

sys.dont_write_bytecode = True
from legacy_testing import Testing, gone, is_one_line, write  # noqa: E402

T = Testing(os.path.abspath(sys.argv[1]))

# Every form of value, an escaped NUL in a key, text over 7F, and metadata.
DUMP = (
    '[{"id":1,"data":{"a\\u0000\\u0001":{"_type":"binary","data":[2,1,0,0,0,0,0,0,0]},'
    '"ü":{"$uint8array":[7,3,0,0,0]},\n'
    '"t":"\\u0004\\u0001\\u0000\\u0000\\u0000x","o":{"0":1,"1":1}}},'
    '{"id":3,"data":{"b":{"_type":"binary","data":[1,0]}}},\n'
    '{"id":"__metadata__","data":{"homeTableId":1,"savedAt":"2026-11-22T15:30:21.487Z","stateRestored":false,'
    '"tableIds":[1,3]}}]\n'
).encode()


def attempt(name, content):
    """An import, or one clear error and no store. Answers whether it was one."""
    write("d.json", content)
    out, err = T.run("--store", "file:d.hearth", "import-legacy", "d.json", "--report", status=None)
    imported = T.status == 0
    if imported:
        T.check(out.splitlines()[-1].startswith(b"imported "), f"{name}: {out!r:.300}")
        T.check(os.path.exists("d.hearth"), f"{name}: no store")
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
            imported += attempt(f"byte {at} is {other:02x}", DUMP[:at] + bytes([other]) + DUMP[at + 1:])
    T.check(imported > len(DUMP) // 2, f"{imported} changes that leave JSON")


def test_left_out():
    for at in range(len(DUMP)):
        attempt(f"byte {at} is left out", DUMP[:at] + DUMP[at + 1:])
        attempt(f"byte {at} is there twice", DUMP[:at] + DUMP[at:at + 1] + DUMP[at:])


MEMORY = "/dev/shm"  # thousands of stores are synced
with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
    os.chdir(folder)
    if T.check(attempt("the whole dump", DUMP), "the whole dump"):
        test_prefixes()
        test_changes()
        test_left_out()
    os.chdir("/")
T.finish()
