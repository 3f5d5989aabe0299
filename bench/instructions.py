"""How many instructions a contestant takes, by callgrind: they repeat, where times do not."""
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

SETS = ["integers", "floats", "records", "strings", "long_strings", "graph", "document"]
ROWS = {f"{what} {name}": ["Hearth", "Hearth, uncollected", "floor", "floor with identity", "encode"]
        for what in ("encode", "decode", "commit walk") for name in SETS}
ROWS["decode closures"] = ["Hearth", "floor", "one lua_load each"]
ROWS["open, 100 thousand"] = ["Hearth", "Hearth, read-only", "decode"]
ROWS["external table, 20000 cached accesses"] = ["read", "write", "empty C function", "loop"]
ROWS["external table, 20000 uncached reads, 100 thousand"] = ["read", "pread + build", "loop"]


def count(program, folder, row, contestant):
    """Instructions of one sample."""
    run = subprocess.run(["valgrind", "--tool=callgrind", "--toggle-collect=bench_timed",
                          "--callgrind-out-file=/dev/null", *program.arguments(folder), "count", row, contestant],
                         capture_output=True, text=True, check=False)
    found = re.search(r"refs: +([\d,]+)", run.stderr)
    if run.returncode != 0 or not found:
        raise SystemExit(f"bench: callgrind: {row}: {contestant}:\n{run.stderr}")
    return int(found.group(1).replace(",", ""))


def instructions(program, names):
    """{row: {contestant: {"instructions": [count]}}} of a few rows; one for each processor at a time."""
    jobs = [(row, contestant) for row in names for contestant in ROWS.get(row, [])
            if contestant in program.rows.get(row, [])]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        counts = list(pool.map(lambda job: count(program, f"count{job[0]}", *job[1]), enumerate(jobs)))
    result = {}
    for (row, contestant), number in zip(jobs, counts):
        result.setdefault(row, {})[contestant] = {"instructions": [number]}
    return result
