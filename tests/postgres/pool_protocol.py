"""pool_protocol.py SERVER APP: the example's server over files: its protocol, its limits, and who makes room."""
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

SERVER, APP = sys.argv[1:3]


def check(condition, what):
    if not condition:
        sys.exit(f"pool_protocol: {what}")


class Server:
    all = []

    def __init__(self, folder, app=APP, limit=3, seconds=30, name="socket"):
        self.path = os.path.join(folder, name)
        self.process = subprocess.Popen(
            [SERVER, self.path, f"file:{folder}/{{user}}.hearth", app, str(limit), str(seconds)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.all.append(self.process)
        while True:
            try:
                self.connect().close()
                return
            except OSError:
                check(self.process.poll() is None, "the server ended at once")

    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(60)
        s.connect(self.path)
        return s

    def open_files(self):
        folder = f"/proc/{self.process.pid}/fd"
        return [os.path.basename(os.readlink(f"{folder}/{fd}")) for fd in os.listdir(folder)]

    def open_users(self):
        """The users whose stores it has open."""
        return sorted({name.split(".")[0] for name in self.open_files() if ".hearth" in name})

    def connections(self):
        return sum(name.startswith("socket:") for name in self.open_files())

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.said = self.process.communicate()[1]
        if how == signal.SIGTERM:
            check(self.process.returncode == 0, f"SIGTERM: {self.process.returncode} {self.said}")
            check(not os.path.exists(self.path), "the socket is left behind")


class Client:
    def __init__(self, server):
        self.socket = server.connect()
        self.file = self.socket.makefile("rwb", buffering=0)

    def send(self, line):
        self.file.write(line.encode() + b"\n")

    def read(self):
        try:
            return self.file.readline().decode().rstrip("\n")
        except ConnectionResetError:  # closed before it read all
            return ""

    def ask(self, line):
        self.send(line)
        return self.read()

    def expect(self, line, answer):
        got = self.ask(line)
        check(got == answer, f"{line[:80]!r}: {got!r} instead of {answer!r}")

    def expect_like(self, line, *parts):
        got = self.ask(line)
        check(all(part in got for part in parts), f"{line[:80]!r}: {got!r} lacks one of {parts}")


def answers(server):
    c = Client(server)
    c.expect("anna 1 add 5", "1 ok 5")
    c.expect("anna 1 add 5", "1 ok 5")  # asked again: not run again
    c.expect("anna 2 add 1", "2 ok 6")
    c.expect("anna 21 get", "21 ok 6")
    c.expect("anna 2 get", "2 ok 6")  # 21 was the last; 2 is not taken for it
    c.expect("bert 1 get", "1 ok 0")
    c.expect("anna 3 add much", "3 error add needs a whole number")
    c.expect("anna 3 add much", "3 error add needs a whole number")
    c.expect("anna 4 dance", "4 error no such command: dance")
    c.expect("anna 5 get", "5 ok 6")


def bad_lines(server):
    c = Client(server)
    for line in ("", "anna", "anna 1", "an/na 1 get", "../anna 1 get", "a" * 65 + " 1 get", " 1 get", "anna  get",
                 "anna 1.5 get", "anna " + "1" * 65 + " get", "anna 1 g\0et"):
        check(c.ask(line).startswith("- error a request is USER ID TEXT"), f"{line!r} was taken")
    c.expect("a" * 64 + " " + "1" * 64 + " get", "1" * 64 + " ok 0")
    longest = "anna 1 dance" + "x" * (4095 - len("anna 1 dance"))
    check(c.ask(longest).startswith("1 error no such command: dancexx"), "the longest line")
    c.send(longest + "x")
    check(c.read() == "- error the line is too long", "too long")
    check(c.read() == "", "the connection goes on after a line that was too long")


def other_clients(server):
    idle, slow, gone, half = (Client(server) for _ in range(4))
    half.file.write(b"anna 1")
    gone.send("anna 90 add 1")
    gone.file.close()
    gone.socket.close()
    # Nobody reads these answers: the server stops reading this client, and goes on with others.
    slow.socket.setblocking(False)
    sent = b"".join(b"cora %d get %s\n" % (i, b"x" * 3000) for i in range(400))
    taken = 0
    try:
        while taken < len(sent):
            taken += slow.socket.send(sent[taken:])
    except BlockingIOError:
        pass
    check(0 < taken < len(sent), "the server reads what it cannot answer")
    c = Client(server)
    for i in range(50):
        c.expect(f"dora {i} add 1", f"{i} ok {i + 1}")
    half.file.write(b"00 get\n")
    check(half.read().startswith("100 ok "), "a line that came in two parts")
    slow.socket.settimeout(60)
    slow.socket.shutdown(socket.SHUT_WR)
    for i in range(sent[:taken].count(b"\n")):
        check(slow.read() == f"{i} ok 0", "the slow client's answers")
    check(slow.read() == "", "half a line was answered")
    idle.expect("anna 101 add 0", idle.ask("anna 101 add 0"))
    pipelined = Client(server)
    pipelined.file.write(b"".join(b"emil %d add 1\n" % i for i in range(20)))
    pipelined.socket.shutdown(socket.SHUT_WR)
    check([pipelined.read() for _ in range(20)] == [f"{i} ok {i + 1}" for i in range(20)], "lines sent at once")
    check(pipelined.read() == "", "the connection is still open after its end")


def limits(folder):
    app = os.path.join(folder, "limits.lua")
    with open(app, "w", encoding="utf-8") as f:
        f.write("""
            local before = _home.starts
            _home.starts = (before or 0) + 1
            function handle(text)
              _home.last = text
              if text == "loop" then while true do end end
              if text == "catch" then while true do pcall(function() while true do end end) error("caught", 0) end end
              if text == "grow" then local t = {} while true do t[#t + 1] = ("x"):rep(1000) .. #t end end
              if text == "keep" then _home.co = coroutine.create(print) return "kept" end
              if text == "lines" then return "a\\nb" end
              if text == "long" then return ("x"):rep(5000) end
              if text == "nothing" then return end
              if text == "replace" then _home = {} return "replaced" end
              if text == "clear" then for k in pairs(_home) do _home[k] = nil end return "cleared" end
              if text == "spoil" then _home["server: last answer"] = "9 ok spoiled" return "done" end
              if text == "table" then error {} end
              return tostring(_home.seen)
            end""")
    server = Server(folder, app, 3, 1, "limits")
    c = Client(server)
    c.expect_like("lim 1 loop", "1 error ", "instructions")
    c.expect_like("lim 1 catch", "1 error caught")
    c.expect_like("lim 1 grow", "1 error ", "not enough memory")
    c.expect_like("lim 1 keep", "1 error ", "_home.co")
    for text in ("lines", "long", "nothing"):
        c.expect_like(f"lim 1 {text}", "1 error ", "handle must return one line")
    c.expect_like("lim 1 replace", "1 error ", "_home")
    c.expect("lim 1 table", "1 error table")
    c.expect("lim 2 clear", "2 ok cleared")
    c.expect("lim 2 clear", "2 ok cleared")
    c.expect("lim 3 spoil", "3 ok done")
    c.expect("lim 3 anything", "3 ok done")
    c.expect("lim 4 anything", "4 ok nil")
    server.end()
    broken = os.path.join(folder, "broken.lua")
    with open(broken, "w", encoding="utf-8") as f:
        f.write("function handle(")
    server = Server(folder, broken, 3, 1, "broken")
    Client(server).expect_like("lim 5 get", "5 unavailable ", "broken.lua:1:")
    server.end()


def room(folder):
    """The least recently used one is closed, and nothing it acknowledged is lost."""
    server = Server(folder, limit=3, name="room")
    c = Client(server)
    steps = (("r1", "r1"), ("r2", "r1 r2"), ("r3", "r1 r2 r3"), ("r1", "r1 r2 r3"), ("r4", "r1 r3 r4"),
             ("r3", "r1 r3 r4"), ("r5", "r3 r4 r5"))
    for number, (user, open_now) in enumerate(steps):
        c.expect_like(f"{user} {number} add 1", f"{number} ok ")
        check(server.open_users() == open_now.split(), f"after {user}: {server.open_users()} instead of {open_now}")
    for user, count in (("r1", 2), ("r2", 1), ("r3", 2), ("r4", 1), ("r5", 1)):
        c.expect(f"{user} count get", f"count ok {count}")
        check(len(server.open_users()) == 3, "more open than the limit")
    server.end()
    check(" 10 openings, 7 closed to make room, 0 failures" in server.said, server.said)


def taken(folder):
    """A store that another one has is tried for a while: then it is unavailable, or it is there."""
    first, second = Server(folder, name="first"), Server(folder, seconds=1, name="second")
    third = Server(folder, name="third")
    Client(first).expect("tina 1 add 1", "1 ok 1")
    c = Client(second)
    c.send("tina 2 add 1")  # is tried again and again
    Client(second).expect("otto 1 add 1", "1 ok 1")  # and others are served meanwhile
    check(c.read().startswith("2 unavailable "), "a store that another server has")
    waiting, behind, gone = Client(third), Client(third), Client(third)
    gone.expect("olga 1 add 1", "1 ok 1")
    before = third.connections()
    gone.send("tina 9 add 100")
    gone.file.close()
    gone.socket.close()
    for _ in range(500):  # its request goes with it
        if third.connections() == before - 1:
            break
        time.sleep(0.02)
    else:
        check(False, "a client that is gone still waits")
    waiting.send("tina 2 add 1")
    time.sleep(1.5)  # by now it is tried once a second, and the next one would be sooner
    behind.send("tina 3 add 1")
    Client(third).expect("olga 2 add 1", "2 ok 2")
    first.end()
    for client, answer in ((waiting, "2 ok 2"), (behind, "3 ok 3")):
        got = client.read()
        check(got == answer, f"{got} instead of {answer}")
    second.end()
    third.end()


def killed(folder):
    """What was acknowledged is there after SIGKILL; the socket left behind gives way, a live one does not."""
    server = Server(folder, name="killed")
    Client(server).expect("kim 1 add 1", "1 ok 1")
    second = subprocess.run([SERVER, server.path, f"file:{folder}/{{user}}.hearth", APP],
                            capture_output=True, text=True)
    check(second.returncode != 0 and "in use" in second.stderr, f"two servers at one socket: {second.stderr}")
    server.end(signal.SIGKILL)
    check(os.path.exists(server.path), "SIGKILL removed the socket")
    server = Server(folder, name="killed")
    c = Client(server)
    c.expect("kim 1 add 1", "1 ok 1")
    c.expect("kim 2 add 1", "2 ok 2")
    server.end()
    check(server.said.startswith("server: 2 requests, 1 answered from the store, 1 openings, 0 closed"), server.said)


def usage():
    for arguments in ([], ["s", "file:x", APP], ["s", "file:{user}", APP, "0"], ["s", "file:{user}", APP, "1x"],
                      ["s", "file:{user}", APP, "1", "1", "1"]):
        r = subprocess.run([SERVER, *arguments], capture_output=True, text=True)
        check(r.returncode == 1 and r.stderr.startswith("usage: "), f"{arguments}: {r}")


with tempfile.TemporaryDirectory() as place:
    try:
        usage()
        one = Server(place)
        answers(one)
        bad_lines(one)
        other_clients(one)
        one.end()
        limits(place)
        room(place)
        taken(place)
        killed(place)
    finally:
        for process in Server.all:
            process.kill()
print("pool_protocol: ok")
