#!/bin/bash
# demo.sh HEARTH: three processes, one after the other, one village. HEARTH is the hearth command.
set -euo pipefail
hearth=$1
folder=build/demo
script=$(dirname "$0")/village.lua
rm -rf "$folder"
mkdir -p "$folder"
for _ in 1 2 3; do
  echo
  # exec: the number that the shell prints is the process that runs the village
  sh -c 'echo "process $$: $*"; exec "$@"' sh "$hearth" --store "file:$folder/village.hearth" run "$script"
done
echo
echo "The village is in $folder/village.hearth. Another year:"
echo "  $hearth --store file:$folder/village.hearth run $script"
