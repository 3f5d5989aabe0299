"""copy_command.py HEARTH SCHEMES: hearth copy between files, SQLite and a server, whose URIs begin with
HEARTH_TEST_STORES; the command and the server are killed meanwhile. Run by with_server."""
import os
import signal
import subprocess
import sys
import tempfile
import time

HEARTH, SCHEMES = os.path.abspath(sys.argv[1]), sys.argv[2].split(",")
STORES = os.environ["HEARTH_TEST_STORES"]
PASSWORD = STORES.split("@")[0].split(":")[-1]
WORLD = r"""
local count = 0
_home.up = function() count = count + 1 return count end
_home.self, _home.print = _home, print
_home.text = ("0123456789"):rep(100000)
_home.log = ext.table()
for i = 1, 8000 do _home.log[i] = ("visit " .. i):rep(i % 90) end
_home.log.deep = {down = {1, 2, 3}, ["a\0b"] = true}
_home.up()
"""
passed = failed = 0


def check(right, *what):
    global passed, failed
    if right:
        passed += 1
    else:
        failed += 1
        print("FAILED:", *what)


def hearth(*args, status=0, stdin=b""):
    """Runs the command; no line that it prints has the password."""
    done = subprocess.run([HEARTH, *args], input=stdin, capture_output=True, check=False, timeout=200)
    text = (done.stdout + done.stderr).decode(errors="replace")
    if status is not None:
        check(done.returncode == status, f"{args}: exit status {done.returncode}: {text:.1000}")
    if args[-1] != "x.export":
        check(PASSWORD not in text, f"{args} shows a password")
    return done.returncode, text


def place(scheme, name):
    return STORES + name if scheme == "postgresql" else f"{scheme}:{name}.{scheme}"


def export(uri):
    hearth("--store", uri, "export", "x.export")
    with open("x.export", "rb") as file:
        content = file.read()
    os.remove("x.export")
    return content


def copy_everywhere(world):
    """From each kind of backend to each other one; what arrives is what was sent, and can be used."""
    for source in SCHEMES:
        for to in SCHEMES:
            name = f"from_{source}_to_{to}"
            _, out = hearth("copy", "--from", place(source, "world"), "--to", place(to, name))
            check("8" in out, out)
            check(export(place(to, name)) == world, f"{name}: the same entries")
            check(hearth("--store", place(to, name), "eval", "_home.up()")[1].strip() == "2", f"{name}: it runs")


def look(uri):
    """What ls says; the session of who was killed, and a server that starts, may need a moment."""
    for _ in range(100):
        text = hearth("--store", uri, "ls", status=None)[1]
        if "busy" not in text and "cannot connect" not in text:
            break
        time.sleep(0.1)
    return text


def copy_killed(source, to, kill):
    """Interrupted until it is done: each time later. Between, the destination is none, empty, unfinished, or whole."""
    seen_unfinished = done = 0
    whole = look(source)
    for attempt in range(40):
        process = subprocess.Popen([HEARTH, "copy", "--from", source, "--to", to], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        time.sleep(0.01 * 1.25**attempt)
        if process.poll() is None:
            kill(process)
        _, err = process.communicate()
        check(PASSWORD.encode() not in err, "a password in", err)
        done = process.returncode == 0
        if done:
            break
        text = look(to)
        seen_unfinished += "unfinished copy" in text
        none = "there is no such" in text or "nothing was ever committed" in text
        done = text == whole  # killed when all was there, and it had only to say so
        check(none or done or text == "" or "unfinished copy" in text, f"{to}: {text}")
        if done:
            break
    print(f"  {to.split(':')[0]}: interrupted {attempt}, unfinished {seen_unfinished} times, then whole")
    look(to)
    if not done:
        hearth("copy", "--from", source, "--to", to)
    return seen_unfinished


def main():
    hearth("--store", place(SCHEMES[0], "world"), "run", "-", stdin=WORLD.encode())
    for scheme in SCHEMES[1:]:  # one world, everywhere
        hearth("copy", "--from", place(SCHEMES[0], "world"), "--to", place(scheme, "world"))
    world = export(place(SCHEMES[0], "world"))
    copy_everywhere(world)
    unfinished = 0
    for number, scheme in enumerate(SCHEMES):
        source, to = place(SCHEMES[number - 1], "world"), place(scheme, "killed")
        unfinished += copy_killed(source, to, lambda process: process.send_signal(signal.SIGKILL))
        check(export(to) == world, f"{to}: whole after kills")
    unfinished += copy_killed(place("file", "world"), place("postgresql", "crashed"),
                              lambda process: os.kill(os.getppid(), signal.SIGUSR1))
    check(unfinished > 0, "copies were interrupted")
    check(export(place("postgresql", "crashed")) == world, "whole after crashes of the server")
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 else 1


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    sys.exit(main())
