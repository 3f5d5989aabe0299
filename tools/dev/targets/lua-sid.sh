# shellcheck shell=bash disable=SC2034
# Sourced by source-deps.sh: this machine, with the newest Lua 5.4 that Debian has.
lua_suite=sid
. "$here/targets/lua.sh"
