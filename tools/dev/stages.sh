# shellcheck shell=bash
# Sourced by ./dev: the stages. Each writes a log, prints one line, and on failure the log's tail.

build=${HEARTH_BUILD:-$PWD/build}
logs=$build/logs
passed=0
failed=0
failed_stages=0
core_suites=(base codec store backends)

# stage NAME COMMAND...: runs it with its output in logs/NAME.log.
stage() {
  local name=$1 began=$SECONDS
  shift
  mkdir -p "$logs"
  if "$@" >"$logs/$name.log" 2>&1; then
    printf '%-16s ok      %4d s\n' "$name" $((SECONDS - began))
    return 0
  fi
  printf '%-16s FAILED  %4d s\n' "$name" $((SECONDS - began))
  failed_stages=$((failed_stages + 1))
  echo "---- the end of $logs/$name.log:" >&2
  tail -n 60 "$logs/$name.log" >&2
  echo "----" >&2
  return 1
}

# counted_stage NAME COMMAND...: a stage that counts as one test.
counted_stage() {
  if stage "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

# side_by_side COMMAND ARGUMENT...: the stage or stages that COMMAND runs, at the same time for each argument. Each
# writes its lines to the end of what is printed as one; they are counted as if they had come one after the other.
# shellcheck disable=SC2030,SC2031 # the counts come back through files
side_by_side() {
  local command=$1 argument jobs=() job
  shift
  for argument in "$@"; do
    job=$logs/job-${#jobs[@]}
    jobs+=("$job")
    (
      passed=0 failed=0 failed_stages=0
      "$command" "$argument" >"$job.out" 2>&1
      echo "$passed $failed $failed_stages" >"$job.counts"
    ) &
  done
  wait
  local here_passed here_failed here_stages
  for job in "${jobs[@]}"; do
    cat "$job.out"
    read -r here_passed here_failed here_stages <"$job.counts" || here_failed=1
    passed=$((passed + ${here_passed:-0}))
    failed=$((failed + ${here_failed:-1}))
    failed_stages=$((failed_stages + ${here_stages:-1}))
    rm -f "$job.out" "$job.counts"
  done
}

# configure FOLDER MESON-ARGUMENTS...: once, and again when the arguments or the installed packages changed.
configure() {
  local folder=$1 mark
  mark="$* $(packages_there)"
  shift
  if [ -f "$folder/build.ninja" ] && [ "$(cat "$folder/dev-arguments" 2>/dev/null)" = "$mark" ]; then
    return 0
  fi
  local again=()
  [ ! -f "$folder/build.ninja" ] || again=(--reconfigure)
  meson setup "${again[@]}" "$folder" "$@" && printf '%s\n' "$mark" >"$folder/dev-arguments"
}

configure_and_compile() {
  configure "$@" && ninja -C "$1"
}

# suites NAME FOLDER MESON-TEST-ARGUMENTS...: runs them, prints each runner's closing line, counts.
suites() {
  local name=$1 folder=$2 ok=0 here_passed=0 here_failed=0 record
  shift 2
  rm -f "$folder/meson-logs/$name"*.json
  stage "$name" meson test -C "$folder" --logbase "$name" "$@" || ok=1
  for record in "$folder/meson-logs/$name"*.json; do # meson adds a wrapper's name to the base
    python3 tools/dev/closing.py "$record" "$name" "$logs/$name.counts" || return 1
    read -r here_passed here_failed <"$logs/$name.counts"
  done
  if [ $ok -ne 0 ] && [ "$here_failed" -eq 0 ]; then here_failed=1; fi
  if [ "$here_passed" -eq 0 ] && [ "$here_failed" -eq 0 ]; then
    echo "$name: no suite ran" >&2
    here_failed=1
  fi
  passed=$((passed + here_passed))
  failed=$((failed + here_failed))
  [ "$here_failed" -eq 0 ]
}

link_products() {
  ln -sfn tools/hearth/hearth "$build/hearth"
  ln -sfn bindings/lua/hearth.so "$build/hearth.so"
}

stage_build() {
  stage build configure_and_compile "$build" && link_products
}

stage_gcc() {
  suites gcc "$build"
}

# The core and the Lua module, with the Lua of Debian 13: what else speaks to the core is compiled, and was tested with
# gcc.
stage_clang() {
  local arguments=() suite
  for suite in "${core_suites[@]}" format lua; do arguments+=(--suite "$suite"); done
  CC=clang stage build-clang configure_target lua-trixie native lua &&
    suites clang "$build/lua-trixie" "${arguments[@]}" --no-suite long
}

# All suites with other Luas than the system's, the newest 5.4 among them: docs/LUA.md.
stage_lua_versions() {
  local suite
  for suite in trixie sid; do
    stage "build-lua-$suite" configure_target "lua-$suite" native lua || continue
    echo "  $("$build/deps/lua-$suite/bin/lua5.4" -v)"
    suites "lua-$suite" "$build/lua-$suite"
  done
}

stage_sanitize() {
  CC=clang stage build-sanitize configure_and_compile "$build/sanitize" -Dwerror=true -Db_lundef=false \
    -Db_sanitize=address,undefined -Dc_args=-fno-sanitize-recover=undefined || return 1
  export ASAN_OPTIONS=strict_string_checks=1:detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1
  suites sanitize "$build/sanitize" -t 5 --no-suite long
  suites sanitize-long "$build/sanitize" --no-rebuild -t 5 'every fault' 'store pending' 'file conformance on disk' \
    teeth sqlite_kill
  unset ASAN_OPTIONS UBSAN_OPTIONS
}

stage_valgrind() {
  local arguments=() suite
  for suite in "${core_suites[@]}"; do arguments+=(--suite "$suite"); done
  suites valgrind "$build" -t 40 "${arguments[@]}" --no-suite long --wrap "valgrind -q --error-exitcode=99 \
--leak-check=full --errors-for-leak-kinds=definite --child-silent-after-fork=yes"
}

# configure_target TARGET KIND [FILE]: Lua and cmocka for it, then meson with its machine files, the second of which is
# cross/FILE.ini or cross/TARGET.ini; KIND is native or cross.
configure_target() {
  tools/dev/source-deps.sh "$1" "$build/deps" &&
    configure_and_compile "$build/$1" -Dwerror=true "--$2-file" "$build/deps/$1/constants.ini" \
      "--$2-file" "cross/${3:-$1}.ini"
}

stage_m32() {
  stage build-m32 configure_target m32 native && suites m32 "$build/m32" -t 2 --no-suite long
}

# A big-endian machine, emulated; then one store that it and this machine take turns at.
stage_s390x() {
  stage build-s390x configure_target s390x cross || return 1
  suites s390x "$build/s390x" -t 10 --suite base --suite format --suite codec --suite store --suite backends \
    --no-suite long
  local here=tests/store/exchange there
  there="qemu-s390x -L /usr/s390x-linux-gnu $build/s390x/$here"
  here=$build/$here
  counted_stage exchange tests/store/exchange.sh "little64 big64 little64 big64 big64 little64" \
    "$build/s390x/exchange.hearth" "$here" "$there" "$here" "$there" "$there" "$here"
}

build_wasm() {
  need_acorn && configure_target wasm32 cross
}

# The C suites under Node, golden files byte for byte among them.
stage_wasm() {
  stage build-wasm build_wasm && suites wasm "$build/wasm32" -t 3
}

stage_package() {
  stage build-wasm build_wasm &&
    stage package tools/wasm/package.sh "$build/wasm32/bindings/js/native/hearth.wasm" "$build/package/hearth-lua" &&
    cat "$logs/package.log"
}

# node_modules FOLDER NAME: the npm packages that FOLDER/package-lock.json lists, in build/NAME/node_modules.
node_modules() {
  local folder=$1 target=$build/$2
  mkdir -p "$target"
  if [ -d "$target/node_modules" ] && cmp -s "$folder/package-lock.json" "$target/package-lock.json"; then return 0; fi
  cp "$folder/package.json" "$folder/package-lock.json" "$target/" &&
    (cd "$target" && npm ci --ignore-scripts --no-audit --no-fund) || { rm -rf "$target/package-lock.json"; return 1; }
}

build_page() {
  node_modules examples/browser page-node &&
    node tools/page/build.mjs "$build/package/hearth-lua" "$build/page-node/node_modules" "$build/page"
}

stage_page() {
  stage_package && stage page build_page
}

# node_suite NAME FILE...: files of node:test, one after the other; closing lines and figures are printed, tests
# counted.
node_suite() {
  local name=$1 ok=0 here_passed here_failed
  shift
  HEARTH_PACKAGE=$build/package/hearth-lua HEARTH_WASM=$build/package/hearth-lua/src/hearth.wasm \
    HEARTH_COMMAND=$build/hearth HEARTH_PAGE=$build/page HEARTH_NODE_MODULES=$build/node/node_modules \
    HEARTH_CONFORMANCE=$build/wasm32/tests/browser/conformance.wasm \
    HEARTH_PEERS=$build/bench-browser-node/node_modules \
    stage "$name" node --test --test-concurrency=1 --test-reporter=tap "$@" || ok=1
  grep -E '^# (figure:|tests|pass|fail|skipped) ' "$logs/$name.log" | sed "s/^# /  $name: /"
  here_passed=$(sed -n 's/^# pass //p' "$logs/$name.log")
  here_failed=$(sed -n 's/^# fail //p' "$logs/$name.log")
  if [ $ok -ne 0 ] && [ "${here_failed:-0}" -eq 0 ]; then here_failed=1; fi
  if [ "${here_passed:-0}" -eq 0 ]; then here_failed=$((${here_failed:-0} + 1)); fi
  passed=$((passed + ${here_passed:-0}))
  failed=$((failed + ${here_failed:-0}))
  [ "${here_failed:-0}" -eq 0 ]
}

# The npm package, made before: in Node, then in Chromium.
stage_node() {
  stage node-modules node_modules tools/node node && node_suite node tests/js/*.test.js
}

stage_browser() {
  stage_browser_modules && node_suite browser tests/browser/*.test.js
}

# What drives Chromium, and what Hearth is measured beside.
stage_browser_modules() {
  stage node-modules node_modules tools/node node &&
    stage browser-modules node_modules bench/browser bench-browser-node
}

# Both at once: each waits more than it computes.
stage_javascript() {
  stage_browser_modules && side_by_side javascript_suite node:js browser:browser
}

javascript_suite() {
  node_suite "${1%:*}" tests/"${1#*:}"/*.test.js
}

# The postgres backend alone, against servers that its tests start.
stage_postgres() {
  suites postgres "$build" --suite postgres
}

# Its figures, on a server that the program starts.
stage_bench_postgres() {
  stage build-bench-postgres configure_and_compile "$build/bench-postgres" -Dbuildtype=release &&
    "$build/bench-postgres/bench/postgres/hearth-bench-postgres"
}

# A program of its own that finds an installed Hearth.
stage_embed() {
  counted_stage embed tests/embed/run.sh "$build/embed"
}

# Hearth as a new user finds it, each in an empty folder: tests/packages/, with what stage_embed installed.
stage_packages() {
  local name
  for name in symbols c cmake subproject rock deb; do
    counted_stage "packages-$name" "tests/packages/$name.sh" "$build/embed/prefix" "$build/packages/$name"
  done
}

# The npm package, made before, likewise.
stage_packages_node() {
  stage node-modules node_modules tools/node node || return 1
  HEARTH_PACKAGE=$build/package/hearth-lua HEARTH_NODE_MODULES=$build/node/node_modules \
    counted_stage packages-node tests/packages/node.sh "$build/embed/prefix" "$build/packages/node"
}

# stages_end [counted]: the exit status of all of it.
stages_end() {
  [ "$failed_stages" -le "$failed" ] || failed=$failed_stages
  if [ "${1:-}" = counted ]; then echo "$passed passed, $failed failed"; fi
  [ "$failed" -eq 0 ]
}
