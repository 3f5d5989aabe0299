"""generate.py OUTPUT LOG.inc LOG.txt (BLOB TEXT)...: the golden files and their texts as a table in C."""

import os
import re
import sys


def array(name, data):
    lines = [", ".join(f"0x{byte:02x}" for byte in data[i : i + 20]) for i in range(0, len(data), 20)]
    return f"static const unsigned char {name}[] = {{\n  " + ",\n  ".join(lines) + "};\n"


def read(path):
    with open(path, "rb") as file:
        return file.read()


def main():
    output, log, log_text = sys.argv[1:4]
    log_bytes = bytes(int(byte, 16) for byte in re.findall(rb"0x([0-9a-f]{2})", read(log)))
    files = [("log", "LOG", log_bytes, read(log_text))]
    for blob, text in zip(sys.argv[4::2], sys.argv[5::2]):
        files.append((os.path.splitext(os.path.basename(blob))[0], "BLOB", read(blob), read(text)))
    arrays, rows = [], []
    for i, (name, kind, data, text) in enumerate(files):
        version = int(re.match(rb"blob: format (\d+),|log: write version (\d+),", text).expand(rb"\1\2"))
        arrays.append(array(f"bytes{i}", data) + array(f"text{i}", text + b"\0"))
        rows.append(f'  {{"{name}", HEARTH_TESTKIT_{kind}, {version}, bytes{i}, sizeof bytes{i}, text{i}, '
                    f"sizeof text{i} - 1}},\n")
    with open(output, "w", encoding="ascii") as file:
        file.write('/* Generated from the golden files. */\n#include "golden.h"\n\n')
        file.write("".join(arrays))
        file.write("\nconst GoldenRow kit_golden_rows[] = {\n" + "".join(rows) + "};\n")
        file.write(f"const size_t kit_golden_count = {len(rows)};\n")


main()
