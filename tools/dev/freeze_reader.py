"""freeze_reader.py write|check [TREE]: the reader of the first released format, kept in tests/reader/1.

write: copies from the tree what reading a blob and a log needs: C files, the headers that they include, and
  prefix.h, which gives each of their symbols a name of its own. Only until CHANGELOG.md has a release.
check: the copy has the bytes that SHA256SUMS says, and until there is a release those of the tree, too."""

import hashlib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

COPY = "tests/reader/1"
PREFIX = "reader1_"
FOLDERS = ("include", "lib/base", "lib/format", "lib/view", "backends/log", "tests/reader")
SOURCES = {
    "lib/base": "buffer error hash status",
    "lib/format": "blob chunk cursor external_entry heads layout prototype_record record value",
    "lib/view": "blob external fields object pages reader store",
    "backends/log": "decode scan",
    "tests/reader": "logstore tell",
}
HEAD = "/* Names of this reader's own, for programs that have the current one, too: made by ./dev freeze-reader. */\n"


def sources():
    return [f"{folder}/{name}.c" for folder, names in SOURCES.items() for name in names.split()]


def wanted(tree):
    """The paths of what is copied: the sources and every header of ours that they include, through others too."""
    found, waiting = set(), sources()
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        here = path.rsplit("/", 1)[0]
        for name in re.findall(r'^#include "(.+)"', (tree / path).read_text(encoding="utf-8"), re.M):
            waiting.append(next(f"{folder}/{name}" for folder in (here, *FOLDERS) if (tree / folder / name).exists()))
    return sorted(found)


def defined(*objects):
    """The names of the symbols that object files or libraries define for others."""
    command = ["nm", "-g", "--defined-only", "-P", *objects]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {line.split()[0] for line in listed.splitlines() if len(line.split()) > 1}


def symbols(tree):
    """What the sources define for each other, as a compiler and nm see it."""
    with tempfile.TemporaryDirectory() as folder:
        objects = []
        for number, path in enumerate(sources()):
            objects.append(f"{folder}/{number}.o")
            includes = [f"-I{tree / place}" for place in FOLDERS]
            command = ["cc", "-std=c11", "-D_GNU_SOURCE", *includes, "-c", tree / path, "-o", objects[-1]]
            subprocess.run(command, check=True)
        return sorted(defined(*objects))


def released(tree):
    return re.search(r"^## \[\d", (tree / "CHANGELOG.md").read_text(encoding="utf-8"), re.M) is not None


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files_of(copy):
    paths = (path for path in copy.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    return sorted(path.relative_to(copy).as_posix() for path in paths)


def write(tree):
    if released(tree):
        return ["CHANGELOG.md has a release: its reader stays as it is"]
    copy = tree / COPY
    shutil.rmtree(copy, ignore_errors=True)
    for path in wanted(tree):
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tree / path, copy / path)
    names = symbols(tree)
    (copy / "prefix.h").write_text(HEAD + "".join(f"#define {n} {PREFIX}{n}\n" for n in names), encoding="ascii")
    sums = "".join(f"{digest(copy / name)}  {name}\n" for name in files_of(copy))
    (copy / "SHA256SUMS").write_text(sums, encoding="ascii")
    print(f"{len(files_of(copy))} files, {len(names)} symbols in {COPY}")
    return []


def check(tree):
    copy = tree / COPY
    listed = dict(reversed(line.split()) for line in (copy / "SHA256SUMS").read_text(encoding="ascii").splitlines())
    there = files_of(copy)
    wrong = [f"{COPY}/{name}: not in SHA256SUMS" for name in there if name not in listed]
    wrong += [f"{COPY}/{name}: missing" for name in listed if name not in there]
    wrong += [f"{COPY}/{name}: other bytes than it was frozen with" for name in there
              if name in listed and digest(copy / name) != listed[name]]
    if not released(tree):
        paths = wanted(tree)
        again = "; ./dev freeze-reader copies it again, as long as there is no release"
        wrong += [f"{COPY}/{path}: the tree has another{again}" for path in paths
                  if not (copy / path).exists() or (copy / path).read_bytes() != (tree / path).read_bytes()]
        wrong += [f"{COPY}/{name}: no part of the reader{again}" for name in there if name not in (*paths, "prefix.h")]
    print(f"{len(there)} files of the first reader, {len(wrong)} wrong")
    return wrong


def main():
    tree = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else ".").resolve()
    wrong = {"write": write, "check": check}[sys.argv[1]](tree)
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
