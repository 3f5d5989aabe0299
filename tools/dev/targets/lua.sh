# shellcheck shell=bash disable=SC2034
# Sourced by the targets that are this machine with a Lua of another suite of Debian (lua_suite).
description="Lua of Debian $lua_suite"
multiarch=$(gcc -print-multiarch)
compile=(${CC:-gcc} -fPIC)
archive=(ar)
lua_defines=(-DLUA_COMPAT_5_3 -DLUA_USE_POSIX -DLUA_USE_DLOPEN)
lua_libraries='-lm -ldl'
lua_program() {
  "${compile[@]}" -O2 "${lua_defines[@]}" -Wl,-E "$@" -lm -ldl
}
