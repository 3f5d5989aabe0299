#!/bin/bash
# run.sh HEARTH ENCODER PYTHON JSON: the command as a user runs it. JSON is "yes" when it was built with Jansson.
set -u
hearth=$(realpath "$1") encoder=$(realpath "$2") python=$3 json=$4
# shellcheck source=tests/command/testing.sh
. "$(dirname "$(realpath "$0")")/testing.sh"
cd "$folder" || exit 1

# ------------------------------------------------------------------ usage

ok 'version' 0 "$hearth" --version
says out 'hearth '
ok 'help' 0 "$hearth" --help
says out 'usage: hearth'
for command in run eval repl ls get dump verify salvage stat log diff compact export import copy; do
  says out "  $command"
done
for command in run eval repl ls get dump verify salvage stat log diff compact export import copy; do
  ok "help of $command" 0 "$hearth" "$command" --help
  says out "usage: hearth [--store URI] $command"
  ok "$command with an unknown option" 2 "$hearth" "$command" --nonsense
  one_line
done
ok 'no command' 2 "$hearth"
says err 'usage: hearth'
ok 'unknown command' 2 "$hearth" dance
one_line
ok 'unknown option' 2 "$hearth" --nonsense ls
one_line
ok 'store without a URI' 2 "$hearth" --store
one_line
ok 'store without a URI behind' 2 "$hearth" ls --store
one_line
ok 'run without a script' 2 "$hearth" run
one_line
ok 'get without a path' 2 "$hearth" get
one_line
ok 'too many arguments' 2 "$hearth" stat x
one_line
ok 'salvage without --to' 2 "$hearth" salvage x
one_line
ok 'a bad number' 2 "$hearth" get --depth many x
one_line
ok 'a value for a flag' 2 "$hearth" get --raw=1 x
one_line
ok 'an unknown scheme' 3 "$hearth" --store ftp:x ls
one_line
ok 'no scheme' 3 "$hearth" --store x.hearth ls
one_line
ok 'nothing was made by all this' 1 test -e home.hearth

# -------------------------------------------------------------------- run

