"""documents.py FILE...: looks at Markdown and manual pages for relative links that lead nowhere, and for words that
neither aspell nor tools/dev/words.txt knows. Code is no text, and a name that belongs to code stands in backquotes. A
word with a capital is taken for a name. Code stands between fences, with its language, in documents whose samples a
test runs."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\(([^)\s]+)\)")
ELSEWHERE = re.compile(r"^[a-z]+:")
LANGUAGES = {"lua", "c", "js", "sh"}
LISTS = ["tests/docs/meson.build", "tests/js/samples.test.js"]  # of the documents whose samples are run


def prose(text):
    """The text without code, line by line."""
    text = re.sub(r"^ *```.*?^ *```", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.M | re.S)
    text = re.sub(r"^(?:    |\t).*$", "", text, flags=re.M)
    return re.sub(r"`[^`]*`", lambda m: " x " + "\n" * m.group(0).count("\n"), text)


def anchors(path):
    """The names of a page's headings, as they are linked to."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(path):
    for number, line in enumerate(prose(path.read_text()).split("\n"), 1):
        for target in LINK.findall(line):
            name, _, anchor = target.partition("#")
            if ELSEWHERE.match(name):
                continue
            to = (path.parent / name).resolve() if name else path
            if not to.exists() or not to.is_relative_to(ROOT):
                yield f"{path.relative_to(ROOT)}:{number}: {target} is not there"
            elif anchor and anchor not in anchors(to):
                yield f"{path.relative_to(ROOT)}:{number}: {name} has no heading {anchor}"


def untested_code(path, tested):
    """Samples that tests/docs/samples.py would not find, or is not given."""
    fence, before = None, ["", ""]
    for number, line in enumerate(path.read_text().split("\n"), 1):
        mark = re.match(r" *```(\w*)", line)
        if mark and fence is None and mark[1] in LANGUAGES and str(path.relative_to(ROOT)) not in tested:
            yield f"{path.relative_to(ROOT)}:{number}: no test runs the samples of this document"
        if mark:
            fence = mark[1] if fence is None else None
        elif (fence is None and line.startswith("    ") and before[1] == ""
              and not before[0].startswith(("-", " ", "1."))):
            yield f"{path.relative_to(ROOT)}:{number}: code without fences"
        if line or before[1]:
            before = [before[1] or before[0], line]


def unknown_words(path, known):
    manual = path.suffix in (".1", ".5")
    text = path.read_text() if manual else prose(path.read_text())
    if manual:  # displays are code, and so is what follows these macros on their line
        text = re.sub(r"^\.Bd.*?^\.Ed", "", text, flags=re.M | re.S)
        text = re.sub(r"^\.(?:It|Fl|Ar|Cm|Nm|Nd|Xr|Ic|Pa|Ev|Va|Li|Ql|Dl|Op|Dd|Dt|Os).*$", "", text, flags=re.M)
    else:
        text = LINK.sub("]", text)
    words = subprocess.run(["aspell", "--lang=en", "--ignore=3", "list"], input=text, capture_output=True, text=True,
                           check=True)
    for word in sorted({word.removesuffix("'s") for word in words.stdout.split()}):
        if not word.islower() or word in known:
            continue
        yield f"{path.relative_to(ROOT)}: {word}: no word of English, nor of tools/dev/words.txt"


def main():
    known = set((ROOT / "tools/dev/words.txt").read_text().split())
    tested = set(re.findall(r"[\w/]+\.md", "\n".join((ROOT / name).read_text() for name in LISTS).replace("../", "")))
    complaints = []
    for name in sys.argv[1:]:
        path = ROOT / name
        if path.suffix == ".md":
            complaints += dead_links(path)
            complaints += untested_code(path, tested)
        complaints += unknown_words(path, known)
    print("\n".join(complaints))
    print(f"{len(sys.argv) - 1} documents, {len(complaints)} complaints")
    sys.exit(1 if complaints or len(sys.argv) < 2 else 0)


main()
