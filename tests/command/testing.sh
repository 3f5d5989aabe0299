# shellcheck shell=bash
# Sourced by the shell suites of the command: a folder of their own, checks, and counts.
folder=$(mktemp -d) || exit 1
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
unset HEARTH_STORE
passed=0
failed=0

fail() {
  failed=$((failed + 1))
  printf 'FAILED: %s\n  %s\n' "$name" "$1"
}

# ok NAME EXPECTED-STATUS COMMAND...: runs it without input; leaves standard output and error in $folder/out and err.
ok() {
  local expected=$2 actual
  name=$1
  shift 2
  "$@" >"$folder/out" 2>"$folder/err" </dev/null
  actual=$?
  if [ $actual -ne "$expected" ]; then
    fail "exit status $actual, not $expected: $(head -c 300 "$folder/out" "$folder/err")"
  elif grep -qE 'Sanitizer|runtime error' "$folder/err"; then
    fail "$(head -c 1000 "$folder/err")"
  else
    passed=$((passed + 1))
  fi
}

# says FILE TEXT: the file in the folder, out or err, has this text.
says() {
  grep -qF -- "$2" "$folder/$1" || { fail "$1 has no '$2': $(head -c 300 "$folder/$1")"; return; }
  passed=$((passed + 1))
}

# prints TEXT: it is all of standard output.
prints() {
  if [ "$(cat "$folder/out")" = "$1" ]; then
    passed=$((passed + 1))
  else
    fail "printed '$(head -c 300 "$folder/out")', not '$1'"
  fi
}

# One line on standard error that begins with "hearth: ", and nothing on standard output.
one_line() {
  if [ "$(wc -l <"$folder/err")" -eq 1 ] && [[ $(cat "$folder/err") == "hearth: "* ]] && [ ! -s "$folder/out" ]; then
    passed=$((passed + 1))
  else
    fail "not one line of error: $(head -c 300 "$folder/err") and on standard output: $(head -c 300 "$folder/out")"
  fi
}
