# shellcheck shell=bash
# Sourced by ./dev: the benchmark. bench/run.py measures, with programs that are built here.

# bench_build SOURCE FOLDER: the library of SOURCE for speed, and this tree's rows with it: FOLDER/hearth-bench. Another
# revision's library so does exactly what this one's does.
bench_build() {
  local source=$1 folder=$2
  configure "$folder" "$source" --buildtype=release -Db_ndebug=true -Dtests=disabled -Dcommand=disabled \
    -Dlua_module=disabled && ninja -C "$folder" libhearth.a || return 1
  # shellcheck disable=SC2046 # words, on purpose
  ${CC:-cc} -std=c11 -O2 -DNDEBUG -D_GNU_SOURCE -I"$source/include" bench/*.c "$folder/libhearth.a" -L"$folder" \
    $(PKG_CONFIG_PATH=$folder/meson-uninstalled pkg-config --static --cflags --libs hearth lua5.4 sqlite3) \
    -Wl,--export-dynamic -o "$folder/hearth-bench"
}

# bench_other REVISION FOLDER: a copy of the tree as it was.
bench_other() {
  rm -rf "$2/source" && mkdir -p "$2/source" && git archive "$1" | tar -x -C "$2/source" &&
    bench_build "$2/source" "$2/build"
}

# stage_bench [--compare REVISION] RUN.PY-ARGUMENTS...
stage_bench() {
  local folder=$build/bench arguments=() revision
  stage build-bench bench_build "$PWD" "$folder/build" || return 1
  if [ "${1:-}" = --compare ]; then
    revision=$(git rev-parse --short "${2:?--compare REVISION}^{commit}") || return 1
    stage build-bench-other bench_other "$revision" "$folder/$revision" || return 1
    arguments=(--other "$revision=$folder/$revision/build/hearth-bench")
    shift 2
  fi
  python3 -B bench/run.py --program "$folder/build/hearth-bench" --folder "$folder" "${arguments[@]}" "$@"
}

# Encoding and decoding in WebAssembly, beside the Lua module built for speed.
stage_bench_wasm() {
  stage build-bench-wasm configure_and_compile "$build/bench-wasm" --buildtype=release -Db_ndebug=true \
    -Dtests=disabled -Dcommand=disabled || return 1
  node --expose-gc bench/wasm/run.mjs --module "$build/bench-wasm/bindings/lua/hearth.so" \
    --package "$build/package/hearth-lua" --modules "$build/bench-wasm-node/node_modules" \
    --output "$build/bench/wasm.json" && node bench/figures.mjs "$build/bench/wasm.md"
}

# The browser's store beside the legacy method, then beside its peers: each in turns with Hearth.
stage_bench_browser() {
  export HEARTH_PACKAGE=$build/package/hearth-lua HEARTH_NODE_MODULES=$build/node/node_modules \
    HEARTH_PEERS=$build/bench-browser-node/node_modules
  node bench/browser/run.mjs --output "$build/bench/browser.json" &&
    node bench/browser/peers.mjs --output "$build/bench/peers.json" &&
    node bench/figures.mjs "$build/bench/browser.md" "$build/bench/peers.md"
}
