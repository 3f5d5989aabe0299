"""copy.py HEARTH SCHEMES: hearth copy as a user runs it; each backend (SCHEMES: "file,sqlite,...") on both sides."""
import os
import pty
import resource
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from legacy_testing import Testing, gone, read, write  # noqa: E402

T = Testing(os.path.abspath(sys.argv[1]))
JSON = sys.argv[3] == "yes"  # has the command been built with it?
SCHEMES = [scheme for scheme in sys.argv[2].split(",") if scheme in ("file", "sqlite")]  # both are paths

WORLD = r"""
local count = 0
_home.up = function() count = count + 1 return count end
_home.now = function() return count end
_home.self, _home.print = _home, print
_home.class = setmetatable({1.5, -0.0, 2^53}, {__index = {kind = "class"}})
_home.big = {}
for i = 1, 3000 do _home.big[i] = "entry " .. i end
_home.text = ("0123456789"):rep(200000)
_home.log = ext.table()
for i = 1, 2000 do _home.log[i] = ("visit " .. i):rep(i % 20) end
_home.log.deep = {down = {1, 2, 3}, ["a\0b"] = true}
_home.empty = ext.table()
_home.up()
"""
LARGE = "_home.log = ext.table() for i = 1, {} do _home.log[i] = ('v'):rep(1000) end"


def make(uri, code):
    T.run("--store", uri, "run", "-", stdin=code.encode())


def export(uri):
    """All entries of a store, in canonical form."""
    T.run("--store", uri, "export", "x.export")
    content = read("x.export")
    os.remove("x.export")
    return content


def digest(uri):
    out = T.run("--store", uri, "stat", "--digest")[0].decode()
    return [line.split()[-1] for line in out.splitlines() if line.startswith("digest ")][0]


def remove(uri):
    path = uri.split(":", 1)[1]
    for name in os.listdir("."):
        if name.startswith(path):
            os.remove(name)


def is_equal(name, source, to):
    T.check(export(source) == export(to), f"{name}: {to} is what {source} is")


def small_files(size):
    """The limit that stands for a full disk."""
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    return limit


# ------------------------------------------------------------------ usage

def test_usage():
    for args in ([], ["--from", "file:a"], ["--to"], ["--to", "file:b", "x"], ["--to", "file:b", "--replace=1"],
                 ["--from", "file:b", "--to", "file:b"], ["--to", "file:b", "--nonsense"]):
        T.fails(2, "copy: ", "copy", *args)
    out, _ = T.run("copy", "--help")
    T.check(b"usage: hearth [--store URI] copy [--from URI] --to URI" in out and b"--replace" in out, "help")
    T.check("  copy " in T.run("--help")[0].decode(), "help names it")
    T.fails(3, "missing.hearth", "copy", "--from", "file:missing.hearth", "--to", "file:b.hearth")
    T.fails(3, "memory:", "copy", "--from", "memory:", "--to", "file:b.hearth")
    T.fails(3, "", "copy", "--from", "file:.", "--to", "file:b.hearth")
    write("text.hearth", "a text longer than the header of a store. " * 4)
    T.fails(3, "text.hearth", "copy", "--from", "file:text.hearth", "--to", "file:b.hearth")
    T.check(gone("b.hearth"), "no destination was made by all this")
    T.fails(3, "text.hearth", "copy", "--from", "file:world.hearth", "--to", "file:text.hearth")
    T.fails(3, "ftp", "copy", "--from", "file:world.hearth", "--to", "ftp:x")


def test_onto_itself():
    before = read("world.hearth")
    os.link("world.hearth", "hard.hearth")
    os.symlink("world.hearth", "soft.hearth")
    os.symlink(".", "here")
    for to in ("file:./world.hearth", "file:" + os.path.abspath("world.hearth"), "file:hard.hearth", "file:soft.hearth",
               "file:here/world.hearth"):
        for more in ([], ["--replace"]):
            T.fails(2, "--from and --to are the same store", "copy", "--from", "file:world.hearth", "--to", to, *more)
            T.fails(2, "--from and --to are the same store", "copy", "--from", to, "--to", "file:world.hearth", *more)
    T.equal("onto itself: the store", read("world.hearth"), before)
    for name in ("hard.hearth", "soft.hearth", "here"):
        os.remove(name)


