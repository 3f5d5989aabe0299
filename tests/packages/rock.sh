#!/bin/bash
# rock.sh PREFIX FOLDER: luarocks builds the rock from the source, without the network, into a tree of its own; a Lua program
# uses it, with a file and with SQLite, whose module comes along.
# shellcheck source=tests/packages/common.sh
. "$(dirname "$0")/common.sh"
cp "$root/tests/packages/program/program.lua" .
source_tree source
rocks=(luarocks --lua-version 5.4 --tree "$folder/tree")
cd source
[ "$(echo ./*.rockspec)" = "./hearth-$version-1.rockspec" ] || fail "the rockspec is not one of version $version: $(echo ./*.rockspec)"
"${rocks[@]}" make "hearth-$version-1.rockspec"
cd "$folder"
rm -r source
expect "$version-1" "${rocks[@]}" show hearth --mversion
LUA_CPATH=$("${rocks[@]}" path --lr-cpath)
export LUA_CPATH
counts lua5.4 program.lua file:world.hearth
counts lua5.4 program.lua sqlite:world.sqlite
"${rocks[@]}" remove hearth
refused "module 'hearth' not found" lua5.4 program.lua file:world.hearth
