# shellcheck shell=bash
# Sourced by ./dev: stages that look at the code, and not only at what it does.

# The suites with gcc's counters, without assertions; what was executed, per folder, in coverage-report.log and, line by
# line, in build/coverage/html. It fails unless the files of tools/dev/coverage-whole.txt were executed whole. Of the
# command's suites those that neither limit the size of files, which the counters would exceed, nor take minutes.
stage_coverage() {
  local folder=$build/coverage arguments=() suite
  for suite in ${HEARTH_COVERAGE_SUITES:-base format codec store backends lua}; do
    arguments+=(--suite "$suite")
  done
  stage build-coverage configure_and_compile "$folder" -Dwerror=true -Db_coverage=true -Db_ndebug=true -Doptimization=0 ||
    return 1
  find "$folder" -name '*.gcda' -delete
  suites coverage "$folder" --no-rebuild -t 5 "${arguments[@]}" --no-suite long
  if [ -z "${HEARTH_COVERAGE_SUITES:-}" ]; then
    suites coverage-command "$folder" --no-rebuild -t 5 view examples command migrate migrate_cases \
      migrate_random 'legacy dumps' 'legacy input'
  fi
  if stage coverage-report coverage_report "$folder"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  sed -n 's/^\(all: \|[0-9]* of \)/  coverage: \1/p' "$logs/coverage-report.log"
}

coverage_report() {
  mkdir -p "$1/html" && gcovr --config gcovr.cfg --root . --object-directory "$1" -j 2 --json "$1/coverage.json" \
    --html-details "$1/html/index.html" "$1" &&
    python3 tools/dev/coverage.py "$1/coverage.json" tools/dev/coverage-whole.txt
}
