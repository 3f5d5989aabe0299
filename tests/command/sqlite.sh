#!/bin/bash
# sqlite.sh HEARTH DOCUMENT SQLITE3: the command on stores in SQLite's databases, and what the documentation says of
# them for people who have the sqlite3 shell (SQLITE3, or nothing: it is not there).
set -u
hearth=$(realpath "$1") document=$(realpath "$2") sqlite3=${3:-}
# shellcheck source=tests/command/testing.sh
. "$(dirname "$(realpath "$0")")/testing.sh"
cd "$folder" || exit 1

prints() {
  if [ "$(cat out)" = "$1" ]; then passed=$((passed + 1)); else fail "printed '$(head -c 300 out)', not '$1'"; fi
}

# The line of error names the store one time.
once() {
  if [ "$(grep -o 'world.sqlite' err | wc -l)" -eq 1 ]; then
    passed=$((passed + 1))
  else
    fail "not once: $(cat err)"
  fi
}

export HEARTH_STORE=sqlite:world.sqlite
cat >world.lua <<'LUA'
_home.visits = (_home.visits or 0) + 1
_home.greet = _home.greet or function(name) return "hello " .. name .. ", visit " .. _home.visits end
_home.log = _home.log or ext.table()
for i = 1, 100 do _home.log["entry " .. i] = ("x"):rep(i) end
print(_home.greet(...))
LUA
ok 'run' 0 "$hearth" run world.lua you
prints 'hello you, visit 1'
ok 'run again' 0 "$hearth" run world.lua you
prints 'hello you, visit 2'
ok 'a script that fails' 1 "$hearth" eval '_home.visits = 99 error "no"'
ok 'eval' 0 "$hearth" eval '_home.visits'
prints 2
ok 'get' 0 "$hearth" get 'log["entry 7"]'
prints '"xxxxxxx"'
cat >hold.lua <<'LUA'
os.execute(arg[1] .. " eval '_home.visits = 7'")
LUA
ok 'a store that is in use' 0 "$hearth" run hold.lua "$hearth"
says err 'busy'
once
ok 'what cannot be written' 1 "$hearth" eval --readonly '_home.x = 1'
once
ok 'ls' 0 "$hearth" ls
says out 'visits'
ok 'dump' 0 "$hearth" dump
says out 'entry 100'
ok 'stat' 0 "$hearth" stat
says out 'sqlite:world.sqlite'
ok 'verify' 0 "$hearth" verify
ok 'compact' 0 "$hearth" compact
ok 'compact keeps no batches' 3 "$hearth" compact --keep 3
says err 'keeps no earlier batches'
once
ok 'log' 3 "$hearth" log
says err 'the sqlite backend keeps no earlier commits'
ok 'an earlier commit' 3 "$hearth" ls --at 1
says err 'the sqlite backend keeps no earlier commits'
ok 'salvage is of files' 2 "$hearth" salvage --to new.hearth
ok 'export' 0 "$hearth" export world.export
ok 'import into a file' 0 "$hearth" --store file:world.hearth import world.export
ok 'import into a database' 0 "$hearth" --store sqlite:other.sqlite import world.export
ok 'export from the file' 0 "$hearth" --store file:world.hearth export file.export
ok 'export from the database' 0 "$hearth" --store sqlite:other.sqlite export other.export
ok 'the same bytes' 0 cmp world.export file.export
ok 'the same bytes again' 0 cmp world.export other.export
ok 'a store of its own inside a script' 0 \
  "$hearth" eval 'return (require "hearth".open "sqlite:inside.sqlite"):stat().backend'
prints sqlite
ok 'a folder' 3 "$hearth" --store sqlite:. ls
says err 'folder'
ok 'nothing there' 3 "$hearth" --store sqlite:nothing.sqlite ls
says err 'nothing.sqlite: there is no such store'
ok 'something else' 3 "$hearth" --store sqlite:world.lua ls
says err 'is not a Hearth store'

if [ -n "$sqlite3" ]; then
  awk '/^```sql$/ { inside = 1; next } /^```$/ { inside = 0 } inside && /^(SELECT|PRAGMA)/' "$document" >queries.sql
  ok 'the documentation has queries' 0 test "$(wc -l <queries.sql)" -ge 4
  ok 'they run' 0 "$sqlite3" -bail world.sqlite '.read queries.sql'
  says out '2|100|'
  says out 'ok'
  awk '/^```sql$/ { inside = 1; next } /^```$/ { inside = 0 } inside && /^CREATE/ { sub(/;$/, ""); print }' \
    "$document" >schema
  ok 'the tables are those of the documentation' 0 "$sqlite3" world.sqlite \
    "SELECT sql FROM sqlite_master WHERE type = 'table' ORDER BY name DESC"
  prints "$(cat schema)"
  ok 'the application id' 0 "$sqlite3" world.sqlite 'PRAGMA application_id'
  ok 'is documented' 0 grep -q "application_id. is $(cat out) " "$document"
  ok 'backup' 0 "$sqlite3" world.sqlite '.backup copy.sqlite'
  ok 'a backup is a store' 0 "$hearth" --store sqlite:copy.sqlite eval '_home.visits'
  prints 2
fi

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