def test_passwords():
    uri = "postgresql://me:secret@127.0.0.1:1/db?connect_timeout=1&password=secret&sslpassword=secret#world"
    for args in (["copy", "--from", uri, "--to", "file:b.hearth"], ["copy", "--from", "file:world.hearth", "--to", uri],
                 ["--store", uri, "ls"], ["--store", uri, "eval", "1"], ["--store", uri, "stat"],
                 ["--store", uri.replace("postgresql", "nosuch"), "ls"]):
        _, err = T.run(*args, status=3)
        T.check("secret" not in err, f"{args[0]}: a password is printed: {err}")
    for args in (["stat", uri], ["ls", "a", uri], ["verify", uri]):
        _, err = T.run(*args, status=2)
        T.check("secret" not in err and "postgresql:" in err, f"{args}: a password is printed: {err}")


# --------------------------------------------------------------- contents

def test_everything():
    for a in SCHEMES:
        make(f"{a}:world.{a}", WORLD)
        for b in SCHEMES:
            source, to = f"{a}:world.{a}", f"{b}:copy.{a}.{b}"
            out, err = T.run("copy", "--from", source, "--to", to)
            T.equal("nothing on standard error", err, "")
            T.check(out.startswith(b"copied 4 tables, ") and out.endswith(b": equal on both sides\n"), out)
            T.check(digest(source).encode() in out and digest(to) == digest(source), "the digest that stat prints")
            is_equal("copied", source, to)
            T.check(b"whole" in T.run("--store", to, "verify")[0], "verify")
            T.equal("dump", T.run("--store", to, "dump")[0], T.run("--store", source, "dump")[0])
            out, _ = T.run("--store", to, "eval",
                           "return _home.up() + _home.now(), _home.self == _home, _home.class.kind, #_home.text, "
                           "_home.log.deep.down[3], _home.print == print")
            T.equal("in Lua", out.decode().split("\t"), ["4", "true", "class", "2000000", "3", "true\n"])
            T.check(export(source) != export(to), "a commit to the copy")
            T.fails(1, "is not empty (--replace makes it what the source is)", "copy", "--from", source, "--to", to)
            out, _ = T.run("copy", "--from", source, "--to", to, "--replace")
            T.check(b" entries were written, the others were there\n" in out, out)
            is_equal("replaced", source, to)
    if len(SCHEMES) > 1:
        T.equal("the same store everywhere", len({digest(f"{b}:copy.file.{b}") for b in SCHEMES}), 1)


def test_the_source():
    before = read("world.file")
    T.run("--store", "file:world.file", "copy", "--to", "file:default.hearth")
    is_equal("--store", "file:world.file", "file:default.hearth")
    T.check(read("world.file") == before, "the source is only read")
    out, _ = T.run("copy", "--from", "file:world.file", "--to", "memory:")
    T.check(b"equal on both sides" in out, "to memory")
    T.run("--store", "file:none.hearth", "eval", "error 'nothing is committed'", status=1)
    out, _ = T.run("copy", "--from", "file:none.hearth", "--to", "file:none.copy")
    T.check(out.startswith(b"copied 0 tables, 0 entries, 0 bytes, "), "of a store to which nothing was committed")
    T.equal("it is one", T.run("--store", "file:none.copy", "eval", "next(_home)")[0], b"nil\n")
    damaged = bytearray(before)
    damaged[before.index(b"entry 1500")] ^= 1
    write("damaged.hearth", bytes(damaged))
    T.fails(3, "damaged.hearth: damaged at byte", "copy", "--from", "file:damaged.hearth", "--to", "file:nothing")
    T.check(gone("nothing"), "of a damaged store nothing is made")


# --------------------------------------------------------------- half-way

def is_refused(uri, source):
    for args in (["ls"], ["get", "x"], ["dump"], ["verify"], ["stat"], ["export", "no.export"], ["compact"],
                 ["eval", "1"], ["eval", "--readonly", "1"], ["copy", "--to", "file:no.hearth"],
                 *([["export-legacy"]] if JSON else [])):
        _, err = T.run("--store", uri, *args, status=3)
        T.check(f"an unfinished copy of {source}: hearth copy goes on with it" in err, f"{args}: {err}")
    write("empty.json", "[]")
    if JSON:
        T.run("--store", uri, "import-legacy", "empty.json", status=3)
    T.check(gone("no.hearth") and gone("no.export"), "nothing comes of an unfinished copy")


def test_a_full_disk():
    for scheme in SCHEMES:
        source, to = "file:world.file", f"{scheme}:full.{scheme}"
        _, err = T.run("copy", "--from", source, "--to", to, status=1, preexec_fn=small_files(1800000))
        T.check("(what is copied so far stays: the same command goes on)" in err, err)
        is_refused(to, source)
        T.fails(1, f"an unfinished copy of another store, {source}", "copy", "--from", "file:default.hearth", "--to",
                to)
        out, _ = T.run("copy", "--from", source, "--to", to)
        T.check(b"going on with an unfinished copy\n" in out and b" entries were written, the others" in out, out)
        is_equal("resumed", source, to)
        # over a store: it stays what it was
        remove(to)
        make(to, "_home.x = 'what was there'")
        before = export(to)
        _, err = T.run("copy", "--from", source, "--to", to, "--replace", status=1, preexec_fn=small_files(1800000))
        T.check("(the destination is what it was)" in err, err)
        T.check(export(to) == before, "it is what it was")
        remove(to)


