#!/bin/bash
# deb.sh PREFIX FOLDER: Debian packages, built from the source. lintian has nothing to say of them; apt installs them,
# and they serve a C program, a Lua program and a shell; apt removes them and leaves nothing. It uses this machine's
# package database, as root or by sudo. DEB_BUILD_OPTIONS=nocheck leaves the suites out.
# shellcheck source=tests/packages/common.sh
. "$(dirname "$0")/common.sh"
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
packages=(libhearth0 libhearth-sqlite0 libhearth-postgres0 libhearth-testkit0 libhearth-dev lua-hearth hearth)

apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y -o DPkg::Lock::Timeout=600 -o APT::Sandbox::User=root "$@"
}

left() {
  dpkg-query -W -f '${binary:Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null |
    grep -v ' not-installed$' || true
}

[ "$(dpkg-parsechangelog -l "$root/debian/changelog" -S Version)" = "$version" ] ||
  fail "debian/changelog is not of version $version"
[ -z "$(left)" ] || fail "installed already, and not by this test: $(left)"
source_tree "hearth-$version"
(cd "hearth-$version" && dpkg-buildpackage -us -uc -b)
(cd "hearth-$version" && rm -r obj-* && dpkg-buildpackage -us -uc -S -d)
for changes in ./*.changes; do
  lintian --allow-root --info --fail-on error,warning,info "$changes" || fail "lintian complains about $changes"
done

trap 'apt purge "${packages[@]}" >purge.log 2>&1 || cat purge.log' EXIT
files=()
for package in "${packages[@]}"; do files+=("$(echo "$folder/${package}_${version}"_*.deb)"); done
apt install --no-install-recommends "${files[@]}"

unset PKG_CONFIG_PATH LD_LIBRARY_PATH LUA_PATH LUA_CPATH
cp "$root/tests/packages/program/"{program.c,program.lua} .
# shellcheck disable=SC2046 # words, on purpose
"${CC:-cc}" -o program program.c $(pkg-config --cflags --libs hearth lua5.4)
counts ./program c.hearth
counts lua5.4 program.lua file:lua.hearth
counts lua5.4 program.lua sqlite:lua.sqlite
expect 2 hearth --store file:c.hearth get visits
for page in 1 5; do dpkg -L hearth | grep -q "/hearth\.$page\.gz$" || fail "there is no hearth($page)"; done
[ -f /usr/include/hearth.h ] && [ -d "$(pkg-config --variable=libdir hearth)/cmake/Hearth" ]

trap - EXIT
apt purge "${packages[@]}"
[ -z "$(left)" ] || fail "left behind: $(left)"
[ ! -e /usr/include/hearth.h ] || fail "/usr/include/hearth.h is left behind"
