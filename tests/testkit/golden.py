"""golden.py COMMAND PROGRAM FOLDER: the kit's golden files are those of the folder, and the command prints their
texts."""

import os
import subprocess
import sys
import tempfile


def read(path):
    with open(path, "rb") as file:
        return file.read()


def main():
    command, program, folder = sys.argv[1:]
    wrong, blobs = [], set()
    with tempfile.TemporaryDirectory() as place:
        listed = subprocess.run([program, place], check=True, capture_output=True, text=True).stdout.split("\n")[:-1]
        for name, kind, version in (line.split(" ") for line in listed):
            path = f"{place}/{name}.bytes"
            if kind == "blob":
                blobs.add(name)
                arguments = [command, "dump", path]
                if read(path) != read(f"{folder}/{name}.blob"):
                    wrong.append(f"{name}: the kit has other bytes")
            else:
                arguments = [command, "--store", f"file:{path}", "dump", "--frames"]
            printed = subprocess.run(arguments, check=True, capture_output=True).stdout
            if printed != read(f"{place}/{name}.txt"):
                wrong.append(f"{name}: the command prints\n{printed.decode()}")
            if version != "1":
                wrong.append(f"{name}: version {version}")
    there = {name[:-5] for name in os.listdir(folder) if name.endswith(".blob")}
    if blobs != there:
        wrong.append(f"blobs that only one of kit and folder has: {sorted(blobs ^ there)}")
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{len(listed)} golden files, {len(wrong)} wrong")
    return 1 if wrong or len(listed) < 30 else 0


sys.exit(main())
