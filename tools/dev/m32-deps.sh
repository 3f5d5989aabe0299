#!/bin/bash
# m32-deps.sh FOLDER: Lua 5.4 and cmocka for 32 bits under FOLDER/prefix, compiled from Debian's source
# packages (Debian's i386 packages do not install beside the others). apt works with files of its own under
# FOLDER: the system's package lists stay as they are. A finished folder is left alone.
set -euo pipefail

folder=$(mkdir -p "$1" && cd "$1" && pwd)
prefix=$folder/prefix
[ ! -f "$prefix/done" ] || exit 0

# The system's own Debian mirrors, for source packages.
source_lists() {
  mkdir -p "$folder/apt/sources" "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial"
  if [ -f /etc/apt/sources.list.d/debian.sources ]; then
    sed 's/^Types:.*$/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >"$folder/apt/sources/debian.sources"
  elif [ -f /etc/apt/sources.list ]; then
    sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$folder/apt/sources/debian.list"
  else
    echo "m32-deps.sh: neither /etc/apt/sources.list.d/debian.sources nor /etc/apt/sources.list is there" >&2
    exit 1
  fi
}

private_apt() {
  apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$folder/apt/sources" \
    -o Dir::State::lists="$folder/apt/lists" -o Dir::Cache="$folder/apt/cache" \
    -o APT::Sandbox::User="$(id -un)" "$@"
}

# fetch PACKAGE: unpacks its source into $folder/PACKAGE.
fetch() {
  rm -rf "${folder:?}/$1" "$folder/download"
  mkdir "$folder/download"
  (cd "$folder/download" && private_apt source --download-only "$1")
  dpkg-source --no-check -x "$folder/download"/*.dsc "$folder/$1"
}

build_lua() {
  local src=$folder/lua5.4/src include=$prefix/include/lua5.4 objects=$folder/lua5.4/o
  mkdir -p "$include" "$prefix/lib" "$prefix/bin" "$objects"
  # Debian's luaconf.h takes the name of the library folder from a generated header.
  printf '#define DEB_HOST_MULTIARCH "i386-linux-gnu"\n' >"$src/lua5.4-deb-multiarch.h"
  cp "$src"/{lua,luaconf,lualib,lauxlib,lua5.4-deb-multiarch}.h "$include/"
  for file in "$src"/*.c; do
    case $(basename "$file") in lua.c | luac.c) continue ;; esac
    "${CC:-gcc}" -m32 -O2 -fPIC -DLUA_COMPAT_5_3 -DLUA_USE_POSIX -DLUA_USE_DLOPEN -c "$file" \
      -o "$objects/$(basename "$file" .c).o"
  done
  ar rcs "$prefix/lib/liblua5.4.a" "$objects"/*.o
  "${CC:-gcc}" -m32 -O2 -DLUA_COMPAT_5_3 -DLUA_USE_POSIX -DLUA_USE_DLOPEN -Wl,-E "$src/lua.c" \
    "$prefix/lib/liblua5.4.a" -lm -ldl -o "$prefix/bin/lua5.4"
  package_config lua5.4 "Lua" "$("$prefix/bin/lua5.4" -v | sed 's/^Lua \([0-9.]*\).*/\1/')" \
    "-isystem $include" "-L$prefix/lib -llua5.4 -lm -ldl"
}

build_cmocka() {
  local src=$folder/cmocka
  mkdir -p "$prefix/include" "$prefix/lib"
  cp "$src"/include/cmocka*.h "$prefix/include/"
  : >"$src/src/config.h"
  "${CC:-gcc}" -m32 -std=gnu99 -O2 -fPIC -DHAVE_CONFIG_H -DHAVE_INTTYPES_H=1 -DHAVE_STDINT_H=1 -DHAVE_MALLOC_H=1 \
    -DHAVE_SIGNAL_H=1 -DHAVE_SETJMP_H=1 -DHAVE_STRINGS_H=1 -DHAVE_TIME_H=1 -DHAVE_UNISTD_H=1 -DHAVE_STRUCT_TIMESPEC=1 \
    -DHAVE_CLOCK_REALTIME=1 -DHAVE_CLOCK_GETTIME=1 -DHAVE_GCC_THREAD_LOCAL_STORAGE=1 \
    -DHAVE_CALLOC=1 -DHAVE_EXIT=1 -DHAVE_FPRINTF=1 -DHAVE_FREE=1 -DHAVE_LONGJMP=1 -DHAVE_SIGLONGJMP=1 \
    -DHAVE_MALLOC=1 -DHAVE_MEMCPY=1 -DHAVE_MEMSET=1 -DHAVE_PRINTF=1 -DHAVE_SETJMP=1 -DHAVE_SIGNAL=1 \
    -DHAVE_SNPRINTF=1 -DHAVE_STRCMP=1 -DHAVE_STRNCPY=1 -DHAVE_VSNPRINTF=1 -I"$src/include" -I"$src/src" \
    -c "$src/src/cmocka.c" -o "$src/cmocka.o"
  ar rcs "$prefix/lib/libcmocka.a" "$src/cmocka.o"
  package_config cmocka "cmocka" "$(sed -n 's/^project(cmocka VERSION \([0-9.]*\).*/\1/p' "$src/CMakeLists.txt")" \
    "-isystem $prefix/include" "-L$prefix/lib -lcmocka"
}

# The header alone: Hearth compiles xxHash into itself.
package_xxhash() {
  package_config libxxhash "xxHash" "$(pkg-config --modversion libxxhash)" "-I/usr/include" ""
}

# package_config FILE NAME VERSION CFLAGS LIBS; -isystem, so that warnings in their macros count as little as on 64 bits
package_config() {
  mkdir -p "$prefix/pkgconfig"
  printf 'Name: %s\nDescription: %s for 32 bits\nVersion: %s\nCflags: %s\nLibs: %s\n' "$2" "$2" "$3" "$4" "$5" \
    >"$prefix/pkgconfig/$1.pc"
}

source_lists
private_apt update
fetch lua5.4
fetch cmocka
build_lua
build_cmocka
package_xxhash
touch "$prefix/done"