def test_the_source_moves_on():
    T.run("copy", "--from", "file:world.file", "--to", "file:s.hearth")
    T.run("copy", "--from", "file:s.hearth", "--to", "file:moved.hearth", status=1, preexec_fn=small_files(1800000))
    make("file:s.hearth", "_home.log[1], _home.log[2000], _home.log.new, _home.other = nil, 'changed', 1, ext.table()")
    out, _ = T.run("copy", "--from", "file:s.hearth", "--to", "file:moved.hearth")
    T.check(b"the source has moved on since" in out, out)
    is_equal("moved on", "file:s.hearth", "file:moved.hearth")
    T.run("copy", "--from", "file:s.hearth", "--to", "file:other.hearth", status=1, preexec_fn=small_files(1800000))
    T.run("copy", "--from", "file:world.file", "--to", "file:other.hearth", "--replace")
    is_equal("another source", "file:world.file", "file:other.hearth")


def start(source, to, **more):
    return subprocess.Popen([T.hearth, "copy", "--from", source, "--to", to], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, **more)


def wait_for(process, path, size):
    """Until the destination has some bytes, or all of them."""
    while process.poll() is None and not (os.path.exists(path) and os.path.getsize(path) >= size):
        time.sleep(0.001)


def test_signals():
    make("file:large.hearth", LARGE.format(30000))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # who begins this in the background has it ignored
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        stopped = 0
        for attempt in range(100):  # where others keep the machine busy, a copy may be done before it is stopped
            remove("file:stopped")
            for part in range(1, 4):
                process = start("file:large.hearth", "file:stopped")
                wait_for(process, "stopped", part * 4000000)
                process.send_signal(number)
                out, err = process.communicate()
                if process.returncode == 0:
                    break
                at_once = process.returncode == -number  # it had not begun to listen
                stopped += number == signal.SIGKILL or not at_once
                T.check(at_once or process.returncode == 1, f"exit status {process.returncode}")
                T.check(at_once or b"stopped: interrupted (what is copied so far stays" in err, err)
                T.run("--store", "file:stopped", "verify", status=3)
            if stopped > 2:
                break
        T.check(stopped > 2, f"stopped {stopped} times by {number}")
        if process.returncode != 0:
            T.run("copy", "--from", "file:large.hearth", "--to", "file:stopped")
        is_equal("stopped and resumed", "file:large.hearth", "file:stopped")


def test_progress():
    """It takes longer than a second, since it sleeps: then a terminal shows how far it is."""
    remove("file:slow")
    terminal, its = pty.openpty()
    process = subprocess.Popen([T.hearth, "copy", "--from", "file:large.hearth", "--to", "file:slow"], stderr=its,
                               stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    os.close(its)
    wait_for(process, "slow", 2000000)
    process.send_signal(signal.SIGSTOP)
    time.sleep(1.2)
    process.send_signal(signal.SIGCONT)
    shown = b""
    try:
        while more := os.read(terminal, 65536):
            shown += more
    except OSError:  # the other end is closed
        pass
    out = process.communicate()[0]
    T.equal("progress: exit status", process.returncode, 0)
    T.check(b"copy: " in shown and b" of 30004 entries" in shown, shown)
    T.check(b"equal on both sides" in out, out)


def test_busy():
    make("file:busy.hearth", "_home.x = 1")
    holder = subprocess.Popen([T.hearth, "--store", "file:busy.hearth", "run", "-"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
    holder.stdin.write(b"io.write('there') io.flush() repeat local f = io.open('stop') until f")
    holder.stdin.close()
    T.equal("the owner is there", holder.stdout.read(5), b"there")
    T.fails(3, "busy.hearth", "copy", "--from", "file:world.file", "--to", "file:busy.hearth", "--replace")
    T.run("copy", "--from", "file:busy.hearth", "--to", "file:idle.hearth")
    write("stop", "")
    T.equal("the owner ends well", holder.wait(), 0)
    holder.stdout.close()
    is_equal("beside a writer", "file:busy.hearth", "file:idle.hearth")


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    make("file:world.hearth", "_home.x = 1")
    for test in (test_usage, test_onto_itself, test_passwords, test_everything, test_the_source, test_a_full_disk,
                 test_the_source_moves_on, test_signals, test_progress, test_busy):
        test()
    os.chdir("/")
T.finish()
