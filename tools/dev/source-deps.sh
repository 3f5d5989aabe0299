#!/bin/bash
# source-deps.sh TARGET FOLDER: Lua 5.4 and cmocka for TARGET (a file in targets/) under FOLDER/TARGET, compiled
# from Debian's source packages, since compiled ones do not install beside the machine's own. A target may take the Lua
# of another suite of Debian. apt works with files of its own under FOLDER/sources: the system's package lists stay as
# they are. What is finished, by these scripts as they are now, is left alone.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
folder=$(mkdir -p "$2/sources" "$2/$1" && cd "$2" && pwd)
sources=$folder/sources
prefix=$folder/$1
lua_suite= # of Debian, whose Lua it is; empty: the machine's own
lua_level=-O2
lua_hot= # files that are compiled at lua_hot_level whatever the level
lua_hot_level=-O2
machine_flags=
# shellcheck source=/dev/null
. "$here/targets/$1.sh"
mark=$(cat "$here/source-deps.sh" "$here/targets/$1.sh" | sha256sum)
[ "$(cat "$prefix/done" 2>/dev/null)" != "$mark" ] || exit 0
rm -rf "$prefix"
mkdir -p "$prefix"/{include,lib,bin,pkgconfig,objects}

# source_lists LIST SUITE: the system's own Debian mirrors, for source packages; of SUITE instead, if it is not empty.
source_lists() {
  local there=$1/sources/debian
  mkdir -p "$1/sources" "$1/lists/partial" "$1/cache/archives/partial"
  if [ -f /etc/apt/sources.list.d/debian.sources ]; then
    sed 's/^Types:.*$/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >"$there.sources"
    [ -z "$2" ] || sed -i -E -e 's/^(Suites: [a-z]+)( .*)?$/\1/' -e "s/^Suites: [a-z]+\$/Suites: $2/" \
      -e '/^Suites: .*-/s/^/Enabled: no\n/' "$there.sources"
  elif [ -f /etc/apt/sources.list ]; then
    sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$there.list"
    [ -z "$2" ] || sed -i -E -e '/^deb-src (\[.*\] )?[^ ]+ [a-z]+ /!d' \
      -e "s/^(deb-src (\[.*\] )?[^ ]+) [a-z]+ /\1 $2 /" "$there.list"
  else
    echo "source-deps.sh: neither /etc/apt/sources.list.d/debian.sources nor /etc/apt/sources.list is there" >&2
    exit 1
  fi
}

# private_apt LIST ARGUMENT...
private_apt() {
  local list=$1
  shift
  apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$list/sources" \
    -o Dir::State::lists="$list/lists" -o Dir::Cache="$list/cache" \
    -o APT::Sandbox::User="$(id -un)" "$@"
}

