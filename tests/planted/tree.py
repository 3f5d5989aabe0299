"""A copy of the tree with a build of its own, in which one bug at a time is planted."""
import contextlib
import dataclasses
import filecmp
import json
import os
import re
import shutil
import signal
import subprocess

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
PATIENCE = 120  # seconds; the named tests take a few
JS_SOURCES = "bindings/js/src/"


class PlantedError(Exception):
    pass


@dataclasses.dataclass
class Result:
    status: str  # "green", "red", "hang"
    output: str


def files_of_tree():
    """What git knows, and what is new; without git all but the build folders."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if listed.returncode == 0 and listed.stdout:
        names = listed.stdout.decode().split("\0")
        return [name for name in names if name and os.path.isfile(os.path.join(ROOT, name))]
    names = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name != ".git" and not (folder == ROOT and name.startswith("build"))]
        names += [os.path.relpath(os.path.join(folder, name), ROOT) for name in files]
    return names


def copy_changed(source, target):
    """Files that are the same keep their time, so that a second run compiles little."""
    if os.path.isfile(target) and filecmp.cmp(source, target, shallow=False):
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.isfile(target):
        os.remove(target)
    shutil.copyfile(source, target)
    shutil.copymode(source, target)


def called(arguments, **options):
    """Runs what must succeed."""
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          check=False, **options)
    if done.returncode != 0:
        raise PlantedError(f"{' '.join(arguments)}: exit status {done.returncode}\n{done.stdout[-3000:]}")
    return done.stdout


class Tree:
    def __init__(self, folder):
        self.source = os.path.join(folder, "source")
        self.build = os.path.join(folder, "build")
        self.package = os.path.join(folder, "package")
        self.tests = {}
        self.outputs = {}

    # ------------------------------------------------------------- preparing

    def prepare(self, tests):
        """Copies, configures, and builds what the tests need."""
        names = set(files_of_tree())
        for name in names:
            copy_changed(os.path.join(ROOT, name), os.path.join(self.source, name))
        for folder, _, files in os.walk(self.source):
            for name in files:
                path = os.path.join(folder, name)
                if os.path.relpath(path, self.source) not in names:
                    os.remove(path)
        if not os.path.isfile(os.path.join(self.build, "build.ninja")):
            called(["meson", "setup", self.build, self.source, "-Doptimization=1", "-Ddebug=false", "-Dfuzz=enabled"],
                   cwd=self.source, env={**os.environ, "CC": "gcc"})  # there cmake leaves a folder for a moment
        elif not os.path.isdir(os.path.join(self.build, "fuzz")):  # from before there were bugs for its targets
            called(["meson", "configure", self.build, "-Dfuzz=enabled"])
        self.read_build()
        self.compile({target for test in tests for target in self.targets(test)})
        if any(test.endswith(".js") for test in tests):
            shutil.rmtree(self.package, ignore_errors=True)
            shutil.copytree(os.environ["HEARTH_PACKAGE"], self.package)
            for name in names:
                self.renew_package(name)

    def read_build(self):
        """Meson's tests by their names, and the files that its targets make."""
        called(["ninja", "-C", self.build, "build.ninja"])  # after changes of meson.build
        for test in json.loads(called(["meson", "introspect", "--tests", self.build])):
            for suite in test["suite"]:
                self.tests[suite.partition(":")[2] + "/" + test["name"]] = test
        for target in json.loads(called(["meson", "introspect", "--targets", self.build])):
            self.outputs[target["id"]] = [os.path.relpath(name, self.build) for name in target["filename"]]

    def test_named(self, name):
        if name not in self.tests:
            raise PlantedError(f"there is no test '{name}': see meson test --list")
        return self.tests[name]

    def targets(self, test):
        if test.endswith(".js"):
            return []
        return [name for target in self.test_named(test)["depends"] for name in self.outputs[target]]

    def compile(self, targets):
        if targets:
            called(["ninja", "-C", self.build, "-j", "1", *sorted(targets)])

    # -------------------------------------------------------------- planting

    def renew_package(self, name):
        """The package has the JavaScript sources as they are."""
        if name.startswith(JS_SOURCES):
            copy_changed(os.path.join(self.source, name), os.path.join(self.package, "src", name[len(JS_SOURCES):]))

    @contextlib.contextmanager
    def planted(self, bug):
        """The tree with the bug in it. A patch that does not apply as it is raises."""
        paths = [os.path.join(self.source, name) for name in bug.files]
        before = {}
        for path in paths:
            with open(path, "rb") as file:
                before[path] = file.read()
        # not as a part of the repository that the build folder may lie in, where git would skip it in silence
        outside = {**os.environ, "GIT_CEILING_DIRECTORIES": os.path.dirname(self.source)}
        try:
            called(["git", "apply", "-p1", "--whitespace=nowarn", bug.path], cwd=self.source, env=outside)
            self.renew(bug)
            for path in paths:
                with open(path, "rb") as file:
                    if file.read() == before[path]:
                        raise PlantedError(f"{bug.name} changes nothing")
            yield
        finally:
            for path, content in before.items():
                with open(path, "wb") as file:
                    file.write(content)
            self.renew(bug)

    def renew(self, bug):
        if bug.needs_package:
            for name in bug.files:
                self.renew_package(name)

    # --------------------------------------------------------------- running

    def run(self, test, arguments=()):
        self.compile(self.targets(test))
        environment = {name: value for name, value in os.environ.items() if name != "HEARTH_TEST_ROUNDS"}
        if test.endswith(".js"):
            environment.update(HEARTH_PACKAGE=self.package, HEARTH_WASM=os.path.join(self.package, "src/hearth.wasm"))
            command = ["node", "--test", "--test-concurrency=1", "--test-reporter=tap", test]
            return self.run_command(command, self.source, environment)
        found = self.test_named(test)
        environment.update(found["env"])
        return self.run_command([*found["cmd"], *arguments], found["workdir"] or self.build, environment)

    @staticmethod
    def run_command(command, folder, environment):
        with subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True) as process:
            try:
                output, _ = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # its children too
                output, _ = process.communicate()
                return Result("hang", f"{output}\nstopped after {PATIENCE} s")
        status = "green" if process.returncode == 0 else "red"
        return Result(status, re.sub(r"\x1b\[[0-9;]*m", "", output))
