#!/usr/bin/env python3
"""The benchmark: what runs the rows of bench.c (and of luajit.lua), and writes what came out.

  run.py --program FILE --folder FOLDER [--other REVISION=FILE] [--rows TEXT] [--seconds N] [--only times|instructions]

FOLDER is on the disk that is measured. The samples, their machine and the date go to native.json there, the tables of
docs/BENCHMARKS.md to native.md, its pictures to codec.svg and aims.svg; the tables are printed, too. With --other the
same rows of another revision's program take turns with this one's, and compared.json and compared.md show both.
"""
import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from instructions import instructions
from measure import Program, groups, measure
from plot import codec, distances
from report import comparison, report

HERE = Path(__file__).resolve().parent
ROUNDS = (5, 299)
OF_THE_LIBRARY = ("Hearth", "Hearth, read-only", "Hearth, uncollected", "read", "write")  # revisions differ in them


def machine():
    """What it runs on."""
    with open("/proc/cpuinfo", encoding="ascii") as lines:
        names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {"processor": names[0] if names else os.uname().machine, "processors": os.cpu_count()}


def revision():
    """Of this tree, with a plus when it has changes."""
    git = subprocess.run(["git", "-C", str(HERE), "describe", "--always", "--dirty=+"], capture_output=True, text=True,
                         check=False)
    return git.stdout.strip() or "unknown"


def options():
    """Of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--other")
    parser.add_argument("--rows", default="", help="only those whose name contains this")
    parser.add_argument("--seconds", type=float, default=3, help="for a group of rows, beyond the least rounds")
    parser.add_argument("--only", choices=["times", "instructions"])
    return parser.parse_args()


def programs_of(args):
    """This revision's, and the one that it is compared with or LuaJIT."""
    def program(name, folder, *command):
        return Program(name, [*command, str(HERE)], f"{args.folder}/{folder}")

    programs = [program("here", "here", args.program)]
    if args.other:
        name, _, file = args.other.partition("=")
        programs.append(program(name, "there", file))
    elif shutil.which("luajit"):
        programs.append(program("LuaJIT", "luajit", "luajit", str(HERE / "luajit.lua")))
    else:
        print("bench: no luajit: its figures are left out", file=sys.stderr)
    return programs


def write(args, result, text):
    """What came out, in the folder."""
    name, folder = "compared" if args.other else "native", Path(args.folder)
    (folder / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (folder / f"{name}.md").write_text(text + "\n", encoding="utf-8")
    for picture, drawn in (("codec", codec(result)), ("aims", distances(result))) if not args.other else ():
        if drawn:
            (folder / f"{picture}.svg").write_text(drawn, encoding="utf-8")
    print(text)


def main():
    """All of it."""
    args = options()
    programs = programs_of(args)
    names = [name for name in programs[0].rows if args.rows in name]
    result = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(), "machine": machine(),
              "revision": revision(), "loadBefore": os.getloadavg(), "rows": {}, "instructions": {}}
    began = time.monotonic()
    for group, rows in groups(names).items() if args.only != "instructions" else ():
        since = time.monotonic()
        wanted = (lambda name: name in OF_THE_LIBRARY) if args.other else (lambda name: True)
        result["rows"].update(measure(programs, rows, args.seconds, ROUNDS, wanted))
        print(f"{group}: {time.monotonic() - since:.0f} s", file=sys.stderr)
    if args.only != "times" and not args.other:
        result["instructions"] = instructions(programs[0], names)
    result["seconds"], result["loadAfter"] = time.monotonic() - began, os.getloadavg()
    write(args, result, comparison(result, programs[1].name) if args.other else report(result))


main()