export HEARTH_STORE=file:world.hearth
cat >world.lua <<'LUA'
local hearth = require "hearth"
assert(hearth.encode and arg[0] == "world.lua" and arg[1] == (...))
_home.visits = (_home.visits or 0) + 1
local count = 0
_home.count = _home.count or function() count = count + 1 return count end
_home.players = _home.players or {
  {name = "Ann", inventory = {["a b"] = 3}}, {name = "Bob", inventory = {}},
  {name = "Cyn", inventory = {["a b"] = "x\0y"}},
}
_home.self, _home.print = _home, print
_home.class = _home.class or setmetatable({1.5, 2}, {__index = {kind = "class"}})
_home.log = _home.log or ext.table()
_home.log[_home.visits] = "visit"
_home.log.deep = {down = true}
_home.big = _home.big or {}
for i = 1, 2000 do _home.big[i] = "entry " .. i end
_home.text = ("0123456789"):rep(1000)
print("visit", _home.visits, _home.count(), ...)
LUA
ok 'run' 0 "$hearth" run world.lua one --two
prints "$(printf 'visit\t1\t1\tone\t--two')"
ok 'run again: it was committed' 0 "$hearth" run world.lua one
prints "$(printf 'visit\t2\t2\tone')"
echo '_home.visits = 99 print "before" error "on purpose"' >bad.lua
ok 'run that raises' 1 "$hearth" run bad.lua
prints 'before'
says err 'bad.lua:1: on purpose'
says err 'stack traceback'
ok 'it was rolled back' 0 "$hearth" get visits
prints '2'
echo '_home.visits = 99 _home.co = coroutine.create(print)' >unstorable.lua
ok 'run with what cannot be stored' 1 "$hearth" run unstorable.lua
one_line
says err '_home.co: a coroutine cannot be stored'
ok 'nothing of it was stored' 0 "$hearth" get visits
prints '2'
echo 'this is no Lua' >syntax.lua
ok 'run with a syntax error' 1 "$hearth" run syntax.lua
one_line
ok 'run without the script' 1 "$hearth" run missing.lua
one_line
echo 'error({})' >table.lua
ok 'an error that is no string' 1 "$hearth" run table.lua
says err 'table value'
echo 'error(setmetatable({}, {__tostring = function() return "speaks" end}))' >speaks.lua
ok 'an error that speaks' 1 "$hearth" run speaks.lua
says err 'hearth: speaks'
echo '_home.late = true os.exit(7)' >exit.lua
ok 'os.exit saves nothing' 7 "$hearth" run exit.lua
ok 'os.exit saved nothing' 1 "$hearth" get late
one_line
says err '_home.late: there is nothing at this path'
name='run from standard input'
echo 'print(_home.visits, ...)' | "$hearth" run - a >out 2>err
prints "$(printf '2\ta')"
"$hearth" eval 'print "into what has the number of standard output"' <&- >&- 2>&-
ok 'what is printed while the standard streams are closed is not written into the store' 0 "$hearth" verify
name='a script whose standard streams are closed'
cat >streams.lua <<'LUA'
local files = {}
for i = 1, 3 do files[i] = assert(io.open("made" .. i, "w")) end
print "to standard output"
io.stderr:write "to standard error"
assert(not io.read())
for i = 1, 3 do files[i]:write "mine" files[i]:close() end
LUA
"$hearth" run streams.lua <&- >&- 2>&-
[ $? -eq 1 ] || fail 'what could not be printed is no failure'
[ "$(cat made1 made2 made3)" = mineminemine ] || fail "the script's files have: $(cat made1 made2 made3)"
ok 'options before the script' 0 "$hearth" run --store memory: world.lua x
prints "$(printf 'visit\t1\t1\tx')"
name='two at once'
cat >wait.lua <<'LUA'
io.open("started", "w"):close()
repeat local f = io.open("stop") until f
LUA
"$hearth" run wait.lua </dev/null &
waiter=$!
while [ ! -e started ] && kill -0 "$waiter" 2>err; do sleep 0.05; done
ok 'two at once: busy' 3 "$hearth" run world.lua
one_line
ok 'a reader is let in' 0 "$hearth" get visits
prints '2'
touch stop
wait "$waiter"
name='the first one ends well'
status=$?
[ $status -eq 0 ] && passed=$((passed + 1)) || fail "exit status $status"

# ------------------------------------------------------------ eval and repl

ok 'eval an expression' 0 "$hearth" eval '1 + 1'
prints '2'
ok 'eval with =' 0 "$hearth" eval '= 6 * 7, nil'
prints "$(printf '42\tnil')"
ok 'eval a chunk' 0 "$hearth" eval 'local x = ... return x, _home.visits' arg
prints "$(printf 'arg\t2')"
ok 'eval without a result' 0 "$hearth" eval '_home.evaluated = true'
prints ''
ok 'eval committed' 0 "$hearth" get evaluated
prints 'true'
ok 'eval that raises' 1 "$hearth" eval '_home.evaluated = nil error "no"'
ok 'eval rolled back' 0 "$hearth" get evaluated
prints 'true'
ok 'eval a syntax error' 1 "$hearth" eval 'x ='
one_line
name='repl'
printf '%s\n' '_home.a = 1' '_home.a + 1' 'for i = 1, 2 do' '  _home.a = _home.a + i' 'end' \
  '_home.a = 100 error "no"' '_home.a' '_home.b = coroutine.create(print)' '_home.b' '.help' '.exit' 'print "never"' |
  "$hearth" repl >out 2>err
status=$?
[ $status -eq 1 ] && passed=$((passed + 1)) || fail "exit status $status"
says out '.exit'
name='repl: results'
[ "$(head -n 3 out)" = "$(printf '2\n4\nnil')" ] && passed=$((passed + 1)) || fail "$(head -c 300 out)"
says err 'no'
says err 'coroutine'
ok 'repl committed line by line' 0 "$hearth" get a
prints '4'

# ----------------------------------------------------------------- looking

