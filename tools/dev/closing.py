"""closing.py TESTLOG.json LABEL COUNTS: prints each runner's closing lines; the two counts go to the file COUNTS."""
import json
import re
import sys

CMOCKA = re.compile(r"^\[  (PASSED|FAILED|SKIPPED) *\] +(\d+) test\(s\).*$", re.M)
FIGURE = re.compile(r"^figure: .+$", re.M)  # what a test counted, and documentation quotes
LUA = re.compile(r"^(\d+) passed, (\d+) failed$", re.M)


def closing(test):
    """A runner's closing lines, and how many tests passed and failed by them."""
    text = test.get("stdout", "") + "\n" + test.get("stderr", "")
    lines, passed, failed = [], 0, 0
    for match in CMOCKA.finditer(text):
        lines.append(match.group(0))
        if match.group(1) == "PASSED":
            passed += int(match.group(2))
        if match.group(1) == "FAILED":
            failed += int(match.group(2))
    for match in LUA.finditer(text):
        lines.append(match.group(0))
        passed += int(match.group(1))
        failed += int(match.group(2))
    lines += FIGURE.findall(test.get("stdout", ""))
    if test["result"] == "SKIP":
        return lines or ["skipped"], passed, failed
    if test["result"] not in ("OK", "EXPECTEDFAIL"):
        lines.append(test["result"])
        failed = max(failed, 1)  # a crash, a timeout or a sanitizer's finding has no line of its own
    elif passed == 0:
        lines.append("ok")
        passed = 1  # a test that is a program
    return lines, passed, failed


def main():
    path, label, counts = sys.argv[1:]
    passed = failed = 0
    with open(path, encoding="utf-8") as log:
        for line in log:
            test = json.loads(line)
            lines, p, f = closing(test)
            passed, failed = passed + p, failed + f
            for text in lines:
                print(f"  {label}: {test['name']}: {text}")
    with open(counts, "w", encoding="ascii") as out:
        print(passed, failed, file=out)


main()
