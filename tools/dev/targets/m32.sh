# shellcheck shell=bash disable=SC2034
# Sourced by source-deps.sh: 32 bits on a 64-bit machine.
description='32 bits'
multiarch=i386-linux-gnu
compile=("${CC:-gcc}" -m32 -fPIC)
archive=(ar)
lua_defines=(-DLUA_COMPAT_5_3 -DLUA_USE_POSIX -DLUA_USE_DLOPEN)
lua_libraries='-lm -ldl'
lua_program() {
  "${CC:-gcc}" -m32 -O2 "${lua_defines[@]}" -Wl,-E "$@" -lm -ldl
}
