#!/bin/bash
# run.sh FOLDER: installs Hearth into a prefix in FOLDER, builds examples/embed against it through pkg-config, and
# compares what the program prints in two runs of it with what it must print.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(mkdir -p "$1" && cd "$1" && pwd)
prefix=$folder/prefix

rm -rf "$prefix" "$folder/example" "$folder/world.hearth"*
[ -f "$folder/hearth/build.ninja" ] ||
  meson setup "$folder/hearth" "$root" --prefix "$prefix" --libdir lib -Dtests=disabled -Dbench=disabled
meson install -C "$folder/hearth"

export PKG_CONFIG_PATH=$prefix/lib/pkgconfig LD_LIBRARY_PATH=$prefix/lib
meson setup "$folder/example" "$root/examples/embed"
ninja -C "$folder/example"

expected="start 1, the hero is at (11.0, 2.5)!
start 2, the hero is at (21.0, 3.0)!
start 3, the hero is at (31.0, 3.5)!
start 4, the hero is at (41.0, 4.0)!"
actual=$("$folder/example/embed" "$folder/world.hearth" "$root/examples/embed/world.lua"
  "$folder/example/embed" "$folder/world.hearth" "$root/examples/embed/world.lua")
if [ "$actual" != "$expected" ]; then
  printf 'embed printed:\n%s\nbut must print:\n%s\n' "$actual" "$expected" >&2
  exit 1
fi

# The README's C compiles against what was installed, and has twenty lines at most.
{
  printf '%s\n' 'static int fail(const char *message) { return *message != 0; }' \
    'typedef struct lua_State lua_State;' 'int play(lua_State *L);'
  awk '/^```c$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$root/README.md"
} >"$folder/readme.c"
[ "$(wc -l <"$folder/readme.c")" -gt 10 ] && [ "$(wc -l <"$folder/readme.c")" -le 23 ]
# shellcheck disable=SC2046 # words, on purpose
"${CC:-cc}" -std=c11 -Wall -Wextra -Werror -fsyntax-only $(pkg-config --cflags hearth lua5.4) "$folder/readme.c"

# The example of a backend against the installed testkit, each in its own place, runs the whole suite.
rm -rf "$folder/backend"
meson setup "$folder/backend" "$root/examples/backend"
meson test -C "$folder/backend" --verbose

# The example of a server, where libpq is there: its protocol over files.
if pkg-config --exists hearth_postgres; then
  rm -rf "$folder/server"
  meson setup "$folder/server" "$root/examples/server"
  ninja -C "$folder/server"
  python3 "$root/tests/postgres/pool_protocol.py" "$folder/server/server" "$root/examples/server/app.lua"
fi

# The installed Lua module, beside the installed library.
version=$(LUA_CPATH="$prefix/lib/lua/5.4/?.so" lua5.4 -e 'io.write(require "hearth".version)')
if [ "$version" != "$(pkg-config --modversion hearth)" ]; then
  echo "the Lua module says version $version, pkg-config $(pkg-config --modversion hearth)" >&2
  exit 1
fi

# A mistake must be seen: a store that is a folder ends with a message and not with success.
if message=$("$folder/example/embed" "$folder" "$root/examples/embed/world.lua" 2>&1); then
  echo "embed took a folder for a store" >&2
  exit 1
fi
[[ $message == "embed: "* ]] || { echo "embed said: $message" >&2; exit 1; }
echo "embed: ok"
