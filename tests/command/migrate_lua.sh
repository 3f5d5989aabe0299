#!/bin/bash
# migrate_lua.sh HEARTH SUITE: a suite of migrate written in Lua, in a folder of its own.
set -u
hearth=$(realpath "$1") suite=$(realpath "$2")
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
mkdir files
"$hearth" --store memory: run "$suite" "$hearth" files
