#!/bin/bash
# subproject.sh PREFIX FOLDER: a meson project has the source of Hearth in subprojects/hearth.
# shellcheck source=tests/packages/common.sh
. "$(dirname "$0")/common.sh"
cp "$root/tests/packages/program/"{program.c,meson.build} .
source_tree subprojects/hearth
meson setup build --wrap-mode forcefallback # rather than a Hearth that this machine may have
ninja -C build -t targets all >all-targets
grep -q '^subprojects/hearth/libhearth\.a:' all-targets || fail "the static library is no target"
if grep '^subprojects/hearth/\(tools\|tests\|bench\|bindings\)/' all-targets; then
  fail "Hearth builds that unasked, too"
fi
ninja -C build program # and what of Hearth it needs
counts build/program world.hearth
