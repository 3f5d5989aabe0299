"""What the tests of import-legacy and export-legacy share: running the command, and counting."""
import json
import os
import subprocess
import sys

# What a value is, one line for each of the expressions: itself, kind, text.
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


class Testing:
    """Checks with a count; `hearth` is the program."""

    def __init__(self, hearth):
        self.hearth = hearth
        self.passed = self.failed = 0
        os.environ.pop("HEARTH_STORE", None)

    def check(self, right, *what):
        """One check."""
        if right:
            self.passed += 1
        else:
            self.failed += 1
            print("FAILED:", *what)
        return right

    def equal(self, name, actual, expected):
        return self.check(actual == expected, f"{name}: {actual!r:.1000}, not {expected!r:.1000}")

    def run(self, *args, status=0, stdin=b"", **more):
        """Runs the command: its standard output and error. Another exit status than `status` (None: any) has failed."""
        done = subprocess.run([self.hearth, *args], input=stdin, capture_output=True, check=False, **more)
        err = done.stderr.decode(errors="replace")
        if status is not None:
            self.check(done.returncode == status, f"{args}: exit status {done.returncode}, not {status}: {err:.2000}")
        self.check("Sanitizer" not in err and "runtime error" not in err, f"{args}: {err:.2000}")
        self.status = done.returncode
        return done.stdout, err

    def fails(self, status, says, *args, **more):
        """Runs what must fail with one line of error that has the text `says`, and print nothing."""
        out, err = self.run(*args, status=status, **more)
        self.check(is_one_line(err) and says in err, f"{args}: {err!r:.600} is not one line with {says!r}")
        self.equal(f"{args}: output", out, b"")

    def import_new(self, dump, *options, **more):
        """Imports into the store s.hearth, which is made anew."""
        for name in ("s.hearth", "s.hearth.ballast"):
            if os.path.exists(name):
                os.remove(name)
        return self.run("--store", "file:s.hearth", "import-legacy", dump, *options, **more)

    def describe(self, store, expressions):
        """Kind and text of what each expression gives in the store; strings in hexadecimal."""
        code = "local _home_expressions = " + lua_text("\0".join(expressions)) + "\n" + DESCRIBE
        out, _ = self.run("--store", store, "run", "-", stdin=code.encode())
        return [line.split("\t")[1:] for line in out.decode().splitlines()]

    def canonical(self, store):
        """The whole home graph as bytes that say nothing of where it is stored."""
        code = b'io.write(require "hearth".encode(_home, {canonical = true}))'
        return self.run("--store", store, "run", "-", stdin=code)[0]

    def finish(self):
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(self.failed > 0)


def is_one_line(err):
    return err.startswith("hearth: ") and err.count("\n") == 1


def write(path, content):
    with open(path, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())


def read(path):
    with open(path, "rb") as file:
        return file.read()


def gone(path):
    """Is nothing there, and nothing beside it that belongs to it?"""
    folder, name = os.path.split(os.path.abspath(path))
    return not any(found.startswith(name) for found in os.listdir(folder))


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


def lines(report):
    """A printed report, as lists."""
    return [line.split("\t") for line in report.splitlines()]


def lua_text(value):
    return '"' + "".join(f"\\x{byte:02x}" for byte in value.encode()) + '"'


def as_string(value):
    return ["string", value.encode().hex()]
