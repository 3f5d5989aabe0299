"""copy.py TREE LIBRARY: the first reader's copy is as it was frozen, what refuses another one does, and all symbols of
the LIBRARY that is made of it have names of their own."""

import pathlib
import shutil
import sys
import tempfile

TREE, LIBRARY = pathlib.Path(sys.argv[1]), sys.argv[2]
sys.path.insert(0, str(TREE / "tools/dev"))
import freeze_reader  # pylint: disable=wrong-import-position


def refuses(name, tree, expected):
    wrong = freeze_reader.check(tree)
    if not any(expected in line for line in wrong):
        sys.exit(f"{name}: not refused with '{expected}' but {wrong}")


def passes(name, tree):
    wrong = freeze_reader.check(tree)
    if wrong:
        sys.exit(f"{name}: {wrong}")


def add(path, text):
    path.write_bytes(path.read_bytes() + text)


def rules(tree):
    """Before a release the copy is the tree's; after it nothing changes it. `tree` has only what that takes."""
    copy, changes = tree / freeze_reader.COPY, tree / "CHANGELOG.md"
    for path in [*freeze_reader.wanted(TREE), "CHANGELOG.md"]:
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(TREE / path, tree / path)
    shutil.copytree(TREE / freeze_reader.COPY, copy)
    changes.write_text("# Changes\n\n## [Unreleased]\n", encoding="ascii")
    passes("as it is", tree)

    add(copy / "lib/view/blob.c", b"/**/\n")
    refuses("a changed copy", tree, "lib/view/blob.c: other bytes")
    shutil.copyfile(tree / "lib/view/blob.c", copy / "lib/view/blob.c")
    (copy / "lib/view/more.c").touch()
    refuses("a file more", tree, "lib/view/more.c: not in SHA256SUMS")
    (copy / "lib/view/more.c").rename(tree / "kept")
    (copy / "lib/base/hash.h").unlink()
    refuses("a file less", tree, "lib/base/hash.h: missing")
    shutil.copyfile(tree / "lib/base/hash.h", copy / "lib/base/hash.h")

    add(tree / "lib/format/value.c", b"int added_to_the_tree;\n")
    refuses("a changed tree", tree, "lib/format/value.c: the tree has another")
    if freeze_reader.write(tree):
        sys.exit("it is not frozen again before there is a release")
    passes("frozen again", tree)
    if "added_to_the_tree" not in (copy / "prefix.h").read_text(encoding="ascii"):
        sys.exit("a symbol that was added has no name of its own")

    changes.write_text("# Changes\n\n## [Unreleased]\n\n## [1.0.0] - 2030-01-01\n", encoding="ascii")
    add(tree / "lib/format/value.c", b"/* of a later version */\n")
    passes("a later tree", tree)
    if not freeze_reader.write(tree):
        sys.exit("a released reader is frozen again")
    add(copy / "lib/format/value.c", b"/**/\n")
    refuses("a changed released copy", tree, "lib/format/value.c: other bytes")


def main():
    wrong = freeze_reader.check(TREE)
    ours = [name for name in freeze_reader.defined(LIBRARY) if not name.startswith("__")]  # sanitizers add some
    wrong += [f"{name} is a symbol without a prefix" for name in ours if not name.startswith(freeze_reader.PREFIX)]
    if len(ours) < 100:
        wrong.append(f"only {len(ours)} symbols in {LIBRARY}")
    for line in wrong:
        print(line, file=sys.stderr)
    if not wrong:
        with tempfile.TemporaryDirectory() as folder:
            rules(pathlib.Path(folder))
    return 1 if wrong else 0


sys.exit(main())
