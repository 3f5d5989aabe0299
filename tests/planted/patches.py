"""The patches of this folder: a header in words, then a unified diff."""
import glob
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))


class PatchError(Exception):
    pass


class Bug:
    """One patch. `test` is SUITE/NAME of meson, or the path of a node:test file; run with
    `arguments`; `case` must be among the failed."""

    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path)[: -len(".patch")]
        with open(path, encoding="utf-8") as file:
            text = file.read()
        header, separator, diff = text.partition("\n--- ")
        if not separator:
            raise PatchError(f"{self.name}: no diff")
        fields = dict(re.findall(r"^(Test|Args|Case|Hang): (.+)$", header, re.M))
        if "Test" not in fields or header.startswith("Test:"):
            raise PatchError(f"{self.name}: the header must say what the bug is, and name the test")
        self.test = fields["Test"].strip()
        self.arguments = tuple(fields.get("Args", "").split())
        self.case = fields.get("Case", "").strip()
        self.may_hang = fields.get("Hang", "") == "counts"
        self.files = re.findall(r"^--- a/(\S+)", "--- " + diff, re.M)
        self.needs_package = self.test.endswith(".js")

    def is_caught(self, result):
        """Whether the test went red as it should, and why not."""
        if result.status == "hang":
            return self.may_hang, "it did not end, and the patch does not say that this counts"
        if result.status != "red":
            return False, "the test stayed green"
        if self.case and not failed_case(result.output, self.case):
            return False, f"the test failed, but '{self.case}' is not among what failed"
        return True, ""


def failed_case(output, case):
    """As cmocka, harness.lua, the shell suites, those in Python and node:test say it."""
    return re.search(r"^\s*(\[  FAILED  \] |FAILED:? |not ok \d+ - )" + re.escape(case) + r"\s*(:|$)", output, re.M)


def read_all(names):
    paths = sorted(glob.glob(os.path.join(HERE, "*.patch")))
    bugs = [Bug(path) for path in paths]
    unknown = set(names) - {bug.name for bug in bugs}
    if unknown:
        raise PatchError(f"no such patch: {', '.join(sorted(unknown))}")
    return [bug for bug in bugs if not names or bug.name in names]
