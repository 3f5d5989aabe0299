#!/bin/bash
# symbols.sh PREFIX FOLDER: each library exports what debian/*.symbols lists, and all of that has the public headers'
# names; nothing else is to be seen in it. The Lua modules export the same, and how Lua opens them.
# shellcheck source=tests/packages/common.sh
. "$(dirname "$0")/common.sh"

exported() {
  nm -D --defined-only "$1" | awk '{ print $3 }' | sort
}

for list in "$root"/debian/*.symbols; do
  library=$(sed -n '1s/^\([^ ]*\) .*/\1/p' "$list")
  soname=$(readelf -d "$prefix/lib/$library" | sed -n 's/.*soname: \[\(.*\)\]/\1/p')
  [ "$soname" = "$library" ] || fail "$library has the soname $soname"
  sed -n 's/^ \([a-z_]*\)@Base .*/\1/p' "$list" | sort >"listed-$library"
  exported "$prefix/lib/$library" >"exported-$library"
  diff "listed-$library" "exported-$library" || fail "$library (>) exports something else than $(basename "$list") (<)"
done

# The store for browsers is declared for all, and defined in WebAssembly alone.
sed -nE 's/^HEARTH_API ([^(;]*[ *])?(hearth_[a-z_]+)[(;].*/\2/p' "$root"/include/*.h |
  grep -vx hearth_indexeddb_backend | sort >declared
sort exported-* | diff declared - || fail "the headers (<) declare something else than the libraries (>) export"
[ "$(wc -l <declared)" -gt 50 ] || fail "$(wc -l <declared) names were found in the headers"

while read -r module; do
  if exported "$module" | grep -vxE 'luaopen_hearth(_[a-z]+)?' | comm -23 - declared | grep .; then
    fail "$module exports what is in no header"
  fi
done < <(find "$prefix/lib/lua" -name '*.so')
