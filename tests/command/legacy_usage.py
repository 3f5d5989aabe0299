"""legacy_usage.py HEARTH FIXTURES JSON: import-legacy and export-legacy used wrongly, and failing.

JSON is "yes" when the command was built with Jansson.
"""
import os
import resource
import signal
import sys
import tempfile

sys.dont_write_bytecode = True
from legacy_testing import Testing, gone, metadata, put_json, read, write  # noqa: E402

T = Testing(os.path.abspath(sys.argv[1]))
FIXTURES = os.path.abspath(sys.argv[2])


# ---------------------------------------------------------------- usage, and failures

def test_usage():
    put_json("d.json", [])
    for args in (["import-legacy"], ["import-legacy", "d.json", "e"], ["import-legacy", "d.json", "--nonsense"],
                 ["import-legacy", "--report=1", "d.json"], ["import-legacy", "d.json", "--home"],
                 ["import-legacy", "d.json", "--home", "0"],
                 ["import-legacy", "d.json", "--home=-1"], ["import-legacy", "d.json", "--home=1x"],
                 ["import-legacy", "d.json", "--home="],
                 ["import-legacy", "d.json", "--home=4294967296"], ["import-legacy", "d.json", "--keys=both"],
                 ["import-legacy", "d.json", "--keys"], ["import-legacy", "d.json", "--unreachable="],
                 ["import-legacy", "-x"],
                 ["export-legacy", "a", "b"], ["export-legacy", "--runtime=3"], ["export-legacy", "--runtime"],
                 ["export-legacy", "--uint8array=1"], ["export-legacy", "--home=1"]):
        T.fails(2, "", "--store", "file:w.hearth", *args)
    T.check(gone("w.hearth") and not os.path.exists("a"), "wrong usage makes nothing")
    for command in ("import-legacy", "export-legacy"):
        out, _ = T.run(command, "--help")
        T.check(f"usage: hearth [--store URI] {command}" in out.decode() and b"--report" in out, command)
        T.check(f"  {command} " in T.run("--help")[0].decode(), command)


def test_failures():
    dump = f"{FIXTURES}/v21-af5905a-web.json"
    for path in ("missing.json", ".", "nowhere/x.json"):
        T.fails(3, f"{path}: cannot ", "--store", "file:f.hearth", "import-legacy", path)
    T.check(gone("f.hearth"), "no store was made")
    write("text.hearth", "a text longer than the header of a store. " * 4)
    for uri in ("file:text.hearth", "file:.", "file:nowhere/x.hearth", "ftp:x", "x"):
        T.fails(3, "", "--store", uri, "import-legacy", dump)
        T.fails(3, "", "--store", uri, "export-legacy")
    T.fails(3, "f.hearth", "--store", "file:f.hearth", "export-legacy", "f.json")
    T.check(gone("f.hearth") and gone("f.json"), "exporting a missing store makes nothing")
    write("text.json", "[")
    T.fails(3, "text.json", "--store", "file:text.hearth", "import-legacy", "text.json")

    T.import_new(dump)
    before = read("s.hearth")
    T.fails(1, "not empty", "--store", "file:s.hearth", "import-legacy", dump)
    T.check(read("s.hearth") == before or T.canonical("file:s.hearth"), "a store that is not empty stays")
    T.equal("it is as it was", T.describe("file:s.hearth", ["_home.i42"]), [["integer", "42"]])
    T.run("--store", "file:e.hearth", "eval", "1")
    T.check(os.path.exists("e.hearth"), "an empty store")
    put_json("junk.json", [metadata(homeTableId="junk")])
    T.fails(1, "junk", "--store", "file:e.hearth", "import-legacy", "junk.json")
    T.check(os.path.exists("e.hearth"), "an empty store that was there stays")
    T.run("--store", "file:e.hearth", "import-legacy", dump)
    T.equal("into an empty store", T.canonical("file:e.hearth"), T.canonical("file:s.hearth"))
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
        for args in (["--store", "file:s.hearth", "export-legacy"],
                ["--store", "file:y.hearth", "import-legacy", dump, "--report"]):
            T.full = os.spawnvp(os.P_WAIT, "sh", ["sh", "-c", '"$@" >/dev/full 2>full.err', "sh", T.hearth, *args])
            T.equal(f"{args} to a full device", T.full, 1)
            T.check("standard output: cannot write" in read("full.err").decode(), read("full.err"))
        T.check(gone("y.hearth"), "a report that cannot be told: nothing is imported")


def without_json():
    for args in (["import-legacy", "x"], ["export-legacy"]):
        T.fails(1, "was built without Jansson", *args)


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    if sys.argv[3] == "yes":
        test_usage()
        test_failures()
    else:
        without_json()
    os.chdir("/")
T.finish()
