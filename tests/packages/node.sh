#!/bin/bash
# node.sh PREFIX FOLDER: a Node project installs the npm package from its packed tarball, without the network and with
# an empty cache; an ES module and a CommonJS module use it, TypeScript takes its declarations, and the native command
# reads what they stored. HEARTH_PACKAGE is the package, HEARTH_NODE_MODULES where TypeScript is.
# shellcheck source=tests/packages/common.sh
. "$(dirname "$0")/common.sh"
package=${HEARTH_PACKAGE:-$root/build/package/hearth-lua}
compiler=${HEARTH_NODE_MODULES:-$root/build/node/node_modules}/typescript/bin/tsc
[ -f "$package/src/hearth.wasm" ] || fail "there is no package in $package: ./dev package"
[ -f "$compiler" ] || fail "there is no $compiler"
export NPM_CONFIG_CACHE=$folder/cache NPM_CONFIG_OFFLINE=true NPM_CONFIG_AUDIT=false NPM_CONFIG_FUND=false
export NPM_CONFIG_UPDATE_NOTIFIER=false NPM_CONFIG_USERCONFIG=$folder/none NPM_CONFIG_REGISTRY=https://registry.invalid/
unset NODE_PATH NODE_OPTIONS

(cd "$package" && npm pack --pack-destination "$folder")
mkdir project
cd project || exit
npm init -y
npm install "../hearth-lua-$version.tgz"
[ "$(ls node_modules)" = hearth-lua ] || fail "more than one package was installed: $(ls node_modules)"

cp "$root/tests/packages/program/"program.{mjs,cjs,mts} .
counts node program.mjs file:world.hearth
counts node program.cjs file:common.hearth
expect 2 "$prefix/bin/hearth" --store file:world.hearth get visits
"$prefix/bin/hearth" --store file:world.hearth eval '_home.visits = 41'
expect "Hearth $version
visit 42" node program.mjs file:world.hearth

# Both ways to find declarations: Node's own, and that of bundlers.
for module in "nodenext nodenext" "es2022 bundler"; do
  check=(node "$compiler" --strict --noEmit --types "" --target es2022 --lib "es2022,dom" --module "${module% *}" \
    --moduleResolution "${module#* }")
  "${check[@]}" program.mts
  sed 's/store: "file:world.hearth"/store: 5/' program.mts >wrong.mts
  refused "Type 'number' is not assignable to type 'string'" "${check[@]}" wrong.mts
done

npm uninstall hearth-lua
refused "Cannot find package 'hearth-lua'" node program.mjs file:world.hearth
