"""tidy.py BUILD PROCESSES NODES: clang-tidy over every C file that BUILD compiles, each once, with what .clang-tidy
says. Its analyzer follows a function through NODES states at most; its own limit, 225000, takes six times as long as
40000."""
import concurrent.futures
import json
import os
import subprocess
import sys

HEADER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "analyzer.h")
FROZEN = os.path.join("tests", "reader", "1") + os.sep


def sources(build):
    """The C files of the project, not those that the build makes; one that is compiled twice comes once. What is frozen
    in tests/reader/1 was looked at where it was copied from, and no later finding may change it."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as commands:
        names = {os.path.normpath(os.path.join(c["directory"], c["file"])) for c in json.load(commands)}
    made = os.path.realpath(build) + os.sep
    names = {name for name in names if name.endswith(".c") and FROZEN not in name}
    return sorted(name for name in names if not os.path.realpath(name).startswith(made))


def tidy(build, nodes, name):
    arguments = ("-Xclang", "-analyzer-config", "-Xclang", f"max-nodes={nodes}", "-include", HEADER)
    command = ["clang-tidy", "-p", build, "--quiet", *(f"--extra-arg={argument}" for argument in arguments), name]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return name, run.returncode, run.stdout, run.stderr


def main():
    build, processes, nodes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    names = sources(build)
    seen, failed = set(), 0
    with concurrent.futures.ThreadPoolExecutor(processes) as pool:
        for name, status, out, err in pool.map(lambda name: tidy(build, nodes, name), names):
            failed += status != 0
            if out and out not in seen:  # a header's finding comes with each file that includes it
                seen.add(out)
                print(out, end="")
            if status != 0 and not out:
                print(f"{name}: {err}")
    print(f"clang-tidy: {len(names) - failed} files passed, {failed} failed")
    sys.exit(1 if failed or not names else 0)


main()
