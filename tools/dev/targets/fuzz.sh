# shellcheck shell=bash disable=SC2034
# Sourced by source-deps.sh: Lua with AddressSanitizer and its checks of API use, for the fuzz targets. Not with
# LUAI_ASSERT: it asserts what holds for the compiler's bytecode alone, such as that a line is known, and not only what
# memory needs.
description='fuzzing'
multiarch=$(gcc -print-multiarch)
compile=(clang -g -fPIC -fno-omit-frame-pointer -fsanitize=address)
archive=(ar)
lua_defines=(-DLUA_COMPAT_5_3 -DLUA_USE_POSIX -DLUA_USE_APICHECK)
lua_libraries='-lm'