ok 'ls' 0 "$hearth" ls
says out "$(printf 'visits\t2')"
says out "$(printf 'players\ttable of 3')"
says out "$(printf 'log\texternal table')"
says out "$(printf 'print\tpermanent C function "print"')"
ok 'ls a path' 0 "$hearth" ls 'players[1].inventory'
prints "$(printf '["a b"]\t3')"
ok 'ls a function' 0 "$hearth" ls count
says out "$(printf '^count\t')"
ok 'ls a metatable' 0 "$hearth" ls 'class^metatable'
says out '__index'
ok 'ls an external table' 0 "$hearth" ls log
says out "$(printf '[1]\t"visit"')"
ok 'ls a number' 1 "$hearth" ls visits
one_line
ok 'ls nothing' 1 "$hearth" ls nowhere.at.all
one_line
ok 'get a path' 0 "$hearth" get '_home.players[1].inventory["a b"]'
prints '3'
ok 'get a string' 0 "$hearth" get 'players[3].inventory["a b"]'
prints '"x\x00y"'
ok 'get raw' 0 "$hearth" get --raw 'players[3].inventory["a b"]'
name='get raw: the bytes'
[ "$(od -An -tx1 out)" = ' 78 00 79' ] && passed=$((passed + 1)) || fail "$(od -An -tx1 out)"
ok 'get raw, large' 0 "$hearth" get text --raw
name='get raw, large: the bytes'
[ "$(cat out)" = "$(printf '0123456789%.0s' {1..1000})" ] && passed=$((passed + 1)) || fail "$(wc -c <out) bytes"
ok 'get raw of a table' 1 "$hearth" get --raw players
one_line
ok 'get an upvalue' 0 "$hearth" get 'count^count'
prints '2'
ok 'get through self' 0 "$hearth" get self.self.self.visits
prints '2'
ok 'get through a metatable' 0 "$hearth" get 'class^metatable.__index.kind'
prints '"class"'
ok 'get from an external table' 0 "$hearth" get log.deep.down
prints 'true'
ok 'get from a paged table' 0 "$hearth" get 'big[1999]'
prints '"entry 1999"'
ok 'get a table' 0 "$hearth" get 'players[1]'
says out 'name = "Ann",'
says out '["a b"] = 3,'
ok 'get a cycle' 0 "$hearth" get '_home'
says out 'self = <table of '
ok 'get to a depth' 0 "$hearth" get --depth 0 players
says out '[1] = <table of 2 #'
ok 'get by a bad path' 1 "$hearth" get 'players['
one_line
says err 'column'
ok 'stat' 0 "$hearth" stat
says out 'homeTableId'
ok 'verify' 0 "$hearth" verify
says out 'whole'
ok 'dump' 0 "$hearth" dump
says out 'store: format 1'
says out 'entry 2000'
says out 'page 0.'
says out 'world.lua'
ok 'dump the frames' 0 "$hearth" dump --frames
says out 'log: write version'
says out 'put metadata'
ok 'dump the frames of memory' 2 "$hearth" dump --frames --store memory:
one_line

"$encoder" '{1, 2, "three", {four = 5}, print}' >value.blob
ok 'dump a blob' 0 "$hearth" dump value.blob
says out 'blob: format 1'
says out 'four = 5'
for size in 0 1 5 9 20 $(($(wc -c <value.blob) - 1)); do
  head -c "$size" value.blob >cut.blob
  ok "dump a blob cut to $size bytes" 3 "$hearth" dump cut.blob
  one_line
  says err 'cut.blob: damaged at byte'
done
{ cat value.blob; echo; } >long.blob
ok 'dump a blob with something behind it' 3 "$hearth" dump long.blob
one_line
if [ "$json" = yes ]; then
  for what in '' --frames value.blob; do
    # shellcheck disable=SC2086
    ok "dump --json $what" 0 "$hearth" dump --json $what
    name="dump --json $what parses"
    "$python" -c 'import json, sys; d = json.load(sys.stdin); assert len(d) > 1 and all("item" in x for x in d)' \
      <out 2>err && passed=$((passed + 1)) || fail "$(tail -n 1 err)"
  done
fi

# ------------------------------------------------------- not what it should be

