#!/bin/bash
# run.sh BUILD-FOLDER [NAME...]: plants each bug of this folder, or the named ones, in a copy of the tree and runs the
# test that must go red. README.md says more.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
[ $# -ge 1 ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 2; }
exec python3 "$here/planted.py" "$@"
