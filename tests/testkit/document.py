"""document.py DOCUMENT SOURCE...: the C in the document is the sources' own, word for word, and shows each function of
the backend's table."""

import re
import sys


def main():
    document = open(sys.argv[1], encoding="utf-8").read()
    sources = [open(path, encoding="utf-8").read() for path in sys.argv[2:]]
    blocks = re.findall(r"^```c\n(.*?)^```$", document, re.M | re.S)
    wrong = pieces = 0
    for block in blocks:
        for piece in re.split(r"\n\n(?=\S)", block.rstrip("\n")):
            pieces += 1
            if not any("\n" + piece + "\n" in "\n" + source for source in sources):
                wrong += 1
                print(f"{sys.argv[1]}: no source has this:\n{piece}\n", file=sys.stderr)
    shown = "\n".join(blocks)
    table = re.findall(r"\.\w+ = (shelf_\w+)[,}]", "".join(sources))
    for function in table:
        if not re.search(rf"^static hearth_status {function}\(.*?^}}$", shown, re.M | re.S):
            wrong += 1
            print(f"{sys.argv[1]}: {function} is not shown", file=sys.stderr)
    if pieces < 20 or len(table) != 11:
        wrong += 1
        print(f"{sys.argv[1]}: {pieces} pieces of C and {len(table)} functions were found", file=sys.stderr)
    print(f"{pieces} pieces of C are the sources' own, {len(table)} functions are shown")
    return 1 if wrong else 0


sys.exit(main())