# fetch SUITE PACKAGE...: the source of each in $sources/PACKAGE, unless it is there; of a suite other than the
# machine's, the authors' archive alone in $sources/SUITE/PACKAGE.
fetch() {
  local list=$sources/apt${1:+-$1} into=$sources${1:+/$1} suite=$1 part=download package listed=
  shift
  [ -z "$suite" ] || part=tar
  mkdir -p "$into"
  for package in "$@"; do
    [ ! -f "$into/$package.complete" ] || continue
    if [ -z "$listed" ]; then
      source_lists "$list" "$suite"
      private_apt "$list" update
      listed=yes
    fi
    rm -rf "${into:?}/$package" "$into/download"
    mkdir "$into/download"
    (cd "$into/download" && private_apt "$list" source "--$part-only" "$package")
    if [ -n "$suite" ]; then
      mkdir "$into/$package"
      tar -xf "$into/download"/*.orig.tar.* -C "$into/$package" --strip-components 1
    else
      dpkg-source --no-check -x "$into/download"/*.dsc "$into/$package"
    fi
    touch "$into/$package.complete"
  done
}

build_lua() {
  local src=$sources/${lua_suite:+$lua_suite/}lua5.4/src include=$prefix/include/lua5.4 file name level
  mkdir -p "$include"
  # Debian's luaconf.h takes the name of the library folder from a generated header.
  printf '#define DEB_HOST_MULTIARCH "%s"\n' "$multiarch" >"$include/lua5.4-deb-multiarch.h"
  cp "$src"/{lua,luaconf,lualib,lauxlib}.h "$include/"
  for file in "$src"/*.c; do
    name=$(basename "$file" .c)
    case $name in lua | luac) continue ;; esac
    level=$lua_level
    case " $lua_hot " in *" $name "*) level=$lua_hot_level ;; esac
    # shellcheck disable=SC2086 # a level may be several options
    "${compile[@]}" $level "${lua_defines[@]}" -I"$include" -c "$file" \
      -o "$prefix/objects/$name.o"
  done
  "${archive[@]}" rcs "$prefix/lib/liblua5.4.a" "$prefix/objects"/l*.o
  if declare -F lua_program >/dev/null; then
    lua_program -I"$include" "$src/lua.c" "$prefix/lib/liblua5.4.a" -o "$prefix/bin/lua5.4"
  fi
  package_config lua5.4 "Lua" "$(lua_version "$include/lua.h")" "-isystem $include" \
    "-L$prefix/lib -llua5.4 $lua_libraries"
}

lua_version() {
  sed -n 's/^#define LUA_VERSION_\(MAJOR\|MINOR\|RELEASE\)[[:space:]]*"\([0-9]*\)"$/\2/p' "$1" | paste -sd.
}

build_cmocka() {
  local src=$sources/cmocka
  cp "$src"/include/cmocka*.h "$prefix/include/"
  : >"$prefix/objects/config.h"
  "${compile[@]}" -std=gnu99 -O2 -w -DHAVE_CONFIG_H -DHAVE_INTTYPES_H=1 -DHAVE_STDINT_H=1 -DHAVE_MALLOC_H=1 \
    -DHAVE_SIGNAL_H=1 -DHAVE_SETJMP_H=1 -DHAVE_STRINGS_H=1 -DHAVE_TIME_H=1 -DHAVE_UNISTD_H=1 -DHAVE_STRUCT_TIMESPEC=1 \
    -DHAVE_CLOCK_REALTIME=1 -DHAVE_CLOCK_GETTIME=1 \
    -DHAVE_CALLOC=1 -DHAVE_EXIT=1 -DHAVE_FPRINTF=1 -DHAVE_FREE=1 -DHAVE_LONGJMP=1 -DHAVE_SIGLONGJMP=1 \
    -DHAVE_MALLOC=1 -DHAVE_MEMCPY=1 -DHAVE_MEMSET=1 -DHAVE_PRINTF=1 -DHAVE_SETJMP=1 -DHAVE_SIGNAL=1 \
    -DHAVE_SNPRINTF=1 -DHAVE_STRCMP=1 -DHAVE_STRNCPY=1 -DHAVE_VSNPRINTF=1 -D_UINTPTR_T_DEFINED \
    -I"$src/include" -I"$prefix/objects" \
    -c "$src/src/cmocka.c" -o "$prefix/objects/cmocka.o"
  "${archive[@]}" rcs "$prefix/lib/libcmocka.a" "$prefix/objects/cmocka.o"
  # The C library has uintptr_t: cmocka's own attempt at it is wrong on systems it does not know.
  package_config cmocka "cmocka" "$(sed -n 's/^project(cmocka VERSION \([0-9.]*\).*/\1/p' "$src/CMakeLists.txt")" \
    "-isystem $prefix/include -D_UINTPTR_T_DEFINED" "-L$prefix/lib -lcmocka"
}

# The header alone: Hearth compiles xxHash into itself. A copy, since /usr/include is this machine's own.
copy_xxhash() {
  local from
  from=$(pkg-config --variable=includedir libxxhash)
  mkdir -p "$prefix/include/xxhash"
  cp "${from:-/usr/include}/xxhash.h" "$prefix/include/xxhash/"
  package_config libxxhash "xxHash" "$(pkg-config --modversion libxxhash)" "-isystem $prefix/include/xxhash" ""
}

# package_config FILE NAME VERSION CFLAGS LIBS; -isystem, so that warnings in their macros count as little as on 64 bits
package_config() {
  printf 'Name: %s\nDescription: %s for %s\nVersion: %s\nCflags: %s\nLibs: %s\n' \
    "$2" "$2" "$description" "$3" "$4" "$5" >"$prefix/pkgconfig/$1.pc"
}

# For the meson machine file of the target, in cross/, which comes after this one.
machine_constants() {
  printf "[constants]\ndeps_prefix = '%s'\n" "$prefix"
  if [ -n "$machine_flags" ]; then
    printf "target_flags = ['%s']\n" "${machine_flags// /"', '"}"
  fi
}

fetch "$lua_suite" lua5.4
fetch "" cmocka
build_lua
build_cmocka
copy_xxhash
machine_constants >"$prefix/constants.ini"
echo "$mark" >"$prefix/done"
