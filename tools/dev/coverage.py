"""coverage.py REPORT.json LIST: what gcovr counted, per folder; and whether every branch was taken, both ways, in the
files that LIST names (a pattern a line). Each branch that was not is printed with its line. Every marker that
excludes something must say why, on its line."""
import collections
import fnmatch
import json
import re
import sys

MARKER = re.compile(r"GCOVR?_EXCL_\w*(.*)")
REASON = re.compile(r": \w.* \w")  # two words at least


class Count:
    """Lines and branches: how many there are, how many were executed."""

    def __init__(self):
        self.lines = self.lines_hit = self.branches = self.branches_hit = 0
        self.missed = []

    def add(self, line):
        self.lines += 1
        self.lines_hit += line["count"] > 0
        hits = [branch["count"] > 0 for branch in line["branches"]]
        self.branches += len(hits)
        self.branches_hit += sum(hits)
        if line["count"] == 0 or not all(hits):
            self.missed.append((line["line_number"], [n for n, hit in enumerate(hits) if not hit], len(hits)))

    def join(self, other):
        self.lines += other.lines
        self.lines_hit += other.lines_hit
        self.branches += other.branches
        self.branches_hit += other.branches_hit

    def text(self):
        return f"lines {share(self.lines_hit, self.lines)}, branches {share(self.branches_hit, self.branches)}"


def share(part, whole):
    hundredths = 10000 * part // whole if whole else 10000  # down: 100 means all
    return f"{hundredths / 100:.2f} % of {whole}"


def read(path):
    with open(path, encoding="utf-8") as report:
        files = json.load(report)["files"]
    counts = {}
    for file in files:
        counts[file["file"]] = count = Count()
        for line in file["lines"]:
            if not line["gcovr/noncode"] and not line["gcovr/excluded"]:
                count.add(line)
    return counts


def whole(count):
    return count.branches == count.branches_hit and count.lines == count.lines_hit


def missed_text(name, line, branches, of):
    if not branches:
        return f"{name}:{line}: never executed"
    which = ", ".join(str(n) for n in branches)
    return f"{name}:{line}: branch {which} of {of} (from 0) never taken"


def unexplained(name):
    """Markers in the file that give no reason."""
    with open(name, encoding="utf-8") as source:
        for number, text in enumerate(source, 1):
            match = MARKER.search(text)
            if match and "STOP" not in match.group(0) and not REASON.search(match.group(1)):
                yield f"{name}:{number}: excluded without a reason"


def main():
    report, listed = sys.argv[1:]
    counts = read(report)
    folders, total = collections.defaultdict(Count), Count()
    for name, count in counts.items():
        folders[name.rsplit("/", 1)[0]].join(count)
        total.join(count)
    for folder in sorted(folders):
        print(f"{folder}: {folders[folder].text()}")
    print(f"all: {total.text()}")

    bad = [text for name in sorted(counts) for text in unexplained(name)]
    with open(listed, encoding="utf-8") as patterns:
        patterns = [line.strip() for line in patterns if line.strip() and not line.startswith("#")]
    wanted = set()
    for pattern in patterns:
        names = fnmatch.filter(counts, pattern)
        wanted.update(names)
        if not names:
            bad.append(f"{pattern}: names no file that was measured")
    for name in sorted(wanted):
        bad += [missed_text(name, *missed) for missed in counts[name].missed]
    for text in bad:
        print(text)
    done = sum(whole(counts[name]) for name in wanted)
    print(f"{done} of {len(wanted)} files that must be covered whole are")
    sys.exit(1 if bad or done != len(wanted) else 0)


main()
