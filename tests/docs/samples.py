"""samples.py LANGUAGES DOCUMENT...: every sample of code in the documents works.

A document's samples run in their order in one empty folder, each as a program of its own: Lua, C, JavaScript (`js`) and
shell. A comment of Markdown above a block says what is not so:

    <!-- sample: file NAME -->      it is not run, but written to this file, which later samples use; the text above
                                    names it
    <!-- sample: in FRAME -->       tests/docs/frames/FRAME has what is around it; a line with @sample@ gives the place
    <!-- sample: builds in FRAME -->   the same, compiled and linked but not run
    <!-- sample: fails -->          the program ends with an exit status that is not 0
    <!-- output -->                 a block of text: what the program above it printed
    <!-- sample: not run: REASON -->

JavaScript runs in Node here, where a store "indexeddb:NAME" is "file:NAME".

LANGUAGES are those to run here, with commas between; blocks of others are passed over, but for files. Environment:
HEARTH and HEARTH_LUA, the command and an interpreter that finds the module; HEARTH_CC, a compiler with the options that
find Hearth and Lua; HEARTH_PACKAGE, the npm package. What other tests run is listed in ELSEWHERE, with the test.
"""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FRAMES = pathlib.Path(__file__).resolve().parent / "frames"
BLOCK = re.compile(r"^(?:<!-- (?P<note>(?:sample|output).*?) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$",
                   re.M | re.S)
LANGUAGES = {"lua", "c", "js", "sh"}
# Languages whose blocks in a document another test takes out and tries.
ELSEWHERE = {
    ("README.md", "lua"): "tests/lua/readme.lua",
    ("README.md", "c"): "tests/embed/run.sh",
    ("docs/BACKENDS.md", "c"): "tests/testkit/document.py",
    ("docs/MIGRATION.md", "lua"): "tests/lua/migration.lua",
    ("docs/MIGRATION.md", "js"): "tests/browser/migration.test.js",
    ("docs/MIGRATION.md", "sh"): "tests/command/migrate.sh",
}


class Wrong(Exception):
    pass


def definitions(text):
    """The samples in the comments of Lua definitions, as a document."""
    return "\n".join(line[3:] for line in text.split("\n") if line.startswith("---"))


def framed(note, code):
    name = re.fullmatch(r"sample: (?:builds )?in (\S+)", note)
    if not name:
        return code
    frame = (FRAMES / name[1]).read_text(encoding="utf-8")
    place = re.search(r"^.*@sample@.*\n", frame, re.M)
    if place is None:
        raise Wrong(f"{name[1]} has no line with @sample@")
    return frame[:place.start()] + code + frame[place.end():]


def run(command, folder):
    environment = dict(os.environ, PATH=f"{folder}/.bin:{os.environ['PATH']}")
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120,
                          check=False)


def run_lua(code, folder):
    path = folder / "sample.lua"
    path.write_text(code, encoding="utf-8")
    return run([os.environ["HEARTH_LUA"], str(path)], folder)


def run_c(code, folder, only_build=False):
    path = folder / "sample.c"
    path.write_text(code, encoding="utf-8")
    libraries = shlex.split(os.environ.get("HEARTH_LIBS", ""))
    made = run([*shlex.split(os.environ["HEARTH_CC"]), str(path), "-o", str(folder / "sample"), *libraries], folder)
    if made.returncode:
        raise Wrong(made.stderr)
    return made if only_build else run([str(folder / "sample")], folder)


def run_js(code, folder):
    modules = folder / "node_modules"
    modules.mkdir(exist_ok=True)
    if not (modules / "hearth-lua").exists():
        (modules / "hearth-lua").symlink_to(os.environ["HEARTH_PACKAGE"])
    path = folder / "sample.mjs"
    path.write_text(code.replace("indexeddb:", "file:"), encoding="utf-8")
    return run(["node", str(path)], folder)


def run_sh(code, folder):
    return run(["bash", "-euo", "pipefail", "-c", code], folder)


RUN = {"lua": run_lua, "c": run_c, "js": run_js, "sh": run_sh}


def try_sample(block, folder):
    note = block["note"] or ""
    code = framed(note, block["code"])
    if note.startswith("sample: builds in "):
        result = run_c(code, folder, only_build=True)
    else:
        result = RUN[block["language"]](code, folder)
    if (result.returncode != 0) != (note == "sample: fails"):
        raise Wrong(f"exit status {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


def compare(expected, printed):
    """`...` in a line stands for anything in it."""
    pattern = "".join(re.escape(piece) if piece != "..." else ".*" for piece in re.split(r"(\.\.\.)", expected))
    if not re.fullmatch(pattern, printed):
        raise Wrong(f"it printed\n{printed}and not\n{expected}")


def prepare(folder):
    tools = folder / ".bin"
    tools.mkdir()
    for name, variable in (("hearth", "HEARTH"), ("lua5.4", "HEARTH_LUA")):
        if os.environ.get(variable):
            (tools / name).symlink_to(os.environ[variable])


def try_block(block, name, languages, folder, counts, printed):
    """What it printed, where it is a program that was run."""
    note, language = block["note"] or "", block["language"]
    file = re.fullmatch(r"sample: file (\S+)", note)
    if file:
        path = folder / file[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block["code"], encoding="utf-8")
    elif note == "output":
        if printed is not None:
            compare(block["code"], printed)
    elif note.startswith("sample: not run: "):
        counts["not run"] += 1
    elif language in LANGUAGES:
        if (name, language) in ELSEWHERE:
            counts["elsewhere"] += 1
        elif language in languages:
            counts["run"] += 1
            return try_sample(block, folder)
        return None
    return printed


def unnamed_files(name, text):
    """Files that a reader could only guess the names of: the line before the comment does not have it."""
    unnamed = [m[2] for m in re.finditer(r"(.*)\n\n?<!-- sample: file (\S+) -->", text) if m[2] not in m[1]]
    for file in unnamed:
        print(f"{name}: the text above the sample does not say that it is {file}", file=sys.stderr)
    return len(unnamed)


def try_document(path, languages, counts):
    text = path.read_text(encoding="utf-8")
    name = str(path.relative_to(ROOT))
    if path.suffix == ".lua":
        text = definitions(text)
        text = re.sub(r"^```lua$", "<!-- sample: in definitions.lua -->\n```lua", text, flags=re.M)
    failed, printed = unnamed_files(name, text), None
    with tempfile.TemporaryDirectory(prefix="hearth-docs-") as folder:
        folder = pathlib.Path(folder)
        prepare(folder)
        for block in BLOCK.finditer(text):
            try:
                printed = try_block(block, name, languages, folder, counts, printed)
            except (Wrong, subprocess.TimeoutExpired) as wrong:
                failed, printed = failed + 1, None
                print(f"{name}: the sample\n{block['code']}\n{wrong}\n", file=sys.stderr)
    return failed


def main():
    languages = set(sys.argv[1].split(","))
    for (document, _), test in ELSEWHERE.items():
        if not (ROOT / document).exists() or not (ROOT / test).exists():
            sys.exit(f"{document} or {test}: there is no such file")
    counts = {"run": 0, "elsewhere": 0, "not run": 0}
    failed = sum(try_document(pathlib.Path(path).resolve(), languages, counts) for path in sys.argv[2:])
    print(f"{counts['run']} samples run, {failed} failed, {counts['elsewhere']} are run by other tests, "
          f"{counts['not run']} are not run")
    return 1 if failed or counts["run"] == 0 else 0


sys.exit(main())