cp world.hearth before.hearth
for command in ls 'get x' dump stat verify 'export x.export' compact; do
  # shellcheck disable=SC2086
  {
    ok "$command of a missing store" 3 "$hearth" --store file:missing.hearth $command
    one_line
    says err missing.hearth
    ok "$command of a folder" 3 "$hearth" --store "file:$folder" $command
    one_line
    echo 'a text that is longer than the header of a store, which is not taken for one that was cut short' >text.hearth
    ok "$command of something else" 3 "$hearth" --store file:text.hearth $command
    one_line
    says err text.hearth
  }
done
ok 'nothing was made' 1 test -e missing.hearth
ok 'dump a missing blob' 3 "$hearth" dump missing.blob
one_line
ok 'dump a folder' 3 "$hearth" dump .
one_line
ok 'dump something else' 3 "$hearth" dump world.lua
one_line
ok 'run on a folder' 3 "$hearth" --store "file:$folder" run world.lua
one_line
ok 'the readers changed nothing' 0 cmp before.hearth world.hearth

if [ -w /dev/full ]; then
  name='standard output is full'
  "$hearth" get text >/dev/full 2>err
  status=$?
  [ $status -eq 1 ] && passed=$((passed + 1)) || fail "exit status $status"
  says err 'standard output'
fi

name='whoever reads standard output has gone away'
"$python" - "$hearth" >out 2>err <<'END'
import os, subprocess, sys
reader, writer = os.pipe()
os.close(reader)
print(subprocess.run([sys.argv[1], "get", "text"], stdout=writer).returncode)
END
[ "$(cat out)" = 1 ] && [ ! -s err ] && passed=$((passed + 1)) || fail "exit status $(cat out): $(cat err)"

# ---------------------------------------------------------- whole stores

ok 'export' 0 "$hearth" export world.export
ok 'export over something' 1 "$hearth" export world.export
one_line
ok 'import' 0 "$hearth" --store file:copy.hearth import world.export
ok 'import into what is not empty' 1 "$hearth" --store file:copy.hearth import world.export
one_line
ok 'the copy is the same' 0 "$hearth" --store file:copy.hearth export copy.export
ok 'the same bytes' 0 cmp world.export copy.export
ok 'the copy runs' 0 "$hearth" --store file:copy.hearth eval '_home.count()'
prints '3'
# ---------------------------------------------------- modules, and read-only

cat >pet.lua <<'LUA'
local Pet = {}
Pet.__index = Pet
function Pet:speak() return "woof" end
return { new = function() return setmetatable({}, Pet) end, Pet = Pet }
LUA
export HEARTH_STORE=file:pets.hearth
ok 'an unregistered module' 1 "$hearth" eval '_home.pet = require "pet"'
says err "the module 'pet' is not registered"
ok 'a registered module' 0 "$hearth" eval -l pet '_home.pet = require "pet".new() return _home.pet:speak()'
prints 'woof'
sed -i s/woof/meow/ pet.lua
ok 'the module edited' 0 "$hearth" eval --module pet '_home.pet:speak()'
prints 'meow'
ok 'the module missing' 3 "$hearth" eval '_home.pet:speak()'
one_line
says err "the permanent 'pet"
ok 'compaction needs no module' 0 "$hearth" compact
ok 'the names are still there' 0 "$hearth" eval -l pet '_home.pet:speak()'
prints 'meow'
ok 'no such module' 1 "$hearth" eval -l nosuch 1
one_line
ok 'read-only code' 0 "$hearth" eval --readonly -l pet '_home.pet:speak()'
prints 'meow'
touch empty.hearth
ok 'read-only code in an empty file, whose home table would have to be stored' 1 "$hearth" --store file:empty.hearth \
  eval --readonly '_home.x'
says err 'empty.hearth: nothing was ever committed to the store, which was opened read-only'
ok 'read-only code that writes' 1 "$hearth" eval --readonly -l pet '_home.x = 1'
one_line
unset HEARTH_STORE

ok 'import something else' 1 "$hearth" --store file:other.hearth import world.lua
one_line
ok 'import a missing file' 3 "$hearth" --store file:other.hearth import missing
one_line
for i in 1 2 3 4 5; do
  "$hearth" --store file:copy.hearth eval "_home.fill = ('$i'):rep(100000)" </dev/null || fail "filling"
