"""lines.py FILE...: lines of code that have more than 120 columns, a character each."""
import pathlib
import sys

COLUMNS = 120


def long_lines(name):
    for number, line in enumerate(pathlib.Path(name).read_text(encoding="utf-8").split("\n"), 1):
        if len(line) > COLUMNS:
            yield f"{name}:{number}: {len(line)} columns"


def main():
    complaints = [complaint for name in sys.argv[1:] for complaint in long_lines(name)]
    print("\n".join(complaints))
    print(f"{len(sys.argv) - 1} files, {len(complaints)} lines of more than {COLUMNS} columns")
    sys.exit(1 if complaints or len(sys.argv) < 2 else 0)


main()
