#!/bin/bash
# rock.sh PREFIX FOLDER: luarocks builds the rock from the source, without the network, into a tree of its own; a Lua
# program in an empty folder, which looks for modules in that tree and nowhere else, uses it, with a file and with
# SQLite.
# shellcheck source=tests/packages/common.sh
. "$(dirname "$0")/common.sh"
source_tree source
rocks=(luarocks --lua-version 5.4 --tree "$folder/tree")
cd source
[ "$(echo ./*.rockspec)" = "./hearth-$version-1.rockspec" ] ||
  fail "the rockspec is not one of version $version: $(echo ./*.rockspec)"
luarocks --lua-version 5.4 lint "hearth-$version-1.rockspec"
"${rocks[@]}" make "hearth-$version-1.rockspec"
cd "$folder"
rm -r source
expect "$version-1" "${rocks[@]}" show hearth --mversion
mkdir program
cp "$root/tests/packages/program/program.lua" program
cd program || exit
tree_only() {
  "${rocks[@]}" path "$1" | tr ';' '\n' | grep -F "$folder/tree/" | paste -sd ';'
}
LUA_PATH_5_4=$(tree_only --lr-path) LUA_CPATH_5_4=$(tree_only --lr-cpath) # luarocks itself runs in Lua 5.1
export LUA_PATH_5_4 LUA_CPATH_5_4
counts lua5.4 program.lua file:world.hearth
counts lua5.4 program.lua sqlite:world.sqlite
expect "$folder/tree/lib/lua/5.4/hearth.so" lua5.4 -e 'print(package.searchpath("hearth", package.cpath))'
"${rocks[@]}" remove hearth
refused "module 'hearth' not found" lua5.4 program.lua file:world.hearth