done
size=$(wc -c <copy.hearth)
ok 'compact' 0 "$hearth" --store file:copy.hearth compact
name='compact gives space back'
[ "$(wc -c <copy.hearth)" -lt "$size" ] && passed=$((passed + 1)) || fail "$size bytes, then $(wc -c <copy.hearth)"
ok 'what was compacted is whole' 0 "$hearth" --store file:copy.hearth verify
ok 'compact keeping commits' 0 "$hearth" --store file:copy.hearth compact --keep 2

# Bytes behind the last batch, as a crash leaves them: who looks is told, and they are not whole.
cp world.hearth torn.hearth
printf 'half a batch' >>torn.hearth
for command in ls 'get players' stat; do
  # shellcheck disable=SC2086
  ok "$command of a store with a torn tail" 0 "$hearth" --store file:torn.hearth $command
  says err 'torn.hearth: 12 bytes at byte'
  says err 'are a torn tail, or damaged'
done
ok 'verify of a store with a torn tail' 1 "$hearth" --store file:torn.hearth verify
says err 'hearth: torn.hearth: 12 bytes behind the last batch: a torn tail, or damaged'
says out 'torn.hearth: whole but for its end: '
ok 'recovery cuts it off' 0 "$hearth" --store file:torn.hearth eval 1
says err 'torn.hearth.tail-'
ok 'verify after that' 0 "$hearth" --store file:torn.hearth verify
says out 'torn.hearth: whole: '

# Damage among batches that nobody flushed is a torn tail. docs/RELIABILITY.md says how what is whole in it is saved.
ok 'batches that nobody flushed' 0 "$hearth" eval '
  local store = assert(require "hearth".open "file:tail.hearth")
  for i = 1, 4 do
    store.home[i] = "the entry " .. i
    assert(store:commit "complete")
  end
  os.exit(0, false)'
"$python" - tail.hearth <<'PY'
import sys
with open(sys.argv[1], 'r+b') as f:
    f.seek(f.read().index(b'entry 2'))
    f.write(b'Entry')
PY
ok 'recovery with whole batches in the tail' 0 "$hearth" --store file:tail.hearth eval '_home.later = 1'
says err 'whole batches are in it'
at=$(sed -n 's/.* at byte \([0-9]*\) was cut off.*/\1/p' "$folder/err")
head -c "$at" tail.hearth >tail.copy
cat tail.hearth.tail-2 >>tail.copy
ok 'salvage of a copy with its tail' 0 "$hearth" salvage tail.copy --to tail.saved
ok 'what was whole in the tail' 0 "$hearth" --store file:tail.saved get --raw '[4]'
says out 'the entry 4'
ok 'what was before it' 0 "$hearth" --store file:tail.saved get --raw '[1]'
says out 'the entry 1'

# A byte in the middle of what was synced is flipped: the file is refused, and salvaged.
cp world.hearth broken.hearth
"$python" - broken.hearth <<'PY'
import sys
with open(sys.argv[1], 'r+b') as f:
    f.seek(0)
    at = f.read().index(b'entry 1500')
    f.seek(at)
    f.write(b'Entry')
PY
cp broken.hearth broken.before
ok 'a damaged store is refused' 3 "$hearth" --store file:broken.hearth eval 1
one_line
says err 'broken.hearth'
ok 'verify finds it' 1 "$hearth" --store file:broken.hearth verify
says err 'damaged'
ok 'salvage' 0 "$hearth" salvage broken.hearth --to saved.hearth
says out 'saved.hearth: '
says out 'not whole, or not provably: '
says out 'what is left of them was taken'
ok 'salvage of whole batches' 0 "$hearth" salvage broken.hearth --to whole.hearth --whole-batches
says out 'nothing of them was taken'
ok 'salvage over something' 1 "$hearth" --store file:broken.hearth salvage --to saved.hearth
says err 'hearth: saved.hearth: there is something already'
ok 'salvage leaves the damaged file alone' 0 cmp broken.hearth broken.before
ok 'salvage a missing file' 3 "$hearth" salvage missing --to new.hearth
one_line
ok 'salvage a folder' 3 "$hearth" salvage . --to new.hearth
one_line
ok 'salvage something else' 3 "$hearth" salvage world.lua --to new.hearth
one_line
ok 'salvage made nothing of these' 1 test -e new.hearth

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
