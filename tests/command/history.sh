#!/bin/bash
# history.sh HEARTH: hearth log, and what --at shows of earlier commits.
set -u
hearth=$(realpath "$1")
# shellcheck source=tests/command/testing.sh
. "$(dirname "$(realpath "$0")")/testing.sh"
cd "$folder" || exit 1
export HEARTH_STORE=file:world.hearth

commit() {
  "$hearth" eval "$1" >out 2>err || fail "eval $1: $(cat err)"
}

# The numbers of the commits that log lists.
listed() {
  awk 'NR > 1 {printf "%s%s", (NR > 2 ? " " : ""), $1}' out
}

name='making commits'
commit '_home.n = 1 _home.list = {1, 2, 3}'
commit '_home.n = 2 _home.text = ("x"):rep(100000)'
commit '_home.n = 3 _home.text = nil _home.log = ext.table() _home.log.a = "first"'
commit '_home.n = 4 _home.log.a = "second"'
# -------------------------------------------------------------------- log

ok 'log' 0 "$hearth" log
says out 'commit  time'
[ "$(listed)" = '1 2 3 4' ] || fail "listed $(listed)"
grep -qE '^ +2  20[0-9]{2}-[01][0-9]-[0-3][0-9] [0-9:]{8}\.[0-9]{3} UTC +1[0-9]{5} +[0-9]+$' out || fail "$(cat out)"
ok 'log as JSON' 0 "$hearth" log --json
python3 - <<'PY' || fail "$(cat out)"
import json
log = json.load(open("out"))
assert [c["commit"] for c in log] == [1, 2, 3, 4]
assert all(a["time"] <= b["time"] for a, b in zip(log, log[1:]))
assert log[1]["bytes"] > 100000 > log[2]["bytes"] and all(c["operations"] > 0 for c in log)
import os
assert 64 + sum(c["bytes"] for c in log) <= os.path.getsize("world.hearth") <= 64 + 64 + sum(c["bytes"] for c in log)
PY
ok 'log of a store that is not there' 3 "$hearth" --store file:none.hearth log
one_line
ok 'export is no stream' 2 "$hearth" export -
one_line
says err 'not standard output'
[ ! -e ./- ] || fail 'export has made a file'
ok 'salvage neither' 2 "$hearth" salvage --to -
one_line
[ ! -e ./- ] || fail 'salvage has made a file'
ok 'log of what keeps nothing' 3 "$hearth" --store memory: log
one_line

# --------------------------------------------------------------------- at

ok 'get at a commit' 0 "$hearth" get --at 1 n
prints 1
ok 'get at the last' 0 "$hearth" get --at=4 n
prints 4
ok 'what was not there yet' 1 "$hearth" get --at 2 log
one_line
ok 'what is not there any more' 0 "$hearth" get --at 2 --raw text
[ "$(wc -c <out)" -eq 100000 ] || fail "$(wc -c <out) bytes"
ok 'an external table' 0 "$hearth" get --at 3 log.a
prints '"first"'
ok 'the same now' 0 "$hearth" get log.a
prints '"second"'
ok 'ls at a commit' 0 "$hearth" ls --at 2
says out 'list'
grep -q log out && fail 'ls shows what came later'
ok 'stat at a commit' 0 "$hearth" stat --at 2
says out 'last batch       2'
ok 'dump at a commit' 0 "$hearth" dump --at 2
grep -q external out && fail 'dump shows what came later'
ok 'export of a commit' 0 "$hearth" export --at 3 four.hearth
ok 'what it wrote' 0 "$hearth" --store file:four.hearth get log.a
prints '"first"'
for seq in 5 0 x -1 99999999999999999999; do
  for command in 'get n' ls dump stat 'export e.hearth'; do
    expected=2
    [ "$seq" = 5 ] && expected=3
    # shellcheck disable=SC2086
    ok "$command at $seq" $expected "$hearth" $command --at "$seq"
    one_line
    [ "$seq" = 5 ] || says err "--at: '$seq' is no commit's number: they count from 1"
  done
done
ok 'the range that there is' 3 "$hearth" get --at 5 n
says err 'world.hearth: there is no batch 5, but those from 1 to 4'
[ ! -e e.hearth ] || fail 'export has made a file'
ok 'a blob has no commits' 2 "$hearth" dump --at 1 blob
one_line
ok 'frames neither' 2 "$hearth" dump --at 1 --frames
one_line
ok 'a backend that keeps nothing' 3 "$hearth" --store memory: get --at 1 n
one_line
says err 'keeps no earlier commits'
ok 'a writer beside it' 0 "$hearth" eval 'return _home.n'

