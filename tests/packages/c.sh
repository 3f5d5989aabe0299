#!/bin/bash
# c.sh PREFIX FOLDER: a C program finds Hearth through pkg-config, and links the shared library, then the static one.
# shellcheck source=tests/packages/common.sh
. "$(dirname "$0")/common.sh"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
cp "$root/tests/packages/program/program.c" .
compile=("${CC:-cc}" -std=c11 -Wall -Wextra -Werror program.c)

[ "$(pkg-config --modversion hearth)" = "$version" ] || fail "pkg-config says version $(pkg-config --modversion hearth)"
# shellcheck disable=SC2046 # words, on purpose
"${compile[@]}" -o shared $(pkg-config --cflags --libs hearth lua5.4)
readelf -d shared | grep -q 'NEEDED.*\[libhearth\.so\.0\]' || fail "the program does not ask for libhearth.so.0"
LD_LIBRARY_PATH=$prefix/lib counts ./shared shared.hearth

# shellcheck disable=SC2046
"${compile[@]}" -o static $(pkg-config --cflags hearth lua5.4) -Wl,-Bstatic $(pkg-config --libs hearth) -Wl,-Bdynamic \
  $(pkg-config --static --libs libsodium lua5.4)
if readelf -d static | grep -q libhearth; then fail "the static program asks for a shared libhearth"; fi
counts ./static static.hearth

# Each other library by its own name.
export LD_LIBRARY_PATH=$prefix/lib
for part in sqlite postgres; do
  printf '%s\n' '#include <hearth.h>' "#include <hearth_$part.h>" \
    "int main(void) { return hearth_${part}_backend.size == 0; }" >$part.c
  # shellcheck disable=SC2046
  "${CC:-cc}" -o $part $part.c $(pkg-config --cflags --libs hearth_$part lua5.4)
  ./$part || fail "hearth_$part has no backend"
done
