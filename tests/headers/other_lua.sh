#!/bin/sh
# other_lua.sh INCLUDE COMPILER...: what is compiled with the headers of another Lua is refused, and told why.
include=$1
shift
folder=$(mktemp -d) || exit 1
trap 'rm -r "$folder"' EXIT
printf '#include <hearth.h>\n' >"$folder/program.c"
for version in 503 504 505; do
  printf '%s\n' "#define LUA_VERSION_NUM $version" 'typedef struct lua_State lua_State;' \
    'typedef int (*lua_CFunction)(lua_State *);' >"$folder/lua.h"
  message=$("$@" -fsyntax-only -I"$folder" -I"$include" "$folder/program.c" 2>&1) && accepted=yes || accepted=no
  case $version-$accepted in
    504-yes) ;;
    504-no) echo "Lua 5.4 is refused: $message"; exit 1 ;;
    *-yes) echo "version $version is accepted"; exit 1 ;;
    *)
      case $message in
        *"Hearth needs the headers of Lua 5.4"*) ;;
        *) echo "version $version: $message"; exit 1 ;;
      esac
      ;;
  esac
done
