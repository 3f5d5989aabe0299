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
# The legacy layouts, as text: loaded when they are needed.
node -e 'const text = require("node:fs").readFileSync(0, "utf8");
console.log(`/** lib/legacy/legacy.lua, as it is. */\nexport default ${JSON.stringify(text)};`);' \
  <lib/legacy/legacy.lua >"$folder/src/legacy/lua.js"
chmod 644 "$folder/src/hearth.wasm"
echo "$folder: hearth.wasm $(stat -c %s "$wasm") bytes, $(gzip -9 -n -c "$wasm" | wc -c) with gzip -9"
