# shellcheck shell=bash disable=SC2034
# Sourced by source-deps.sh: this machine, with the Lua of Debian 13.
lua_suite=trixie
. "$here/targets/lua.sh"
