# shellcheck shell=bash disable=SC2034
# Sourced by source-deps.sh: WebAssembly by Emscripten. Lua as for any C system, without POSIX and dlopen; its
# setjmp by WebAssembly's exceptions. No program: the tests bring their own main.
description='WebAssembly'
multiarch=wasm32-emscripten
# Every browser that has exceptions (Chrome 95, Firefox 100, Safari 15.2) has the others too; so has Node 18.
machine_flags='-fwasm-exceptions -sSUPPORT_LONGJMP=wasm'
machine_flags+=' -msign-ext -mnontrapping-fptoint -mbulk-memory -mmutable-globals'
compile=(emcc $machine_flags)
archive=(emar)
lua_defines=(-DLUA_COMPAT_5_3)
lua_libraries=
# For size, but for the files in which programs spend most of their time.
lua_level=-Oz
lua_hot='lapi ltable lvm'
lua_hot_level='-O2 -fno-unroll-loops -fno-inline-functions'
