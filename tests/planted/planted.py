"""Plants bugs: applies each patch of this folder to a copy of the tree, and runs the one test that must go red."""
import os
import queue
import sys
import threading
import time

sys.dont_write_bytecode = True
import patches  # noqa: E402
from tree import PlantedError, Tree  # noqa: E402

WORKERS = 2
print_lock = threading.Lock()


class Count:
    def __init__(self):
        self.passed = self.failed = 0

    def line(self, good, text, details=""):
        with print_lock:
            self.passed += good
            self.failed += not good
            print(text, flush=True)
            if details:
                print("    " + "\n    ".join(details.strip().splitlines()[-25:]), flush=True)


def in_parallel(trees, jobs, work):
    """Each tree takes the next job until there is none. What is raised ends the run."""
    waiting, raised = queue.SimpleQueue(), []
    for job in jobs:
        waiting.put(job)

    def worker(tree):
        try:
            while not raised:
                work(tree, waiting.get_nowait())
        except queue.Empty:
            pass
        except Exception as exception:  # told below, in the main thread
            raised.append(exception)

    threads = [threading.Thread(target=worker, args=(tree,)) for tree in trees]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


def check_clean(tree, test, arguments, count):
    """A test that is red without a bug proves nothing."""
    began = time.monotonic()
    result = tree.run(test, arguments)
    seconds = time.monotonic() - began
    good = result.status == "green"
    count.line(good, f"{'':36} {test:36} {result.status if good else result.status.upper():10} {seconds:5.1f} s",
               "" if good else result.output)


def plant(tree, bug, count):
    began = time.monotonic()
    try:
        with tree.planted(bug):
            result = tree.run(bug.test, bug.arguments)
    except PlantedError as failure:  # the next ones may be good
        count.line(False, f"{bug.name:36} {bug.test:36} CANNOT BE PLANTED", str(failure))
        return
    seconds = time.monotonic() - began
    caught, why = bug.is_caught(result)
    lines = result.output.splitlines()[-15:] if result.status != "green" else []
    count.line(caught, f"{bug.name:36} {bug.test:36} {'red' if caught else 'NOT CAUGHT':10} {seconds:5.1f} s",
               "" if caught else "\n".join([*lines, why]))


def plant_all(tree, bugs, count):
    for bug in bugs:
        plant(tree, bug, count)


def by_file(bugs):
    """Bugs in one file follow each other in one tree: less is compiled."""
    groups = {}
    for bug in bugs:
        groups.setdefault(bug.files[0], []).append(bug)
    return [groups[file] for file in sorted(groups)]


def runnable(bugs, count):
    """Those whose test can run here; the others fail aloud."""
    package = os.environ.get("HEARTH_PACKAGE")
    for bug in bugs:
        if bug.needs_package and not package:
            count.line(False, f"{bug.name:36} {bug.test:36} SKIPPED: HEARTH_PACKAGE is not set")
    return [bug for bug in bugs if package or not bug.needs_package]


def main():
    folder, names = os.path.abspath(sys.argv[1]), sys.argv[2:]
    bugs, count = patches.read_all(names), Count()
    here = runnable(bugs, count)
    trees = [Tree(os.path.join(folder, str(i + 1))) for i in range(min(WORKERS, max(1, len(here))))]
    runs = sorted({(bug.test, bug.arguments) for bug in here})
    in_parallel(trees, trees, lambda tree, _: tree.prepare(sorted({test for test, _ in runs})))
    print("without a bug", flush=True)
    in_parallel(trees, runs, lambda tree, run: check_clean(tree, *run, count))
    print(f"\n{len(bugs)} bugs, one at a time", flush=True)
    in_parallel(trees, by_file(here), lambda tree, group: plant_all(tree, group, count))
    print(f"{count.passed} passed, {count.failed} failed")
    return 0 if count.failed == 0 and count.passed > 0 else 1


try:
    sys.exit(main())
except (patches.PatchError, PlantedError) as exception:
    sys.exit(f"planted: {exception}")
