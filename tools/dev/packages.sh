# shellcheck shell=bash disable=SC2034
# Sourced by ./dev: what is needed, and installing what is missing.

build_packages=(gcc libc6-dev meson ninja-build pkg-config liblua5.4-dev lua5.4 libxxhash-dev libsodium-dev
  libjansson-dev libedit-dev libsqlite3-dev libpq-dev)
test_packages=(libcmocka-dev sqlite3 postgresql openssl clang libclang-rt-14-dev llvm valgrind libc6-dbg gcc-multilib
  dpkg-dev)

wasm_packages=(emscripten nodejs npm dpkg-dev)
browser_packages=(chromium)
fuzz_packages=(clang libclang-rt-14-dev llvm dpkg-dev)
check_packages=(clang-tidy cppcheck shellcheck gcovr git aspell aspell-en codespell)
bench_packages=(libsqlite3-dev lua-cjson lua-messagepack luajit valgrind python3 git)
packaging_packages=(build-essential cmake luarocks lintian debhelper dpkg-dev)
site_packages=(mkdocs python3-pygments mandoc)
s390x_packages=(clang binutils-s390x-linux-gnu libc6-dev-s390x-cross libgcc-12-dev-s390x-cross qemu-user dpkg-dev)
all_packages=("${build_packages[@]}" "${test_packages[@]}" "${wasm_packages[@]}" "${browser_packages[@]}"
  "${fuzz_packages[@]}" "${check_packages[@]}" "${packaging_packages[@]}" "${site_packages[@]}"
  "${s390x_packages[@]}" "${bench_packages[@]}")

is_debian() {
  [ -r /etc/os-release ] && command -v apt-get >/dev/null &&
    (. /etc/os-release && [[ " $ID ${ID_LIKE:-} " == *" debian "* ]])
}

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Those of our packages that are installed: what an optional part of the build depends on.
packages_there() {
  dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${build_packages[@]}" "${test_packages[@]}" \
    "${wasm_packages[@]}" "${bench_packages[@]}" 2>/dev/null | tr '\n' ' '
}

# is_there PACKAGE: installed, or, of Node, which many have from elsewhere, on the PATH.
is_there() {
  case $1 in
    nodejs) command -v node >/dev/null || is_installed nodejs ;;
    npm) command -v npm >/dev/null || is_installed npm ;;
    chromium) command -v "${HEARTH_CHROMIUM:-chromium}" >/dev/null ;;
    *) is_installed "$1" ;;
  esac
}

# need_packages PACKAGE...: installs those that are missing, after saying which.
need_packages() {
  if ! is_debian; then
    need_elsewhere
    return
  fi
  local missing=() package as_root=()
  for package in "$@"; do
    is_there "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "dev: installing Debian packages: ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
      echo "dev: neither root nor sudo; as root: apt-get install ${missing[*]}" >&2
      exit 1
    }
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get -q update || { echo "dev: apt-get update failed" >&2; exit 1; }
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "${missing[@]}" || {
    echo "dev: apt-get could not install: ${missing[*]}" >&2
    exit 1
  }
}

# emcc needs acorn, a parser in JavaScript: Debian's, which a Node from elsewhere does not look for, or npm's.
need_acorn() {
  local folder
  for folder in "${NODE_PATH:-}" /usr/share/nodejs "$build/node/node_modules"; do
    if NODE_PATH=$folder node -e 'require("acorn")' 2>/dev/null; then
      export NODE_PATH=$folder
      return
    fi
  done
  npm install --no-save --no-audit --no-fund --prefix "$build/node" acorn@8 && export NODE_PATH=$build/node/node_modules
}

# Another system: go on if what building needs is there, otherwise name it.
need_elsewhere() {
  local missing=() tool
  for tool in cc meson ninja pkg-config; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  if command -v pkg-config >/dev/null; then
    pkg-config --exists libxxhash || missing+=("xxHash (its header)")
    pkg-config --exists lua5.4 || pkg-config --exists lua-5.4 || pkg-config --exists 'lua >= 5.4' ||
      missing+=("Lua 5.4 (library and headers)")
    pkg-config --exists cmocka || missing+=("cmocka (for the tests)")
  fi
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "dev: this is not Debian; please install first:" >&2
  printf '  %s\n' "${missing[@]}" >&2
  echo "dev: of use as well: libsodium, Jansson, libedit, SQLite, clang, valgrind" >&2
  exit 1
}
