# shellcheck shell=bash
# Sourced by ./dev: stages that look at the code, and not only at what it does.

# The suites with gcc's counters, without assertions; what was executed, per folder, in coverage-report.log and, line by
# line, in build/coverage/html. It fails unless the files of tools/dev/coverage-whole.txt were executed whole. Of the
# command's suites those that neither limit the size of files to less than the counters take nor need minutes.
stage_coverage() {
  local folder=$build/coverage arguments=() suite
  for suite in ${HEARTH_COVERAGE_SUITES:-base format codec store backends lua}; do
    arguments+=(--suite "$suite")
  done
  stage build-coverage configure_and_compile "$folder" -Dwerror=true -Db_coverage=true -Db_ndebug=true \
    -Doptimization=0 || return 1
  find "$folder" -name '*.gcda' -delete
  suites coverage "$folder" --no-rebuild -t 5 "${arguments[@]}" --no-suite long
  if [ -z "${HEARTH_COVERAGE_SUITES:-}" ]; then
    suites coverage-command "$folder" --no-rebuild -t 5 view 'view store' verify examples command manual diff \
      'stat html' history copy 'copy uri' 'command sqlite' migrate migrate_cases migrate_random 'legacy dumps' \
      'legacy input'
  fi
  counted_stage coverage-report coverage_report "$folder"
  sed -n 's/^\(all: \|[0-9]* of \)/  coverage: \1/p' "$logs/coverage-report.log"
}

coverage_report() {
  mkdir -p "$1/html" && gcovr --config gcovr.cfg --root . --object-directory "$1" -j 2 --json "$1/coverage.json" \
    --html-details "$1/html/index.html" "$1" &&
    python3 tools/dev/coverage.py "$1/coverage.json" tools/dev/coverage-whole.txt
}

# clang-tidy (.clang-tidy) and cppcheck (tools/dev/cppcheck.txt) over all C that is compiled here, fuzz targets
# included; the scripts by shellcheck, the documents by themselves. HEARTH_LINT_NODES=225000 has clang's analyzer look
# as far as it can, in ten minutes more.
stage_lint() {
  local folder=$build/lint tool
  stage configure-lint configure_lint "$folder" || return 1
  for tool in tidy cppcheck shellcheck lines documents; do
    counted_stage "$tool" "lint_$tool" "$folder"
  done
  echo "  $(tail -n 1 "$logs/tidy.log")"
}

# mkdocs is run as a program: which Python has it does not matter.
stage_site() {
  counted_stage site python3 tools/site/site.py "$build/site" || return 1
  echo "  $(tail -n 1 "$logs/site.log")"
}

configure_lint() {
  local made
  configure "$1" -Dfuzz=enabled || return 1
  mapfile -t made < <(ninja -C "$1" -t targets all | sed -n 's/^\(.*\.[ch]\): CUSTOM_COMMAND.*/\1/p')
  ninja -C "$1" "${made[@]}" # the C that is made
}

lint_tidy() {
  python3 tools/dev/tidy.py "$1" 2 "${HEARTH_LINT_NODES:-40000}"
}

# Without the system's headers; of these Lua's asks for a type of 64 bits by the name of its greatest value.
lint_cppcheck() {
  mkdir -p "$1/cppcheck" && cppcheck --quiet --project="$1/compile_commands.json" --cppcheck-build-dir="$1/cppcheck" \
    --enable=warning,style,performance,portability --error-exitcode=1 --inline-suppr --std=c11 --library=posix \
    --suppressions-list=tools/dev/cppcheck.txt '--suppress=*:/usr/*' -DLLONG_MAX=9223372036854775807LL \
    --template='{file}:{line}: {severity}: {message} [{id}]'
}

lint_shellcheck() {
  local scripts
  mapfile -t scripts < <(git ls-files '*.sh' .ci/run dev)
  # On purpose: A && B || C; variables and files of who sources them; ls of a test's own folder; $ in JavaScript; words.
  shellcheck --exclude=SC2015,SC2154,SC1091,SC2012,SC2016,SC2206 "${scripts[@]}"
}

# Lines of at most 120 columns, in every language that the code is in. tests/reader keeps earlier code as it was.
lint_lines() {
  local files
  mapfile -t files < <(git ls-files ':!tests/reader/[0-9]*' '*.[ch]' '*.lua' '*.js' '*.mjs' '*.ts' '*.py' '*.sh' \
    '*.sql' '*.html' '*.css' 'meson*' '*/meson.build' .clang-tidy .ci/run dev)
  python3 tools/dev/lines.py "${files[@]}"
}

