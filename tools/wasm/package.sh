#!/bin/bash
# package.sh HEARTH.WASM FOLDER: puts the npm package together in FOLDER, as npm pack and npm install take it.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

wasm=$1
folder=$2
rm -rf "$folder"
mkdir -p "$folder"
cp -r bindings/js/package.json bindings/js/README.md LICENSE bindings/js/src "$folder/"
cp "$wasm" "$folder/src/hearth.wasm"
chmod 644 "$folder/src/hearth.wasm"
echo "$folder: hearth.wasm $(stat -c %s "$wasm") bytes, $(gzip -9 -n -c "$wasm" | wc -c) with gzip -9"