# ---------------------------------------------------------------- compact

ok 'compact keeps some' 0 "$hearth" compact --keep 2
ok 'log of what was kept' 0 "$hearth" log
[ "$(listed)" = '2 3 4' ] || fail "listed $(listed)"
grep -qE '^ +2 .*with all before it$' out || fail "$(cat out)"
ok 'what the kept ones begin with' 0 "$hearth" get --at 2 n
prints 2
ok 'what is gone' 3 "$hearth" get --at 1 n
one_line
says err 'those from 2 to 4'
ok 'compact keeps none' 0 "$hearth" compact
ok 'log after it' 0 "$hearth" log
[ "$(listed)" = 4 ] || fail "listed $(listed)"
ok 'too many to keep' 2 "$hearth" compact --keep 1000001
one_line

# Compaction by itself: 4 MiB that are dead.
cat >grow.lua <<'LUA'
local hearth = require "hearth"
local store <close> = assert(hearth.open(arg[1], {keep = tonumber(arg[2])}))
local home = store.home
for i = 1, 40 do
  home.i, home.text = i, string.rep(string.char(64 + i), 500000)
  assert(store:commit())
end
LUA
ok 'commits that make it compact itself' 0 "$hearth" --store memory: run grow.lua file:grown.hearth 0
ok 'its log' 0 "$hearth" --store file:grown.hearth log
[ "$(wc -l <out)" -lt 15 ] || fail "$(wc -l <out) lines"
ok 'the same, keeping' 0 "$hearth" --store memory: run grow.lua file:kept.hearth 10
ok 'its log' 0 "$hearth" --store file:kept.hearth log
lines=$(wc -l <out)
if [ "$lines" -lt 12 ] || [ "$lines" -gt 23 ]; then fail "$lines lines"; fi
ok 'the tenth from the last' 0 "$hearth" --store file:kept.hearth get --at 30 i
prints 30
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
  "$hearth" --store file:run.hearth eval --keep 3 "_home.i = $i _home.text = ('$i'):rep(500000)" >out 2>err ||
    fail "$(cat err)"
done
ok 'eval keeps' 0 "$hearth" --store file:run.hearth get --at 9 i
prints 9
ok 'a bad number to keep' 2 "$hearth" eval --keep x 'return 1'
one_line
ok 'nothing that keeps' 3 "$hearth" --store memory: eval --keep 3 'return 1'
one_line
says err 'keeps no earlier commits'

# ------------------------------------------------------------ from Lua

cat >at.lua <<'LUA'
local hearth = require "hearth"
local store <close> = assert(hearth.open("file:kept.hearth", {readonly = true, at = 35}))
local home = store.home
assert(home.i == 35)
home.i = 0
assert(not store:commit())
assert(store:refresh() and home.i == 35)
local none, message = hearth.open("file:kept.hearth", {readonly = true, at = 99})
assert(not none and tostring(message):find("there is no batch 99", 1, true), message)
none, message = hearth.open("file:kept.hearth", {at = 35})
assert(not none and tostring(message):find("read-only", 1, true), message)
none, message = hearth.open("memory:", {keep = 1})
assert(not none and tostring(message):find("keeps no earlier commits", 1, true), message)
LUA
ok 'at from Lua' 0 "$hearth" --store memory: run at.lua

# --------------------------------------------------------- torn and damaged

name='a torn tail'
for i in 1 2 3; do commit "_home.n = $i"; done
cp world.hearth torn.hearth
truncate -s -70 torn.hearth # its mark and a few bytes of the last
ok 'log of a torn store' 0 "$hearth" --store file:torn.hearth log
[ "$(listed)" = '4 5 6' ] || fail "listed $(listed)"
says err 'torn tail'
ok 'a commit before the tear' 0 "$hearth" --store file:torn.hearth get --at 6 n
prints 2
[ -s err ] && fail "$(cat err)"
name='salvage'
ok 'salvage of it' 0 "$hearth" --store file:torn.hearth salvage --to saved.hearth
ok 'what it saved' 0 "$hearth" --store file:saved.hearth log

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