# Relative links, and spelling: of documents by aspell, with words of ours; of everything by codespell, which knows
# mistakes.
lint_documents() {
  local files
  mapfile -t files < <(git ls-files '*.md' 'docs/*.[1-9]')
  python3 tools/dev/documents.py "${files[@]}" || return 1
  mapfile -t files < <(git ls-files |
    grep -vE '^(fuzz/corpus|tests/(golden|fixtures|planted|reader/1))/|/package-lock\.json$|\.svg$')
  codespell --ignore-words-list=nd,nam,calle,atleast,cannonical "${files[@]}"
}

# fuzz_target PROGRAM: the committed corpus, and what earlier runs found, for a while; what crashes it is kept beside
# that.
fuzz_target() {
  local name=${1##*/fuzz_} found
  found=$build/fuzz-found/$name
  mkdir -p "$found/corpus"
  "$1" -max_total_time="${HEARTH_FUZZ_SECONDS:-20}" -max_len=65536 -timeout=25 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$found/" "$found/corpus" "fuzz/corpus/$name"
}

# Every folder of the corpus has its fuzzer: nobody would miss one that was not built (without jansson, say).
fuzz_programs_are_there() {
  local folder missing=0
  for folder in fuzz/corpus/*/; do
    folder=$(basename "$folder")
    [ -x "$build/fuzz/fuzz/fuzz_$folder" ] || { echo "there is no fuzz_$folder in $build/fuzz/fuzz"; missing=1; }
  done
  return $missing
}

# Every target, two at a time; a line each with how often it ran.
stage_fuzz() {
  local program programs=() name i
  stage build-fuzz configure_target fuzz native && stage fuzz-programs fuzz_programs_are_there || return 1
  for program in fuzz/corpus/*/; do
    programs+=("$build/fuzz/fuzz/fuzz_$(basename "$program")")
  done
  for ((i = 0; i < ${#programs[@]}; i += 2)); do
    side_by_side fuzz_stage "${programs[@]:i:2}"
  done
  for program in "${programs[@]}"; do
    name=fuzz-${program##*/fuzz_}
    echo "  $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$logs/$name.log") executions," \
      "$(grep -oE 'cov: [0-9]+ ft: [0-9]+' "$logs/$name.log" | tail -n 1)"
  done
}

fuzz_stage() {
  counted_stage "fuzz-${1##*/fuzz_}" fuzz_target "$1"
}

# Planted bugs: each patch of tests/planted/ makes the test that it names go red. Those in JavaScript need the package.
stage_planted() {
  local ok=0 here_passed here_failed package=$build/package/hearth-lua
  [ -d "$package" ] || package=
  HEARTH_PACKAGE=$package stage planted tests/planted/run.sh "$build/planted" || ok=1
  read -r here_passed here_failed < <(
    sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$logs/planted.log" | tail -n 1)
  if [ "${here_passed:-0}" -eq 0 ] || { [ $ok -ne 0 ] && [ "${here_failed:-0}" -eq 0 ]; }; then here_failed=1; fi
  echo "  planted: ${here_passed:-0} passed, ${here_failed:-0} failed"
  passed=$((passed + ${here_passed:-0}))
  failed=$((failed + ${here_failed:-0}))
}

# The long run, of an hour on two cores: tests with HEARTH_TEST_ROUNDS times their rounds, without limits of time. A
# line each: suite, rounds, name. The figures that they print are those of docs/RELIABILITY.md. HEARTH_SOAK=N: N times
# as long.
soak_tests='
backends 5 power_loss
backends 5 file_kill
store 5 store kill
store 7 every fault
backends 20 differential
postgres 15 postgres_kill
postgres 20 postgres_readers
postgres 6 postgres_pool
postgres 8 postgres differential
lua 10 graphs
lua 10 random
store 20 store random
store 5 store pending_random
codec 10 blob
'
stage_soak() {
  local suite rounds name
  stage build-soak configure_and_compile "$build/soak" -Dbuildtype=release || return 1
  while read -r suite rounds name; do
    [ -n "$name" ] || continue
    HEARTH_TEST_ROUNDS=$((rounds * ${HEARTH_SOAK:-1})) \
      suites "soak-${name// /-}" "$build/soak" --no-rebuild -t 0 --suite "$suite" "$name"
  done <<<"$soak_tests"
}

# Tables that are larger than memory should be: tests/lua/large.lua in full, with its figures.
stage_large() {
  stage build-soak configure_and_compile "$build/soak" -Dbuildtype=release || return 1
  HEARTH_LARGE=1 suites large "$build/soak" --no-rebuild -t 0 --suite lua large
}
