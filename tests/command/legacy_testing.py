"""What the tests of import-legacy and export-legacy share: running the command, and counting."""
import os
import subprocess
import sys


class Testing:
    """Checks with a count; `hearth` is the program."""

    def __init__(self, hearth):
        self.hearth = hearth
        self.passed = self.failed = 0

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
