# shellcheck shell=bash disable=SC2034
# Sourced by the scripts beside it. Each is run as SCRIPT.sh PREFIX FOLDER: tries an installed Hearth as a new user
# would, in an empty FOLDER, and fails with a message.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
version=$(sed -n 's/^#define HEARTH_VERSION_STRING "\(.*\)"/\1/p' "$root/include/hearth.h")
prefix=$(cd "$1" && pwd)
rm -rf "$2"
folder=$(mkdir -p "$2" && cd "$2" && pwd)
cd "$folder"

fail() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

# expect TEXT COMMAND...: the command succeeds and prints TEXT.
expect() {
  local text=$1 printed
  shift
  printed=$("$@") || fail "$* failed and printed: $printed"
  [ "$printed" = "$text" ] || fail "$* printed: $printed; but must print: $text"
}

# counts COMMAND...: it is program.c, or a program like it, and counts its starts.
counts() {
  expect "Hearth $version
visit 1" "$@"
  expect "Hearth $version
visit 2" "$@"
}

# refused TEXT COMMAND...: the command fails, and what it prints holds TEXT.
refused() {
  local text=$1 printed
  shift
  if printed=$("$@" 2>&1); then fail "$* succeeded and printed: $printed"; fi
  [[ $printed == *"$text"* ]] || fail "$* printed: $printed; but must say: $text"
}

# source_tree FOLDER: the source as it is committed or will be; the corpus of the fuzz targets is left out.
source_tree() {
  mkdir -p "$1"
  (cd "$root" && git ls-files -z --cached --others --exclude-standard | grep -zv '^fuzz/corpus/' | xargs -0 tar -c) |
    tar -x -C "$1"
}
