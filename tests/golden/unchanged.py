"""unchanged.py FOLDER: the golden files have the bytes that they were made with, and none is without its checksum.

What a release has written is read for ever. SHA256SUMS only ever gets new lines (sha256sum, in FOLDER)."""

import hashlib
import pathlib
import sys


def main():
    folder = pathlib.Path(sys.argv[1])
    listed = dict(reversed(line.split()) for line in (folder / "SHA256SUMS").read_text(encoding="ascii").splitlines())
    there = [*folder.glob("*.blob"), *folder.glob("stores/*"), folder / "../backends/golden_log.inc"]
    wrong = []
    for path in there:
        name = "../backends/" + path.name if path.suffix == ".inc" else path.relative_to(folder).as_posix()
        expected = listed.pop(name, None)
        if expected != hashlib.sha256(path.read_bytes()).hexdigest():
            wrong.append(f"{name}: {'other bytes' if expected else 'not in SHA256SUMS'}")
    wrong += [f"{name}: missing" for name in listed]
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{len(there)} golden files, {len(wrong)} wrong")
    return 1 if wrong or len(there) < 30 else 0


sys.exit(main())
