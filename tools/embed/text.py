"""text.py FILE NAME HEADER: a C header with the file's bytes as the array NAME, without a zero at its end."""
import sys

source, name, header = sys.argv[1:]
with open(source, "rb") as f:
    data = f.read()
with open(header, "w", encoding="ascii") as f:
    f.write(f"static const unsigned char {name}[{len(data)}] = {{\n")
    for at in range(0, len(data), 20):
        f.write(" " + "".join(f" {byte}," for byte in data[at : at + 20]) + "\n")
    f.write("};\n")
